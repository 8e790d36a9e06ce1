"""Heads and frames that two readers could read differently: refused, or read in one way and the connection not kept."""

import random

import pytest

from gw.upstream.errors import UpstreamError
from gw.upstream.framing import HEAD_MAX, HEADERS_MAX
from gw.upstream.response import Response
from tests.upstream.line import Lines, answered, outcome, play, turns

OK = b"HTTP/1.1 200 OK\r\n"
BODY = b"Content-Length: 4\r\n\r\nreal"
REAL = OK + BODY
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FRAMES = b"4\r\nreal\r\n0\r\n\r\n"


def te(value: bytes) -> bytes:
    return OK + b"Transfer-Encoding:" + value + b"\r\n\r\n" + FRAMES


REFUSED = {
    # the status line
    "a status of one digit less": b"HTTP/1.1 20 OK\r\n" + BODY,
    "a status of one digit more": b"HTTP/1.1 2000 OK\r\n" + BODY,
    "a status with a sign": b"HTTP/1.1 -20 OK\r\n" + BODY,
    "a status with a letter": b"HTTP/1.1 2x0 OK\r\n" + BODY,
    "status 000": b"HTTP/1.1 000 Zero\r\n\r\n" + REAL,
    "status 099": b"HTTP/1.1 099 Less\r\n\r\n" + REAL,
    "two blanks": b"HTTP/1.1  200 OK\r\n" + BODY,
    "a tab": b"HTTP/1.1\t200 OK\r\n" + BODY,
    "a blank before": b" HTTP/1.1 200 OK\r\n" + BODY,
    "small letters": b"http/1.1 200 OK\r\n" + BODY,
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n" + BODY,
    "ICY": b"ICY 200 OK\r\n" + BODY,
    "a request": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n" + BODY,
    "a second status line": OK + OK + BODY,
    "a bare CR in the reason": b"HTTP/1.1 200 O\rK\r\n" + BODY,
    "a bare LF behind the reason": b"HTTP/1.1 200 OK\n" + BODY,
    "HTTP/2's preface": b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x80\0\4\0\1\0\0\0\5\0\xff\xff",
    # names and values
    "a NUL in a name": OK + b"A\0: b\r\n" + BODY,
    "a NUL in a value": OK + b"A: b\0c\r\n" + BODY,
    "a control character in a value": OK + b"A: b\1c\r\n" + BODY,
    "DEL in a value": OK + b"A: b\x7fc\r\n" + BODY,
    "a bare CR in a value": OK + b"A: b\rc\r\n" + BODY,
    "a bare CR that hides a length": OK + b"A: b\rContent-Length: 2\r\n" + BODY,
    "a bare LF behind a value": OK + b"A: b\n" + BODY,
    "bare LFs for the blank line": OK + b"Content-Length: 4\n\nreal",
    "a folded value": OK + b"A: b\r\n c\r\n" + BODY,
    "a value folded by a tab": OK + b"A: b\r\n\tc\r\n" + BODY,
    "a folded length": OK + b"Content-Length:\r\n 4\r\n\r\nreal",
    "a blank in a name": OK + b"A B: c\r\n" + BODY,
    "a blank before a name": OK + b" A: b\r\n" + BODY,
    "no name": OK + b": b\r\n" + BODY,
    "no colon": OK + b"Abc\r\n" + BODY,
    "a name beyond ASCII": OK + b"\xc3\xa9: b\r\n" + BODY,
    # lengths
    "two lengths": OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nreal",
    "a length twice": OK + b"Content-Length: 4\r\n" + BODY,
    "a list of lengths": OK + b"Content-Length: 4, 4\r\n\r\nreal",
    "two numbers": OK + b"Content-Length: 4 4\r\n\r\nreal",
    "hexadecimal length": OK + b"Content-Length: 0x4\r\n\r\nreal",
    "no number": OK + b"Content-Length:\r\n\r\nreal",
    "plus": OK + b"Content-Length: +4\r\n\r\nreal",
    "minus": OK + b"Content-Length: -4\r\n\r\nreal",
    "a comma behind": OK + b"Content-Length: 4,\r\n\r\nreal",
    "beyond 64 bits": OK + b"Content-Length: 18446744073709551620\r\n\r\nreal",
    "blank before the colon": OK + b"Content-Length : 4\r\n\r\nreal",
    # chunks
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 14\r\n\r\n" + FRAMES,
    "a length and chunks": OK + b"Content-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n" + FRAMES,
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + FRAMES,
    "identity and a length": OK + b"Transfer-Encoding: identity\r\n" + BODY,
    "chunked, identity": te(b" chunked, identity"),
    "identity, chunked": te(b" identity, chunked"),
    "gzip, chunked": te(b" gzip, chunked"),
    "xchunked": te(b" xchunked"),
    "chunkedx": te(b" chunkedx"),
    "chunked with a comma": te(b" chunked,"),
    "a comma before chunked": te(b" ,chunked"),
    "chunked with a parameter": te(b" chunked;q=1"),
    "quoted": te(b' "chunked"'),
    "nothing": te(b""),
    "a tab behind chunked": te(b" chunked\t"),
    "a vertical tab": te(b" \x0bchunked"),
    "folded chunked": te(b"\r\n chunked"),
    "a blank before the colon of chunked": OK + b"Transfer-Encoding : chunked\r\n\r\n" + FRAMES,
    # 1xx
    "a 100 with a body": b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nevil" + REAL,
    "a 150 with a body": b"HTTP/1.1 150 What\r\nContent-Length: 4\r\n\r\nevil" + REAL,
    "a 199 in chunks": b"HTTP/1.1 199 What\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n" + REAL,
    "a 100 that closes": b"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" + REAL,
    "a 101": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nraw",
    "a 101 behind a 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching\r\n\r\nraw",
}

