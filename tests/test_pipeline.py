"""The route of one call, in one process: whatever happens at whatever moment, one record, and nothing is left behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gw.demo import answers
from gw.demo.exchange import Chunk, Pause, Reply, Request
from gw.domain.call import CallRecord
from tests.flow.stage import MODEL, prompt
from tests.support.one_worker import Client, OneWorker, declared, scope


@pytest.fixture(params=["cancel", "drain"])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[OneWorker]:
    one = OneWorker(tmp_path, paced)
    await one.open(tmp_path, request.param)
    yield one
    await one.close()


def paced(request: Request) -> Reply:
    """Every step takes a turn of the loop at least."""
    reply = answers.message(request, [answers.text("word " * 12)])
    steps = [step for chunk in reply.steps for step in (chunk, Pause(0))]
    return answers.with_steps(reply, steps)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def watched(house: OneWorker, task: "asyncio.Task[None]", count: int) -> None:
    """As the worker's timer does, at every turn."""
    for _ in range(count):
        house.worker._watch_running()
        house.worker._watch_running()
        if task.done():
            return
        await asyncio.sleep(0)


MOMENTS = [*range(0, 30), *range(30, 90, 4)]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_client_may_leave_at_any_moment(house: OneWorker, stream: bool) -> None:
    outcomes, paid = set(), 0
    for moment in MOMENTS:
        client = Client(prompt(stream=stream), pieces=3)
        task = asyncio.ensure_future(house.app(declared(client), client.receive, client.send))
        await watched(house, task, moment)
        client.leave()
        await finished(house, task)
        record = await the_one_record(house)
        assert record.outcome in ("client_gone", "completed")
        paid += record.list_pusd > 0
        outcomes.add((record.outcome, record.usage_source))
    await house.upstream_empty()
    assert house.upstream.calls_started <= paid, "what reached the upstream is paid for"
    assert len(outcomes) > 2, outcomes


async def test_a_body_of_chunks_that_breaks_off_is_refused(house: OneWorker) -> None:
    """The server does not say whether the client has left or sends chunks that are none: who is there is told."""
    client = Client(prompt(), pieces=2)
    task = asyncio.ensure_future(house.app(scope(), client.receive, client.send))
    await turns(2)
    client.leave()
    await finished(house, task)
    record = await the_one_record(house)
    assert (record.outcome, record.error, record.status, record.usage_source) == ("refused", "request_incomplete", 400, "none")
    assert client.messages[0]["status"] == 400 and json.loads(client.body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_the_gateway_may_stop_at_any_moment(house: OneWorker, stream: bool) -> None:
    outcomes = set()
    for moment in MOMENTS:
        client = Client(prompt(stream=stream), pieces=3)
        task = asyncio.ensure_future(house.app(scope(), client.receive, client.send))
        await turns(moment)
        house.worker._cancel_running(again=False)
        await finished(house, task)
        record = await the_one_record(house)
        assert client.ended, "its client sees an end"
        assert [message["status"] for message in client.messages if "status" in message] == [record.status]
        outcomes.add(record.outcome)
        if record.outcome != "completed":
            assert record.error == "draining" and b"restarting" in client.body
    assert outcomes == {"refused", "stopped", "completed"}


async def finished(house: OneWorker, task: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(20):
        while not task.done():
            await watched(house, task, 1)
    await task


async def the_one_record(house: OneWorker) -> CallRecord:
    """Of the call that has just ended; nothing else is left of it."""
    await until_closed(house)
    house.assert_nothing_is_left()
    (record,) = house.new_records()
    return record


async def until_closed(house: OneWorker) -> None:
    """The loop has had its say on connections that were aborted."""
    async with asyncio.timeout(20):
        while any(lane.open != lane.idle for lane in house.worker.pool.stats()):
            await asyncio.sleep(0)


async def test_a_bug_costs_its_call_and_is_recorded(house: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of the test")

    with monkeypatch.context() as patch:
        patch.setattr("gw.pipeline.forward", broken)
        client = Client(prompt())
        await house.app(scope(), client.receive, client.send)
    assert client.messages[0]["status"] == 500
    error = json.loads(client.body)["error"]
    assert error["type"] == "api_error" and "gw_" in error["message"] and "ZeroDivision" not in error["message"]
    (record,) = house.new_records()
    assert (record.outcome, record.error, record.status, record.list_pusd) == ("gw_error", "gw_error", 500, 0)
    house.assert_nothing_is_left()


async def test_an_answer_that_never_ends_is_cut_off_with_its_client(house: OneWorker) -> None:
    """message_stop has been relayed and settled, but the upstream keeps the body open."""

    def lingering(request: Request) -> Reply:
        reply = paced(request)
        return answers.with_steps(reply, [*reply.steps, Pause(30), Chunk(b": late\n\n")])

    house.upstream.script = lingering
    client = Client(prompt())
    task = asyncio.ensure_future(house.app(scope(), client.receive, client.send))
    while b"message_stop" not in client.body:
        await watched(house, task, 1)
    (record,) = house.new_records()
    assert (record.outcome, record.usage_source, record.requested_model) == ("completed", "exact", MODEL)
    client.leave()
    await finished(house, task)
    await until_closed(house)
    house.assert_nothing_is_left()
    assert not house.new_records()


async def test_a_hundred_calls_at_once_leave_a_hundred_records(house: OneWorker) -> None:
    clients = [Client(prompt(str(number), stream=number % 2 == 0)) for number in range(100)]
    await asyncio.gather(*(house.app(scope(), client.receive, client.send) for client in clients))
    assert all(client.ended for client in clients)
    records = house.new_records()
    assert len({record.call_id for record in records}) == 100
    assert sum(record.list_pusd for record in records) == house.upstream.invoice.total_pusd()
    house.assert_nothing_is_left()
