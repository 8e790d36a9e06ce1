"""The race of every pool: the upstream closes a connection as a request is written to it. The request is repeated once, if
nothing was answered."""

import asyncio

import pytest

from tests.upstream.line import Line, Lines, answered, outcome, play, turns

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ENDS = {"end": Line.end, "reset": Line.reset, "tls cut": Line.cut}


async def stale(lines: Lines) -> Line:
    """A connection that has served one request and is idle."""
    await answered(lines, b"first")
    return lines.last


@pytest.mark.parametrize("size", [2, 20_000, 5_000_000])
@pytest.mark.parametrize("how", ENDS)
def test_closed_as_the_request_is_written_is_repeated_once_word_for_word(how: str, size: int) -> None:
    async def main() -> None:
        async with Lines() as lines:
            line = await stale(lines)
            before = len(line.sent)
            task = lines.request(bytes(size))
            await turns(2)
            ENDS[how](line)
            await turns(20)
            assert len(lines.all) == 2
            fresh = lines.last
            assert bytes(fresh.sent).startswith(bytes(line.sent[before:])) and fresh.sent.endswith(bytes(size))
            assert fresh.sent.count(b"POST ") == 1
            fresh.feed(OK)
            response, body, error = await outcome(task)
            assert response is not None and (body, error, response.retries, response.reused) == (b"ok", None, 1, False)

    play(main)


def test_a_connection_that_is_dying_when_it_is_lent_is_replaced() -> None:
    """The kernel knows of the reset, the loop has not said so yet: the request is written to nobody."""

    async def main() -> None:
        async with Lines() as lines:
            line = await stale(lines)
            line.dying()
            task = lines.request(b"second")
            await turns()
            assert len(lines.all) == 2 and b"second" not in line.sent
            lines.last.feed(OK)
            assert (await outcome(task))[1] == b"ok"

    play(main)


@pytest.mark.parametrize("how", ENDS)
def test_every_idle_connection_may_be_stale_and_still_one_repetition_is_enough(how: str) -> None:
    async def main() -> None:
        async with Lines() as lines:
            tasks = [lines.request(b"%d" % at) for at in range(20)]
            await turns()
            for line in lines.all:
                line.feed(OK)
            for task in tasks:
                await outcome(task)
            assert lines.counts == (20, 20)
            task = lines.request(b"next")
            await turns()
            for line in lines.all[:20]:
                ENDS[how](line)
            await turns()
            assert len(lines.all) == 21
            lines.last.feed(OK)
            assert (await outcome(task))[1] == b"ok" and lines.counts == (1, 1)

    play(main)


@pytest.mark.parametrize("answer", [b"H", b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-1]])
@pytest.mark.parametrize("how", ENDS)
def test_nothing_is_repeated_once_a_byte_was_answered(how: str, answer: bytes) -> None:
    async def main() -> None:
        async with Lines() as lines:
            line = await stale(lines)
            task = lines.request(b"second")
            await turns()
            line.feed(answer)
            ENDS[how](line)
            _, _, error = await outcome(task)
            assert error is not None and (error.kind, error.received, len(lines.all)) == ("reset", True, 1)

    play(main)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
@pytest.mark.parametrize("how", ENDS)
def test_an_answer_without_a_body_does_not_make_the_next_one_end_with_the_connection(how: str, start: bytes) -> None:
    """What was known of the framing of the answer before is no word about this one."""

    async def main() -> None:
        async with Lines(first_byte_timeout_s=30.0) as lines:
            first = lines.request()
            await turns()
            line = lines.last
            line.feed(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert (await outcome(first))[1:] == (b"", None) and lines.counts == (1, 1)
            second = lines.request(b"second")
            await asyncio.sleep(1.5)  # too late to be repeated
            if start:
                line.feed(start)
            ENDS[how](line)
            response, _, error = await outcome(second)
            assert response is None and error is not None and error.kind == "reset"

    play(main)


@pytest.mark.parametrize("how", ENDS)
def test_nothing_is_repeated_twice_or_on_a_fresh_connection_or_late(how: str) -> None:
    async def main() -> None:
        async with Lines() as lines:
            line = await stale(lines)
            twice = lines.request(b"twice")
            await turns()
            ENDS[how](line)
            await turns()
            ENDS[how](lines.last)
            assert (await outcome(twice))[2] is not None and len(lines.all) == 2
            fresh = lines.request(b"fresh")
            await turns()
            ENDS[how](lines.last)
            assert (await outcome(fresh))[2] is not None and len(lines.all) == 3
            line = await stale(lines)
            late = lines.request(b"late")
            await asyncio.sleep(1.5)
            ENDS[how](line)
            assert (await outcome(late))[2] is not None and len(lines.all) == 4

    play(main)


def test_a_timeout_on_a_reused_connection_is_not_repeated() -> None:
    async def main() -> None:
        async with Lines(first_byte_timeout_s=0.5) as lines:
            await stale(lines)
            _, _, error = await outcome(lines.request(b"second"))
            assert error is not None and (error.kind, len(lines.all)) == ("first_byte_timeout", 1)

    play(main)


def test_the_end_that_comes_with_the_next_in_line_already_waiting_costs_it_nothing() -> None:
    """One place, two callers: the answer and the end of the connection arrive in the same turn of the loop."""

    async def main() -> None:
        for how in ENDS.values():
            async with Lines(connections_max=1) as lines:
                first, second = lines.request(b"first"), lines.request(b"second")
                await turns()
                line = lines.last
                line.feed(OK)
                how(line)
                await turns()
                assert (await outcome(first))[1] == b"ok" and len(lines.all) == 2
                assert lines.last.sent.endswith(b"second")
                lines.last.feed(OK)
                response, body, _ = await outcome(second)
                assert response is not None and (body, response.retries) == (b"ok", 0)

    play(main)
