"""Rollups are the sums of the rows, whatever comes, how often, and whoever is killed in between."""

import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from gw.domain.attempts import is_request
from gw.domain.call import CallRecord, Endpoint, Outcome
from gw.ledger import rollup, rollup_fold, rollup_shape
from gw.ledger.migrate import SQLITE, migrate
from gw.ledger.rollup_shape import AMOUNTS, COUNT_MAX, MEASURES, TOKENS, TOOLS
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import COLUMNS, Batch, Database, Store, StoreError
from tests.ledger import rolled
from tests.ledger.records import NOON_US, record
from tests.ledger.test_sequence import older
from tests.support.databases import query

HOUR_US = 3_600_000_000


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    store = database.store()
    await store.open()
    yield store
    await store.close()


def some(dice: random.Random, number: int) -> CallRecord:
    """A call like others: few of each dimension, so that they meet."""
    started = NOON_US + dice.randrange(0, 50) * HOUR_US + dice.randrange(HOUR_US)
    key = dice.choice(["a", "b", ""])
    amounts = {name: dice.choice([0, dice.randrange(10**12), dice.randrange(2**62)]) for name in AMOUNTS[2:]}
    amounts["billed_pusd"] = amounts["list_pusd"] = dice.randrange(10**13)
    return record(
        f"c{number}",
        endpoint=dice.choice(["messages"] * 5 + ["count_tokens"]),
        started_us=started,
        first_byte_us=dice.choice([0, started + 300_000]),
        first_token_us=dice.choice([0, started + 500_000, started - 1]),
        ended_us=started + dice.randrange(-1000, 90_000_000),
        outcome=dice.choice(["completed"] * 4 + ["refused", "upstream_error", "client_gone", "timed_out"]),
        status=dice.choice([0, 200, 429, 529]),
        error=dice.choice(["", "budget_exceeded"]),
        key_id=key,
        key_name=key,
        team=dice.choice(["t1", "t2"]) if key else "",
        customer="acme" if key else "",
        credential="" if key else "abc",
        session_id=dice.choice(["s1", "s2", "s3", ""]),
        agent_id=dice.choice(["", "", "a1", "a2"]),
        parent_agent_id=dice.choice(["", "a0"]),
        project=dice.choice(["p", "q", ""]),
        requested_model=dice.choice(["claude-opus-5-5", "claude-haiku-5-5"]),
        served_model=dice.choice(["claude-opus-5-5", ""]),
        service_tier=dice.choice(["standard", "priority"]),
        input_tokens=dice.choice([0, 12, 5000, 250_000]),
        output_tokens=dice.randrange(1000),
        cache_read_tokens=dice.choice([0, 40_000]),
        thinking_tokens=dice.randrange(100),
        web_search_requests=dice.randrange(2),
        attempts=dice.choice(["", "", '[["a",529,"x",1]]']),
        attempt_of=dice.choice(["", "", "c0"]),
        usage_source=dice.choice(["exact", "observed", "estimated", "none"]),
        price_version=dice.choice(["v1", "unpriced"]),
        **amounts,
    )


@pytest.mark.parametrize("seed", range(4))
async def test_rollups_are_the_sums_of_rows_offered_again_and_adjusted(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    calls = [some(dice, number) for number in range(120)]
    adjustments: list[tuple[CallRecord, list[int]]] = []
    store = database.store()
    await store.open()
    at = 0
    while at < len(calls):
        step = dice.randrange(1, 40)
        again = [calls[dice.randrange(at)] for _ in range(dice.randrange(3))] if at else []
        batch = calls[at : at + step] + again + calls[at : at + dice.randrange(2)]
        dice.shuffle(batch)
        await store.commit(Batch(rows=[astuple(one) for one in batch]))
        at += step
        if dice.random() < 0.4:
            some_of = [(dice.choice(calls[:at]), [dice.randrange(-(10**12), 10**12) for _ in AMOUNTS]) for _ in range(3)]
            with database.changing() as db:
                rollup.adjust(db, [(astuple(one), amounts) for one, amounts in some_of])
            adjustments += some_of
        if dice.random() < 0.3:
            await store.close()
            await store.open()
    await store.close()
    rolled.check(database, calls, adjustments)


async def test_commit_that_fails_adds_nothing_and_the_next_one_all(store: Store, database: Database) -> None:
    calls = [record(f"c{number}", session_id="s", team=f"t{number}") for number in range(6)]
    spoilt = Batch(rows=[astuple(one) for one in calls], consumed={"s1": None})  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        await store.commit(spoilt)
    rolled.check(database, [])
    await store.close()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in calls]))
    rolled.check(database, calls)


