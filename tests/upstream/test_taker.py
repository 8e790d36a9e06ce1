"""A reader that waits may leave a taker behind: what comes is taken where it comes, and the reader sleeps on."""

import asyncio
from collections.abc import Callable
from math import inf

import pytest

from gw.upstream.connection import READ_HIGH
from gw.upstream.errors import UpstreamError
from gw.upstream.response import Response
from tests.upstream.line import TIMES, Lines, play, turns

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


class Taker:
    """Takes what it is offered; `done` says whether that was all."""

    def __init__(self, response: Response, done: Callable[[], bool] = lambda: True) -> None:
        self.taken: list[bytes | None] = []
        self._response = response
        self._done = done
        response.taker = self

    def __call__(self) -> bool:
        self.taken.append(self._response.read_nowait())
        return self._done()


async def begun(lines: Lines) -> Response:
    task = lines.request()
    await turns()
    lines.last.feed(HEAD)
    return await task


async def test_what_comes_while_the_reader_waits_is_taken_without_waking_it() -> None:
    async with Lines() as lines:
        response = await begun(lines)
        taker = Taker(response)
        lines.last.feed(chunk(b"early"))
        assert (taker.taken, response.read_nowait()) == ([], b"early"), "nobody waited yet"
        waiting = asyncio.ensure_future(response.wait(inf))
        await turns()
        for body in (b"a", b"bc"):
            lines.last.feed(chunk(body))
        lines.last.feed(chunk(b"d") + chunk(b"e"))
        lines.last.feed(b"2\r\nf")
        lines.last.feed(b"g\r\n")
        await turns()
        assert (taker.taken, waiting.done()) == ([b"a", b"bc", b"de", b"f", b"g"], False)
        lines.last.feed(END)
        assert await waiting and response.read_nowait() == b""


async def test_the_end_wakes_the_reader_and_is_not_offered() -> None:
    async with Lines() as lines:
        response = await begun(lines)
        taker = Taker(response)
        waiting = asyncio.ensure_future(response.wait(inf))
        await turns()
        lines.last.feed(chunk(b"last") + END)
        assert await waiting
        assert (taker.taken, await response.read(), await response.read()) == ([], b"last", b"")


async def test_a_taker_that_wants_no_more_wakes_the_reader() -> None:
    async with Lines() as lines:
        response = await begun(lines)
        answers = [True, False]
        taker = Taker(response, lambda: answers.pop(0))
        waiting = asyncio.ensure_future(response.wait(inf))
        await turns()
        lines.last.feed(chunk(b"a"))
        lines.last.feed(chunk(b"b"))
        lines.last.feed(chunk(b"c"))  # the reader is about to go on: it is its own
        assert await waiting
        assert (taker.taken, response.read_nowait()) == ([b"a", b"b"], b"c")
        lines.last.feed(END)


async def test_a_taker_that_fails_fails_its_reader_and_not_the_connection() -> None:
    async with Lines() as lines:
        response = await begun(lines)

        def broken() -> bool:
            raise ZeroDivisionError("of the test")

        response.taker = broken
        waiting = asyncio.ensure_future(response.wait(inf))
        await turns()
        lines.last.feed(chunk(b"a"))
        with pytest.raises(ZeroDivisionError):
            await waiting
        assert response.read_nowait() == b"a"
        response.abort()


async def test_a_failure_wakes_the_reader_behind_what_was_taken() -> None:
    async with Lines() as lines:
        response = await begun(lines)
        taker = Taker(response)
        waiting = asyncio.ensure_future(response.wait(inf))
        await turns()
        lines.last.feed(chunk(b"a"))
        lines.last.feed(b"no chunk\r\n")
        assert await waiting and taker.taken == [b"a"]
        with pytest.raises(UpstreamError, match="not HTTP"):
            response.read_nowait()


async def test_a_cancelled_reader_is_offered_nothing() -> None:
    async with Lines() as lines:
        response = await begun(lines)
        taker = Taker(response)
        waiting = asyncio.ensure_future(response.wait(inf))
        await turns()
        waiting.cancel()
        lines.last.feed(chunk(b"a"))
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (taker.taken, response.read_nowait(), response.connection) == ([], b"a", None)


async def test_a_taker_may_leave_what_has_come_and_reading_stops_at_the_limit() -> None:
    async with Lines() as lines:
        response = await begun(lines)
        response.taker = lambda: True
        waiting = asyncio.ensure_future(response.wait(inf))
        await turns()
        connection = response.connection
        assert connection is not None
        lines.last.feed(chunk(bytes(READ_HIGH)))
        assert not connection.reading_paused
        lines.last.feed(chunk(b"."))
        assert connection.reading_paused and not waiting.done()
        assert response.read_nowait() == bytes(READ_HIGH) + b"."
        assert not connection.reading_paused
        lines.last.feed(END)
        assert await waiting


def test_silence_is_counted_from_the_last_bytes_that_were_taken() -> None:
    idle_s = TIMES["idle_timeout_s"]
    silence_s = idle_s * 0.4

    async def main() -> None:
        async with Lines() as lines:
            loop = asyncio.get_running_loop()
            response = await begun(lines)
            taker = Taker(response)
            began = loop.time()
            waiting = asyncio.ensure_future(response.wait(silence_s))
            for _ in range(4):
                await asyncio.sleep(silence_s * 0.9)
                lines.last.feed(chunk(b"a"))
            assert not await waiting
            assert loop.time() - began == pytest.approx(silence_s * 4.6, abs=0.01)
            assert not await response.wait(silence_s)
            assert loop.time() - began == pytest.approx(silence_s * 5.6, abs=0.01), "and then from the last silence"
            assert len(taker.taken) == 4
            with pytest.raises(UpstreamError) as failed:
                await response.read()
            assert failed.value.kind == "idle_timeout"
            assert loop.time() - began == pytest.approx(silence_s * 3.6 + idle_s, abs=0.01)

    play(main)