# name: (data, body, the connection may be used again)
READ = {
    "999": (b"HTTP/1.1 999 What\r\n" + BODY, b"real", True),
    "a length with zeros": (OK + b"Content-Length: " + b"0" * 60 + b"4\r\n\r\nreal", b"real", True),
    "a length among blanks": (OK + b"Content-Length: \t 4 \t \r\n\r\nreal", b"real", True),
    "latin letters in a value": (OK + b"A: b\xe9\r\n" + BODY, b"real", True),
    "a NUL in the reason": (b"HTTP/1.1 200 \0\r\n" + BODY, b"real", True),  # which goes nowhere
    "empty lines before": (b"\r\n\n" + REAL, b"real", True),
    "upgrade offered": (OK + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + BODY, b"real", True),
    "chunked in any case, among blanks": (te(b" \t cHUNKED  "), b"real", True),
    "a size with zeros": (CHUNKED + b"0" * 60 + FRAMES, b"real", True),
    "a last size of zeros": (CHUNKED + b"4\r\nreal\r\n0000\r\n\r\n", b"real", True),
    "1xx without a body": (b"HTTP/1.1 100 C\r\nContent-Length: 0\r\n\r\nHTTP/1.1 104 U\r\n\r\n" + REAL, b"real", True),
    "close and keep-alive": (OK + b"Connection: keep-alive\r\nConnection: close\r\n" + BODY, b"real", False),
    "trailers that close": (CHUNKED + b"4\r\nreal\r\n0\r\nConnection: close\r\n\r\n", b"real", False),
    "1.0 and chunks": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + FRAMES,
        b"real",
        False,
    ),
    "a 204 that announces a body": (b"HTTP/1.1 204 None\r\nContent-Length: 4\r\n\r\n", b"", False),
    "a 204 that announces chunks": (b"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n", b"", False),
    "a 304 that announces chunks": (b"HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", b"", False),
    "a 304 with the length of what is the same": (b"HTTP/1.1 304 Same\r\nContent-Length: 4\r\n\r\n", b"", True),
}

LIES = {
    "minus": b"-4\r\nreal\r\n",
    "plus": b"+4\r\nreal\r\n",
    "0x": b"0x4\r\nreal\r\n",
    "an empty size": b"\r\nreal\r\n",
    "blank before": b" 4\r\nreal\r\n",
    "blank behind": b"4 \r\nreal\r\n",
    "tab behind": b"4\t\r\nreal\r\n",
    "underscore": b"1_0\r\nreal\r\n",
    "letters": b"zz\r\nreal\r\n",
    "beyond 64 bits": b"10000000000000004\r\nreal\r\n",
    "far beyond 64 bits": b"f" * 5000 + b"\r\nreal\r\n",
    "too short": b"3\r\nreal\r\n",
    "too long by one": b"5\r\nreal\r\n",
    "too long by two": b"6\r\nreal\r\n0\r\n\r\n",
    "no end of the data": b"4\r\nreal0\r\n\r\n",
    "a bare LF behind the size": b"4\nreal\r\n",
    "a bare CR behind the size": b"4\rreal\r\n",
    "a bare LF behind the data": b"4\r\nreal\n0\r\n\r\n",
    "a bare LF in an extension": b"4;a\nb\r\nreal\r\n",
    "a bare CR in an extension": b"4;a\rb\r\nreal\r\n",
    "a NUL in an extension": b"4;a\0b\r\nreal\r\n",
    "a bomb of extensions": b"4" + b";a=b" * 20_000,
    "one long extension": b"4;" + b"a" * 70_000,
    "a bomb of zeros": b"0" * 70_000,
    "a length among the trailers": b"0\r\nContent-Length: 9\r\n\r\n",
    "a NUL among the trailers": b"0\r\nA\0: b\r\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a bomb of trailers": b"0\r\n" + b"A: b\r\n" * 14_000,
    "one long trailer": b"0\r\nA: " + b"b" * 70_000,
}


