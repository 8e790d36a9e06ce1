"""What must have come of the calls of a case: answers, rows, and cells that say what the ledger says."""

import json
from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

from gw.clock import mono_ns
from gw.domain.budget import Budget, cell_key
from gw.domain.scope import CallPath
from gw.domain.window import bounds
from gw.ops.state import StateFile
from tests.flow.budget_play import NUSD_PER_USD, Player, Talk
from tests.flow.budget_steps import Call
from tests.flow.client import Answer
from tests.support.gateway import Row

LATE_NS = 5 * 10**9
PUSD_PER_NUSD = 1000
PUSD_PER_USD = 10**12
ERROR = b"event: error\ndata: "


class Cell(NamedTuple):
    budget: Budget
    account: str
    start_us: int


def judge(player: Player, *, cells: bool = True) -> None:
    """`cells`: all of the calls could be charged to them."""
    rows = player.rows()
    for number, talk in enumerate(player.talks):
        row = rows[talk.name]
        try:
            if talk.answer is not None and not talk.left and talk.call.error != "worker_died":
                judge_answer(player, talk, talk.answer, row)
            judge_row(player, talk, row)
        except AssertionError as error:
            body = talk.answer.body[-600:] if talk.answer is not None else None
            raise AssertionError(f"call {number} ({talk.call}): {error}\nanswer: {body!r}\nrow: {row}") from error
    if cells:
        judge_cells(player, list(rows.values()), bounded=player.bounded)


# --- answers ----------------------------------------------------------------------------------------------------------
def judge_answer(player: Player, talk: Talk, answer: Answer, row: Row) -> None:
    call = talk.call
    assert answer.clean
    assert (answer.status, answer.header("x-gw-error")) == (call.status, call.slug)
    assert answer.header("request-id") == row["call_id"]
    for name, value in call.heads.items():
        found = answer.header(name)
        assert found if value == "*" else found == value, (name, found)
    if call.left is not None:
        assert Decimal(answer.header("x-gw-budget-remaining-usd")) == Decimal(str(call.left))
    if call.slug:
        judge_refusal(player, talk, answer, row)
    elif call.outcome == "stopped":
        judge_end(player, talk, answer)
    elif call.status == 200 and not call.stream and row["usage_source"] != "none":
        assert Decimal(answer.header("x-gw-cost-usd")) == Decimal(row["billed_pusd"]) / PUSD_PER_USD


def judge_refusal(player: Player, talk: Talk, answer: Answer, row: Row) -> None:
    """One line; if it is gw's own refusal it names the call, and nothing has gone upstream."""
    message = answer.json["error"]["message"]
    assert "\n" not in message
    for words in talk.call.says:
        assert words.replace("@", f"{player.cast.tag}-") in message
    if talk.call.outcome == "refused":
        assert answer.header("request-id") in message or answer.status == 401
        assert talk.name not in player.house.stage.played.requests
    if talk.call.slug == "budget_exceeded":
        judge_reset(player, talk.call, answer, row)


