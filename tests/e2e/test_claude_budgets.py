"""The real Claude Code at the end of its budget: it stops, says why, asks for nothing twice, and what was spent is known.

Each case has a budget, or a limit, of its own for the key of each version of the client. What a call is expected to cost is
far below a budget, what ends it is far above: no case rests on fine figures.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.invoice import Line
from gw.demo.scripts import by_prompt
from gw.domain.key import mint
from gw.domain.money import PUSD_PER_NUSD
from tests.flow.client import call
from tests.flow.stage import MODEL, Stage, prompt, stage
from tests.support.claude import NEW, OLD, Desk, Run, allow
from tests.support.gateway import Row

Block = dict[str, Any]
US = 1_000_000
CLEARS_S = 5  # far more than a client takes from one call of a tool loop to the next

# $12.00 of Opus 5.5: more than a budget of ten.
DEAR: dict[str, Any] = {
    "input_tokens": 25_000,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 595_000,
}
DEAR |= {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}}
TENS = ("first", "loop", "agent")
LONG_WORDS = 70_000  # of one block: some $2.50, or 25 times the grace of a block that cannot be closed
SHORT_WORDS, SHORT_BLOCKS = 1_500, 40  # as much in blocks that end within that grace


def _bash(request: Request, words: int, number: int = 0) -> Block:
    arguments = {"command": "echo ran >> ran.txt", "description": answers.words(f"tool {number}", words)}
    return {**answers.tool_use(request, "Bash", arguments), "id": f"toolu_{number:024d}"}


# What a model was at when its budget ended -> the blocks of its answer.
FORMS: dict[str, Callable[[Request], list[Block]]] = {
    "text": lambda _: [answers.text(answers.words("text", LONG_WORDS))],
    "thoughts": lambda _: [answers.thinking(answers.words(f"thought {at}", SHORT_WORDS)) for at in range(SHORT_BLOCKS)],
    "thought": lambda _: [answers.thinking(answers.words("thought", LONG_WORDS))],
    "aside": lambda _: [answers.text("Let me see."), answers.thinking(answers.words("aside", LONG_WORDS))],
    "tools": lambda request: [_bash(request, SHORT_WORDS, at) for at in range(SHORT_BLOCKS)],
    "tool": lambda request: [answers.text("I will look."), _bash(request, LONG_WORDS)],
    "alone": lambda request: [_bash(request, LONG_WORDS)],
}


def _streamed(form: str) -> Callable[[Request], Reply]:
    return lambda request: answers.message(request, FORMS[form](request), delta_chars=3_000, pace_s=0.01)


def _dear(request: Request) -> Reply:
    return answers.message(request, [answers.text("That was dear.")], usage=DEAR)


def _dear_tool(request: Request) -> Reply:
    return answers.message(request, [answers.text("I will look."), _bash(request, 5)], usage=DEAR)


def _dear_agent(request: Request) -> Reply:
    return _dear_tool(request) if request.header("x-claude-code-agent-id") else by_prompt(request)


@dataclass(frozen=True)
class Purse:
    """The key of one case and version, and what is known of its money on each side."""

    house: Stage
    name: str
    key: str

    def run(self, desk: Desk, said: str, *args: str, play: str = "") -> Run:
        environ = {"ANTHROPIC_AUTH_TOKEN": self.key}
        if play:
            environ["ANTHROPIC_CUSTOM_HEADERS"] = f"x-test-id: {play}"
        return desk.run(f"{self.house.gateway.base_url}/anthropic", said, environ, "--model", MODEL, *args)

    def pay(self) -> None:
        """One call of $12.00."""
        headers = [("x-api-key", self.key), ("x-test-id", "dear")]
        assert asyncio.run(call(self.house.port, headers=headers, body=prompt())).status == 200

    def budget(self) -> dict[str, Any]:
        """As `/api/me` has it."""
        headers = [("x-api-key", self.key)]
        found: dict[str, Any]
        (found,) = asyncio.run(call(self.house.port, "/api/me", method="GET", headers=headers)).json["budgets"]
        return found

    def bills(self, run: Run, *, calls: int) -> tuple[list[Row], list[Line]]:
        """The run's rows, so many, and the invoice's lines; all that the key's rows cost is what the budget says is spent."""
        rows = self.house.rows(run.session, calls)
        assert len(rows) == calls, rows
        cost = sum(-(-row["billed_pusd"] // PUSD_PER_NUSD) for row in self.house.gateway.rows("key_name = ?", [self.name]))
        budget = self.budget()
        assert (Decimal(budget["spent_usd"]), budget["reserved_usd"]) == (Decimal(cost) / 10**9, "0")
        return rows, self.house.upstream.invoice.lines(session=run.session)

    def line(self, spent: str, limit: str) -> re.Pattern[str]:
        """What a spent budget is said to be, `spent` being a pattern."""
        return re.compile(
            rf'Budget exceeded for key "{re.escape(self.name)}": \${spent} of \${re.escape(limit)} \(yearly\) · '
            r"resets Jan 1 00:00 UTC · ask finops@example\.com for more \(ref gw_[0-9a-f]+\)"
        )


@pytest.fixture(scope="module")
def purses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Purse]]:
    """By case and version. Windows are years: a test at midnight is no other than at noon."""
    names = [f"{case}-{version.number}" for case in (*TENS, *FORMS, "pace", "rich") for version in (NEW, OLD)]
    keys = {name: mint().text for name in names}
    more = '[budgets]\ncontact = "finops@example.com"\n[[customer]]\nname = "acme"\n'
    more += '[[team]]\nname = "platform"\ncustomer = "acme"\n'
    for at, name in enumerate(names):
        more += f'[[key]]\nname = "{name}"\nteam = "platform"\nsecret = "env:GW_TEST_KEY_{at}"\n'
    limits = dict.fromkeys(TENS, 10) | dict.fromkeys(FORMS, 1) | {"pace": 1_000, "rich": 1_000}
    for case, usd in limits.items():
        more += f'[[budget]]\nname = "{case}"\nkey = "{case}-*"\neach = true\nlimit_usd = "{usd}"\nwindow = "year"\n'
    more += f'[[limit]]\nname = "one by one"\nkey = "pace-*"\neach = true\nrequests = 1\nper = "{CLEARS_S}s"\n'
    environ = {f"GW_TEST_KEY_{at}": key for at, key in enumerate(keys.values())}
    with stage(tmp_path_factory.mktemp("purses"), more=more, environ=environ) as house:
        house.played.answers |= {"dear": _dear, "dear-tool": _dear_tool, "dear-agent": _dear_agent}
        house.played.answers |= {form: _streamed(form) for form in FORMS}
        yield {name: Purse(house, name, key) for name, key in keys.items()}


