"""Which digest opens which account, from both sources."""

from pathlib import Path

from gw.accounts import accounts
from gw.config.combined import combined, judge
from gw.config.load import parse
from gw.domain.account import Account
from gw.domain.key import FormerSecret, KeyRow, digest, mint
from gw.domain.stored import Stored

PEPPER = bytes(range(32))
A, B, C, D = (f"{at}{at}" * 32 for at in "abcd")
FILE = f"""\
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "ci"
team = "platform"
secret_hash = "{A}"
max_cost_usd = "0"
max_tokens = 5
[[key]]
name = "lit"
secret = "{{secret}}"
active = false
[[upstream]]
name = "main"
api_key = "literal-key"
"""
SECRET = mint()


def found(*rows: KeyRow) -> dict[bytes, Account]:
    file = parse(FILE.format(secret=SECRET.text), "config.toml", Path("/base"), {}).config
    stored = Stored(1, (), rows)
    out = judge(file, stored)
    return accounts(file, combined(file, stored, out), stored, out, PEPPER)


def test_keys_of_the_file_have_their_path_and_bounds():
    opened = found()
    ci, lit = opened[bytes.fromhex(A)], opened[digest(SECRET.text, PEPPER)]
    assert (ci.key_id, ci.key_name, ci.team, ci.customer, ci.active) == ("ci", "ci", "platform", "acme", True)
    assert ci.max_tokens == 5 and ci.max_cost_nusd == 1, "0 USD is a bound, and 0 nano-USD would be none"
    assert (lit.key_id, lit.active, lit.bounded) == (SECRET.public_id, False, False)


def test_stored_key_opens_by_each_of_its_secrets_until_that_ends():
    row = KeyRow("id", B, "anna", "platform", expires_us=50, former=(FormerSecret(C, 40), FormerSecret(D, 60)))
    opened = found(row)
    assert [opened[bytes.fromhex(known)].expires_us for known in (B, C, D)] == [50, 40, 50]
    assert {opened[bytes.fromhex(known)].key_id for known in (B, C, D)} == {"id"}
    assert opened[bytes.fromhex(B)].customer == "acme"


def test_revoked_paused_and_left_out_keys_are_known_and_open_nothing():
    revoked = KeyRow("r", B, "r", revoked_us=1, former=(FormerSecret(D, 99),))
    opened = found(revoked, KeyRow("p", C, "p", active=False))
    assert [(opened[bytes.fromhex(known)].active, opened[bytes.fromhex(known)].problem) for known in (B, C, D)] == [
        (False, "")
    ] * 3
    (lost,) = [one for one in found(KeyRow("t", B, "t", "plat")).values() if one.key_id == "t"]
    assert not lost.active and lost.problem == 'team: there is no team "plat"', "and no other name is guessed at"


def test_file_wins_where_both_have_a_digest():
    opened = found(KeyRow("id", A, "other", "platform"))
    assert opened[bytes.fromhex(A)].key_name == "ci" and opened[bytes.fromhex(A)].active
