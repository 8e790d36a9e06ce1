"""Through a proxy: CONNECT for https, absolute form for http; its failures are `proxy`, not the upstream's."""

import asyncio
import base64
import contextlib

import pytest

from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from gw.upstream.target import Target
from tests.upstream.server import refused_port, sized
from tests.upstream.test_tls import echo, server_context

BASIC = b"Proxy-Authorization: Basic " + base64.b64encode(b"us er:p@ss")


async def tunnel(peer) -> None:
    """A CONNECT proxy that always connects to the named port on loopback."""
    head = await peer.head()
    port = int(head.split()[1].rpartition(b":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await peer.send(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")

    async def copy(source, sink) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.transport.abort()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(copy(peer.reader, writer))
            group.create_task(copy(reader, peer.writer))
    finally:
        writer.transport.abort()
        peer.writer.transport.abort()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_https_goes_through_connect_and_is_reused(scheme: str, pool: Pool, start, certificates) -> None:
    upstream = await start(echo, tls=server_context(certificates.here), proxied=True)
    tls = server_context(certificates.here) if scheme == "https" else None
    proxy = await start(tunnel, tls=tls, proxied=True)
    target = Target.from_url(
        f"https://localhost:{upstream.port}",
        ca_file=certificates.ca,
        proxy=proxy.url.replace("://", "://us%20er:p%40ss@"),
    )
    body = b"x" * 700_000
    for reused in (False, True):
        response = await pool.request(target, b"POST", b"/v1/messages", b"x-api-key: secret\r\n", body)
        assert (await response.read_all(10**6) == body, response.reused) == (True, reused)
    assert len(proxy.peers) == 1
    name = b"localhost:%d" % upstream.port
    assert proxy.peers[0].requests == [b"CONNECT " + name + b" HTTP/1.1\r\nHost: " + name + b"\r\n" + BASIC + b"\r\n\r\n"]
    assert b"Proxy-Authorization" not in upstream.peers[0].requests[0]


async def test_certificate_is_checked_inside_the_tunnel(pool: Pool, start, certificates) -> None:
    upstream = await start(echo, tls=server_context(certificates.elsewhere), proxied=True)
    proxy = await start(tunnel, proxied=True)
    target = Target.from_url(f"https://localhost:{upstream.port}", ca_file=certificates.ca, proxy=proxy.url)
    with pytest.raises(UpstreamError, match=r"certificate refused: .*mismatch") as caught:
        await pool.request(target, b"GET", b"/", b"", b"")
    assert caught.value.kind == "tls"


async def test_http_goes_in_absolute_form(pool: Pool, start) -> None:
    async def script(peer) -> None:
        while True:
            await peer.request()
            await peer.send(sized(b"through"))

    proxy = await start(script, proxied=True)
    target = Target.from_url(
        "http://upstream.example:8000/base/", proxy=proxy.url.replace("://", "://us%20er:p%40ss@"), keepalive_s=9
    )
    for _ in range(2):
        response = await pool.request(target, b"GET", b"/v1/models?x=1", b"A: b\r\n", b"")
        assert await response.read_all(10) == b"through"
    head = b"GET http://upstream.example:8000/base/v1/models?x=1 HTTP/1.1\r\nHost: upstream.example:8000\r\n" + BASIC
    assert proxy.peers[0].requests == [head + b"\r\nA: b\r\n\r\n"] * 2


ANSWERS = {
    "credentials": (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!", r"407"),
    "forbidden": (b"HTTP/1.1 403 Forbidden\r\n\r\n", r"refused to connect to upstream\.example:443 \(403\)"),
    "bad gateway": (b"HTTP/1.0 502 Bad Gateway\r\nA: b\r\n\r\n<html>", r"\(502\)"),
    "not http": (b"SSH-2.0-OpenSSH_9.6\r\n", "did not answer CONNECT in HTTP"),
    "html": (b"<html>", "did not answer CONNECT in HTTP"),
    "garbage status": (b"HTTP/1.1 2OO OK\r\n\r\n", "did not answer CONNECT in HTTP"),
    "endless head": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 3000, "did not answer CONNECT in HTTP"),
    "1xx without end": (b"HTTP/1.1 100 C\r\n\r\n" * 5000, "did not answer CONNECT in HTTP"),
    "many 1xx": (b"HTTP/1.0 100\r\n\r\n" * 1024, "instead of answering"),  # as many as a head may have bytes
    "bytes ahead": (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01", "ahead of the tunnel"),
    "cut": (b"HTTP/1.1 200 OK\r\nA:", "instead of answering"),
    "nothing": (b"", "instead of answering"),
}


@pytest.mark.parametrize("slowly", [False, True])
@pytest.mark.parametrize("name", ANSWERS)
async def test_answer_to_connect_that_is_not_a_tunnel_is_a_proxy_error(name: str, slowly: bool, pool: Pool, start) -> None:
    answer, detail = ANSWERS[name]

    async def script(peer) -> None:
        await peer.head()
        if slowly and name != "bytes ahead":
            step = max(1, len(answer) // 40)
            await peer.send_slowly([answer[at : at + step] for at in range(0, len(answer), step)])
        else:
            await peer.send(answer)
        if name in ("cut", "nothing", "many 1xx"):
            peer.end()

    proxy = await start(script, proxied=True)
    with pytest.raises(UpstreamError, match=detail) as caught:
        await pool.request(Target.from_url("https://upstream.example", proxy=proxy.url), b"GET", b"/", b"", b"")
    assert (caught.value.kind, caught.value.sent) == ("proxy", False)
    await proxy.settle(0)


async def test_tunnel_that_breaks_before_tls_is_a_proxy_error(pool: Pool, start) -> None:
    async def script(peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        await peer.reader.read(1)
        peer.end()

    proxy = await start(script, proxied=True)
    with pytest.raises(UpstreamError) as caught:
        await pool.request(Target.from_url("https://upstream.example", proxy=proxy.url), b"GET", b"/", b"", b"")
    assert caught.value.kind in ("proxy", "tls")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_proxy_that_is_not_there_is_a_proxy_error(scheme: str, pool: Pool) -> None:
    target = Target.from_url(f"{scheme}://upstream.example", proxy=f"http://127.0.0.1:{await refused_port()}")
    with pytest.raises(UpstreamError, match=r"proxy 127\.0\.0\.1:") as caught:
        await pool.request(target, b"GET", b"/", b"", b"")
    assert (caught.value.kind, caught.value.retryable) == ("proxy", True)


async def test_silent_proxy_is_a_connect_timeout(pool: Pool, start) -> None:
    proxy = await start(lambda peer: peer.until_gone(), proxied=True)
    target = Target.from_url("https://upstream.example", proxy=proxy.url, connect_timeout_s=0.1)
    with pytest.raises(UpstreamError) as caught:
        await pool.request(target, b"GET", b"/", b"", b"")
    assert caught.value.kind == "connect_timeout"
    await proxy.settle(0)