async def test_row_with_a_nul_is_counted_once(store: Store, database: Database) -> None:
    await store.commit(Batch(rows=[astuple(record("a", project="x\0y", session_id="s")), astuple(record("b"))]))
    rolled.check(database, rolled.stored(database))
    assert query(database, "SELECT SUM(calls) FROM usage_hour WHERE level = 1") == [(2,)]


async def test_rollups_outlive_the_calls(store: Store, database: Database) -> None:
    calls = [record(f"c{number}", billed_pusd=number) for number in range(5)]
    await store.commit(Batch(rows=[astuple(one) for one in calls]))
    while await store.retire(NOON_US + 60 * 24 * HOUR_US):
        pass
    assert query(database, "SELECT COUNT(*) FROM call") == [(0,)]
    rolled.check(database, calls)


async def test_what_no_call_can_hold_does_not_spoil_a_sum(store: Store, database: Database) -> None:
    absurd = {"input_tokens": 2**63 - 1, "billed_pusd": 2**63 - 1, "list_pusd": -(2**63), "session_id": "s", "ended_us": 2**62}
    for number in range(4):
        await store.commit(Batch(rows=[astuple(record(f"c{number}", **absurd))]))
    (_, tokens), = query(database, "SELECT calls, input_tokens FROM usage_day WHERE level = 1")
    assert tokens == 4 * COUNT_MAX
    (high, low), = query(database, "SELECT billed_high, billed_low FROM usage_day WHERE level = 1")
    assert (high << 31) + low == 4 * (2**63 - 1)
    (billed,), = query(database, "SELECT billed_pusd FROM usage_session")
    assert 2**61 <= billed < 2**63


GARBAGE = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-2, 2) | st.sampled_from([NOON_US, 0, 0, COUNT_MAX, COUNT_MAX + 1])
NUMBERS = [*TOKENS, *TOOLS, *AMOUNTS, "status", "started_us", "ended_us", "first_byte_us", "first_token_us"]


@given(
    st.fixed_dictionaries({name: GARBAGE for name in NUMBERS}),
    st.fixed_dictionaries(
        {
            "endpoint": st.sampled_from(get_args(Endpoint)),
            "outcome": st.sampled_from(get_args(Outcome)),
            "attempts": st.sampled_from(["", "[]"]),
            "attempt_of": st.sampled_from(["", "gw_1"]),
            "price_version": st.sampled_from(["", "unpriced"]),
            "usage_source": st.sampled_from(["exact", "observed", "estimated", "none"]),
        }
    ),
)
@settings(max_examples=300, deadline=None)
def test_any_row_counts_as_its_columns_say(numbers: dict[str, int], words: dict[str, str]) -> None:
    one = record("a", **numbers, **words)
    believed = {name: min(max(getattr(one, name), 0), COUNT_MAX) for name in (*TOKENS, *TOOLS)}
    slow = rolled.measures_of(one) | believed
    slow["requests"] = int(is_request(one.outcome, one.status, one.attempts, one.attempt_of))
    for name, at_us in (("total", one.ended_us), ("first_byte", one.first_byte_us), ("first_token", one.first_token_us)):
        there = slow["calls"] and not slow["failed"] and at_us != 0
        slow[f"{name}_us"] = min(max(at_us - one.started_us, 0), COUNT_MAX) if there else 0
        slow[f"{name}_count"] = int(there)
    halves = {name: half for amount in AMOUNTS for name, half in zip(names_of(amount), divmod(slow[amount], 2**31), strict=True)}
    found = dict(zip(MEASURES, rollup_shape.sums_of(astuple(one)).values(), strict=True))
    assert found == {name: (slow | halves)[name] for name in MEASURES}


