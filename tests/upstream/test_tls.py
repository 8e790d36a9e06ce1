"""TLS is verified, by the system's trust or the given file, for the given name, and speaks HTTP/1.1 only."""

import asyncio
import os
import ssl

import pytest
import uvloop

from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from gw.upstream.target import Target
from tests.upstream.server import CHUNKED, LAST_CHUNK, OK, chunk, sized

BODY = bytes(range(256)) * 4000


def server_context(pair, alpn: list[str] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


async def echo(peer) -> None:
    while True:
        _, body = await peer.request()
        await peer.send(sized(body))


async def test_verified_connection_carries_calls_and_is_reused(pool: Pool, start, certificates) -> None:
    seen = {}

    async def script(peer) -> None:
        seen["alpn"] = peer.writer.get_extra_info("ssl_object").selected_alpn_protocol()
        await echo(peer)

    context = server_context(certificates.here, ["h2", "http/1.1"])
    context.sni_callback = lambda _, name, __: seen.update(sni=name)
    upstream = await start(script, tls=context)
    target = Target.from_url(f"https://localhost:{upstream.port}", ca_file=certificates.ca)
    for reused in (False, True):
        response = await pool.request(target, b"POST", b"/v1/messages", b"", BODY)
        assert (await response.read_all(10**7) == BODY, response.reused) == (True, reused)
    assert seen == {"alpn": "http/1.1", "sni": "localhost"}


async def test_address_in_the_certificate_is_accepted(pool: Pool, start, certificates) -> None:
    upstream = await start(echo, tls=server_context(certificates.here))
    response = await pool.request(Target.from_url(upstream.url, ca_file=certificates.ca), b"POST", b"/", b"", b"x")
    assert await response.read_all(1) == b"x"


async def test_unknown_authority_is_refused(pool: Pool, start, certificates) -> None:
    upstream = await start(echo, tls=server_context(certificates.here))
    with pytest.raises(UpstreamError, match="certificate refused") as caught:
        await pool.request(Target.from_url(upstream.url), b"POST", b"/", b"x-api-key: secret\r\n", b"x")
    error = caught.value
    assert (error.kind, error.sent, error.retryable) == ("tls", False, False)
    assert all(not peer.requests for peer in upstream.peers)


async def test_certificate_of_another_host_is_refused(pool: Pool, start, certificates) -> None:
    upstream = await start(echo, tls=server_context(certificates.elsewhere))
    with pytest.raises(UpstreamError, match=r"certificate refused: .*mismatch") as caught:
        await pool.request(Target.from_url(f"https://localhost:{upstream.port}", ca_file=certificates.ca), b"GET", b"/", b"", b"")
    assert caught.value.kind == "tls"


async def test_verification_can_be_turned_off(pool: Pool, start, certificates) -> None:
    upstream = await start(echo, tls=server_context(certificates.elsewhere))
    response = await pool.request(Target.from_url(upstream.url, verify=False), b"POST", b"/", b"", b"x")
    assert await response.read_all(1) == b"x"


async def test_unverified_connection_is_never_lent_to_a_verifying_target(pool: Pool, start, certificates) -> None:
    upstream = await start(echo, tls=server_context(certificates.here))
    await (await pool.request(Target.from_url(upstream.url, verify=False), b"POST", b"/", b"", b"x")).read_all(1)
    with pytest.raises(UpstreamError, match="certificate refused"):
        await pool.request(Target.from_url(upstream.url), b"POST", b"/", b"", b"x")


async def test_plain_text_server_is_a_tls_error(pool: Pool, start) -> None:
    async def script(peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    upstream = await start(script)
    with pytest.raises(UpstreamError) as caught:
        await pool.request(Target.from_url(f"https://127.0.0.1:{upstream.port}"), b"GET", b"/", b"", b"")
    assert caught.value.kind == "tls"


async def test_server_that_never_answers_the_handshake_is_a_connect_timeout(pool: Pool, start) -> None:
    upstream = await start(lambda peer: peer.until_gone())
    target = Target.from_url(f"https://127.0.0.1:{upstream.port}", connect_timeout_s=0.1)
    with pytest.raises(UpstreamError, match=r"within 0\.[01]\d* s") as caught:
        await pool.request(target, b"GET", b"/", b"", b"")
    assert (caught.value.kind, caught.value.retryable, caught.value.saturated) == ("connect_timeout", True, False)


@pytest.mark.parametrize("how", ["end", "reset"])
async def test_body_cut_over_tls_is_reset_after_what_came(how: str, pool: Pool, start, certificates) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"some"))
        await peer.head()
        getattr(peer, how)()

    upstream = await start(script, tls=server_context(certificates.here))
    response = await pool.request(Target.from_url(upstream.url, ca_file=certificates.ca), b"GET", b"/", b"", b"")
    assert await response.read() == b"some"
    next(iter(next(iter(pool._lanes.values())).members))._transport.write(b"go on\r\n\r\n")
    with pytest.raises(UpstreamError, match=r"^reset: "):
        await response.read()


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how", ["close_notify", "cut", "cut within a record"])
async def test_body_until_the_end_is_whole_only_behind_close_notify(how: str, tls, pool: Pool, start, certificates) -> None:
    """Else whoever can cut the connection on its way could shorten an answer (RFC 9112 9.8).

    Workers run on uvloop; asyncio's own loop speaks of an end in all three cases.
    """
    if how != "close_notify" and not isinstance(asyncio.get_running_loop(), uvloop.Loop):
        return

    async def script(peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\n" + b"some")
        await peer.head()
        if how == "close_notify":
            return peer.end()
        raw = peer.writer.get_extra_info("socket")
        if how == "cut within a record":
            os.write(raw.fileno(), b"\x17\x03\x03\x00\x50half")
        peer.writer.transport.abort()  # a FIN all the same: nothing lingers

    context = server_context(certificates.here)
    context.minimum_version = context.maximum_version = tls
    upstream = await start(script, tls=context)
    response = await pool.request(Target.from_url(upstream.url, ca_file=certificates.ca), b"GET", b"/", b"", b"")
    assert await response.read() == b"some"
    next(iter(next(iter(pool._lanes.values())).members))._transport.write(b"go on\r\n\r\n")
    if how == "close_notify":
        assert (await response.read(), response.complete) == (b"", True)
    else:
        with pytest.raises(UpstreamError, match=r"^reset: "):
            await response.read()


async def test_slow_reader_over_tls_holds_the_upstream_back(pool: Pool, start, certificates) -> None:
    async def script(peer) -> None:
        _, body = await peer.request()
        await peer.send(CHUNKED)
        for at in range(0, len(body), 100_000):
            await peer.send(chunk(body[at : at + 100_000]))
        await peer.send(LAST_CHUNK)

    upstream = await start(script, tls=server_context(certificates.here))
    body = BODY * 20
    response = await pool.request(Target.from_url(upstream.url, ca_file=certificates.ca), b"POST", b"/", b"", body)
    got = []
    while data := await response.read():
        assert response.buffered <= 2**20
        got.append(data)
    assert b"".join(got) == body
