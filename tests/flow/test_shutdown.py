"""The end of the gateway: nothing new, what runs may finish, the rest is closed cleanly and billed as observed."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gw.clock import mono_ns
from gw.demo.answers import SSE_HEADERS
from gw.demo.exchange import Chunk, Reply
from tests.flow.client import Answer, Wire, call
from tests.flow.stage import OWN, Stage, prompt, session, stage
from tests.support.bill import assert_equal_bills
from tests.support.claims import allowed

AGENT = ("user-agent", "claude-cli/2.1.329 (external, cli)")
SHORT, LONG = "[play:events 60 20]", "[play:events 2000 10]"


@contextmanager
def running(folder: Path, *, workers: int = 1, drain_s: int = 30) -> Iterator[Stage]:
    with stage(folder, workers=workers, environ={"GW_SERVER_DRAIN_TIMEOUT_S": str(drain_s)}) as one:
        yield one
        assert one.gateway.process.status_within(0) == 0, "it is for the test to end it"
        journals = one.gateway.folder / "state" / "journal"
        assert not list(journals.glob("*.gwj")), "the keeper left a journal behind"
        assert "Traceback" not in one.gateway.process.log_end(1 << 20)


def headers(group: str) -> list[tuple[str, str]]:
    return [OWN, AGENT, session(group)]


async def ask(house: Stage, group: str, play: str, *, stream: bool = True) -> Answer:
    return await call(house.port, headers=headers(group), body=prompt(play, stream=stream))


async def unready(house: Stage) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (answer := await call(house.port, "/readyz", method="GET")).status == 200:
            await asyncio.sleep(0.02)
        return answer.json


async def ended(house: Stage, within_s: float) -> None:
    status = await asyncio.to_thread(house.gateway.process.status_within, within_s)
    assert status == 0, f"exit status {status} after {within_s} s\n{house.gateway.process.log_end()}"


def by_supervisor(house: Stage) -> None:
    os.kill(house.gateway.process.pid, signal.SIGTERM)


def by_terminal(house: Stage) -> None:
    """Ctrl-C reaches every process of the foreground group."""
    os.killpg(house.gateway.process.pid, signal.SIGINT)


def rows_of(house: Stage, group: str) -> list[dict[str, Any]]:
    return house.gateway.rows("session_id = ?", [group])


@pytest.mark.parametrize("stop", [by_supervisor, by_terminal], ids=["SIGTERM", "Ctrl-C"])
def test_running_streams_finish_and_new_calls_are_refused(tmp_path: Path, stop: Any) -> None:
    async def play(house: Stage) -> None:
        streams = [asyncio.ensure_future(ask(house, "running", f"{at} {SHORT}")) for at in range(10)]
        kept = await Wire.open(house.port)
        await kept.send("GET", "/healthz")
        await kept.rest(await kept.head())
        await house.under_way(10)
        stop(house)
        ready = await unready(house)
        assert (ready["ready"], ready["reasons"]) == (False, ["draining"])
        refused = await ask(house, "late", "hi")
        await kept.send("POST", "/v1/messages", headers("late"), prompt("on a connection from before"))
        for answer in (refused, await kept.rest(await kept.head())):
            assert (answer.status, answer.header("x-gw-error"), answer.header("retry-after")) == (503, "draining", "1")
            assert answer.json["error"]["type"] == "api_error" and "Try again" in answer.json["error"]["message"]
            assert answer.json["request_id"] == answer.header("request-id")
        await kept.close()
        for answer in await asyncio.gather(*streams):
            assert answer.clean and b"message_stop" in answer.body and b"event: error" not in answer.body
        await ended(house, allowed(5))

    with running(tmp_path, workers=2) as house:
        asyncio.run(play(house))
        finished = rows_of(house, "running")
        assert_equal_bills(finished, house.upstream.invoice.lines(session="running"))
        assert {(row["outcome"], row["usage_source"]) for row in finished} == {("completed", "exact")}
        late = rows_of(house, "late")
        assert {(row["outcome"], row["error"], row["status"], row["list_pusd"]) for row in late} == {
            ("refused", "draining", 503, 0)
        }
        assert (len(finished), len(late)) == (10, 2)


def test_at_the_deadline_the_rest_is_closed_cleanly_and_billed_as_observed(tmp_path: Path) -> None:
    async def upload(house: Stage) -> Answer:
        async with await Wire.open(house.port) as wire:
            wire.send_head("POST", "/v1/messages", headers("upload"), "Content-Length: 1000")
            await wire.write(b"{")
            return await wire.rest(await wire.head())

    async def play(house: Stage) -> tuple[list[Answer], Answer, Answer]:
        streams = [asyncio.ensure_future(ask(house, "stream", f"{at} {LONG}")) for at in range(5)]
        whole = asyncio.ensure_future(ask(house, "whole", "[play:silent-before 20]", stream=False))
        uploading = asyncio.ensure_future(upload(house))
        await house.under_way(7)
        began = mono_ns()
        by_supervisor(house)
        answers = await asyncio.gather(*streams)
        took_s = (mono_ns() - began) / 1e9
        assert 0.8 < took_s < allowed(2.5), took_s
        result = answers, await whole, await uploading
        await ended(house, allowed(4))
        return result

    with running(tmp_path, drain_s=1) as house:
        streams, whole, uploaded = asyncio.run(play(house))
        for answer in streams:
            assert (answer.status, answer.clean) == (200, True)
            last = answer.body.rstrip(b"\n").rpartition(b"\n\n")[2]
            assert last.startswith(b"event: error\ndata: ") and b"overloaded_error" in last and b"restarting" in last
        rows = rows_of(house, "stream")
        assert {(row["outcome"], row["error"], row["usage_source"]) for row in rows} == {("stopped", "draining", "observed")}
        assert len(rows) == 5 and all(row["list_pusd"] > 0 for row in rows)
        assert (whole.status, whole.header("x-gw-error")) == (503, "draining")
        (row,) = rows_of(house, "whole")
        assert (row["outcome"], row["error"], row["usage_source"], row["list_pusd"] > 0) == (
            "stopped",
            "draining",
            "estimated",
            True,
        )
        assert (uploaded.status, uploaded.header("x-gw-error")) == (503, "draining")
        (row,) = rows_of(house, "upload")
        assert (row["outcome"], row["error"], row["list_pusd"]) == ("refused", "draining", 0)
        ends = {line.end for line in house.upstream.invoice.lines()}
        assert ends == {"cut_by_client"}


def test_asked_twice_it_waits_no_longer(tmp_path: Path) -> None:
    async def play(house: Stage) -> Answer:
        stream = asyncio.ensure_future(ask(house, "twice", LONG))
        await house.under_way(1)
        by_supervisor(house)
        await unready(house)
        began = mono_ns()
        by_supervisor(house)
        answer = await stream
        await ended(house, 20)
        assert (mono_ns() - began) / 1e9 < allowed(3)
        return answer

    with running(tmp_path) as house:
        answer = asyncio.run(play(house))
        assert answer.clean and b"event: error" in answer.body
        (row,) = rows_of(house, "twice")
        assert (row["outcome"], row["usage_source"]) == ("stopped", "observed")


def test_clients_that_do_not_read_cannot_hold_it_up(tmp_path: Path) -> None:
    """Their sockets are full; at the deadline they are let go."""

    async def play(house: Stage) -> None:
        house.played.answers["deaf"] = Reply(headers=SSE_HEADERS, steps=(Chunk(b": " + b"x" * 65536),) * 3000, framing="chunked")
        wires = [await Wire.open(house.port) for _ in range(3)]
        for wire in wires:
            await wire.send("POST", "/v1/messages", [*headers("deaf"), ("x-test-id", "deaf")], prompt())
            assert (await wire.head()).status == 200
        by_supervisor(house)
        await ended(house, allowed(20))
        for wire in wires:
            with suppress(ConnectionError):
                await wire.close()

    with running(tmp_path, drain_s=1) as house:
        asyncio.run(play(house))
        rows = rows_of(house, "deaf")
        assert len(rows) == 3 and all(row["list_pusd"] > 0 for row in rows)