def names_of(amount: str) -> tuple[str, str]:
    return f"{amount[:-5]}_high", f"{amount[:-5]}_low"


@given(st.integers(0, 2**63 - 1), st.text(max_size=5), st.sampled_from(["exact", "none"]))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_row_counts_as_the_slow_way_says(pusd: int, text: str, source: str) -> None:
    one = record("a", billed_pusd=pusd, project=text, session_id=text, usage_source=source, first_byte_us=NOON_US + 5)
    assert rollup_shape.path_of(astuple(one)) == tuple(rolled.dimensions_of(one).values())
    sums = dict(zip(MEASURES, rollup_shape.sums_of(astuple(one)).values(), strict=True))
    slow = rolled.measures_of(one)
    assert {name: sums[name] for name in rollup_shape.COUNTS} == {name: slow[name] for name in rollup_shape.COUNTS}
    assert (sums["billed_high"] << 31) + sums["billed_low"] == pusd


def test_levels_of_a_path_keep_their_dimensions_only() -> None:
    path = rollup_shape.path_of(astuple(record("a", team="t", customer="c", session_id="s", agent_id="x")))
    by_level = dict(zip((level.dimensions for level in rollup_shape.LEVELS), rollup_shape.paths_of(path), strict=True))
    assert by_level[rollup_shape.DIMENSIONS] == path and by_level[()] == rollup_shape.NO_PATH
    teams = dict(zip(rollup_shape.DIMENSIONS, by_level["customer", "team"], strict=True))
    assert {name: value for name, value in teams.items() if value} == {"customer": "c", "team": "t"}


def older_ledger(path: Path, calls: list[CallRecord], folder: Path) -> None:
    """A SQLite ledger from before there were rollups."""
    folder.mkdir()
    older(SQLITE.directory, folder)
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, SQLITE._replace(directory=folder))
    marks = ", ".join("?" * len(COLUMNS))
    db.executemany(f"INSERT INTO call ({', '.join(COLUMNS)}) VALUES ({marks})", [astuple(one) for one in calls])
    db.close()


async def test_older_ledger_is_folded_in_once_and_goes_on_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(7)
    calls = [some(dice, number) for number in range(100)]
    older_ledger(tmp_path / "gw.db", calls[:90], tmp_path / "older")
    monkeypatch.setattr(rollup_fold, "ROWS_MAX", 20)
    portions = 0

    def killed_in_the_third(*arguments: Any) -> bool:
        nonlocal portions
        portions += 1
        more = rollup_fold_fold(*arguments)
        if portions == 3:
            raise sqlite3.OperationalError("killed")
        return more

    rollup_fold_fold = rollup_fold.fold
    monkeypatch.setattr(rollup_fold, "fold", killed_in_the_third)
    database = SqliteDatabase(tmp_path / "gw.db")
    with pytest.raises(StoreError, match="killed"):
        database.prepare()
    rolled.check(database, calls[:40])
    store = database.store()
    await store.open()
    assert portions == 3 + 3
    await store.commit(Batch(rows=[astuple(one) for one in calls[85:]]))
    await store.close()
    rolled.check(database, calls)
    assert query(database, "SELECT name FROM meta WHERE name LIKE 'rollup%'") == []


async def test_fold_in_postgres_takes_what_was_there(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the migration leaves a ledger that had rows: in either database."""
    monkeypatch.setattr(rollup_fold, "ROWS_MAX", 7)
    dice = random.Random(3)
    calls = [some(dice, number) for number in range(30)]
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in calls]))
    await store.close()
    with database.changing() as db:
        for table in ("usage_agent", "usage_session", "usage_hour", "usage_day", "usage_path"):
            db.execute(f"DELETE FROM {table}")
        db.execute("INSERT INTO meta (name, value) SELECT 'rollup_until', max(seq) FROM call")
        db.execute("INSERT INTO meta (name, value) VALUES ('rollup_from', 0)")
    database.prepare()
    rolled.check(database, calls)
