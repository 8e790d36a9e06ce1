"""Pages of the log on both databases: the right calls, in the right order, whatever comes meanwhile, and by the right index."""

import random

import pytest
from msgspec.structs import replace

from gw.domain.call import CallRecord
from gw.ledger import log_days, log_plan, logs
from gw.ledger.bounded import TooSlow, bounded
from gw.ledger.log_columns import BY_NAME
from gw.ledger.log_days import bar
from gw.ledger.log_filter import PARAMETERS, LogFilter, LogScope, escaped, parse
from gw.ledger.logs import SORTS, Asked, page
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from tests.ledger.log_rows import TEAMS, calls, expected, fill
from tests.ledger.records import NOON_US, record

RECORDS = calls(240)


def ids(database: Database, asked: Asked) -> list[str]:
    """Of all pages."""
    found: list[str] = []
    while True:
        one = page(database, asked)
        found += [row[0] for _, row in one.rows]
        if one.next is None:
            return found
        asked = replace(asked, after=one.next, until_seq=one.until_seq, count=False)


def filters() -> list[dict[str, str]]:
    """Every parameter at least once, and many together."""
    pick = random.Random(3)
    values = {"text": ["a", "claude-*", "*5*", "?i", "", "ci,5e55-1"], "words": ["x", "*=prod", ""], "flag": ["true", "false"]}
    values |= {"number": ["0", "200", "1200"], "money": ["0", "0.5", "0.000000000001"], "moment": ["2026-11-01T12:01:00Z", "1m"]}
    single = [{name: pick.choice(values[column.kind])} for name, (column, _) in PARAMETERS.items()]
    teams = [{"team": escaped(team)} for team in TEAMS]
    names = ["team", "model", "status.gte", "outcome", "key", "project", "billed_usd.gte", "error", "stream", "tags", "session"]
    several = []
    for _ in range(60):
        chosen = pick.sample(names, 3)
        several.append({name: pick.choice(values[PARAMETERS[name][0].kind]) for name in chosen})
    sought = [{"q": q} for q in ("ci", "CI", "opus", "5e55", "nothing", "a", "ß", "BACK", "gw_0000")]
    mixed = [{"q": "ci", "team": "a*", "status.not": "200"}, {"q": "opus", "since": "2026-11-01T12:02:00Z"}, {}]
    return [*single, *teams, *several, *sought, *mixed]