def ways(data: bytes) -> list[list[bytes]]:
    """Whole, byte by byte if that is few, and in pieces of any size."""
    found = [[data]]
    if len(data) <= 500:
        found.append([data[at : at + 1] for at in range(len(data))])
    dice = random.Random(data)
    for most in (10, 5000):
        pieces, at = [], 0
        while at < len(data):
            size = dice.randint(1, max(most, len(data) // 1000))
            pieces.append(data[at : at + size])
            at += size
        found.append(pieces)
    return found


async def fed(lines: Lines, pieces: list[bytes]) -> tuple[Response | None, bytes, UpstreamError | None]:
    """The answer to one request, as (response, body, error)."""
    task = lines.request()
    await turns(2)
    line = lines.last
    for piece in pieces:
        line.feed(piece)
    return await outcome(task)


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_head_is_refused_before_anyone_has_read_it(name: str) -> None:
    async def main() -> None:
        for pieces in ways(REFUSED[name]):
            async with Lines() as lines:
                response, _, error = await fed(lines, pieces)
                assert response is None and error is not None
                assert (error.kind, error.received, error.retryable) == ("protocol", True, False), error
                assert lines.counts == (0, 0)
                await answered(lines, b"next")

    play(main)


@pytest.mark.parametrize("name", READ)
def test_an_odd_head_is_read_in_the_one_way_that_it_has(name: str) -> None:
    data, body, reusable = READ[name]

    async def main() -> None:
        for pieces in ways(data):
            async with Lines() as lines:
                _, got, error = await fed(lines, pieces)
                assert (got, error) == (body, None)
                assert lines.counts == ((1, 1) if reusable else (0, 0))
                await answered(lines, b"next")

    play(main)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_chunks_ends_the_body_where_it_stands(name: str) -> None:
    async def main() -> None:
        for pieces in ways(LIES[name]):
            async with Lines() as lines:
                task = lines.request()
                await turns(2)
                lines.last.feed(CHUNKED + b"4\r\ngood\r\n")
                for piece in pieces:
                    lines.last.feed(piece)
                response, got, error = await outcome(task)
                assert response is not None and got.startswith(b"good") and b"goodreal\r\n".startswith(got)
                assert error is not None and (error.kind, error.delivered) == ("protocol", True), error
                assert lines.counts == (0, 0)
                await answered(lines, b"next")

    play(main)


@pytest.mark.parametrize("greeting", [REAL, b"H", b"\r\n", b"220 mail.example ESMTP\r\n"])
def test_an_answer_ahead_of_the_request_is_no_answer(greeting: bytes) -> None:
    async def main() -> None:
        async with Lines() as lines:
            lines.greeting = greeting
            response, _, error = await outcome(lines.request())
            assert response is None and error is not None
            assert (error.kind, error.sent, lines.last.sent, lines.last.closed) == ("reset", False, b"", True)
            lines.greeting = b""
            await answered(lines, b"next")

    play(main)


def header_bomb(count: int, size: int = 1) -> bytes:
    return OK + b"".join(b"X-%d: %b\r\n" % (at, b"y" * size) for at in range(count - 1)) + BODY


def head_of(size: int) -> bytes:
    """A whole answer whose head has so many bytes, in one long value."""
    rest = len(OK) + len(b"A: \r\n") + len(BODY) - len(b"real")
    return OK + b"A: " + b"x" * (size - rest) + b"\r\n" + BODY


BOMBS = {
    "as many headers as may be": (header_bomb(HEADERS_MAX), True),
    "one header more": (header_bomb(HEADERS_MAX + 1), False),
    "100,000 headers": (header_bomb(100_000), False),
    "a long value": (head_of(HEAD_MAX - 100), True),
    "a value too long": (head_of(HEAD_MAX + 100), False),
    "a value without end": (OK + b"A: " + b"x" * 10_000_000, False),
    "a name without end": (OK + b"x" * 1_000_000, False),
    "a reason without end": (b"HTTP/1.1 200 " + b"x" * 1_000_000, False),
    "a flood of 103": (b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" * 100_000, False),
    "a flood of empty lines": (b"\r\n" * 100_000, False),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_its_limit(name: str) -> None:
    """In reads of 64 KB and of 997 bytes; what is refused is refused before much more has been taken."""
    data, good = BOMBS[name]

    async def main() -> None:
        for size in (65_536, 997):
            async with Lines() as lines:
                task = lines.request()
                await turns(2)
                line, taken = lines.last, 0
                while taken < len(data) and not line.closed:
                    line.feed(data[taken : taken + size])
                    taken += size
                _, got, error = await outcome(task)
                if good:
                    assert (got, error) == (b"real", None)
                else:
                    assert error is not None and error.kind == "protocol"
                    assert taken <= HEAD_MAX + 2 * size
                await answered(lines, b"next")

    play(main)
