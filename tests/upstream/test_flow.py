"""Back-pressure: a slow side costs bounded memory, and an early answer stops an upload."""

import asyncio
import tracemalloc

import pytest

from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from tests.upstream.server import CHUNKED, LAST_CHUNK, OK, chunk, sized

MIB = 2**20


async def test_upload_of_64_mib_to_a_slow_reader_takes_little_memory(pool: Pool, start, target_of) -> None:
    got = 0

    async def script(peer) -> None:
        nonlocal got
        await peer.head()
        while got < 64 * MIB:
            got += len(await peer.reader.read(MIB))
            if got % 7 == 0:
                await asyncio.sleep(0.001)
        await peer.send(sized(b"ok"))

    upstream = await start(script)
    body = bytes(64 * MIB)
    tracemalloc.start()
    try:
        response = await pool.request(target_of(upstream), b"POST", b"/", b"", body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (await response.read_all(9), got) == (b"ok", 64 * MIB)
    assert peak < 8 * MIB, f"{peak / MIB:.1f} MiB"
    assert pool.stats()[0].idle == 1


async def test_upload_arrives_exactly_in_any_number_of_parts(pool: Pool, start, target_of) -> None:
    seen = []

    async def script(peer) -> None:
        while True:
            seen.append((await peer.request())[1])
            await peer.send(sized(b""))

    target = target_of(await start(script))
    for size in (16 * 1024, 16 * 1024 + 1, 512 * 1024, 512 * 1024 + 1, 3 * MIB + 5):
        body = bytes(at % 251 for at in range(size))
        for parts in (body, [body[:7], body[7:-3], b"", body[-3:]]):
            await pool.request(target, b"POST", b"/", b"", parts)
            assert seen.pop() == body


async def test_early_answer_stops_the_upload_and_is_delivered(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
        await asyncio.sleep(0.05)  # not reading; the client must not need it to
        peer.taken = 0
        while data := await peer.reader.read(MIB):
            peer.taken += len(data)

    upstream = await start(script)
    response = await pool.request(target_of(upstream), b"POST", b"/", b"", bytes(64 * MIB))
    assert (response.status, await response.read_all(100)) == (413, b"too large")
    assert pool.stats()[0].open == 0
    await upstream.settle(0)
    assert upstream.peers[0].taken < 32 * MIB


async def test_early_answer_that_streams_is_read_to_its_end(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            await peer.send(chunk(b"reason "))
            await asyncio.sleep(0.001)
        await peer.send(LAST_CHUNK)

    upstream = await start(script)
    response = await pool.request(target_of(upstream), b"POST", b"/", b"", bytes(64 * MIB))
    assert (response.status, await response.read_all(1000)) == (400, b"reason " * 20)
    assert pool.stats()[0].open == 0


async def test_upstream_that_stops_reading_is_an_idle_timeout(pool: Pool, start, target_of) -> None:
    over = asyncio.Event()

    async def script(peer) -> None:
        await peer.head()
        await over.wait()

    upstream = await start(script)
    with pytest.raises(UpstreamError) as caught:
        await pool.request(target_of(upstream, idle_timeout_s=0.1), b"POST", b"/", b"", bytes(64 * MIB))
    over.set()
    assert (caught.value.kind, caught.value.sent, caught.value.received) == ("idle_timeout", True, False)


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_unread_body_stops_the_upstream(framing: str, pool: Pool, start, target_of) -> None:
    size = 48 * MIB
    sent = 0

    async def script(peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(CHUNKED if framing == "chunked" else OK + b"Content-Length: %d\r\n\r\n" % size)
        piece = b"z" * (MIB // 4)
        while sent < size:
            await peer.send(chunk(piece) if framing == "chunked" else piece)
            sent += len(piece)
        if framing == "chunked":
            await peer.send(LAST_CHUNK)

    target = target_of(await start(script), idle_timeout_s=0.1)
    response = await pool.request(target, b"GET", b"/", b"", b"")
    stopped_at = -1
    while stopped_at != sent:
        stopped_at = sent
        await asyncio.sleep(0.3)  # three idle timeouts: not reading is not the upstream's silence
    assert stopped_at < size
    assert response.buffered <= MIB
    got = 0
    while data := await response.read():
        got += len(data)
        assert len(data) <= MIB
    assert (got, sent, pool.stats()[0].idle) == (size, size, 1)
