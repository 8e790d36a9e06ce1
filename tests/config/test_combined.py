"""One configuration of the file and the database: what is in force, what is left out, and that neither can break the other."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.budgets import book_of
from gw.config.combined import combined, fields_of, judge, key_of, told, users_of
from gw.config.load import parse
from gw.config.model import Config
from gw.domain.budget_book import CHARGES_MAX
from gw.domain.key import KeyRow
from gw.domain.stored import Definition, Kind, LeftOut, Stored

FILE = """\
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[budget]]
name = "b"
team = "platform"
limit_usd = "10"
[[upstream]]
name = "main"
api_key = "literal-key"
"""


def config_of(text: str = FILE) -> Config:
    return parse(text, "config.toml", Path("/base"), {}).config


def defined(kind: Kind, name: str, **fields: object) -> Definition:
    return Definition(kind, name, msgspec.json.encode(fields).decode(), 1, 1, 1)


def row(name: str, **fields: object) -> KeyRow:
    return KeyRow(public_id=f"id-{name}", digest=name.encode().hex().ljust(64, "0"), name=name, **fields)  # type: ignore[arg-type]


def stored_of(*definitions: Definition, keys: tuple[KeyRow, ...] = ()) -> Stored:
    return Stored(1, definitions, keys)


def left_out(stored: Stored, text: str = FILE) -> dict[tuple[str, str], str]:
    return {(one.kind, one.name): one.problem for one in judge(config_of(text), stored)}


def whole(stored: Stored, text: str = FILE) -> Config:
    return combined(config_of(text), stored, judge(config_of(text), stored))


def test_nothing_stored_changes_nothing():
    assert whole(Stored()) == config_of()


def test_stored_definitions_stand_behind_those_of_the_file_and_mean_the_same():
    stored = stored_of(
        defined("customer", "beta"),
        defined("team", "red", customer="beta"),
        defined("team", "blue", customer="acme"),
        defined("budget", "red", team="red", limit_usd="5", increase=[{"limit_usd": "1", "until": "2027-01-31", "reason": "x"}]),
        defined("limit", "pace", key="anna", requests=60, burst="5"),
        keys=(row("anna", team="red", session_limit_usd="1"),),
    )
    assert judge(config_of(), stored) == ()
    config = whole(stored)
    assert [one.name for one in config.team] == ["platform", "red", "blue"]
    assert [(one.name, one.limit_usd, one.mode, one.window) for one in config.budget] == [
        ("b", "10", "hard", "month"),
        ("red", "5", "hard", "month"),
    ]
    written = f"""{FILE}
