"""A raw HTTP/1.1 client on asyncio streams: it shows what came over the wire, chunk by chunk, and hides nothing."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Self

Pairs = Iterable[tuple[str, str]]
TIMEOUT_S = 30.0


class Answer:
    """One whole answer. `chunks`: the payload of each chunk, or the one body; `clean`: the body ended as its framing says."""

    def __init__(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.status = status
        self.headers = headers
        self.chunks: list[bytes] = []
        self.clean = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    def header(self, name: str) -> str:
        """The value, "" without one; a header sent twice fails the test that asks for it."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, f"{name} was sent twice: {found}"
        return found[0] if found else ""


class Wire:
    """One connection. `send` writes a request, `head` reads up to the blank line, `chunk` the next piece of the body."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._left = -1  # bytes of the body still to come; -1: chunked

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    def send_head(self, method: str, path: str, headers: Pairs, framing: str) -> None:
        """`framing`: the header line that frames the body, "" for none."""
        lines = [f"{method} {path} HTTP/1.1", "Host: gw.test", *(f"{name}: {value}" for name, value in headers)]
        if framing:
            lines.append(framing)
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send(self, method: str, path: str, headers: Pairs = (), body: bytes = b"") -> None:
        self.send_head(method, path, headers, f"Content-Length: {len(body)}" if body or method == "POST" else "")
        await self.write(body)

    async def head(self) -> Answer:
        """Skips 1xx. Raises IncompleteReadError if the connection ends before."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                status = int(lines[0].split(" ")[1])
                if status >= 200:
                    break
        pairs = [line.split(": ", 1) if ": " in line else line.split(":", 1) for line in lines[1:] if line]
        answer = Answer(status, [(name.lower(), value) for name, value in pairs])
        self._left = -1 if answer.header("transfer-encoding") == "chunked" else int(answer.header("content-length") or 0)
        return answer

    async def chunk(self) -> bytes:
        """The next piece of the body, b"" at its clean end. Raises IncompleteReadError at any other end."""
        async with asyncio.timeout(TIMEOUT_S):
            if self._left >= 0:
                data = await self._reader.readexactly(self._left)
                self._left = 0
                return data
            size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
            data = await self._reader.readexactly(size + 2)
            assert data.endswith(b"\r\n")
            return data[:-2]

    async def rest(self, answer: Answer) -> Answer:
        """Reads the body to its end, clean or not."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while chunk := await self.chunk():
                answer.chunks.append(chunk)
            answer.clean = True
        return answer

    async def ended(self) -> bool:
        """The other side has closed the connection; waits for it."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True

    def reset(self) -> None:
        """Leaves at once and rudely: the other side gets a TCP reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def call(port: int, path: str = "/v1/messages", *, method: str = "POST", headers: Pairs = (), body: bytes = b"") -> Answer:
    """One request on a connection of its own."""
    async with await Wire.open(port) as wire:
        await wire.send(method, path, headers, body)
        answer = await wire.head()
        return answer if method == "HEAD" else await wire.rest(answer)
