"""Upstreams that lie, stall, or break: each ends in the right UpstreamError, no hang, no foreign byte, no leak."""

import asyncio

import pytest

from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from tests.upstream.server import CHUNKED, LAST_CHUNK, OK, chunk, refused_port, sized

WHOLE = {
    "length": sized(b"hello", b"X-A: 1"),
    "chunked": OK + b"Transfer-Encoding: chunked\r\nX-A: 1\r\n\r\n" + chunk(b"hel") + chunk(b"lo") + LAST_CHUNK,
}


@pytest.mark.parametrize("how", ["reset", "end", "half_close"])
@pytest.mark.parametrize("framing", WHOLE)
async def test_cut_at_every_byte_is_reset_after_the_bytes_that_came(framing: str, how: str, pool: Pool, start, target_of) -> None:
    data = WHOLE[framing]
    head_end = data.index(b"\r\n\r\n") + 4
    sent = asyncio.Event()

    async def script(peer) -> None:
        await peer.request()
        await peer.send(data[: peer.number])
        if how == "reset" and peer.number > 0:
            await sent.wait()  # a reset discards what the client has not read
            sent.clear()
        getattr(peer, how)()

    target = target_of(await start(script))
    for cut in range(len(data)):
        if cut >= head_end:
            response = await pool.request(target, b"GET", b"/", b"", b"")
            got = bytearray()
            with pytest.raises(UpstreamError) as caught:
                sent.set()
                while True:
                    got += await response.read()
            assert b"hello".startswith(got)
            assert len(got) >= (cut - head_end if framing == "length" else 0)
            assert caught.value.delivered and not caught.value.retryable and not response.complete
        else:
            task = asyncio.ensure_future(pool.request(target, b"GET", b"/", b"", b""))
            await asyncio.sleep(0.002)
            sent.set()
            with pytest.raises(UpstreamError) as caught:
                await task
            assert caught.value.retryable and caught.value.received == (cut > 0)
        sent.clear()
        assert (caught.value.kind, caught.value.sent) == ("reset", True), cut


PROTOCOL_ERRORS = {
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "http 0.9": b"<html>hello</html>",
    "nul in a value": OK + b"A: b\0c\r\n\r\n",
    "bare lf": OK + b"A: b\nContent-Length: 0\n\n",
    "folded header": OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "space before colon": OK + b"Content-Length : 2\r\n\r\nhi",
    "length and chunked": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
    "length list": OK + b"Content-Length: 2, 3\r\n\r\nhi",
    "negative length": OK + b"Content-Length: -1\r\n\r\nhi",
    "length with plus": OK + b"Content-Length: +2\r\n\r\nhi",
    "huge length": OK + b"Content-Length: 99999999999999999999999\r\n\r\nhi",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\nhi",
    "101": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw",
    "101 without upgrade": b"HTTP/1.1 101 Switching\r\n\r\nraw",
    "status 99": b"HTTP/1.1 99 What\r\n\r\n",
    "201 headers": OK + b"".join(b"X-%d: y\r\n" % at for at in range(201)) + b"Content-Length: 0\r\n\r\n",
    "header of 70 KB": OK + b"A: " + b"x" * 70_000 + b"\r\n\r\n",
    "header without end": OK + b"A: " + b"x" * 70_000,
    "1xx without end": b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n" * 4000,
    "head of 65 KB whole": OK + b"".join(b"X-%d: %b\r\n" % (at, b"y" * 650) for at in range(100)) + b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("slowly", [False, True])
@pytest.mark.parametrize("name", PROTOCOL_ERRORS)
async def test_bad_head_is_a_protocol_error(name: str, slowly: bool, pool: Pool, start, target_of) -> None:
    data = PROTOCOL_ERRORS[name]

    async def script(peer) -> None:
        await peer.request()
        if slowly:
            step = max(1, len(data) // 150)
            await peer.send_slowly([data[at : at + step] for at in range(0, len(data), step)])
        else:
            await peer.send(data)

    with pytest.raises(UpstreamError) as caught:
        await pool.request(target_of(await start(script)), b"GET", b"/", b"", b"")
    error = caught.value
    assert (error.kind, error.sent, error.received, error.retryable) == ("protocol", True, True, False), error


CHUNK_LIES = {
    "negative": b"-2\r\nhi\r\n",
    "hex prefix": b"0x2\r\nhi\r\n",
    "plus": b"+2\r\nhi\r\n",
    "empty size": b"\r\nhi\r\n",
    "leading space": b" 2\r\nhi\r\n",
    "trailing space": b"2 \r\nhi\r\n",
    "overflow": b"ffffffffffffffff2\r\nhi\r\n",
    "too short": b"1\r\nhi\r\n",
    "too long": b"3\r\nhi\r\n",
    "bare lf": b"2\nhi\n",
    "letters": b"zz\r\nhi\r\n",
    "endless extension": b"2;" + b"x" * 70_000,
    "endless trailers": b"0\r\n" + b"A: b\r\n" * 14_000,
    "endless trailer": b"0\r\nA: " + b"b" * 70_000,
}


@pytest.mark.parametrize("name", CHUNK_LIES)
async def test_lie_in_chunk_framing_is_a_protocol_error_after_good_chunks(name: str, pool: Pool, start, target_of) -> None:
    go_on = asyncio.Event()

    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"good"))
        await go_on.wait()
        step = 20_000
        await peer.send_slowly([CHUNK_LIES[name][at : at + step] for at in range(0, len(CHUNK_LIES[name]), step)])
        await peer.send(LAST_CHUNK)

    response = await pool.request(target_of(await start(script)), b"GET", b"/", b"", b"")
    assert await response.read() == b"good"
    go_on.set()
    with pytest.raises(UpstreamError) as caught:
        while True:
            assert b"hi\r".startswith(await response.read())
    assert (caught.value.kind, caught.value.delivered) == ("protocol", True)
    with pytest.raises(UpstreamError):
        response.read_nowait()