[[customer]]
name = "beta"
[[team]]
name = "red"
customer = "beta"
[[team]]
name = "blue"
customer = "acme"
[[budget]]
name = "red"
team = "red"
limit_usd = "5"
[[budget.increase]]
limit_usd = "1"
until = 2027-01-31
reason = "x"
[[key]]
name = "anna"
secret_hash = "{row("anna").digest}"
team = "red"
session_limit_usd = "1"
[[limit]]
name = "pace"
key = "anna"
requests = 60
burst = "5"
"""
    assert config == config_of(written)
    assert [one.id for one in book_of(config).budgets] == ["b", "red", "anna#session"]


def test_file_wins_where_a_name_is_in_both():
    stored = stored_of(
        defined("team", "platform"), defined("budget", "b", team="*", limit_usd="1"), keys=(row("ci", team="platform"),)
    )
    text = f'{FILE}[[key]]\nname = "ci"\nsecret_hash = "{"ab" * 32}"\n'
    assert whole(stored, text) == config_of(text)
    said = left_out(stored, text)
    assert said["team", "platform"] == "the configuration file has a team of this name, which is the one in force"
    assert set(said) == {("team", "platform"), ("budget", "b"), ("key", "ci")}
    assert whole(stored).team == config_of().team and [one.name for one in whole(stored).key] == ["ci"]


def test_what_refers_to_a_name_that_is_gone_is_left_out_with_all_that_refers_to_it():
    stored = stored_of(
        defined("team", "red", customer="acne"),
        defined("budget", "red", team="red", limit_usd="1"),
        defined("budget", "anna", key="anna", limit_usd="1", mode="soft"),
        defined("limit", "free", team="*", requests=1),
        keys=(row("anna", team="red"),),
    )
    assert left_out(stored) == {
        ("team", "red"): 'customer: there is no customer "acne"; did you mean "acme"?',
        ("key", "anna"): 'team: there is no team "red"',
        ("budget", "red"): 'team: there is no team "red"',
        ("budget", "anna"): 'key: there is no key "anna"',
    }
    assert [one.opens for one in judge(config_of(), stored)] == [False, True, False, False]
    assert [one.name for one in whole(stored).limit] == ["free"]


def test_definition_that_cannot_be_read_is_left_out_and_taken_for_a_hard_budget():
    stored = stored_of(defined("budget", "odd", team="*", limit_usd="-1", colour="red"))
    (one,) = judge(config_of(), stored)
    assert one.opens
    assert 'limit_usd: must be 0 to 1000000000 USD, not "-1"' in one.problem and "colour: unknown key" in one.problem
    assert told(one).startswith('the hard budget "odd" of the database is not in force: ')


def test_key_goes_on_although_an_upstream_that_it_names_has_gone():
    assert left_out(stored_of(keys=(row("anna", upstreams=("main", "gone")),))) == {}


def test_budget_of_a_revoked_key_is_no_mistake():
    stored = stored_of(defined("budget", "anna", key="anna", limit_usd="1"), keys=(row("anna", revoked_us=5),))
    assert judge(config_of(), stored) == () and whole(stored).key == ()


def test_missing_upstream_credential_is_the_files_affair():
    text = FILE.replace('api_key = "literal-key"', 'api_key = "env:NOT_SET"')
    assert left_out(stored_of(keys=(row("anna"),)), text) == {}


def test_what_does_not_fit_beside_the_rest_is_left_out_and_hard_budgets_come_first():
    soft = [defined("budget", f"soft {at}", team="*", limit_usd="1", mode="soft") for at in range(CHARGES_MAX)]
    hard = [defined("budget", f"hard {at}", team="*", limit_usd="1") for at in range(CHARGES_MAX - 2)]
    stored = stored_of(*soft, *hard, keys=(row("anna", session_limit_usd="1"),))
    out = judge(config_of(), stored)
    assert [one.name for one in out] == sorted(one.name for one in soft)
    assert not any(one.opens for one in out)
    book_of(whole(stored))
    more = stored_of(*soft, *hard, defined("budget", "one too many", team="*", limit_usd="1"), keys=stored.keys)
    assert [(one.kind, one.name) for one in judge(config_of(), more) if one.name not in {s.name for s in soft}] == [
        ("key", "anna")
    ]
    rates = [defined("limit", f"l{at:02}", team="*", requests=1) for at in range(CHARGES_MAX + 2)]
    assert [one.name for one in judge(config_of(), stored_of(*rates))] == ["l24", "l25"]


def test_users_of_a_name_are_named():
    stored = stored_of(
        defined("team", "red"),
        defined("budget", "r", team="red", limit_usd="1"),
        defined("limit", "l", team="red", requests=1),
        keys=(row("anna", team="red"),),
    )
    assert users_of(whole(stored), "team", "red") == ['key "anna"', 'budget "r"', 'limit "l"']
    assert users_of(whole(stored), "customer", "acme") == ['team "platform"']
    assert users_of(whole(stored), "budget", "r") == []


def test_fields_are_what_json_can_say_and_hold_no_secret():
    key = key_of(row("anna", expires_us=1_000_001, team="red"))
    fields = fields_of(key)
    assert fields["expires"] == "1970-01-01T00:00:01.000001Z" and fields["models"] == ["*"]
    assert not {"secret", "secret_hash", "name"} & set(fields)
    assert msgspec.json.decode(msgspec.json.encode(fields)) == fields


NAMES = st.sampled_from(["platform", "acme", "red", "anna", "b", "main", "*", "r*"])
SCOPES = st.dictionaries(st.sampled_from(["customer", "team", "key", "upstream", "session"]), NAMES, max_size=2)
BUDGETS = st.builds(
    lambda name, scopes, usd, mode: defined("budget", name, limit_usd=usd, mode=mode, **scopes),
    st.text("xyz", min_size=1, max_size=2),
    SCOPES,
    st.sampled_from(["1", "0", "x", ""]),
    st.sampled_from(["hard", "soft", "odd"]),
)
LIMITS = st.builds(
    lambda name, scopes, amounts: defined("limit", name, **scopes, **amounts),
    st.text("xyz", min_size=1, max_size=2),
    SCOPES,
    st.dictionaries(st.sampled_from(["requests", "parallel", "tokens"]), st.integers(0, 2), max_size=2),
)
TEAMS = st.builds(lambda name, customer: defined("team", name, customer=customer), NAMES, NAMES | st.just(""))
CUSTOMERS = st.builds(lambda name: defined("customer", name), NAMES)
ROWS = st.builds(lambda name, team, usd: row(name, team=team, session_limit_usd=usd), NAMES, NAMES, st.sampled_from(["", "1"]))
FILES = st.sampled_from(["", FILE, FILE + '[[budget]]\nname = "x"\nteam = "*"\nlimit_usd = "1"\n' * 1])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(BUDGETS | LIMITS | TEAMS | CUSTOMERS, max_size=12, unique_by=lambda one: (one.kind, one.name)),
    st.lists(ROWS, max_size=3, unique_by=lambda one: one.name),
    FILES,
)
def test_what_is_in_force_always_makes_a_book_and_nothing_of_the_file_is_lost(definitions, keys, text):
    stored = stored_of(*definitions, keys=tuple(keys))
    out = judge(config_of(text), stored)
    config = combined(config_of(text), stored, out)
    book_of(config)
    for kind in ("customer", "team", "key", "budget", "limit"):
        own, all_of_it = getattr(config_of(text), kind), getattr(config, kind)
        assert all_of_it[: len(own)] == own
        count = sum(one.kind == kind for one in definitions) if kind != "key" else len(keys)
        assert len(all_of_it) - len(own) + sum(one.kind == kind for one in out) == count
    fewer = Stored(1, tuple(d for d in definitions if not any((d.kind, d.name) == (o.kind, o.name) for o in out)), tuple(keys))
    keys_out = {one.name for one in out if one.kind == "key"}
    fewer = Stored(1, fewer.definitions, tuple(k for k in keys if k.name not in keys_out))
    assert judge(config_of(text), fewer) == (), "what is left is in force whole"


@pytest.mark.parametrize("opens", [True, False])
def test_left_out_says_its_kind(opens):
    assert ("hard budget" in told(LeftOut("budget", "b", "why", opens=opens))) is opens
