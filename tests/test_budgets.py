"""What the tables of the configuration mean as budgets and limits."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gw.budgets import basis_points, book_of, budgets_of, limits_of
from gw.cli_check import check
from gw.config.load import parse
from gw.config.model import Config
from gw.config.reference import EXAMPLES
from gw.domain.budget import Budget, Increase
from gw.domain.limit import Limit
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, parse_window

HASH = "0123456789abcdef" * 4
USD = 10**9
TEXT = f"""\
[server]
contact = "Ann"
[[team]]
name = "platform"
[[upstream]]
name = "main"
api_key = "literal-key"
[[key]]
name = "ci"
team = "platform"
secret_hash = "{HASH}"
session_limit_usd = "0.5"
[[budget]]
name = "b"
team = "platform"
limit_usd = "0.000000001"
window = "week"
anchor = 7
time_zone = "Europe/Berlin"
mode = "soft"
reserve = "worst"
warn_at = [0.07, 0.29, 1]
contact = "Bob"
[[budget.increase]]
limit_usd = 5
until = 2027-01-31
reason = "spring"
[[budget]]
name = "c"
key = "c*"
each = true
limit_usd = 25
[[limit]]
name = "pace"
key = "ci"
requests = 60
per = "30s"
[[limit]]
name = "burn"
upstream = "main"
usd = "0.25"
burst = "1.5"
[[limit]]
name = "agents"
session = "*"
parallel = 8
"""


def config_of(text: str = TEXT) -> Config:
    return parse(text, "config.toml", Path("/base"), {}).config


def test_budgets_say_what_the_tables_say():
    written, plain, session = budgets_of(config_of())
    assert written == Budget(
        "b",
        Scope("team", "platform"),
        1,
        parse_window("week", "Europe/Berlin", "7"),
        "soft",
        "worst",
        (700, 2900, 10_000),
        "Bob",
        (Increase(5 * USD, 1_801_353_600_000_000, "spring"),),
    )
    assert plain == Budget(
        "c", Scope("key", "c*", True), 25 * USD, parse_window("month"), warn_at=(5000, 8000, 9500), contact="Ann"
    )
    assert session == Budget(
        "ci#session", Scope("session", "*", True, "ci"), USD // 2, LIFETIME, warn_at=(5000, 8000, 9500), contact="Ann"
    )


def test_limits_say_what_the_tables_say():
    assert limits_of(config_of()) == [
        Limit("pace", Scope("key", "ci"), "requests", 60, 30 * USD, 60),
        Limit("burn", Scope("upstream", "main"), "usd", 250_000, 60 * USD, 1_500_000),
        Limit("agents", Scope("session", "*"), "parallel", 8),
    ]


def test_contact_is_the_nearest():
    assert [budget.contact for budget in budgets_of(config_of(f'{TEXT}[budgets]\ncontact = "Eve"\n'))] == ["Bob", "Eve", "Eve"]


@given(st.lists(st.integers(1, 10_000), unique=True).map(sorted))
def test_part_of_a_limit_is_as_many_basis_points_as_were_written(points):
    text = f"warn_at = [{', '.join(f'{point // 10_000}.{point % 10_000:04d}' for point in points)}]"
    config = config_of(f'[[budget]]\nname = "b"\nsession = "*"\nlimit_usd = 1\n{text}\n')
    assert basis_points(config.budget[0].warn_at) == tuple(points)


def test_book_knows_a_call_of_the_key():
    rules = book_of(config_of()).for_path(CallPath("", "platform", "ci", "id", "main", "claude", "", "s"))
    assert [(budget.id, account) for budget, account in rules.budgets] == [("b", "platform"), ("c", "ci"), ("ci#session", "s")]
    assert [(limit.id, account) for limit, account in rules.limits] == [("pace", "ci"), ("burn", "main"), ("agents", "s")]
    assert book_of(config_of()).for_path(CallPath(upstream="main", model="claude")).budgets == ()  # passthrough


@pytest.mark.parametrize("table", ["budget", "limit"])
def test_examples_make_a_book(table):
    book = book_of(config_of(EXAMPLES[table]))
    assert len(book.budgets) + len(book.limits) == 3


def test_check_shows_budgets_and_limits_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gw.clock.wall_us", lambda: 1_792_972_800_000_000)  # 2026-10-26 00:00 UTC, a Monday
    (tmp_path / "config.toml").write_text(TEXT)
    result = CliRunner().invoke(check, [], env={"ANTHROPIC_API_KEY": None, "GW_CONFIG": None}, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[2:] == [
        'budget b: team "platform", $5.000000001 weekly, soft, reserves worst, resets Nov 1 00:00 CET',
        'budget c: each key "c*", $25 monthly, hard, reserves typical, resets Nov 1 00:00 UTC',
        'budget ci#session: each session of key "ci", $0.5 lifetime, hard, reserves typical',
        'limit pace: key "ci", 60 requests per 30 s, at most 60 at once',
        'limit burn: upstream "main", $0.25 per 60 s, at most $1.5 at once',
        "limit agents: each session, 8 calls at once",
        "valid: config.toml (1 upstream, 1 key, 0 price overrides, 2 budgets, 3 limits, 1 warning)",
    ]
    again = config_of(result.stdout.replace("********", "literal-key"))
    assert (again.budget, again.limit, again.budgets) == (config_of().budget, config_of().limit, config_of().budgets)
