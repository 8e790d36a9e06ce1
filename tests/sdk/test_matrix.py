"""Every SDK against every upstream: the official clients in front of gw, fakes of all dialects behind it.

A cell is a client, an upstream and a scene. The SDK's own types have validated what gw wrote; the fake has judged what gw asked
of it, in its provider's words; what the SDK counts is what the ledger has, and the ledger's price is the fake's invoice. All
cells are green: what cannot be at all is in test_impossible.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.sdk.clients.asking import Counted, Got, Question
from tests.sdk.conftest import House
from tests.support.fakes.ground import MODELS
from tests.support.fakes.scenes import ANSWER, LOOK, PARIS, PLAIN, SHAPED, THOUGHT
from tests.support.gateway import Row

CLIENTS = ("anthropic", "chat", "responses", "gemini", "converse", "invoke")
SCENES = ("plain", "tools", "parallel", "image", "thinking", "schema")
TOOLS = {"tools": ("get_weather",), "thinking": ("get_weather",), "parallel": ("get_weather", "get_time")}
STREAMED = ("plain", "tools", "parallel", "thinking", "schema")
TOLD_EARLY = ("anthropic", "invoke", "vertex", "gemini")  # of the prompt's tokens, when a stream begins
ERRORS = ("e400", "e401", "e404", "e429", "e500", "e529")
# Upstreams that think and do not tell it: OpenAI's Chat Completions count thoughts, and show none. What cannot be carried at all
# is in test_impossible.
UNTOLD = ("chat",)


class Cell(NamedTuple):
    client: str
    upstream: str
    scene: str
    stream: bool = False

    @property
    def name(self) -> str:
        return f"{self.client}-{self.upstream}-{self.scene}{'-stream' if self.stream else ''}"


def cells() -> Iterator[Cell]:
    for client in CLIENTS:
        for upstream in MODELS:
            thinks_only = upstream == "deepseek"  # Chat Completions that tell their thoughts, and want them back
            for scene in SCENES:
                if scene == "thinking" or not thinks_only:
                    yield Cell(client, upstream, scene)
                    if scene in STREAMED:
                        yield Cell(client, upstream, scene, True)
            if not thinks_only:
                yield from (Cell(client, upstream, scene) for scene in ERRORS)
                yield Cell(client, upstream, "broken", True)


class Played(NamedTuple):
    """How a cell went; `error` where the SDK has raised, or something was not as it should be."""

    turns: list[Got]
    error: Exception | None


class Ledger(NamedTuple):
    played: dict[Cell, Played]
    rows: dict[str, Row]  # by the upstream's request id


def play(house: House, cell: Cell) -> Played:
    client = house.clients[cell.client]
    question = Question(
        model=MODELS[cell.upstream],
        prompt=f"Say it. [scene:{cell.scene} {cell.name}]",
        stream=cell.stream,
        tools=TOOLS.get(cell.scene, ()),
        image=cell.scene == "image",
        thinks=cell.scene == "thinking",
        shaped=cell.scene == "schema",
    )
    turns: list[Got] = []
    try:
        turns.append(client.ask(question))
        if turns[0].calls:
            question.earlier = turns[0]
            turns.append(client.ask(question))
    except Exception as error:  # noqa: BLE001 - whatever it is, the cell's test raises it
        return Played(turns, error)
    return Played(turns, None)


@pytest.fixture(scope="module")
def ledger(sdk_house: House, request: pytest.FixtureRequest) -> Ledger:
    """All cells that are wanted, played beside each other, and what the ledger has of them."""
    items: Sequence[pytest.Item] = request.session.items
    asked = [item.callspec.params["cell"] for item in items if item.path == request.path and hasattr(item, "callspec")]
    with ThreadPoolExecutor(8) as pool:
        played = dict(zip(asked, pool.map(lambda cell: play(sdk_house, cell), asked), strict=True))
    wanted = {bill.request_id for bill in sdk_house.fakes.bills.bills()}  # each has a row, also of streams that broke off
    rows = sdk_house.gateway.settled(lambda rows: wanted <= {row["upstream_request_id"] for row in rows})
    return Ledger(played, {row["upstream_request_id"]: row for row in rows})


def of(kinds: tuple[str, ...]) -> pytest.MarkDecorator:
    found = [cell for cell in cells() if cell.scene in kinds]
    return pytest.mark.parametrize("cell", found, ids=[cell.name for cell in found])


@of(SCENES)
def test_a_conversation(sdk_house: House, ledger: Ledger, cell: Cell) -> None:
    turns, error = ledger.played[cell]
    if error is not None:
        raise error
    said = [turn.text for turn in turns]
    if cell.scene in {"tools", "parallel", "thinking"}:
        names = TOOLS[cell.scene]
        assert [(call.name, call.arguments) for call in turns[0].calls] == [(name, PARIS) for name in names]
        assert len({call.id for call in turns[0].calls}) == len(names)
        assert said == [LOOK, ANSWER]
    else:
        assert said == [{"plain": PLAIN, "image": "A red dot.", "schema": SHAPED}[cell.scene]] and not turns[0].calls
    if cell.scene == "thinking":
        assert turns[0].thought == ("" if cell.upstream in UNTOLD else THOUGHT)
    assert_counted(sdk_house, ledger, cell, turns)


def assert_counted(house: House, ledger: Ledger, cell: Cell, turns: list[Got]) -> None:
    """What the SDK says of tokens is what the ledger has, and what the ledger charges is what the fake has billed."""
    bills = house.fakes.bills.of(cell.name)
    assert len(bills) == len(turns)
    for bill, turn in zip(bills, turns, strict=True):
        row = ledger.rows[bill.request_id]
        fresh, read, written, output = (row[f"{name}_tokens"] for name in ("input", "cache_read", "cache_write_5m", "output"))
        wanted = Counted(fresh, read, written, output)
        if turn.counted.written < 0:
            wanted = Counted(fresh + written, read, -1, output)
        assert turn.counted == wanted
        assert (row["outcome"], row["usage_source"], bool(row["stream"])) == ("completed", "exact", cell.stream)
        assert row["billed_pusd"] == row["list_pusd"] == bill.cost_pusd > 0
        assert row["requested_model"] == MODELS[cell.upstream] and turn.model in ("", MODELS[cell.upstream])


@of(ERRORS)
def test_an_error(sdk_house: House, ledger: Ledger, cell: Cell) -> None:
    """The SDK's own exception, with the upstream's words; and nothing billed."""
    turns, error = ledger.played[cell]
    status = int(cell.scene[1:])
    client = sdk_house.clients[cell.client]
    assert not turns and type(error) is not Exception and isinstance(error, client.refusals[status]), repr(error)
    assert f"the fake {cell.upstream} says {status}" in str(error)
    if status == 429 and (cell.client, cell.upstream) != ("gemini", "gemini"):  # Google says it in the body, which passes
        assert headers_of(error).get("retry-after") == "7"
    if status == 401:
        assert "refused the gateway" in str(error) and "Tell your gateway administrator" in str(error)


@of(("broken",))
def test_a_stream_that_breaks_off(sdk_house: House, ledger: Ledger, cell: Cell) -> None:
    turns, error = ledger.played[cell]
    assert not turns and isinstance(error, sdk_house.clients[cell.client].refusals["broken"]), repr(error)
    assert "The fake stumbled" in str(error)
    (bill,) = sdk_house.fakes.bills.of(cell.name)
    row = ledger.rows[bill.request_id]
    assert (row["outcome"], row["status"]) == ("upstream_error", 200)
    assert row["usage_source"] == ("observed" if cell.upstream in TOLD_EARLY else "estimated")
    assert row["error"].startswith("upstream_") and row["billed_pusd"] > 0


def headers_of(error: Exception) -> dict[str, str]:
    """Of the answer that an SDK has made an exception of."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # boto3
        headers: dict[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
        return headers
    assert answer is not None
    return dict(answer.headers)