def purse_of(purses: dict[str, Purse], case: str, desk: Desk) -> Purse:
    return purses[f"{case}-{desk.version.number}"]


def fates(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [(row["status"], row["outcome"], row["error"], row["budget"]) for row in rows]


def refused(case: str) -> tuple[Any, ...]:
    return (429, "refused", "budget_exceeded", case)


PAID = (200, "completed", "", "")
FILLER = "No response requested."  # by which the older client keeps the turns in order
REJECTED = "API Error: Request rejected (429) · "


# --- before a call ------------------------------------------------------------------------------------------------------


def test_a_spent_budget_stops_the_client_at_its_first_call(purses: dict[str, Purse], desk: Desk) -> None:
    purse = purse_of(purses, "first", desk)
    purse.pay()
    run = purse.run(desk, "go [play:plain]")
    rows, lines = purse.bills(run, calls=1)
    assert (run.status, lines, fates(rows)) == (1, [], [refused("first")])
    assert purse.line(r"12\.00", "10.00").fullmatch(run.text.removeprefix(REJECTED)) and run.text.startswith(REJECTED)


def test_a_budget_that_ends_in_a_tool_turn_refuses_its_next_call_once(purses: dict[str, Purse], desk: Desk) -> None:
    purse = purse_of(purses, "loop", desk)
    run = purse.run(desk, "go", *allow("Bash"), play="dear-tool")
    rows, lines = purse.bills(run, calls=2)
    assert (run.status, len(lines), fates(rows)) == (1, 1, [PAID, refused("loop")])
    assert (desk.work / "ran.txt").read_text() == "ran\n", "the tool that was paid for has run"
    assert purse.line(r"12\.00", "10.00").fullmatch(run.text.removeprefix(REJECTED)) and run.text.startswith(REJECTED)


def test_a_budget_that_ends_in_a_subagent_refuses_it_and_its_parent_once_each(purses: dict[str, Purse], desk: Desk) -> None:
    purse = purse_of(purses, "agent", desk)
    run = purse.run(desk, "go [play:agent tools]", *allow("Bash", "Agent", "Task"), play="dear-agent")
    rows, lines = purse.bills(run, calls=4)
    assert (run.status, len(lines), fates(rows)) == (1, 2, [PAID, PAID, refused("agent"), refused("agent")])
    assert [bool(row["agent_id"]) for row in rows] == [False, True, True, False]
    assert purse.line(r"12\.\d\d", "10.00").fullmatch(run.text.removeprefix(REJECTED)) and run.text.startswith(REJECTED)


def test_a_rate_limit_that_clears_soon_is_waited_for(purses: dict[str, Purse], desk: Desk) -> None:
    purse = purse_of(purses, "pace", desk)
    run = purse.run(desk, "go [play:tools]", *allow("Bash"))
    rows, lines = purse.bills(run, calls=3)
    assert (run.status, len(lines)) == (0, 2)
    assert fates(rows) == [PAID, (429, "refused", "rate_limited", "one by one"), PAID]
    assert rows[2]["started_us"] - rows[0]["started_us"] >= CLEARS_S * US


# --- in mid-stream ------------------------------------------------------------------------------------------------------


def stopped(purse: Purse, run: Run, form: str, *, then: int = 0) -> None:
    """One stream was ended, at about a dollar, and so many calls after it were refused; the upstream saw the stream alone."""
    rows, lines = purse.bills(run, calls=1 + then)
    assert run.status == 1
    assert fates(rows) == [(200, "stopped", "budget_exceeded", form)] + [refused(form)] * then
    assert (rows[0]["usage_source"], [line.end for line in lines]) == ("observed", ["cut_by_client"])
    assert Decimal("0.9") < Decimal(purse.budget()["spent_usd"]) < Decimal("1.3")


def kept_of(house: Stage, session: str) -> set[str]:
    """The types of the blocks that a session sent back as the model's own, in its one request without a play."""
    (sent,) = [one.json for one in house.played.requests[""] if one.header("x-claude-code-session-id") == session]
    said = [one["content"] for one in sent["messages"] if one["role"] == "assistant"]
    return {block["type"] for content in said for block in content if block.get("text") != FILLER}


@pytest.mark.parametrize(
    ("form", "kept"), [("text", {"text"}), ("thoughts", set()), ("thought", set()), ("aside", {"text"}), ("tool", {"text"})]
)
def test_a_stream_that_outgrows_its_budget_ends_the_turn_and_the_session_can_go_on(
    purses: dict[str, Purse], desk: Desk, form: str, kept: set[str]
) -> None:
    """Text is closed where it is; other blocks end by themselves, or are left open after their grace behind one that was
    finished, or closed without: the client takes each for an answer and asks for nothing again. What it keeps of it can be
    sent when there is money again: no thought without its signature, which no provider would take back."""
    purse = purse_of(purses, form, desk)
    run = purse.run(desk, "go", *allow("Bash"), play=form)
    stopped(purse, run, form)
    assert not (desk.work / "ran.txt").exists()
    assert re.match(rf'API Error: Budget (exceeded|used up) for key "{purse.name}": \$[01]\.\d\d of \$1\.00 ', run.text)
    assert run.text.count("\n") == 0 and "ask finops@example.com for more (ref gw_" in run.text
    again = purse_of(purses, "rich", desk).run(desk, "go on [play:plain]", "--resume", run.session)
    assert (again.status, again.session) == (0, run.session)
    assert kept_of(purse.house, run.session) == kept


@pytest.mark.parametrize(("form", "ran"), [("tools", True), ("alone", False)])
def test_a_tool_call_that_was_whole_runs_and_one_that_was_cut_does_not(
    purses: dict[str, Purse], desk: Desk, form: str, *, ran: bool
) -> None:
    """Either way the client goes on with the tool's result or an error in its place, and that call is refused."""
    purse = purse_of(purses, form, desk)
    run = purse.run(desk, "go", *allow("Bash"), play=form)
    stopped(purse, run, form, then=1)
    assert (desk.work / "ran.txt").exists() is ran
    assert run.text.startswith(REJECTED)
    said = run.text.removeprefix(REJECTED)
    assert re.match(rf'Budget (exceeded|too small) for key "{purse.name}": \$[01]\.\d\d of \$1\.00 ', said)
