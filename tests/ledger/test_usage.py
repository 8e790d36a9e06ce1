"""Questions about usage are answered from rollups as if every call had been looked at."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from msgspec.structs import astuple

from gw import clock
from gw.domain.attempts import is_request
from gw.domain.call import CallRecord
from gw.domain.shown import EPOCH
from gw.ledger import reports, rollup
from gw.ledger.adjust import Adjustment, append
from gw.ledger.reports import Filters
from gw.ledger.rollup_shape import AMOUNTS, DAY_US, HOUR_US
from gw.ledger.store import Batch, Database
from gw.ledger.usage import ALL, ASKED, Scope, Wanted, answer
from gw.ledger.usage_measures import DEFAULT, MEASURES, change, shown
from gw.ledger.usage_overview import overview
from gw.ledger.usage_sql import EVER_US, Question, Stretch, cut, sums, sums_by_minute
from gw.ledger.usage_time import Bucket, before, bounds_of, count_of, whole_hours
from tests.ledger import rolled
from tests.ledger.records import NOON_US, record
from tests.ledger.test_rollup import some

COLUMNS = ("calls", "failed", "requests", "errors", "input_tokens", "total_us", "total_count", "billed_high", "billed_low")
MIDNIGHT_US = NOON_US - 12 * HOUR_US
LABELS = {
    "team": lambda one: one.team,
    "key": lambda one: one.key_name or (f"passthrough {one.credential}" if one.credential else one.key_id),
    "model": lambda one: one.served_model or one.requested_model,
    "kind": rolled.kind_of,
    "outcome": lambda one: one.outcome,
    "project": lambda one: one.project,
    "session_id": lambda one: one.session_id,
    "agent_id": lambda one: one.agent_id,
    "client_version": lambda one: one.client_version,
    "context_window": lambda one: rolled.dimensions_of(one)["context"],
}


@pytest.fixture
async def calls(database: Database) -> AsyncIterator[list[CallRecord]]:
    """A ledger of them, two of them adjusted."""
    dice = random.Random(11)
    found = [some(dice, number) for number in range(150)]
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in found]))
    await store.close()
    adjust(database, found[3], 5_000)
    adjust(database, found[4], -700)
    yield found


def adjust(database: Database, one: CallRecord, pusd: int) -> None:
    """As a repricing does: a row of `adjustment` and the rollups, in one transaction."""
    amounts = [pusd if name == "billed_pusd" else 0 for name in AMOUNTS]
    with database.changing() as db:
        values = dict.fromkeys(Adjustment._fields, "") | {name: 0 for name in Adjustment._fields if name.endswith(("usd", "us"))}
        values |= {"seq": 0, "id": f"{one.call_id}.1", "call_id": one.call_id, "billed_pusd": pusd, "ended_us": one.ended_us}
        append(db, [Adjustment(**values)])
        rollup.adjust(db, [(astuple(one), amounts)])


def adjusted(one: CallRecord) -> int:
    return {"c3": 5_000, "c4": -700}.get(one.call_id, 0)


def slow(calls: list[CallRecord], name: str, stretches: list[Stretch]) -> dict[tuple[object, ...], list[int]]:
    found: dict[tuple[object, ...], list[int]] = {}
    for one in calls:
        for number, start_us, end_us in stretches:
            if start_us <= one.ended_us < end_us:
                measures = rolled.measures_of(one)
                row = found.setdefault((number, LABELS[name](one)), [0] * (len(COLUMNS) - 1))
                for at, column in enumerate(COLUMNS[:-2]):
                    row[at] += measures[column]
                row[-1] += measures["billed_pusd"] + adjusted(one)
    return found


def asked(database: Database, name: str, stretches: list[Stretch]) -> dict[tuple[object, ...], list[int]]:
    with database.reading() as db:
        assert db is not None
        found = sums(db, database.dialect, Question(stretches, [ASKED[name]], [], COLUMNS))
    return {key: [*figures[:-2], (figures[-2] << 31) + figures[-1]] for key, figures in found.items()}


@pytest.mark.parametrize("name", LABELS)
async def test_any_stretch_is_summed_to_the_microsecond(database: Database, calls: list[CallRecord], name: str) -> None:
    dice = random.Random(name)
    for _ in range(4):
        ends = sorted(NOON_US + dice.randrange(52 * HOUR_US) for _ in range(3))
        stretches = [Stretch(0, ends[0], ends[1]), Stretch(1, ends[1], ends[2]), Stretch(2, ends[2], ends[2] + 1000)]
        assert asked(database, name, stretches) == slow(calls, name, stretches)
    days = [Stretch(number, MIDNIGHT_US + number * DAY_US, MIDNIGHT_US + (number + 1) * DAY_US) for number in range(4)]
    assert asked(database, name, days) == slow(calls, name, days)
    assert asked(database, name, [Stretch(7, 0, EVER_US)]) == slow(calls, name, [Stretch(7, 0, EVER_US)])


async def test_minutes_are_read_from_the_calls(database: Database, calls: list[CallRecord]) -> None:
    with database.reading() as db:
        assert db is not None
        found = sums_by_minute(db, Question([Stretch(0, NOON_US, NOON_US + 60 * HOUR_US)], [], [], ("calls",)))
    counted: dict[int, int] = {}
    for one in calls:
        counted[one.ended_us // 60_000_000] = counted.get(one.ended_us // 60_000_000, 0) + (one.endpoint == "messages")
    assert {minute: figures[0] for (minute,), figures in found.items()} == counted


def test_stretches_are_cut_into_days_hours_and_the_rest() -> None:
    start, end = MIDNIGHT_US - 90 * 60_000_000, MIDNIGHT_US + DAY_US + 61 * 60_000_000
    days, hours, rest = cut([Stretch(5, start, end)])
    assert days == [(5, MIDNIGHT_US // DAY_US, MIDNIGHT_US // DAY_US + 1)]
    hour = MIDNIGHT_US // HOUR_US
    assert hours == [(5, hour - 1, hour), (5, hour + 24, hour + 25)]
    assert rest == [(5, start, start + 30 * 60_000_000), (5, end - 60_000_000, end)]
    assert cut([Stretch(0, start + 5, start + 9)]) == ([], [], [(0, start + 5, start + 9)])


@pytest.mark.parametrize(
    ("bucket", "zone", "count", "first_length_h"),
    [
        ("day", "UTC", 4, 24),
        ("day", "Europe/Berlin", 5, 1),
        ("week", "UTC", 2, 24),
        ("month", "UTC", 1, 96),
        ("none", "UTC", 1, 96),
    ],
)
def test_buckets_begin_where_the_zone_says(bucket: Bucket, zone: str, count: int, first_length_h: int) -> None:
    """2026-11-01 was a Sunday; Berlin is an hour ahead, so its day ends at 23:00 UTC."""
    from_us = MIDNIGHT_US if zone == "UTC" else MIDNIGHT_US - 2 * HOUR_US
    to_us = from_us + 4 * DAY_US
    bounds = bounds_of(bucket, from_us, to_us, zone)
    assert (bounds[0], bounds[-1]) == (from_us, to_us) and len(bounds) == count + 1 <= count_of(bucket, from_us, to_us) + 1
    assert bounds[1] - bounds[0] == first_length_h * HOUR_US


def test_day_that_begins_within_an_hour_does_so_unless_its_calls_are_gone() -> None:
    bounds = bounds_of("day", MIDNIGHT_US, MIDNIGHT_US + 2 * DAY_US, "Asia/Kathmandu")
    assert bounds[1] - MIDNIGHT_US == 18 * HOUR_US + HOUR_US // 4, "midnight there"
    assert [at_us - MIDNIGHT_US for at_us in whole_hours(bounds)[1:3]] == [19 * HOUR_US, 43 * HOUR_US]
    assert whole_hours(bounds, MIDNIGHT_US + 18 * HOUR_US) == bounds
    assert whole_hours(bounds, MIDNIGHT_US + 20 * HOUR_US) == [bounds[0], MIDNIGHT_US + 19 * HOUR_US, *bounds[2:]]
    assert [now - then for now, then in zip(bounds, before(bounds), strict=True)] == [2 * DAY_US] * len(bounds)


async def test_top_groups_by_name_and_the_rest_as_one(database: Database, calls: list[CallRecord]) -> None:
    bounds = [NOON_US, NOON_US + 60 * HOUR_US]
    billed = MEASURES["billed_usd"]
    wanted = Wanted(bounds, ["outcome"], [billed, MEASURES["calls"]], order=billed)
    every = answer(database, ALL, wanted)
    best = answer(database, ALL, wanted._replace(top=2))
    assert [line.group for line in best.lines] == [every.lines[0].group, every.lines[1].group, None]
    assert billed.value(best.lines[2].now) == sum(billed.value(line.now) for line in every.lines[2:])
    assert billed.value(best.now) == sum(one.billed_pusd + adjusted(one) for one in calls)
    falling = [billed.value(line.now) for line in every.lines]
    assert falling == sorted(falling, reverse=True)
    assert [line.group for line in answer(database, ALL, wanted._replace(rising=True)).lines] == [
        line.group for line in reversed(every.lines)
    ]


async def test_the_period_before_stands_beside(database: Database, calls: list[CallRecord]) -> None:
    half_us = NOON_US + 26 * HOUR_US
    measures = [MEASURES["calls"], MEASURES["billed_usd"]]
    found = answer(database, ALL, Wanted([half_us, half_us + 26 * HOUR_US], ["team"], measures, compare=True))
    later = [one for one in calls if one.ended_us >= half_us]
    for line in found.lines:
        assert line.group is not None and line.then is not None
        now, then = (
            [one for one in part if (one.team,) == line.group and one.endpoint == "messages"]
            for part in (later, [one for one in calls if half_us - 26 * HOUR_US <= one.ended_us < half_us])
        )
        assert (line.now["calls"], line.then["calls"]) == (len(now), len(then))
        assert change(measures, line.now, line.then)["calls"] == len(now) - len(then)


@pytest.mark.parametrize(
    ("scope", "mine"),
    [
        (Scope("team", "t1"), lambda one: one.team == "t1"),
        (Scope("customer", "acme"), lambda one: one.customer == "acme"),
        (Scope("key", "a"), lambda one: one.key_name == "a"),
        (Scope("key", "a", "a"), lambda one: one.key_name == one.key_id == "a"),
        (Scope("key", "", "b"), lambda one: one.key_id == "b"),
        (Scope("key", "nobody", "nobody"), lambda one: False),
    ],
)
async def test_scope_sees_its_own(database: Database, calls: list[CallRecord], scope: Scope, mine: object) -> None:
    found = answer(database, scope, Wanted([0, EVER_US], ["project", "kind"], [MEASURES["requests"]]))
    requests = [one for one in calls if is_request(one.outcome, one.status, one.attempts, one.attempt_of)]
    assert found.now["requests"] == sum(map(mine, requests))  # type: ignore[call-overload]  # a predicate
    own = overview(database, scope, "UTC", 30, NOON_US + 3 * DAY_US)
    assert own.now["requests"] == found.now["requests"]


def test_measures_show_what_is_known() -> None:
    columns = {column for one in MEASURES.values() for column in one.columns}
    none = dict.fromkeys(columns, 0)
    blank = shown(MEASURES.values(), none)
    unknown = {"latency_ms", "first_byte_ms", "first_token_ms", "error_rate", "cache_read_share"}
    assert {name for name, value in blank.items() if value is None} == unknown
    some_of = none | {"total_us": 3_000_000, "total_count": 2, "calls": 8, "errors": 1}
    some_of |= {"cache_read_tokens": 90, "input_tokens": 10, "billed_high": 1, "billed_low": 5}
    found = shown(MEASURES.values(), some_of)
    assert (found["latency_ms"], found["error_rate"], found["cache_read_share"], found["tokens"]) == (1500.0, 0.125, 0.9, 100)
    assert found["billed_usd"] == "0.002147483653" and set(DEFAULT) <= set(MEASURES)


@pytest.mark.parametrize("by", ["session", "agent", "model", "key"])
@pytest.mark.parametrize("span", [(0, 0), (NOON_US + 5 * HOUR_US + 7, NOON_US + 40 * HOUR_US - 3)], ids=["ever", "ragged"])
async def test_sessions_are_summed_as_their_calls(
    database: Database, calls: list[CallRecord], by: reports.By, span: tuple[int, int]
) -> None:
    for filters in (Filters(), Filters(session="s", team="t1"), Filters(session="s1")):
        found = {row.group: row for row in reports.usage(database, by, *span, filters)}
        label = {"session": lambda one: one.session_id, "agent": lambda one: one.agent_id}.get(by) or LABELS[by]
        expected: dict[str, tuple[int, int]] = {}
        for one in calls:
            inside = span[0] <= one.ended_us < (span[1] or EVER_US) and one.session_id.startswith(filters.session)
            if inside and (not filters.team or one.team == filters.team):
                count, billed = expected.get(label(one), (0, 0))
                expected[label(one)] = count + (one.endpoint == "messages"), billed + one.billed_pusd + adjusted(one)
        assert {group: (row.calls, row.billed_pusd) for group, row in found.items()} == expected


async def test_days_of_a_session_are_told(database: Database, calls: list[CallRecord]) -> None:
    rows = reports.usage(database, "day", filters=Filters(session="s1"))
    mine = [one for one in calls if one.session_id == "s1"]
    assert sum(row.calls for row in rows) == sum(one.endpoint == "messages" for one in mine) and len(rows) > 1


async def test_overview_of_an_empty_ledger_is_empty(database: Database) -> None:
    found = overview(database, ALL, "Europe/Berlin", 30, NOON_US)
    assert found.now["calls"] == 0 and found.month_pusd == 0 and found.unpriced == []
    assert len(found.by_day) == 30 and all(shares == [] for shares in found.shares.values())


@pytest.mark.parametrize(
    ("zone", "now"),
    [
        ("Europe/Berlin", "2026-04-10T00:30+02:00"),  # clocks went forward within these days
        ("Europe/Berlin", "2026-11-05T23:30+01:00"),  # and back
        ("Asia/Kolkata", "2026-10-31T23:40+05:30"),  # the hour of UTC that runs ends in the next month
        ("Asia/Kolkata", "2026-11-01T00:10+05:30"),
    ],
)
async def test_overview_has_as_many_days_as_asked_for_and_today_is_today(database: Database, zone: str, now: str) -> None:
    moment = datetime.fromisoformat(now)
    now_us = (moment - EPOCH) // timedelta(microseconds=1)
    midnight_us = (moment.replace(hour=0, minute=0) - EPOCH) // timedelta(microseconds=1)
    at = [now_us - 60_000_000, midnight_us - 60_000_000]
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(record(f"c{us}", started_us=us, ended_us=us, billed_pusd=1)) for us in at]))
    await store.close()
    found = overview(database, ALL, zone, 30, now_us)
    assert len(found.by_day) == 30
    assert (found.spent["day"].start_us, found.spent["day"].now["calls"]) == (midnight_us, 1)
    assert found.spent["month"].now["calls"] == (1 if moment.day == 1 else 2)


async def test_days_of_india_are_exact(database: Database) -> None:
    """Midnight is at 18:30 UTC; calls a second before and after it, and all around."""
    first_us = MIDNIGHT_US - 5 * HOUR_US - HOUR_US // 2
    at = [first_us + day * DAY_US + beside * 1_000_000 for day in range(4) for beside in (-1, 0, 1, 1700, -1700)]
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(record(f"c{us}", started_us=us, ended_us=us)) for us in at]))
    await store.close()
    bounds = bounds_of("day", first_us - DAY_US, first_us + 4 * DAY_US, "Asia/Kolkata")
    found = answer(database, ALL, Wanted(bounds, [], [MEASURES["calls"]]))
    assert [line.now["calls"] for line in found.lines] == [2, 5, 5, 5, 3] and found.now["calls"] == 20


async def test_forecast_takes_each_weekday_as_it_was(database: Database) -> None:
    """Every Monday cost 7 dollars, all other days one, for four weeks up to Sunday 2026-11-22, half of which is over."""
    usd = 10**12
    now_us = NOON_US + 21 * DAY_US
    calls = []
    for ago in range(29):
        at_us = now_us - ago * DAY_US - HOUR_US
        cost = 7 * usd if (21 - ago) % 7 == 1 else usd
        calls.append(record(f"c{ago}", started_us=at_us, ended_us=at_us, billed_pusd=cost // (1 if ago else 2)))
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in calls]))
    await store.close()
    found = overview(database, ALL, "UTC", 7, now_us)
    month = sum(one.billed_pusd for one in calls if one.ended_us >= MIDNIGHT_US)
    assert MEASURES["billed_usd"].value(found.spent["month"].now) == month
    rest_of_today, monday_to_next_monday = usd // 2, 7 * usd + 6 * usd + 7 * usd
    assert found.month_pusd == month + rest_of_today + monday_to_next_monday
    assert found.spent["day"].start_us == MIDNIGHT_US + 21 * DAY_US and len(found.by_day) == 7


async def test_filter_that_fits_nothing_costs_nothing_however_long_the_time(database: Database, calls: list[CallRecord]) -> None:
    begun_ns = clock.mono_ns()
    assert reports.usage(database, "team", filters=Filters(team="nobody")) == []
    assert len(reports.usage(database, "team", filters=Filters(team="t1"))) == 1
    assert clock.mono_ns() - begun_ns < 2_000_000_000
