"""What is counted for /metrics is what came into the ledger, row by row, whoever dies and whatever fails; it never goes back."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple

from gw import clock, metering
from gw.config.metrics_model import Metrics
from gw.domain.budget import Budget, cell_key
from gw.domain.price import Priced
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, bounds, parse_window
from gw.ledger.adjust import adjustment_to, append, costs_of
from gw.ledger.spending import Span, Spent
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Batch, Database, OpenRow
from gw.metering import Metering, begin_metering, budget_gauges
from gw.ops.metrics_figures import TOKENS
from gw.ops.metrics_published import BudgetGauge, BudgetWindow, Open, Published, Sources, read_published
from gw.ops.state import StateFile, Word
from gw.spend import Spending, Sum
from tests.ledger.records import NOON_US, opened, record
from tests.ledger.test_adjust import hold
from tests.support.databases import query

STARTED_US = 7


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateFile]:
    one = StateFile(tmp_path_factory.mktemp("metering") / "state.mm", create=True)
    one.words[Word.STARTED_US] = STARTED_US
    yield one


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "PUBLISH_EVERY_NS", 0)


def keeper(state: StateFile, folder: Path, database: Database) -> Metering:
    """A new one, that leaves the question how calls are priced alone."""
    one = Metering(state, folder, database, Spending(state.cells, database))
    one._look_ns = clock.mono_ns() + 10**15
    return one


def published(folder: Path) -> Published:
    found = read_published(folder)
    assert found is not None
    return found


def counted(folder: Path) -> int:
    """Each call has one token of input."""
    return sum(figures[TOKENS] for _, figures in published(folder).counted.paths)


def in_ledger(database: Database) -> int:
    return int(query(database, "SELECT COUNT(*) FROM call")[0][0])


class Mover:
    """Commits rows as the keeper's mover does, and tells, or dies before it can."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._serial = 0

    def rows(self, count: int) -> list[tuple[Any, ...]]:
        self._serial += count
        names = [f"gw_{self._serial - count + number}" for number in range(count)]
        return [astuple(record(name, input_tokens=1, key_name=f"key {hash(name) % 3}", upstream_status=200)) for name in names]

    async def commit(self, rows: list[tuple[Any, ...]]) -> int:
        store = self._database.store()
        await store.open()
        duplicates = await store.commit(Batch(rows=rows))
        await store.close()
        return duplicates


