"""A call that budgets or limits are held to is read once: what was weighed while it was peeked at is what it is admitted by. Any
other is not weighed, as far as that can be known before its body is read."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gw._fast import weigh
from gw.demo import answers
from gw.demo.exchange import Pause, Reply, Request
from gw.domain.key import mint
from gw.settle import Call
from tests.flow.stage import MODEL, prompt
from tests.support.one_worker import Client, OneWorker, scope

BUDGET = """
[[budget]]
name = "all"
{kind} = "{name}"
window = "day"
limit_usd = "1000"
"""
EVERYONES = BUDGET.format(kind="upstream", name="*")
KEY = mint().text
KEYED = f'[[key]]\nname = "one"\nsecret = "{KEY}"\n'
HEADERS = [(b"authorization", f"Bearer {KEY}".encode()), (b"x-claude-code-session-id", b"s")]
ROUTE = """
[[route]]
model = "claude-*"
candidates = [{ upstream = "fake" }]
"""


def slow(request: Request) -> Reply:
    reply = answers.message(request, [answers.text("word " * 12)])
    return answers.with_steps(reply, [Pause(0.2), *reply.steps])


@asynccontextmanager
async def opened(folder: Path, more: str) -> AsyncIterator[OneWorker]:
    house = OneWorker(folder, slow)
    await house.open(folder, more=KEYED + more)
    yield house
    await house.close()


async def run(house: OneWorker, body: bytes, path: str = "/v1/messages") -> Call:
    """One call, after its end; its weight is that of the text that its cost is judged from."""
    client = Client(body)
    task = asyncio.ensure_future(house.app(scope(path=path, headers=HEADERS), client.receive, client.send))
    async with asyncio.timeout(20):
        while not any(call.sent for call in house.worker.running):
            assert not task.done(), client.messages
            await asyncio.sleep(0)
    (call,) = house.worker.running
    judged = call.demand.weighed if call.demand is not None else body
    assert call.weight in (None, weigh(judged))
    await task
    (record,) = house.new_records()
    assert record.outcome == "completed"
    return call


CHAT = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 50}).encode()
WAYS = [
    pytest.param("", "/v1/messages", prompt(), id="plain"),
    pytest.param(ROUTE, "/v1/messages", prompt(), id="routed"),
    pytest.param("", "/v1/chat/completions", CHAT, id="in another dialect"),
]


@pytest.mark.parametrize(("more", "path", "body"), WAYS)
async def test_a_governed_call_is_admitted_by_what_its_peek_weighed(tmp_path: Path, more: str, path: str, body: bytes) -> None:
    async with opened(tmp_path, EVERYONES + more) as house:
        for _ in range(2):
            call = await run(house, body, path)
            assert call.peek is not None
            assert call.weight is not None
            assert call.weight is call.peek.weight
            assert call.hold is not None


async def test_a_session_that_no_rule_is_for_is_weighed_once_at_most(tmp_path: Path) -> None:
    """Of its first call nobody knows."""
    async with opened(tmp_path, BUDGET.format(kind="upstream", name="other*")) as house:
        weights = []
        for _ in range(3):
            call = await run(house, prompt())
            assert call.peek is not None
            assert call.weight is None
            weights.append(call.peek.weight)
        assert [weight is None for weight in weights] == [False, True, True]


async def test_a_call_without_rules_is_not_weighed(tmp_path: Path) -> None:
    async with opened(tmp_path, "") as house:
        call = await run(house, prompt())
        assert call.peek is not None
        assert call.peek.weight is None


async def test_a_call_that_was_only_peeked_at_is_weighed_when_it_is_admitted(tmp_path: Path) -> None:
    """The session's last call fell under no rule: this one does, since it names another model."""
    async with opened(tmp_path, BUDGET.format(kind="model", name=MODEL)) as house:
        for _ in range(2):
            other = await run(house, prompt().replace(MODEL.encode(), b"claude-haiku-4-5"))
            assert other.weight is None
        call = await run(house, prompt())
        assert call.peek is not None
        assert call.peek.weight is None
        assert call.weight is not None
        again = await run(house, prompt())
        assert again.peek is not None
        assert again.weight is again.peek.weight is not None
