"""Upstreams that take their time: each timeout ends what it is for, to the second, and a drip of bytes puts off none but one.

Times are those of `line.TIMES`, on a clock that nobody waits for.
"""

import asyncio
from itertools import count

import pytest

from gw.upstream.errors import UpstreamError
from tests.upstream.line import TIMES, Line, Lines, answered, outcome, play, turns

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SLACK_S = 0.01
FIRST, IDLE, TOTAL = (TIMES[f"{name}_timeout_s"] for name in ("first_byte", "idle", "total"))
BIG = bytes(8 * 2**20)


def now() -> float:
    return asyncio.get_running_loop().time()


async def drip(line: Line, endless: bytes, first: bytes = b"", every_s: float = 1.0) -> None:
    """A byte a second, over and over."""
    if first:
        line.feed(first)
    for at in count():
        if line.closed:
            return
        line.feed(endless[at % len(endless) :][:1])
        await asyncio.sleep(every_s)


# name: (bytes at once, bytes one by one, what ends it, after so many seconds)
DRIPS = {
    "nothing": (b"", b"", "first_byte_timeout", FIRST),
    "a head": (b"HTTP/1.1 200 OK\r\nA: ", b"b", "first_byte_timeout", FIRST),
    "empty lines": (b"", b"\r\n", "first_byte_timeout", FIRST),
    "1xx": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "first_byte_timeout", FIRST),
    "1xx in a row": (b"HTTP/1.1 103 E\r\n\r\n" * 9, b"", "first_byte_timeout", FIRST),
    "silence in a body": (OK + b"Content-Length: 9\r\n\r\nx", b"", "idle_timeout", IDLE),
    "silence in a chunk's size": (CHUNKED + b"5", b"", "idle_timeout", IDLE),
    "a chunk of 16 EiB": (CHUNKED + b"ffffffffffffffff\r\nx", b"", "idle_timeout", IDLE),
    "silence in the trailers": (CHUNKED + b"0\r\nA: b", b"", "idle_timeout", IDLE),
    "silence until the end": (OK + b"\r\nx", b"", "idle_timeout", IDLE),
    "a body": (OK + b"Content-Length: 99999\r\n\r\n", b"x", "total_timeout", TOTAL),
    "chunks": (CHUNKED, b"1\r\nx\r\n", "total_timeout", TOTAL),
    "a chunk's size": (CHUNKED, b"0", "total_timeout", TOTAL),
    "an extension": (CHUNKED + b"1;", b"a", "total_timeout", TOTAL),
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n", "total_timeout", TOTAL),
    "until the end": (OK + b"\r\n", b"x", "total_timeout", TOTAL),
}


@pytest.mark.parametrize("name", DRIPS)
def test_each_drip_ends_at_its_timeout(name: str) -> None:
    first, endless, kind, seconds = DRIPS[name]

    async def main() -> None:
        async with Lines() as lines:
            began, task = now(), lines.request()
            await turns()
            dripping = asyncio.ensure_future(drip(lines.last, endless, first) if endless else drip_once(lines.last, first))
            _, _, error = await outcome(task)
            assert error is not None and error.kind == kind
            assert seconds <= now() - began <= seconds + SLACK_S
            await turns()
            assert lines.counts == (0, 0)
            await answered(lines, b"next")
            dripping.cancel()

    play(main)


async def drip_once(line: Line, data: bytes) -> None:
    if data:
        line.feed(data)


@pytest.mark.parametrize("size", [100, 400_000, len(BIG)], ids=["small", "one write", "slices"])
def test_an_upstream_that_takes_no_request_is_left_in_time(size: int) -> None:
    async def main() -> None:
        async with Lines() as lines:
            began, task = now(), lines.request(BIG[:size])
            await turns(2)
            line = lines.last
            line.unwritten = size
            connection = line._connection
            connection.pause_writing()
            _, _, error = await outcome(task)
            assert error is not None and error.sent and not error.received
            large = size == len(BIG)
            assert error.kind == ("idle_timeout" if large else "first_byte_timeout")
            due = IDLE if large else FIRST
            assert due <= now() - began <= due + SLACK_S
            await answered(lines, b"next")

    play(main)


def test_an_upload_that_goes_on_slowly_is_not_silence() -> None:
    async def main() -> None:
        async with Lines(total_timeout_s=1000.0) as lines:
            began, task = now(), lines.request(BIG)
            await turns(1)
            line = lines.last
            while len(line.sent) < len(BIG):
                line._connection.pause_writing()
                await asyncio.sleep(IDLE - 1)
                line._connection.resume_writing()
                await turns(1)
            assert now() - began > 3 * IDLE
            line.feed(OK + b"Content-Length: 2\r\n\r\nok")
            response, body, _ = await outcome(task)
            assert response is not None and body == b"ok" and lines.counts == (1, 1)

    play(main)


@pytest.mark.parametrize("status", [b"413 Too Large", b"200 OK"])
@pytest.mark.parametrize(
    ("size", "unwritten"), [(100, 10), (400_000, 10), (len(BIG), 10), (len(BIG), 0)], ids=["small", "one write", "slices", "rest"]
)
def test_an_answer_ahead_of_the_requests_end_is_the_last_on_its_connection(size: int, unwritten: int, status: bytes) -> None:
    """Whatever is left of the request must not stand before the next one."""

    async def main() -> None:
        async with Lines() as lines:
            task = lines.request(BIG[:size])
            await turns(1)
            line = lines.last
            line.unwritten = unwritten
            line._connection.pause_writing()
            sent = len(line.sent)
            line.feed(b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % status)
            await turns()
            line._connection.resume_writing()
            line.feed(b"early")
            response, body, error = await outcome(task)
            assert response is not None and (body, error) == (b"early", None)
            assert line.closed and lines.counts == (0, 0)
            assert len(line.sent) == sent, "it went on sending"
            await answered(lines, b"next")

    play(main)


def test_a_reader_that_does_not_read_holds_the_upstream_back_but_not_its_own_end() -> None:
    async def main() -> None:
        async with Lines() as lines:
            began, task = now(), lines.request()
            await turns()
            line = lines.last
            line.feed(CHUNKED)
            response = await task
            for _ in range(40):
                line.feed(b"10000\r\n" + bytes(65536) + b"\r\n")
            await turns()
            assert response.buffered <= 5 * 65536
            await asyncio.sleep(3 * IDLE)
            assert response.error is None
            await asyncio.sleep(TOTAL - 3 * IDLE + SLACK_S)
            assert line.closed and now() - began <= TOTAL + 2 * SLACK_S
            got = await response.read()
            assert got == bytes(len(got)) and len(got) <= 5 * 65536
            with pytest.raises(UpstreamError, match="total_timeout"):
                await response.read()

    play(main)


def test_a_thousand_idle_connections_are_closed_when_they_are_old() -> None:
    async def main() -> None:
        async with Lines(keepalive_s=7.0, pool_max=1000) as lines:
            tasks = [lines.request(b"%d" % at) for at in range(1000)]
            await turns(3)
            for at, line in enumerate(lines.all):
                line.feed(OK + b"Content-Length: 4\r\n\r\n%04d" % at)
            bodies = [(await outcome(task))[1] for task in tasks]
            assert bodies == [b"%04d" % at for at in range(1000)]
            assert lines.counts == (1000, 1000)
            await asyncio.sleep(7.0 + SLACK_S)
            await turns()
            assert lines.counts == (0, 0) and all(line.closed for line in lines.all)

    play(main)