def judge_reset(player: Player, call: Call, answer: Answer, row: Row) -> None:
    """The window's end, in seconds, and as long until then."""
    end_us = bounds(player.account(call.by)[0].window, row["charged_us"])[1]
    reset_s = -(-end_us // 1_000_000)
    assert answer.header("anthropic-ratelimit-unified-reset") == (str(reset_s) if end_us else "")
    if end_us:
        assert 0 <= reset_s - row["ended_us"] / 1e6 <= int(answer.header("retry-after")) <= reset_s - row["started_us"] / 1e6 + 1
    else:
        assert not answer.header("retry-after")


def judge_end(player: Player, talk: Talk, answer: Answer) -> None:
    """A stream that was ended in time: whole blocks, then the error, and the upstream sends no more."""
    house = player.house
    house.gateway.poll(lambda: len(house.stage.lines(talk.name)) == 1, "the upstream's own line")
    assert [line.end for line in house.stage.lines(talk.name)] == ["cut_by_client"]
    if answer.header("content-encoding"):
        return
    before, _, event = answer.body.partition(ERROR)
    error = json.loads(event)["error"]
    assert error["type"] == "billing_error"
    assert answer.header("request-id") in error["message"]
    for words in talk.call.says:
        assert words.replace("@", f"{player.cast.tag}-") in error["message"]
    assert before.count(b'"type":"content_block_start"') == before.count(b'"type":"content_block_stop"') > 0
    assert b"message_stop" not in before


# --- rows -------------------------------------------------------------------------------------------------------------
def judge_row(player: Player, talk: Talk, row: Row) -> None:
    call, tag = talk.call, player.cast.tag
    assert (row["outcome"], row["error"]) == (call.outcome, call.error)
    assert row["budget"] == (f"{tag}-{call.by}" if call.by else "")
    assert row["shadowed"] == ",".join(f"{tag}-{name}" for name in call.shadowed)
    cost = Decimal(row["billed_pusd"]) / PUSD_PER_USD
    least, most = (Decimal(str(usd)) for usd in call.costs or (expected(call),) * 2)
    assert least <= cost <= most, f"it has cost ${cost}, not ${least} to ${most}"
    if call.outcome == "refused":
        assert row["usage_source"] == "none"


def expected(call: Call) -> float:
    return 0 if call.outcome == "refused" or call.path != "/v1/messages" else call.usd


# --- cells ------------------------------------------------------------------------------------------------------------
def judge_cells(player: Player, rows: list[Row], *, bounded: bool) -> None:
    """To the nano-dollar: each cell holds what all calls that fall under its budget have cost in its window, whatever the rules
    were when they were made, and nothing is set aside. `bounded`: limits have not changed, so that no more is spent than them
    and the overrun that was recorded.

    What a worker has charged is there at once; what was charged under other rules comes with the row, and so a little later.
    """
    due: dict[Cell, int] = defaultdict(int)
    for row in rows:
        for budget, account in player.house.book.for_path(path_of(row)).budgets:
            due[Cell(budget, account, bounds(budget.window, row["charged_us"] or row["started_us"])[0])] += counted(row, budget)

    def found(state: StateFile) -> dict[Cell, tuple[int, int]]:
        index = {cell: state.cells.lookup(cell_key(*cell)) for cell in due}
        return {cell: (state.cells.settled(at), state.cells.used(at)) if at >= 0 else (0, 0) for cell, at in index.items()}

    with player.house.state() as state:
        wanted = {cell: (amount, amount) for cell, amount in due.items()}
        deadline_ns = mono_ns() + LATE_NS
        while found(state) != wanted and mono_ns() < deadline_ns:
            player.house.gateway.process.pause()
        assert found(state) == wanted
        for (budget, account, start_us), amount in due.items() if bounded else ():
            overrun = state.cells.overrun(state.cells.lookup(cell_key(budget, account, start_us))) if amount else 0
            assert budget.mode != "hard" or amount <= budget.limit_nusd + overrun
    totals = {}
    for name in player.case.spent:
        those = player.account(name)
        totals[name] = Decimal(sum(amount for cell, amount in due.items() if cell[:2] == those)) / NUSD_PER_USD
    assert totals == {name: Decimal(str(usd)) for name, usd in player.case.spent.items()}


def counted(row: Row, budget: Budget) -> int:
    """A budget that reserves the worst counts all that a call can have cost of which the provider's last word is not known."""
    cost = -(-row["billed_pusd"] // PUSD_PER_NUSD)
    return max(cost, row["at_most_nusd"]) if budget.reserve == "worst" else cost


def path_of(row: Row) -> CallPath:
    return CallPath(
        row["customer"],
        row["team"],
        row["key_name"],
        row["key_id"],
        row["upstream"],
        row["requested_model"],
        row["project"],
        row["session_id"],
    )
