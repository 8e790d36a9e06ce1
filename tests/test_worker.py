"""What a worker does at each tick, and that no tick is the last."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gw.clock import mono_ns
from gw.demo.scripts import by_prompt
from gw.domain.usage import Reading
from gw.errors import Refusal
from gw.ops.state import Own, Word
from gw.settle import UPLOAD_MAX_S
from gw.snapshot import FILE
from tests.flow.stage import prompt
from tests.support.one_worker import Client, OneWorker, scope

NS_PER_S = 1_000_000_000


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    one = OneWorker(tmp_path, by_prompt)
    await one.open(tmp_path)
    yield one
    await one.close()


async def test_a_client_that_never_sends_its_body_is_let_go(house: OneWorker) -> None:
    client = Client()
    parts = [b"{"]

    async def receive() -> dict[str, object]:
        if not parts:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(), "more_body": True}

    task = asyncio.ensure_future(house.app(scope(), receive, client.send))
    await asyncio.sleep(0)
    began = mono_ns()
    worker = house.worker
    worker._leave_overdue(began)
    worker._leave_overdue(began + UPLOAD_MAX_S * NS_PER_S)
    await asyncio.sleep(0)
    assert not task.done()
    worker._leave_overdue(began + UPLOAD_MAX_S * NS_PER_S + 1)
    async with asyncio.timeout(20):
        await task
    (record,) = house.new_records()
    assert (record.outcome, record.list_pusd, client.messages) == ("client_gone", 0, [])
    house.assert_nothing_is_left()


async def test_a_call_that_was_sent_has_the_upstreams_total_timeout_from_then_on(house: OneWorker) -> None:
    client = Client(prompt("[play:silent-before 30]"))
    task = asyncio.ensure_future(house.app(scope(), client.receive, client.send))
    async with asyncio.timeout(20):
        while not house.upstream.calls_started:
            await asyncio.sleep(0.01)
    began = mono_ns()
    limit = 3600 * NS_PER_S
    house.worker._leave_overdue(began)
    house.worker._leave_overdue(began + limit)
    assert not task.cancelling()
    house.worker._leave_overdue(began + limit + 1)
    async with asyncio.timeout(20):
        await task
    (record,) = house.new_records()
    assert (record.outcome, record.usage_source) == ("client_gone", "estimated")


async def test_what_its_upload_took_is_not_counted_against_a_call_that_was_sent(house: OneWorker) -> None:
    client = Client(prompt("[play:silent-before 30]"))
    uploaded = asyncio.Event()

    async def receive() -> dict[str, object]:
        await uploaded.wait()
        return await client.receive()

    task = asyncio.ensure_future(house.app(scope(), receive, client.send))
    await asyncio.sleep(0)
    began = mono_ns()
    house.worker._leave_overdue(began)
    uploaded.set()
    async with asyncio.timeout(20):
        while not house.upstream.calls_started:
            await asyncio.sleep(0.01)
    sent = began + UPLOAD_MAX_S * NS_PER_S
    for moment in (sent, sent + 3600 * NS_PER_S):
        house.worker._leave_overdue(moment)
        assert not task.cancelling()
    house.worker._leave_overdue(sent + 3600 * NS_PER_S + 1)
    async with asyncio.timeout(20):
        await task
    (record,) = house.new_records()
    assert record.outcome == "client_gone"


@pytest.mark.parametrize(
    "content", [b"", b"\x93garbage", b"\x96\x02\xa0\xa0\xa0\x90\xa0"], ids=["empty", "garbage", "another shape"]
)
async def test_a_snapshot_that_cannot_be_read_leaves_the_old_one_in_force(house: OneWorker, content: bytes) -> None:
    worker = house.worker
    before = worker.snapshot
    (house.state_dir / FILE).write_bytes(content)
    worker.state.words[Word.SNAPSHOT_VERSION] = before.version + 1
    worker._tick()
    assert worker.snapshot is before and worker._ticker is not None
    worker._ticker.cancel()
    client = Client(prompt(stream=False))
    await house.app(scope(), client.receive, client.send)
    assert client.messages[0]["status"] == 200


async def test_a_bug_in_a_tick_does_not_end_the_ticking(house: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __radd__(self, _: int) -> int:
            raise ZeroDivisionError("of the test")

    monkeypatch.setattr("gw.worker.OVERDUE_EVERY_NS", Broken())
    house.worker._overdue_ns = 0
    with pytest.raises(ZeroDivisionError):
        house.worker._tick()
    assert house.worker._ticker is not None and house.worker._ticker.when() > asyncio.get_running_loop().time()


async def test_while_draining_nothing_new_is_taken(house: OneWorker) -> None:
    house.worker.must_take()
    house.worker.state.words[Word.DRAINING] = 1
    with pytest.raises(Refusal, match="restarting") as caught:
        house.worker.must_take()
    assert caught.value.slug == "draining"
    house.worker.state.words[Word.DRAINING] = 0


async def test_a_second_settlement_changes_nothing(house: OneWorker) -> None:
    async def settle() -> None:
        call = house.worker.begin("messages")
        call.reading = Reading()
        house.worker.settle(call, "client_gone", "")
        first = call.record
        house.worker.settle(call, "completed", "x")
        assert call.record is first is not None
        house.worker.end(call)

    await asyncio.ensure_future(settle())
    (record,) = house.new_records()
    assert record.outcome == "client_gone"
    assert house.worker.state.sum_own(Own.IN_FLIGHT) == 0
