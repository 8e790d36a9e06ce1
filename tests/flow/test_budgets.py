"""Budgets and limits on a running gateway with two workers, case by case: answers, rows, and cells equal to the ledger."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from msgspec import structs

from gw import clock
from gw.demo.exchange import Reply, Request
from gw.domain.scope import shared_key
from tests.flow import budget_changes, budget_failures, budget_kinds, budget_levels, budget_moves
from tests.flow.budget_changes import HELD, increase
from tests.flow.budget_judge import judge, judge_cells
from tests.flow.budget_play import House, Player, connections, house
from tests.flow.budget_steps import (
    Call,
    Case,
    Ends,
    Reload,
    Rule,
    Standing,
    Start,
    budget,
    case,
    limit,
    on_stream,
    paid,
    refused,
    spent,
    whole,
)
from tests.support.claims import busy

CASES = [*budget_levels.CASES, *budget_kinds.CASES, *budget_failures.CASES]
CHANGES = [*budget_changes.CASES, *budget_moves.CASES]
CROWDS: list[tuple[Rule, float, float]] = [
    # under this rule so many calls at once: what each asks for, and what it may cost at most
    (budget("team", 10, reserve="worst"), 1, 1),
    (budget("team", 10, reserve="worst"), 3, 3),
    (budget("customer", 10), 1, 1),
    (budget("session", 2), 0.5, 1),
    (limit("team", parallel=4), 0.1, 0.1),
]
CROWD = 40
CROWDED = [case(f"crowd {number}", rule, paid(0)) for number, (rule, _, _) in enumerate(CROWDS)]
OVER_THE_END = case("over the end of a window", (), paid(0))
FULL = case(
    "a full table",
    (budget("key", 5), budget("key", 5, on="b", name="soft", mode="soft"), budget("key", 5, on="x", name="known")),
    *(paid(0, who=who) for who in "abx"),
)
END_AFTER = timedelta(seconds=3)


def soon(request: Request, tokens: int) -> Reply:
    return structs.replace(whole(request, tokens), headers_after=0.1)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Its rules never change."""
    with house(tmp_path_factory.mktemp("budgets"), CASES) as one:
        yield one


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Each case edits its file, and calls wait long for a budget that is only set aside."""
    cases = [*CHANGES, *CROWDED, OVER_THE_END, FULL]
    with house(tmp_path_factory.mktemp("changes"), cases, budgets=budget_changes.WAIT) as one:
        yield one


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rules_that_stay(calm: House, case: Case) -> None:
    player = Player(calm, case)
    asyncio.run(player.play())
    judge(player)


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.name)
def test_rules_that_change(lively: House, case: Case) -> None:
    player = Player(lively, case)
    asyncio.run(player.play())
    judge(player)


@pytest.mark.parametrize("number", range(len(CROWDS)))
def test_a_crowd_over_two_workers_passes_no_limit_and_spends_what_there_is(lively: House, number: int) -> None:
    """Answers take a while, so that calls meet. A worst budget is never passed at all, a typical one by what was recorded; and
    nobody is refused before so much is spent that his call does not fit."""
    rule, asks, most = CROWDS[number]
    player = Player(lively, CROWDED[number])
    chance = random.Random(number)

    async def all_at_once() -> None:
        calls = [Call(round(chance.uniform(0.1, most), 3), asks=asks, play=soon) for _ in range(CROWD)]
        async with player:
            wires = await connections(lively, CROWD // lively.workers)
            talks = [await player.begin(call, wire=wire) for call, wire in zip(calls, wires, strict=True)]
            await asyncio.gather(*(talk.task for talk in talks))

    asyncio.run(all_at_once())
    rows = list(player.rows().values())
    assert len({row["worker"] for row in rows}) == 2
    ends = Counter(row["error"] for row in rows)
    total = sum(row["billed_pusd"] for row in rows) / 1e12
    if rule.table == "limit":
        assert set(ends) == {"", "too_many_parallel"} and ends[""] >= rule.values[0][1]
        running = [(row["charged_us"], row["ended_us"]) for row in rows if not row["error"]]
        assert max(sum(start <= at < end for start, end in running) for at, _ in running) <= rule.values[0][1]
        return
    judge_cells(player, rows, bounded=True)
    granted = float(dict(rule.values)["limit_usd"])
    assert set(ends) == {"", "budget_exceeded"}
    if ("reserve", "worst") in rule.values:
        assert granted - asks < total <= granted
    else:
        assert granted * 0.9 <= total


def test_a_running_gateway_goes_over_the_end_of_a_window_and_of_an_increase(lively: House) -> None:
    """The window of the key and the increase of its team end at the same instant, a few seconds from now. A call that runs over
    it is charged to the old window, and so is one whose body was on its way; one that waited for room finds it in the new."""
    player = Player(lively, OVER_THE_END)
    end = datetime.now(UTC).replace(microsecond=0) + END_AFTER * (4 if busy() else 1)
    end_us = int(end.timestamp()) * 1_000_000
    anchor = end.replace(tzinfo=None).isoformat()
    before = (
        Reload(rules=(budget("key", 4, "1m", anchor=anchor), budget("team", 5, more=increase(50, end)))),
        paid(2),
        Start("long", HELD),
        Start("slow", paid(0.5), half_sent=True),
        Start("waits", paid(1, asks=1), held_up=True),
    )
    after = (
        Ends("waits"),
        Standing(spent={"key": 1, "team": 3}, reserved={"key": 0}),
        paid(1.5),
        Ends("slow"),
        Ends("long"),
        Standing(spent={"key": 2.5, "team": 5.5}, reserved={"key": 0, "team": 0}),
        spent("team", "$5.50 of $5.00"),
    )

    async def play() -> None:
        async with player:
            for step in before:
                await player.step(step)
            assert clock.wall_us() < end_us, "too slow to begin with"
            await asyncio.sleep((end_us - clock.wall_us()) / 1e6 + 0.001)
            for step in after:
                await player.step(step)

    asyncio.run(play())
    judge(player)


def test_the_keeper_has_found_every_cell_right(calm: House, lively: House) -> None:
    """It compares all of them with the ledger's sums, once a second."""
    for one in (calm, lively):
        seen = Counter(one.stage.ready()["keeper"])
        one.gateway.poll(lambda: one.stage.ready()["keeper"]["cells_checked"] > seen["cells_checked"], "another look")
        told = one.stage.ready()["keeper"]
        assert (told["cells_corrected"], told["cells_drift_nusd"]) == (0, 0)


