"""Every framing, cut and split at every byte: the outcome that the bytes allow, nothing leaked, nothing mixed, no waiting."""

import asyncio
from itertools import combinations

import pytest

from tests.upstream.answers import GOOD, Good
from tests.upstream.line import Line, Lines, answered, outcome, play, turns

CUTS = {"end": Line.end, "reset": Line.reset, "tls cut": Line.cut}


def named(good: Good) -> str:
    return good.name


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("good", GOOD, ids=named)
def test_cut_at_every_byte(good: Good, how: str, reused: bool) -> None:
    async def main() -> None:
        for count in range(len(good.data) + 1):
            async with Lines() as lines:
                if reused:
                    await answered(lines, b"before")
                await cut_after(lines, good, count, how)
                await answered(lines, b"after %d" % count)

    play(main)


async def cut_after(lines: Lines, good: Good, count: int, how: str) -> None:
    """One exchange on the pool's one line, of whose answer `count` bytes arrive."""
    before = len(lines.all)
    began = asyncio.get_running_loop().time()
    task = lines.request(b"cut")
    await turns()
    line = lines.last
    if count:
        line.feed(good.data[:count])
    CUTS[how](line)
    if before and count == 0:  # it was reused and has not answered a byte: a stale one, replaced once
        await turns()
        assert (len(lines.all), line.closed) == (before + 1, True)
        lines.last.feed(good.data)
        assert bytes(lines.last.sent) == bytes(line.sent)[-len(lines.last.sent) :]
        if good.until_end:
            lines.last.end()
        response, body, error = await outcome(task)
        assert response is not None and response.retries == 1
        assert (body, error) == (good.body, None)
        return
    response, body, error = await outcome(task)
    whole = how == "end" and count >= good.head_end if good.until_end else count == len(good.data)
    assert body == good.body_of_first(count)
    if count < good.head_end:
        assert response is None and error is not None
        assert (error.kind, error.received, error.delivered, error.retryable) == ("reset", count > 0, False, True)
    else:
        assert response is not None and (response.status, response.complete) == (good.status, whole)
        assert whole == (error is None)
        assert error is None or (error.kind, error.delivered, error.retryable) == ("reset", True, False)
    assert asyncio.get_running_loop().time() == began, "it waited"
    assert lines.counts == (0, 0)


@pytest.mark.parametrize("good", GOOD, ids=named)
def test_split_at_every_byte_and_reused_only_when_clean(good: Good) -> None:
    async def main() -> None:
        size = len(good.data)
        for edges in [(at,) for at in range(size + 1)] + list(combinations(range(1, size, 5), 2)) + [tuple(range(1, size))]:
            async with Lines() as lines:
                task = lines.request()
                await turns(2)
                at = 0
                for edge in (*edges, size):
                    if good.data[at:edge]:
                        lines.last.feed(good.data[at:edge])
                        await turns(1)
                    at = edge
                if good.until_end:
                    lines.last.end()
                response, body, error = await outcome(task)
                assert response is not None and (response.status, body, error) == (good.status, good.body, None)
                await turns()
                assert lines.counts == ((1, 1) if good.reusable else (0, 0))
                await answered(lines, b"next")
                assert len(lines.all) == (1 if good.reusable else 2)

    play(main)


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", b"HTTP", b"\0", b"\r\nx"])
@pytest.mark.parametrize("good", [good for good in GOOD if not good.until_end], ids=named)
def test_bytes_behind_an_answer_are_nobodys(good: Good, surplus: bytes) -> None:
    """Together with any part of the answer, or later, while idle."""

    async def main() -> None:
        for at in [*range(len(good.data)), None]:
            async with Lines() as lines:
                task = lines.request()
                await turns(2)
                first = lines.last
                if at is None:
                    first.feed(good.data)
                    await turns()
                    if not first.closed:
                        first.feed(surplus)
                else:
                    first.feed(good.data[:at]) if at else None
                    first.feed(good.data[at:] + surplus)
                response, body, error = await outcome(task)
                assert response is not None and (response.status, body, error) == (good.status, good.body, None)
                assert first.closed and lines.counts == (0, 0)
                await answered(lines, b"next")

    play(main)


@pytest.mark.parametrize("good", GOOD, ids=named)
def test_head_ends_at_its_blank_line_and_closes(good: Good) -> None:
    async def main() -> None:
        async with Lines() as lines:
            task = lines.request(b"", b"HEAD")
            await turns()
            lines.last.feed(good.data)
            response, body, error = await outcome(task)
            assert response is not None and (response.status, body, error) == (good.status, b"", None)
            assert lines.counts == (0, 0)
            await answered(lines, b"next")

    play(main)
