"""A small HTTP server of the tests' own: what it answers is told by the path."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gw.loadgen.request import Kind, Target, encode

STREAM = b"event: message_start\ndata: {}\n\nevent: message_stop\ndata: {}\n\n"


class Server:
    """Counts what it is asked; `held` answers wait for `go`."""

    def __init__(self) -> None:
        self.asked = 0
        self.connections = 0
        self.go = asyncio.Event()
        self.all_asked = asyncio.Event()
        self.wanted = 0  # `all_asked` is set when so many requests have come

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                length = 0
                while (header := await reader.readline()) != b"\r\n":
                    if header.lower().startswith(b"content-length"):
                        length = int(header.split(b":")[1])
                await reader.readexactly(length)
                self.asked += 1
                if self.asked == self.wanted:
                    self.all_asked.set()
                if not await self.answer(line.split()[1], writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.close()

    async def answer(self, path: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        if path == b"/held":
            await self.go.wait()
        if path == b"/cut":
            return False
        status, body = (b"500 Oops", b"{}") if path == b"/fails" else (b"200 OK", STREAM if path == b"/stream" else b"{}")
        last = b"connection: close\r\n" if path == b"/last" else b""
        writer.write(b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, last, len(body), body))
        await writer.drain()
        return not last


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, Target]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield server, Target("127.0.0.1", listening.sockets[0].getsockname()[1])
    finally:
        server.go.set()
        listening.close()


def kind(target: Target, path: str) -> Kind:
    return Kind(path, [encode(target, path, {}, b"x" * 10)], path == "/stream")