async def test_the_database_finds_what_each_row_says(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way it goes: with nothing rare, with all rare, and as it is."""
    await fill(database, RECORDS)
    wanted = [parse(query, NOON_US + 300_000_000) for query in filters()]
    right = [expected(RECORDS, one) for one in wanted]
    assert sum(map(bool, right)) > len(right) // 2
    for listed, few in ((200_000, 20_000), (40, 3), (100, 0), (-1, -1)):
        monkeypatch.setattr(log_plan, "LISTED_MAX", listed)
        monkeypatch.setattr(log_plan, "FEW", few)
        cases = list(zip(filters(), wanted, right, strict=True))
        for query, one, call_ids in cases if listed == 200_000 else cases[::4] + cases[-80:]:
            found = page(database, Asked(wanted=one, limit=500))
            assert [row[0] for _, row in found.rows] == call_ids, (listed, few, query)
            assert found.count == len(call_ids)
        if not isinstance(database, SqliteDatabase):
            return


async def test_among_some_calls_the_rest_of_the_filter_holds_all_the_same(database: Database) -> None:
    """However many there are, some of whom are not in the ledger."""
    await fill(database, RECORDS)
    wanted = parse({"outcome": "completed", "team.not": "a"}, NOON_US)
    right = expected(RECORDS, wanted)
    for every in (1, 7, 100):
        among = tuple(one.call_id for one in RECORDS[::every]) + tuple(f"elsewhere{number}" for number in range(9_000))
        found = page(database, Asked(wanted=wanted, among=among, limit=500))
        assert [row[0] for _, row in found.rows] == [one for one in right if one in among]
        assert found.count == len(found.rows)
    by_cost = Asked(wanted=wanted, among=among, sort="billed_usd", limit=1)
    assert sorted(ids(database, by_cost)) == sorted(one for one in right if one in among)
    assert page(database, Asked(among=())).count == 0


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_follow_each_other_in_every_order(database: Database, sort: str) -> None:
    await fill(database, RECORDS)
    wanted = parse({"outcome": "completed"}, NOON_US)
    for falling in (True, False):
        found = ids(database, Asked(wanted=wanted, sort=sort, falling=falling, limit=17))
        assert found == expected(RECORDS, wanted, sort, falling=falling)


def over_days(records: list[CallRecord]) -> list[CallRecord]:
    """One after the other on another of five days, of which one has most of them."""
    days = [0, 1, 1, 1, 1, 1, 2, 4]
    moved = ((one, days[number % len(days)] * DAY_US) for number, one in enumerate(records))
    return [replace(one, started_us=one.started_us + by_us, ended_us=one.ended_us + by_us) for one, by_us in moved]


AMOUNTS: tuple[dict[str, str], ...] = (
    {},
    {"outcome": "completed"},
    {"team": "a", "outcome.not": "refused"},
    {"billed_usd.gte": "0.5", "billed_usd.lt": "2"},
    {"billed_usd": "0,2", "tokens.gt": "1", "duration_ms.lte": "1500"},
    {"tokens": "1200", "since": "2026-11-02T12:00Z", "until": "2026-11-05T12:03Z"},
    {"duration_ms.gte": "1", "until": "2026-11-01"},
)


@pytest.mark.parametrize("sort", [name for name in SORTS if name != "ended_at"])
async def test_those_that_have_most_are_found_among_some(database: Database, monkeypatch: pytest.MonkeyPatch, sort: str) -> None:
    """Of days with many calls, few and none, from both ends, page by page; and what is rare among them is found all the same."""
    records = over_days(RECORDS)
    await fill(database, records)
    looked = list[int]()
    monkeypatch.setattr(logs, "LOOKED_AT", (30, 60))
    monkeypatch.setattr(logs, "ROW_COST", 0)
    monkeypatch.setattr(logs, "FEW", -1)
    monkeypatch.setattr(logs, "bar", lambda *given, **more: looked.append(more["count"]) or bar(*given, **more))
    for query in AMOUNTS:
        wanted = parse(query, NOON_US)
        for falling in (True, False):
            found = ids(database, Asked(wanted=wanted, sort=sort, falling=falling, limit=5))
            assert found == expected(records, wanted, sort, falling=falling), (query, falling)
    assert {30, 60} <= set(looked)
    looked.clear()
    page(database, Asked(sort=sort, limit=5))
    assert looked == [30], "a page of all calls is among the first"


async def test_days_beyond_number_are_not_looked_into(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock before 1971 has made them: then calls of an amount are found as if no index knew it."""
    records = [*over_days(RECORDS[:80]), record("early", ended_us=1, billed_pusd=10**12)]
    await fill(database, records)
    wanted = parse({"billed_usd.gte": "0.5"}, NOON_US)
    for most in (4_000, 30_000):
        monkeypatch.setattr(log_days, "DAYS_MAX", most)
        found = page(database, Asked(wanted=wanted, sort="billed_usd", limit=500))
        assert [row[0] for _, row in found.rows] == expected(records, wanted, "billed_usd")


async def test_calls_that_come_meanwhile_move_no_page(database: Database) -> None:
    await fill(database, RECORDS[:50])
    first = page(database, Asked(limit=10, sort="billed_usd"))
    late = [replace(one, call_id=f"late{number}", ended_us=NOON_US + number) for number, one in enumerate(RECORDS[50:90])]
    await fill(database, late)
    assert first.next is not None and first.count == 50
    rest = ids(database, Asked(limit=10, sort="billed_usd", after=first.next, until_seq=first.until_seq, count=False))
    assert [row[0] for _, row in first.rows] + rest == expected(RECORDS[:50], LogFilter(), "billed_usd")
    assert page(database, Asked(limit=1)).count == 90


async def test_counts_are_exact_up_to_their_bound(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(database, RECORDS)
    monkeypatch.setattr(logs, "COUNT_MAX", 100)
    for sort in SORTS:
        assert page(database, Asked(sort=sort, limit=5)).count == 101, "more than that, said by one more"
        few = parse({"call_id": "gw_00000*"}, NOON_US)
        assert page(database, Asked(wanted=few, sort=sort, limit=5)).count == 16
        assert page(database, Asked(sort=sort, limit=5, count=False)).count is None


async def test_where_no_index_knows_calls_the_latest_are_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the page is as full as ever. Postgres counts all."""
    await fill(database, RECORDS)
    monkeypatch.setattr(log_plan, "LISTED_MAX", 5)
    monkeypatch.setattr(logs, "WALKED_MAX", 100)
    wanted = parse({"status.lte": "200", "since": "9000d"}, NOON_US)
    there = expected(RECORDS, wanted, "ended_at")
    latest = expected(RECORDS, parse({"since": "9000d"}, NOON_US), "ended_at")[:101]
    found = page(database, Asked(wanted=wanted, limit=5))
    walks = isinstance(database, SqliteDatabase)
    assert [row[0] for _, row in found.rows] == there[:5] and found.count is not None
    assert -found.count >= len(set(there) & set(latest)) > 5 if walks else found.count == len(there)
    assert page(database, Asked(wanted=wanted, limit=500)).count == len(there), "a page that holds all says how many"


async def test_text_that_few_columns_hold_is_not_looked_for_in_others(database: Database) -> None:
    await fill(database, RECORDS)
    with database.reading() as db:
        assert db is not None
        (one,) = logs._terms(db, database.dialect, Asked(wanted=parse({"q": "opus"}, NOON_US)))
        chosen = log_plan.plan(log_plan.survey(db, database.dialect, [one]), in_time=True)
    assert len(one.places) > 3 and "upstream_request_id" in one.sql and "upstream_request_id" not in chosen.where


SCOPES = [
    (LogScope("team", "a"), lambda one: one.team == "a"),
    (LogScope("customer", "acme"), lambda one: one.customer == "acme"),
    (LogScope("key", "ci", "id1"), lambda one: (one.key_name, one.key_id) == ("ci", "id1")),
    (LogScope("key", "", ""), lambda _: False),
]


@pytest.mark.parametrize(("scope", "own"), SCOPES, ids=[f"{scope.kind} {scope.name}" for scope, _ in SCOPES])
async def test_a_scope_hides_all_other_calls(database: Database, scope: LogScope, own: object) -> None:
    await fill(database, RECORDS)
    mine = [one.call_id for one in RECORDS if own(one)]  # type: ignore[operator]
    for query in ({}, {"team": "*"}, {"key": "*"}, {"q": "c"}, {"team.not": "a"}):
        found = ids(database, Asked(wanted=parse(query, NOON_US), scope=scope, limit=500))
        assert set(found) <= set(mine) and (query or sorted(found) == sorted(mine))
    for one in RECORDS[:40]:
        assert (logs.one(database, one.call_id, scope) is not None) == (one.call_id in mine)


async def test_one_call_comes_with_every_value(database: Database) -> None:
    assert page(database, Asked()).rows == [] and logs.one(database, "c") is None, "no ledger yet"
    await fill(database, [record("c", stream=True, list_pusd=2**63 - 1, team="t")])
    found = logs.one(database, "c")
    assert found is not None
    seq, row = found
    made: CallRecord = CallRecord(*row)
    assert seq == 1 and made == record("c", stream=True, list_pusd=2**63 - 1, team="t")


async def test_a_question_that_takes_too_long_is_given_up(database: Database) -> None:
    await fill(database, RECORDS)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
    with pytest.raises(TooSlow, match=r"no answer within 0\.1 s"), bounded(database, 0.1) as db:
        assert db is not None
        db.execute(endless).fetchall()
    assert page(database, Asked(limit=1)).count == 240, "and the next one is answered"


def test_sorts_are_columns_that_have_an_order() -> None:
    assert all(BY_NAME[name] is column for name, column in SORTS.items())
