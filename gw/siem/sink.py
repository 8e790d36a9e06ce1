"""Where entries of the audit are handed to: a syslog server or a webhook. A sink takes all of a batch, or raises SinkError.

Syslog has no answers. Over UDP nobody knows whether a message came; over TCP and TLS a batch counts as taken when the connection
has taken it and is still open a moment later, so that what a server refuses by hanging up is sent again.
"""

import asyncio
import logging
import os
import socket
import ssl
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from gw import clock
from gw.config.alert_model import Siem
from gw.domain.signing import SIGNATURE, signature
from gw.domain.text import printable
from gw.ledger.audit import AuditRow
from gw.siem.format import batch, datagram, framed, syslog

TIMEOUT_S = 10.0
LISTEN_S = 0.2  # how long a server may take to hang up on a batch
SAID_CHARS_MAX = 200

logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs addresses, and some are secrets


class SinkError(Exception):
    """It was not taken; `after_s`: when the sink wants to be asked again."""

    def __init__(self, said: str, after_s: int = 0) -> None:
        super().__init__(said)
        self.after_s = after_s


class Sink(Protocol):
    async def send(self, rows: list[AuditRow]) -> None: ...
    async def close(self) -> None: ...


def sink_of(siem: Siem) -> Sink:
    parts = urlsplit(siem.url.reveal())
    if siem.kind == "webhook":
        return Webhook(siem)
    if parts.scheme == "udp":
        return Datagrams(parts.hostname or "", parts.port or 514)
    return Stream(parts.hostname or "", parts.port or 6514, tls=parts.scheme == "tls", ca_file=siem.ca_file)


class Datagrams:
    def __init__(self, host: str, port: int) -> None:
        self._address = host, port

    async def send(self, rows: list[AuditRow]) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
            family, kind, proto, _, address = found[0]
            with socket.socket(family, kind, proto) as udp:
                for row in rows:
                    udp.sendto(datagram(row, socket.gethostname(), os.getpid()), address)
        except OSError as error:
            raise SinkError(_words(error)) from error

    async def close(self) -> None:
        """Nothing is kept."""


class Stream:
    """One connection, kept while it is good."""

    def __init__(self, host: str, port: int, *, tls: bool, ca_file: str) -> None:
        self._host, self._port, self._tls, self._ca_file = host, port, tls, ca_file
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, rows: list[AuditRow]) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await self._connected()
                host, pid = socket.gethostname(), os.getpid()
                writer.write(b"".join(framed(syslog(row, host, pid)) for row in rows))
                await writer.drain()
                await self._heard(reader)
        except (OSError, EOFError, TimeoutError) as error:  # ssl.SSLError is an OSError
            await self.close()
            raise SinkError(_words(error)) from error

    async def close(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._reader.at_eof():
            await self.close()
            context = ssl.create_default_context(cafile=self._ca_file or None) if self._tls else None
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        return self._reader, self._writer

    async def _heard(self, reader: asyncio.StreamReader) -> None:
        """Raises EOFError if the server hangs up. What it says otherwise means nothing."""
        try:
            async with asyncio.timeout(LISTEN_S):
                while await reader.read(1024):
                    pass
        except TimeoutError:
            return
        raise EOFError("the server closed the connection")


class Webhook:
    def __init__(self, siem: Siem) -> None:
        self._siem = siem
        verify = ssl.create_default_context(cafile=siem.ca_file) if siem.ca_file else True
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, verify=verify)

    async def send(self, rows: list[AuditRow]) -> None:
        body = batch(rows)
        headers = {name: value.reveal() for name, value in self._siem.headers.items()}
        headers |= {"content-type": "application/json", "idempotency-key": f"gw-audit-{rows[0].id}-{rows[-1].id}"}
        if self._siem.secret:
            headers[SIGNATURE] = signature(body, self._siem.secret.reveal(), clock.wall_us() // 1_000_000)
        try:
            async with asyncio.timeout(TIMEOUT_S * 2):
                async with self._client.stream("POST", self._siem.url.reveal(), content=body, headers=headers) as answer:
                    status, after = answer.status_code, answer.headers.get("retry-after", "")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise SinkError(_words(error)) from error
        if not 200 <= status < 300:
            raise SinkError(f"HTTP {status}", int(after) if after.isascii() and after.isdecimal() and len(after) < 6 else 0)

    async def close(self) -> None:
        await self._client.aclose()


def _words(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return printable(text, SAID_CHARS_MAX)