@pytest.mark.parametrize("seed", range(12))
async def test_counters_are_the_rows_of_this_run_whatever_happens(state: StateFile, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    database = SqliteDatabase(tmp_path / "gw.db")
    mover = Mover(database)
    database.prepare()
    await mover.commit(mover.rows(3))  # of an earlier run
    begin_metering(tmp_path, database, STARTED_US, Metrics())
    one, last, last_rows = keeper(state, tmp_path, database), 0, mover.rows(1)
    for _ in range(30):
        step = chance.choice(("told", "told", "again", "made and lost", "lost", "dies", "publish", "publish", "caught up"))
        rows = mover.rows(chance.randint(1, 4))
        if step == "told":
            one.moved(rows, await mover.commit(rows))
            last_rows = rows
        elif step == "again":
            both = [*last_rows, *rows]
            one.moved(both, await mover.commit(both))
        elif step == "made and lost":
            one.failed()
            await mover.commit(rows)
        elif step == "lost":
            one.failed()
        elif step == "dies":
            await mover.commit(rows)
            one = keeper(state, tmp_path, database)
        elif step == "caught up":
            one.caught_up()
        else:
            await one.publish()
            assert counted(tmp_path) == in_ledger(database) - 3 >= last
            last = counted(tmp_path)
    await one.publish()
    assert counted(tmp_path) == in_ledger(database) - 3


async def test_a_long_way_is_made_up_for_a_part_at_a_time(
    state: StateFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "ROWS_MAX", 2)
    monkeypatch.setattr(metering, "RECOUNT_MAX", 4)
    database = SqliteDatabase(tmp_path / "gw.db")
    mover = Mover(database)
    database.prepare()
    begin_metering(tmp_path, database, STARTED_US, Metrics())
    await mover.commit(mover.rows(11))
    one = keeper(state, tmp_path, database)
    found = []
    for _ in range(4):
        one.moved(rows := mover.rows(1), await mover.commit(rows))
        await one.publish()
        found.append(counted(tmp_path))
    assert found == [4, 8, 12, 15]


async def test_adjustments_are_counted_once(state: StateFile, tmp_path: Path, database: Database) -> None:
    database.prepare()
    one = record("gw_1", billed_pusd=100)
    await hold(database, one)
    begin_metering(tmp_path, database, STARTED_US, Metrics())
    for billed in (70, 200):
        with database.changing() as db:
            priced = Priced(0, billed, price_version="new")
            found = adjustment_to(one, costs_of(db, [one])["gw_1"], priced, at_us=1, actor="", reason="")
            append(db, [found] if found else [])
        await keeper(state, tmp_path, database).publish()
    adjusted = published(tmp_path).counted.adjusted
    assert (adjusted.calls, adjusted.billed_down, adjusted.billed_up) == (2, [0, 30], [0, 130])


async def test_another_run_begins_at_nothing(state: StateFile, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = SqliteDatabase(tmp_path / "gw.db")
    mover = Mover(database)
    database.prepare()
    begin_metering(tmp_path, database, STARTED_US - 1, Metrics())
    await mover.commit(mover.rows(2))
    one = keeper(state, tmp_path, database)
    assert "begin anew" in caplog.text
    await one.publish()
    assert counted(tmp_path) == 0


async def test_how_calls_are_priced_is_looked_at_beside(state: StateFile, tmp_path: Path, database: Database) -> None:
    now_us = clock.wall_us()
    database.prepare()
    plain = {"started_us": now_us, "ended_us": now_us}
    rows = [record(f"gw_{at}", usage_source=source, **plain) for at, source in enumerate(("exact", "exact", "observed", "none"))]
    unpriced = {"usage_source": "estimated", "price_version": "unpriced", "served_model": "m", **plain}
    rows += [record(f"gw_u{at}", **unpriced) for at in range(2)]
    rows.append(record("gw_old", usage_source="exact", started_us=NOON_US, ended_us=NOON_US))
    await hold(database, *rows)
    begun = [msgspec.msgpack.encode(opened(0, record(f"gw_open{at}", started_us=NOON_US + at))) for at in range(2)]
    store = database.store()
    await store.open()
    await store.commit(Batch(opened={f"gw_open{at}": OpenRow(f"gw_open{at}", "0-a", b"", one) for at, one in enumerate(begun)}))
    await store.close()
    with database.changing() as db:
        priced = Priced(1, 1, price_version="new")
        found = adjustment_to(rows[-2], costs_of(db, [rows[-2]])["gw_u1"], priced, at_us=1, actor="", reason="")
        append(db, [found] if found else [])
    begin_metering(tmp_path, database, STARTED_US, Metrics())
    one = Metering(state, tmp_path, database, Spending(state.cells, database))
    one._look_at_prices()
    assert one._look_ns > clock.mono_ns()
    assert one._sources == Sources(one._sources.looked_us, 24, 2, 1, 2, 1, ("m",)) and one._open == Open(2, NOON_US, 0)


# --- gauges -----------------------------------------------------------------------------------------------------------

TEAM = Budget("team", Scope("team", "red"), 100, parse_window("day"))
EACH = Budget("each", Scope("key", "*", each=True), 100, LIFETIME, mode="soft")
CHAT = Budget("chat", Scope("session", "*"), 100, LIFETIME)


class Spent_:
    """What of `Spending` the gauges are made of."""

    def __init__(self, state: StateFile, now_us: int, spent: dict[tuple[Budget, str], int]) -> None:
        self.budgets = (TEAM, EACH, CHAT)
        self.sums: dict[int, Sum] = {}
        for (budget, account), nusd in spent.items():
            span = Span(budget, *bounds(budget.window, now_us))
            one = Sum(1, Spent(span, account, nusd, now_us), anew=False)
            self.sums[one.key] = one
            index = state.cells.find(cell_key(budget, account, span.start_us))
            state.cells.load(index, nusd)


def test_accounts_that_have_used_most_of_their_limit_are_shown(state: StateFile) -> None:
    accounts = {(EACH, f"key {at}"): at for at in range(5)} | {(CHAT, "s1"): 9, (CHAT, "s2"): 1}
    gauges, windows = budget_gauges(state, Spent_(state, NOON_US, accounts), 3, NOON_US)  # type: ignore[arg-type]
    assert gauges == tuple(BudgetGauge("each", "key", f"key {at}", "soft", 100, at, 0) for at in (4, 3, 2))
    start_us, end_us = bounds(TEAM.window, NOON_US)
    assert windows == (BudgetWindow("team", start_us, end_us, 1), BudgetWindow("each", 0, 0, 2), BudgetWindow("chat", 0, 0, 2))


def test_a_budget_of_one_account_is_shown_before_anything_is_spent(state: StateFile) -> None:
    gauges, _ = budget_gauges(state, Spent_(state, NOON_US, {}), 10, NOON_US)  # type: ignore[arg-type]
    assert gauges == (BudgetGauge("team", "team", "red", "hard", 100, 0, 0),)
    assert metering._named(EACH) == metering._named(CHAT) == set()
    of_key = Budget("b", Scope("model", "claude-*", key="anna"), 1, LIFETIME)
    assert metering._named(of_key) == {of_key.scope.account(CallPath(key_name="anna", model="claude-x"))} == {"claude-*"}


async def test_windows_that_are_over_are_not_shown(state: StateFile) -> None:
    day_us = 86_400_000_000
    gauges, _ = budget_gauges(state, Spent_(state, NOON_US - day_us, {(TEAM, "red"): 5}), 10, NOON_US)  # type: ignore[arg-type]
    assert [(one.account, one.settled_nusd) for one in gauges] == [("red", 0)]
