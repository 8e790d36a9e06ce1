"""Open a connection to a target: directly, or through a proxy; every failure becomes an UpstreamError that says where."""

import asyncio
import re
import ssl
from typing import cast

from gw.upstream.connection import Connection
from gw.upstream.errors import UpstreamError
from gw.upstream.target import Proxy, Target

_ANSWER_MAX = 16 * 1024
_status = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n").match


async def dial(loop: asyncio.AbstractEventLoop, target: Target, connection: Connection, timeout_s: float) -> None:
    """Connects `connection`, within `timeout_s` for name, TCP, proxy and TLS together.

    Raises UpstreamError `connect`, `connect_timeout`, `tls` or `proxy`. Failed or cancelled, it leaves nothing open but
    what `connection` already holds, which the caller closes.
    """
    where = f"{target.host}:{target.port}"
    protocol = cast(asyncio.Protocol, connection)
    try:
        async with asyncio.timeout(timeout_s):
            if target.tunnelled:
                await _tunnel(loop, target, connection)
                return
            proxy = target.proxy
            host, port, tls = (proxy.host, proxy.port, proxy.ssl) if proxy else (target.host, target.port, target.ssl)
            if proxy:
                where = f"proxy {host}:{port}"
            await loop.create_connection(lambda: protocol, host, port, ssl=tls, server_hostname=host if tls else None)
    except TimeoutError as error:
        raise UpstreamError("connect_timeout", f"no connection to {where} within {timeout_s:.2g} s") from error
    except ssl.SSLError as error:
        at_proxy = target.proxy is not None and not target.tunnelled
        raise UpstreamError("proxy" if at_proxy else "tls", f"{where}: {_tls_reason(error)}") from error
    except OSError as error:
        raise UpstreamError("proxy" if target.proxy else "connect", f"{where}: {_os_reason(error)}") from error


async def _tunnel(loop: asyncio.AbstractEventLoop, target: Target, connection: Connection) -> None:
    """CONNECT through the proxy, then TLS with the target inside."""
    proxy = target.proxy
    assert proxy is not None and target.ssl is not None
    answer: asyncio.Future[int] = loop.create_future()
    try:
        name = proxy.host if proxy.ssl else None
        transport, _ = await loop.create_connection(
            lambda: _ConnectAnswer(answer), proxy.host, proxy.port, ssl=proxy.ssl, server_hostname=name
        )
    except TimeoutError:
        raise
    except ssl.SSLError as error:
        raise UpstreamError("proxy", f"proxy {proxy.host}:{proxy.port}: {_tls_reason(error)}") from error
    except OSError as error:
        raise UpstreamError("proxy", f"proxy {proxy.host}:{proxy.port}: {_os_reason(error)}") from error
    try:
        transport.write(_connect_request(target, proxy))
        status = await answer
        if status == 407:
            raise UpstreamError("proxy", "the proxy asks for credentials, or refuses those it got (407)")
        if not 200 <= status < 300:
            raise UpstreamError("proxy", f"the proxy refused to connect to {target.host}:{target.port} ({status})")
        try:
            inner = await loop.start_tls(transport, cast(asyncio.Protocol, connection), target.ssl, server_hostname=target.host)
        except ConnectionError as error:
            raise UpstreamError("proxy", f"the tunnel to {target.host}:{target.port} broke: {_os_reason(error)}") from error
        assert inner is not None
        connection.connection_made(inner)
    except BaseException:
        transport.abort()
        raise


def _connect_request(target: Target, proxy: Proxy) -> bytes:
    name = f"[{target.host}]" if ":" in target.host else target.host
    authority = f"{name}:{target.port}".encode("ascii")
    return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (authority, authority, proxy.authorization_line)


class _ConnectAnswer(asyncio.Protocol):
    """Reads a proxy's answer to CONNECT: its head only, and not a byte after it before TLS begins."""

    def __init__(self, answer: asyncio.Future[int]) -> None:
        self._answer = answer
        self._bytes = b""
        self._size = 0  # of all that came, 1xx included

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        self._size += len(data)
        while self._bytes and not self._answer.done():
            status = _status(self._bytes)
            end = self._bytes.find(b"\r\n\r\n")
            not_http = status is None and (b"\n" in self._bytes or not b"HTTP/1.".startswith(self._bytes[:7]))
            if not_http or self._size > _ANSWER_MAX:
                self._fail("the proxy did not answer CONNECT in HTTP")
            elif end < 0 or status is None:
                return
            else:
                self._judge(int(status[1]), end + 4)

    def _judge(self, code: int, end: int) -> None:
        if code < 200:  # 1xx: the final answer is still to come
            self._bytes = self._bytes[end:]
        elif code < 300 and len(self._bytes) != end:
            self._fail("the proxy sent bytes ahead of the tunnel")
        else:
            self._answer.set_result(code)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the proxy closed the connection instead of answering CONNECT")

    def _fail(self, detail: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(UpstreamError("proxy", detail))


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    return f"TLS handshake failed: {error.reason or type(error).__name__}"


def _os_reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
