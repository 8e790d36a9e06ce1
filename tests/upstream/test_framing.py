"""Responses as HTTP/1.1 frames them, in any split: the right bytes, and reuse only where it is safe."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gw.upstream.pool import Pool
from tests.upstream.server import CHUNKED, LAST_CHUNK, OK, chunk, sized

BODY = b"data: one\n\n" + b"data: two\r\n\r\n"

# name: (bytes of the response, its end is the connection's, body, connection may be used again)
FRAMINGS = {
    "length": (sized(BODY), False, BODY, True),
    "length zero": (sized(b""), False, b"", True),
    "chunked": (CHUNKED + chunk(BODY[:5]) + chunk(BODY[5:]) + LAST_CHUNK, False, BODY, True),
    "chunked, upper case, extensions": (
        OK + b"transfer-encoding: Chunked\r\n\r\n" + b"B;name=value\r\n" + b"x" * 11 + b"\r\n" + LAST_CHUNK,
        False,
        b"x" * 11,
        True,
    ),
    "chunked, trailers": (CHUNKED + chunk(BODY) + b"0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n", False, BODY, True),
    "chunked, empty": (CHUNKED + LAST_CHUNK, False, b"", True),
    "close-delimited": (OK + b"X: y\r\n\r\n" + BODY, True, BODY, False),
    "close-delimited, empty": (OK + b"\r\n", True, b"", False),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", False, b"body", False),
    "1.0 keep-alive": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody", False, b"body", True),
    "connection close": (sized(BODY, b"Connection: close"), False, BODY, False),
    "connection close among tokens": (sized(BODY, b"Connection: x, Close"), False, BODY, False),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", False, b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", False, b"", True),
    "100 first": (b"HTTP/1.1 100 Continue\r\n\r\n" + sized(BODY), False, BODY, True),
    "103 and 102 first": (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + sized(BODY), False, BODY, True),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nbody", False, b"body", True),
    "error status": (b"HTTP/1.1 529 Overloaded\r\nContent-Length: 4\r\n\r\nbody", False, b"body", True),
}


def pieces_of(data: bytes, how: str) -> list[bytes]:
    if how == "whole":
        return [data]
    if how == "bytes":
        return [data[at : at + 1] for at in range(len(data))]
    return [data[at : at + 7] for at in range(0, len(data), 7)]


@pytest.mark.parametrize("how", ["whole", "sevens", "bytes"])
@pytest.mark.parametrize("name", FRAMINGS)
async def test_body_is_exact_and_reuse_is_safe(name: str, how: str, pool: Pool, start, target_of) -> None:
    data, ends_with_connection, body, reusable = FRAMINGS[name]

    async def script(peer) -> None:
        await peer.request()
        await peer.send_slowly(pieces_of(data, how))
        if ends_with_connection:
            peer.end()

    upstream = await start(script)
    response = await pool.request(target_of(upstream), b"POST", b"/v1/messages", b"a: b\r\n", b"{}")
    assert await response.read_all(1000) == body
    assert response.complete
    assert response.read_nowait() == b"" == await response.read()
    assert sum(lane.idle for lane in pool.stats()) == (1 if reusable else 0)


async def test_headers_are_lower_case_raw_and_in_order(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(sized(b"", b"X-B: 1", b"x-a:", b"X-B:  two \xe9 words ", b"Content-Encoding: gzip"))

    response = await pool.request(target_of(await start(script)), b"GET", b"/", b"", b"")
    expected = [(b"x-b", b"1"), (b"x-a", b""), (b"x-b", b"two \xe9 words"), (b"content-encoding", b"gzip")]
    assert [(name, value.rstrip()) for name, value in response.headers] == [*expected, (b"content-length", b"0")]


async def test_trailers_and_1xx_headers_are_not_headers(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        for _ in range(2):
            await peer.request()
            await peer.send(b"HTTP/1.1 103 E\r\nEarly: 1\r\n\r\n" + CHUNKED + chunk(b"x") + b"0\r\nLate: 1\r\n\r\n")

    target = target_of(await start(script))
    for _ in range(2):
        response = await pool.request(target, b"GET", b"/", b"", b"")
        assert await response.read_all(1) == b"x"
        assert response.headers == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("head", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"", b"Content-Length: 0\r\n"])
async def test_head_response_has_no_body_and_is_not_reused(head: bytes, pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(OK + head + b"\r\n" + b"stray")

    response = await pool.request(target_of(await start(script)), b"HEAD", b"/api/hello", b"", b"")
    assert (response.status, response.complete, await response.read()) == (200, True, b"")


async def test_request_bytes_are_exact(pool: Pool, start, target_of) -> None:
    seen = []

    async def script(peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(sized(b""))

    upstream = await start(script)
    target = target_of(upstream)
    host = f"Host: 127.0.0.1:{upstream.port}\r\n".encode()
    big = b"y" * 300_000
    await pool.request(target, b"POST", b"/v1/messages?beta=true", b"A: b\r\nc:d\r\n", [b"{", b"x" * 9, b"}"])
    await pool.request(target, b"GET", b"/v1/models", b"", b"")
    await pool.request(target, b"POST", b"/", b"", b"")
    await pool.request(target, b"POST", b"/", b"", [b"<", big, b">"])
    assert seen == [
        (b"POST /v1/messages?beta=true HTTP/1.1\r\n" + host + b"A: b\r\nc:d\r\nContent-Length: 11\r\n\r\n", b"{xxxxxxxxx}"),
        (b"GET /v1/models HTTP/1.1\r\n" + host + b"\r\n", b""),
        (b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 0\r\n\r\n", b""),
        (b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 300002\r\n\r\n", b"<" + big + b">"),
    ]
    assert len(upstream.peers) == 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=3000), max_size=8),
    cuts=st.lists(st.integers(0, 30_000), max_size=12),
    sized_body=st.booleans(),
)
def test_any_body_in_any_split_arrives_exactly(chunks: list[bytes], cuts: list[int], sized_body: bool) -> None:
    from tests.upstream.server import Upstream

    body = b"".join(chunks)
    data = sized(body) if sized_body else CHUNKED + b"".join(map(chunk, chunks)) + LAST_CHUNK
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})

    async def script(peer) -> None:
        await peer.request()
        await peer.send_slowly([data[a:b] for a, b in pairwise(edges)])

    async def main() -> None:
        from gw.upstream.target import Target

        upstream, pool = Upstream(script), Pool()
        await upstream.listen()
        try:
            response = await pool.request(Target.from_url(upstream.url), b"GET", b"/", b"", b"")
            assert await response.read_all(10**6) == body
        finally:
            await pool.close()
            await upstream.close()

    asyncio.run(main())