def test_a_full_table_refuses_under_hard_budgets_alone_and_says_so(lively: House) -> None:
    """Accounts that stand in it go on; `unreadable = "allow"` lets all others pass, too, and the keeper charges them later."""
    player = Player(lively, FULL)
    unread = refused("budget_unreadable", "key", "cannot be read", heads={"x-should-retry": "false"})
    steps = (
        unread,
        on_stream(unread),
        paid(1, who="b"),
        paid(1, who="x", left=3),
        Reload(budgets=f'{budget_changes.WAIT}\nunreadable = "allow"'),
        paid(1),
        Reload(budgets=budget_changes.WAIT),
        unread,
    )

    async def play() -> None:
        async with player:
            await player.step(paid(1, who="x"))
            with full(lively):
                for step in steps:
                    await player.step(step)
            await player.step(paid(2))  # the keeper may have entered what was spent before, or not yet
            await player.step(Standing(spent={"key": 3, "known": 2}))

    asyncio.run(play())
    judge(player, cells=False)


@contextmanager
def full(one: House) -> Iterator[None]:
    """Every cell of the shared state is some account's, as after years of names that clients made up."""
    with one.state() as state:
        cells, mine = state.cells, []
        free = cells.capacity - sum(1 for _ in cells)
        keys = (shared_key("test", number) for number in count())
        while free > len(mine):
            key = next(keys)
            if cells.find(key) >= 0:
                mine.append(key)
        yield
        for key in mine:
            assert cells.forget(cells.lookup(key))
