"""Where alerts go in tests: a web server that does as it is told, request by request, and a mail server."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Web:
    """`deeds`: what it does with the next requests, "200" when there is none left: a status, "429 7" with retry-after, "reset",
    "redirect", "silent" (no answer until it is closed), "endless" (an answer without an end)."""

    port: int = 0
    deeds: list[str] = field(default_factory=list)
    got: list[Request] = field(default_factory=list)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _request(reader)
                self.got.append(request)
                deed = self.deeds.pop(0) if self.deeds else "200"
                if deed == "reset":
                    writer.transport.abort()
                    return
                if deed == "silent":
                    await reader.read()
                    return
                if deed == "endless":
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)
                    await writer.drain()
                    await reader.read()
                    return
                writer.write(_answer(deed))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return


def _answer(deed: str) -> bytes:
    if deed == "redirect":
        return b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/elsewhere\r\ncontent-length: 0\r\n\r\n"
    status, _, after = deed.partition(" ")
    retry = f"retry-after: {after}\r\n" if after else ""
    body = b"no thanks" if status != "200" else b"ok"
    return f"HTTP/1.1 {status} X\r\n{retry}content-length: {len(body)}\r\n\r\n".encode() + body


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(head[0].split(" ")[1], headers, body)


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server; its connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            return
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            tasks.discard(task)

    server = await asyncio.start_server(kept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def web(*deeds: str) -> AsyncIterator[Web]:
    one = Web(deeds=list(deeds))
    async with listening(one.serve) as one.port:
        yield one


class Mails:
    """A mail server; `refuse`: its answer to the next recipients; `farewell`: to QUIT."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.users: list[str] = []
        self.refuse: list[str] = []
        self.farewell = "221 Bye"

    async def handle_QUIT(self, server: Any, session: Session, envelope: Envelope) -> str:
        return self.farewell

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if self.refuse:
            return self.refuse.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        self.to.append(envelope.rcpt_tos)
        return "250 taken"

    def authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login.decode())
        return AuthResult(success=data.password == b"secret", handled=False)


@asynccontextmanager
async def mail_server(*, tls: ssl.SSLContext | None = None, auth: bool = False) -> AsyncIterator[tuple[Mails, int]]:
    """`tls`: offers STARTTLS, and takes nothing without it. `auth`: takes nothing from who has not signed in with "secret"."""
    mails = Mails()

    def session() -> SMTP:
        return SMTP(
            mails,
            hostname="mail.test",
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=mails.authenticate if auth else None,
            auth_required=auth,
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    try:
        yield mails, server.sockets[0].getsockname()[1]
    finally:
        server.close()