SURPLUS = {
    "garbage": b"garbage",
    "one byte": b"H",
    "an unsolicited response": sized(b"forged"),
    "half a response": sized(b"forged")[:40],
    "nul": b"\0",
}


@pytest.mark.parametrize("framing", WHOLE)
@pytest.mark.parametrize("name", SURPLUS)
async def test_bytes_after_a_response_are_never_an_answer(name: str, framing: str, pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(WHOLE[framing] + SURPLUS[name])

    upstream = await start(script)
    for _ in range(3):
        response = await pool.request(target_of(upstream), b"GET", b"/", b"", b"")
        assert (await response.read_all(100), response.reused) == (b"hello", False)
    assert len(upstream.peers) == 3


@pytest.mark.parametrize("surplus", [*SURPLUS.values(), b"\r\n"])
async def test_bytes_on_an_idle_connection_close_it(surplus: bytes, pool: Pool, start, target_of) -> None:
    late = asyncio.Event()

    async def script(peer) -> None:
        await peer.request()
        await peer.send(WHOLE["length"])
        await late.wait()
        await peer.send(surplus)

    upstream = await start(script)
    target = target_of(upstream)
    await (await pool.request(target, b"GET", b"/", b"", b"")).read_all(100)
    assert pool.stats()[0].idle == 1
    late.set()
    await upstream.settle(0)
    assert pool.stats()[0].open == 0
    response = await pool.request(target, b"GET", b"/", b"", b"")
    assert (await response.read_all(100), response.reused, response.retries) == (b"hello", False, 0)


async def test_bytes_ahead_of_any_request_are_never_an_answer(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.send(sized(b"forged"))
        await peer.request()
        await peer.send(sized(b"real"))

    target = target_of(await start(script))
    try:
        response = await pool.request(target, b"GET", b"/", b"", b"")
        assert await response.read_all(100) in (b"forged", b"real")  # its own connection's first bytes, at worst
    except UpstreamError as error:
        assert error.kind in ("reset", "closed")


async def test_slow_head_ends_in_first_byte_timeout(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send_slowly([b"H", b"T", b"T", b"P"])
        for at in range(1000):
            await peer.send(b"/1.1 200 OK\r\nX: "[at : at + 1] or b"x")
            await asyncio.sleep(0.01)

    target = target_of(await start(script), first_byte_timeout_s=0.4)
    started = asyncio.get_running_loop().time()
    with pytest.raises(UpstreamError) as caught:
        await pool.request(target, b"GET", b"/", b"", b"")
    assert (caught.value.kind, caught.value.received) == ("first_byte_timeout", True)
    assert 0.39 <= asyncio.get_running_loop().time() - started < 8.0, "the drip goes on for ten seconds"


async def test_silent_upstream_ends_in_first_byte_timeout(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()

    with pytest.raises(UpstreamError) as caught:
        await pool.request(target_of(await start(script), first_byte_timeout_s=0.05), b"POST", b"/", b"", b"{}")
    assert (caught.value.kind, caught.value.sent, caught.value.received) == ("first_byte_timeout", True, False)
    assert caught.value.retryable


async def test_silent_body_ends_in_idle_timeout_after_what_came(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"some"))

    response = await pool.request(target_of(await start(script), idle_timeout_s=0.05), b"GET", b"/", b"", b"")
    assert await response.read() == b"some"
    with pytest.raises(UpstreamError, match="idle_timeout"):
        await response.read()


async def test_endless_body_ends_in_total_timeout(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(chunk(b"x"))
            await asyncio.sleep(0.005)

    response = await pool.request(target_of(await start(script), total_timeout_s=0.5), b"GET", b"/", b"", b"")
    with pytest.raises(UpstreamError, match="total_timeout"):
        await response.read_all(10**6)


async def test_set_deadline_replaces_the_total_timeout(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)

    response = await pool.request(target_of(await start(script)), b"GET", b"/", b"", b"")
    response.set_deadline(0.05)
    with pytest.raises(UpstreamError, match="total_timeout"):
        await response.read()


async def test_silence_is_reported_and_then_bytes_still_come(pool: Pool, start, target_of) -> None:
    go_on = asyncio.Event()

    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await go_on.wait()
        await peer.send(chunk(b"late") + LAST_CHUNK)

    response = await pool.request(target_of(await start(script)), b"GET", b"/", b"", b"")
    assert [await response.read(0.02), await response.read(0.02), response.read_nowait()] == [None, None, None]
    go_on.set()
    assert [await response.read(5.0), await response.read(5.0)] == [b"late", b""]


async def test_read_all_above_its_limit_closes_the_connection(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"x" * 5000))

    upstream = await start(script)
    response = await pool.request(target_of(upstream), b"GET", b"/", b"", b"")
    with pytest.raises(UpstreamError, match="above 1000 bytes"):
        await response.read_all(1000)
    await upstream.settle(0)


async def test_refused_connection_is_a_connect_error(pool: Pool) -> None:
    from gw.upstream.target import Target

    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(UpstreamError) as caught:
            await pool.request(Target.from_url(f"http://{host}:{await refused_port()}"), b"GET", b"/", b"", b"")
        error = caught.value
        assert (error.kind, error.sent, error.received, error.retryable) == ("connect", False, False, True)


async def test_unknown_name_is_a_connect_error(pool: Pool) -> None:
    from gw.upstream.target import Target

    with pytest.raises(UpstreamError, match=r"^connect: nowhere\.invalid:80: "):
        await pool.request(Target.from_url("http://nowhere.invalid"), b"GET", b"/", b"", b"")
