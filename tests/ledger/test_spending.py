"""The ledger's sums for budgets, against a slow sum in Python; what they need not read, they do not."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from gw.domain.budget import Budget
from gw.domain.scope import KINDS, CallPath, Scope
from gw.domain.window import LIFETIME, bounds, parse_window
from gw.ledger import charged as sql
from gw.ledger import charged_sum, spending
from gw.ledger.spending import SESSION_IDLE_US, Span, accounts_of, charge_of, charges_of, spent
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from tests.domain.calendars import ZONES, changes
from tests.ledger.records import NOON_US, record
from tests.ledger.spent import charged, counted, empty, insert, one_month, oracle, path_of, writing
from tests.support.databases import on_server, query

HOUR_US = 3_600_000_000
NAMES = ("", "a", "b", "ab")

names = st.sampled_from(NAMES)
paths = st.builds(CallPath, names, names, names, names, names, st.sampled_from(("", "A", "b[1m]", "ab")), names, names)
scopes = st.builds(Scope, st.sampled_from(KINDS), st.sampled_from(("a", "b", "a*", "*", "?")), st.booleans(), names)
windows = st.one_of(
    st.builds(parse_window, st.sampled_from(("hour", "day", "week", "month", "year", "lifetime")), st.sampled_from(ZONES)),
    st.builds(parse_window, st.sampled_from(("5m", "90m", "5h", "2d", "3M"))),
)
instants = st.one_of(
    st.integers(-26, 26).map(lambda hours: NOON_US + hours * HOUR_US),
    st.builds(
        lambda change, offset: change + offset * HOUR_US // 2,
        st.sampled_from([change for zone in ZONES for change in changes(zone)[-20:]]),
        st.integers(-3, 3),
    ),
)


marks = st.tuples(st.integers(0, 25), st.integers(0, 25))  # up to which numbers rows are summed up, in two portions


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Budget], list[object], int]:
    """Budgets, rows around an instant, and that instant."""
    at_us = draw(instants)
    reserves = st.sampled_from(("typical", "worst"))
    budgets = [
        Budget(str(number), draw(scopes), 1, draw(windows), reserve=draw(reserves)) for number in range(draw(st.integers(1, 5)))
    ]
    rows = []
    for number in range(draw(st.integers(0, 25))):
        charged_us = at_us + draw(st.one_of(st.integers(-10, 10), st.integers(-800, 400).map(lambda hours: hours * HOUR_US)))
        rows.append(
            charged(
                str(number),
                charged_us,
                0,
                draw(paths),
                billed_pusd=draw(st.sampled_from((0, 1, 999, 1000, 1001, 5_000_000_007, 2**63 - 1))),
                at_most_nusd=draw(st.sampled_from((0, 0, 1, 2, 10**9))),
                charged_us=draw(st.sampled_from((charged_us, charged_us, 0))),
            )
        )
    return budgets, rows, at_us


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "sqlite":
        database = SqliteDatabase(tmp_path_factory.mktemp("spending") / "gw.db")
        database.prepare()
        yield database
        return
    for database in on_server(request.getfixturevalue("server")):
        one_month(database)
        yield database


def fill(ledger: Database, rows: list) -> None:
    empty(ledger)
    insert(ledger, rows)


def sum_up(ledger: Database, sums: tuple[int, int]) -> None:
    """All rows up to one number, in portions that end at another and there."""
    first, last = sorted(sums)
    with writing(ledger) as db:
        for low, high in ((1, first), (first + 1, last)):
            for statement in charged_sum.adding(low, high):
                db.execute(statement)


def spans(budgets: list[Budget], *instants_us: int) -> set[Span]:
    return {Span(budget, *bounds(budget.window, at_us)) for budget in budgets for at_us in instants_us}


@settings(max_examples=250, deadline=None)
@given(world=worlds(), summed=marks)
def test_sums_are_those_of_every_row_against_every_budget(ledger, world, summed):
    """However many of the rows are summed up already."""
    budgets, rows, at_us = world
    fill(ledger, rows)
    sum_up(ledger, summed)
    everybody = [name for name in NAMES if name]
    found = spent(ledger, spans(budgets, at_us), sessions=everybody)
    assert {key: one.nusd for key, one in found.items()} == oracle(budgets, [at_us], rows)


@settings(max_examples=60, deadline=None)
@given(world=worlds(), back=st.integers(1, 60), summed=marks)
def test_several_windows_of_one_budget_are_told_apart(ledger, world, back, summed):
    budgets, rows, at_us = world
    fill(ledger, rows)
    sum_up(ledger, summed)
    both = (at_us, at_us - back * HOUR_US)
    found = spent(ledger, spans(budgets, *both), sessions=[name for name in NAMES if name])
    assert {key: one.nusd for key, one in found.items()} == oracle(budgets, both, rows)


@given(
    path=paths, billed=st.integers(0, 2**63 - 1), at_most=st.integers(0, 2**53 - 1), reserve=st.sampled_from(("typical", "worst"))
)
def test_a_row_means_the_same_to_python(path, billed, at_most, reserve):
    one = charged("a", NOON_US, 0, path, billed_pusd=billed, at_most_nusd=at_most)
    charge = charge_of(astuple(one))
    budget = Budget("a", Scope("team", "a"), 1, LIFETIME, reserve=reserve)
    assert (charge.path, charge.at_us, charge.counted_nusd(budget)) == (path_of(one), NOON_US, counted(budget, one))


def test_a_row_from_before_there_were_budgets_counts_where_it_began():
    assert charge_of(astuple(record("a", charged_us=0))).at_us == NOON_US


SESSIONS = Budget("s", Scope("session", "*", each=True), 1, LIFETIME)


@pytest.mark.parametrize("summed", [0, 2, 4])
def test_sessions_without_a_call_in_thirty_days_begin_anew(ledger, summed):
    old, new = CallPath(session="old"), CallPath(session="new")
    fill(
        ledger,
        [
            charged("a", NOON_US - SESSION_IDLE_US - 1, 10, old),
            charged("b", NOON_US - 2 * SESSION_IDLE_US, 1, new),  # long ago, but it is still in use
            charged("c", NOON_US - SESSION_IDLE_US, 2, new),
            charged("d", NOON_US, 0, old),  # cost nothing
        ],
    )
    sum_up(ledger, (0, summed))
    found = spent(ledger, [Span(SESSIONS, 0, 0)], now_us=NOON_US)
    assert [(one.account, one.nusd, one.last_us) for one in found.values()] == [("new", 3, NOON_US - SESSION_IDLE_US)]


@pytest.mark.parametrize("summed", [0, 5, 10])
def test_of_too_many_sessions_the_latest_are_remembered(ledger, monkeypatch, summed):
    monkeypatch.setattr(spending, "SESSIONS_MAX", 3)
    monkeypatch.setattr(spending, "NAMES_MAX", 2)
    fill(ledger, [charged(str(at), NOON_US - at, 1, CallPath(session=f"s{at}")) for at in range(10)])
    sum_up(ledger, (0, summed))
    found = spent(ledger, [Span(SESSIONS, 0, 0)], now_us=NOON_US)
    assert sorted(one.account for one in found.values()) == ["s0", "s1", "s2"]


def test_accounts_come_with_the_thriftiest_last(ledger):
    budget = Budget("t", Scope("team", "*", each=True), 1, parse_window("day"))
    fill(ledger, [charged(str(at), NOON_US, at, CallPath(team=f"t{at % 3}")) for at in range(1, 8)])
    start_us, end_us = bounds(budget.window, NOON_US)
    assert [(one.account, one.nusd) for one in accounts_of(ledger, budget, start_us, end_us, NOON_US)] == [
        ("t1", 12),
        ("t0", 9),
        ("t2", 7),
    ]


def test_sums_beyond_what_sqlite_can_add_up(ledger):
    budget = Budget("t", Scope("team", "a"), 1, LIFETIME)
    fill(ledger, [charged(str(at), NOON_US, 0, CallPath(team="a"), billed_pusd=2**63 - 1) for at in range(1100)])
    (one,) = spent(ledger, [Span(budget, 0, 0)]).values()
    assert one.nusd == 1100 * -(-(2**63 - 1) // 1000) > 2**63


def test_charges_are_found_by_call_id(ledger, monkeypatch):
    monkeypatch.setattr(spending, "NAMES_MAX", 2)
    fill(ledger, [charged(str(at), NOON_US + at, at, CallPath(team="a")) for at in range(5)])
    found = charges_of(ledger, ["4", "0", "2", "none"])
    assert {call_id: (charge.at_us - NOON_US, charge.cost_nusd) for call_id, charge in found.items()} == {
        "0": (0, 0),
        "2": (2, 2),
        "4": (4, 4),
    }


def test_without_a_ledger_nothing_is_spent(tmp_path):
    none = SqliteDatabase(tmp_path / "none.db")
    assert spent(none, [Span(SESSIONS, 0, 0)]) == {}
    assert charges_of(none, ["a"]) == {}


def test_a_window_is_read_by_its_index(ledger):
    fill(ledger, [charged(str(at), NOON_US + at, 1) for at in range(500)])
    explain = "EXPLAIN QUERY PLAN" if isinstance(ledger, SqliteDatabase) else "EXPLAIN"
    where = f"{sql.AT} >= {NOON_US + 5} AND {sql.AT} < {NOON_US + 9} AND {sql.WORST} > 0"
    plan = query(ledger, f"{explain} SELECT team, SUM(billed_pusd) FROM call WHERE {where} GROUP BY team")
    assert ("call_charged" if isinstance(ledger, SqliteDatabase) else "Index Cond: ((CASE WHEN (charged_us") in str(plan)
