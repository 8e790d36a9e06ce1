"""Streams behind a server whose `send` takes a message at once, as Granian's does: events are passed on where they arrive."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gw.demo import answers
from gw.demo.exchange import Pause, Reply, Request
from gw.domain.call import CallRecord
from gw.relay import Stream
from gw.settle import Call
from gw.watch import Watch
from tests.flow.stage import prompt
from tests.support.one_worker import Client, OneWorker, declared

WORDS = 60
MOMENTS = [*range(0, 40), *range(40, 120, 4)]


def paced(request: Request) -> Reply:
    """A chunk for each event, some turns of the loop apart."""
    reply = answers.message(request, [answers.text("word " * WORDS)], delta_chars=5)
    return answers.with_steps(reply, [step for chunk in reply.steps for step in (chunk, *[Pause(0)] * 4)])


class Taken:
    """Nothing to wait for."""

    def __await__(self) -> "Taken":
        return self

    def __next__(self) -> None:
        raise StopIteration


class Promise(asyncio.Future[None]):
    """To be waited for. Like Granian's, its own iterator, which stands still until it is done."""

    _asyncio_future_blocking: bool

    def __await__(self) -> "Promise":  # type: ignore[override]
        return self

    def __next__(self) -> "Promise":
        if self.done():
            raise StopIteration
        self._asyncio_future_blocking = True
        return self


class Server(Client):
    """`full`: from now on it takes one message more, and the promise of that is kept when `drain` is called."""

    def __init__(self, body: bytes = b"", *, pieces: int = 1) -> None:
        super().__init__(body, pieces=pieces)
        self.full = False
        self.promise: Promise | None = None
        self.senders: list[Any] = []  # the task in which each message was sent
        self.on_send = lambda message: None

    def send(self, message: Any) -> Any:
        assert self.promise is None or self.promise.done(), "the last message is still on its way"
        self.on_send(message)
        self.messages.append(message)
        self.senders.append(asyncio.current_task())
        if self.full:
            self.promise = Promise()
            return self.promise
        return Taken()

    def drain(self) -> None:
        self.full = False
        assert self.promise is not None
        self.promise.set_result(None)


@pytest.fixture(params=["cancel", "drain"])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[OneWorker]:
    one = OneWorker(tmp_path, paced)
    await one.open(tmp_path, request.param)
    yield one
    await one.close()


def begin(house: OneWorker, client: Client) -> "asyncio.Task[None]":
    return asyncio.ensure_future(house.app(declared(client), client.receive, client.send))


async def finished(house: OneWorker, task: "asyncio.Task[None]") -> CallRecord:
    """The one record of the call; nothing else is left of it."""
    async with asyncio.timeout(20):
        while not task.done():
            house.worker._watch_running()
            await asyncio.sleep(0)
        await task
        while any(lane.open != lane.idle for lane in house.worker.pool.stats()):
            await asyncio.sleep(0)
    house.assert_nothing_is_left()
    (record,) = house.new_records()
    return record


async def test_events_pass_without_waking_the_calls_task(house: OneWorker) -> None:
    client = Server(prompt())
    task = begin(house, client)
    record = await finished(house, task)
    assert client.ended and client.body.count(b"event: content_block_delta") >= WORDS
    assert (record.outcome, record.usage_source, record.response_bytes) == ("completed", "exact", len(client.body))
    by_task = sum(sender is not None for sender in client.senders)
    assert len(client.senders) > WORDS / 2 and by_task < len(client.senders) / 4, client.senders


async def test_a_send_that_is_a_coroutine_runs_in_its_task_alone(house: OneWorker) -> None:
    senders = []

    class Slow(Client):
        async def send(self, message: Any) -> None:
            senders.append(asyncio.current_task())
            await super().send(message)

    client = Slow(prompt())
    task = begin(house, client)
    record = await finished(house, task)
    assert record.outcome == "completed" and set(senders) == {task}


async def test_the_record_stands_before_the_end_is_handed_over(house: OneWorker) -> None:
    seen: list[CallRecord] = []

    def look(message: Any) -> None:
        if b"message_stop" in message.get("body", b""):
            seen.extend(house.new_records())

    client = Server(prompt())
    client.on_send = look
    task = begin(house, client)
    async with asyncio.timeout(20):
        await task
    assert [record.outcome for record in seen] == ["completed"]


@pytest.mark.parametrize("after", [0, 1, 2, 5, 20])
async def test_a_client_that_does_not_keep_up_holds_the_stream_back(house: OneWorker, after: int) -> None:
    client = Server(prompt())
    task = begin(house, client)
    async with asyncio.timeout(20):
        while len(client.messages) < after:
            await asyncio.sleep(0)
        client.full = True
        while client.promise is None:
            await asyncio.sleep(0)
        sent = len(client.messages)
        while not house.upstream.invoice.lines():  # it has sent all
            await asyncio.sleep(0)
    assert len(client.messages) == sent and not task.done()
    client.drain()
    record = await finished(house, task)
    assert client.ended and client.body.count(b"event: content_block_delta") >= WORDS
    assert (record.outcome, record.usage_source, record.response_bytes) == ("completed", "exact", len(client.body))


@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
async def test_a_client_may_leave_at_any_moment(house: OneWorker, full: bool) -> None:
    outcomes, paid = set(), 0
    for moment in MOMENTS:
        client = Server(prompt())
        task = begin(house, client)
        for _ in range(moment):
            house.worker._watch_running()
            await asyncio.sleep(0)
        client.full = full
        client.leave()
        await asyncio.sleep(0)
        if client.promise is not None:
            client.drain()
        record = await finished(house, task)
        assert record.outcome in ("client_gone", "completed")
        paid += record.list_pusd > 0
        outcomes.add(record.outcome)
    await house.upstream_empty()
    assert house.upstream.calls_started <= paid, "what reached the upstream is paid for"
    assert "client_gone" in outcomes


async def test_a_request_body_is_let_go_while_its_answer_streams(house: OneWorker) -> None:
    body = prompt() + b" " * 100_000
    before = sys.getrefcount(body)
    client = Server(body)
    task = begin(house, client)
    while len(client.messages) < 2:
        await asyncio.sleep(0)
    assert not task.done() and sys.getrefcount(body) == before
    assert (await finished(house, task)).outcome == "completed"


async def test_a_bug_where_an_event_arrives_is_the_call_s_and_named_so(house: OneWorker) -> None:
    client = Server(prompt())

    def broken(message: Any) -> None:
        if len(client.messages) == 5:
            raise ZeroDivisionError("of the test")

    client.on_send = broken
    record = await finished(house, begin(house, client))
    assert (record.outcome, record.error, record.usage_source) == ("gw_error", "gw_error", "observed")


async def test_the_gateway_may_stop_at_any_moment(house: OneWorker) -> None:
    outcomes = set()
    for moment in MOMENTS:
        client = Server(prompt())
        task = begin(house, client)
        for _ in range(moment):
            await asyncio.sleep(0)
        house.worker._cancel_running(again=False)
        record = await finished(house, task)
        assert client.ended, "its client sees an end"
        outcomes.add(record.outcome)
        if record.outcome != "completed":
            assert record.error == "draining" and b"restarting" in client.body
    assert outcomes >= {"refused", "stopped"}


@pytest.mark.parametrize("leaves", [False, True], ids=["whole", "left"])
async def test_nothing_of_a_call_waits_for_the_garbage_collector(house: OneWorker, leaves: bool) -> None:
    gc.collect()
    before = [one for one in gc.get_objects() if isinstance(one, Call | Stream | Watch)]  # of tests before this one
    gc.disable()
    try:
        client = Server(prompt())
        task = begin(house, client)
        async with asyncio.timeout(20):
            while not any(call.watch for call in house.worker.running):
                house.worker._watch_running()
                await asyncio.sleep(0)
        if leaves:
            client.leave()
        await finished(house, task)
        del task, client
        await asyncio.sleep(0)
        found = [one for one in gc.get_objects() if isinstance(one, Call | Stream | Watch)]
        assert [type(one).__name__ for one in found if not any(one is other for other in before)] == []
    finally:
        gc.enable()
