"""A raw upstream on loopback: for each connection a script says which bytes go out and when; nothing is polite."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable

OK = b"HTTP/1.1 200 OK\r\n"


def sized(body: bytes, *lines: bytes) -> bytes:
    return OK + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Peer:
    """The server's end of one connection. `number` counts connections from 0; `gone` is set when the client closed it."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer
        self.gone = asyncio.Event()
        self.requests: list[bytes] = []  # heads, as received

    async def request(self) -> tuple[bytes, bytes]:
        """The next request: (head, body)."""
        head = await self.head()
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        return head, await self.reader.readexactly(length)

    async def head(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        return head

    async def send(self, data: bytes) -> None:
        self._write(data)
        await self.writer.drain()

    def _write(self, data: bytes) -> None:
        if self.writer.transport.is_closing():  # uvloop would raise RuntimeError
            raise ConnectionResetError("the client is gone")
        self.writer.write(data)

    async def send_slowly(self, pieces: list[bytes]) -> None:
        """Each piece in a packet of its own: the loop turns in between."""
        for piece in pieces:
            self._write(piece)
            await asyncio.sleep(0.0002)

    def end(self) -> None:
        """Close after what was sent."""
        self.writer.close()

    def half_close(self) -> None:
        self.writer.write_eof()

    def reset(self) -> None:
        """RST instead of FIN, once what was sent has left."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_gone(self) -> None:
        """Read on until the client has closed."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while await self.reader.read(65536):
                pass
        self.gone.set()


Script = Callable[[Peer], Awaitable[None]]


class Upstream:
    """A listening server. `peers`: all connections it ever had; `open`: those the client has not closed."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.peers: list[Peer] = []
        self.open: set[Peer] = set()
        self.faults: list[BaseException] = []
        self.proxied = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.scheme = "http"

    async def listen(self, *, tls: ssl.SSLContext | None = None, proxied: bool = False) -> None:
        self.proxied = proxied
        self.scheme = "https" if tls else "http"
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls, backlog=1024, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(len(self.peers), reader, writer)
        self.peers.append(peer)
        self.open.add(peer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.script(peer)
            if not writer.is_closing():
                await peer.until_gone()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client left in the middle of the script
        except asyncio.CancelledError:
            pass  # the test is over
        except (AssertionError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:  # of the script
            self.faults.append(error)
        finally:
            peer.gone.set()
            self.open.discard(peer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def settle(self, open_count: int) -> None:
        """Wait until the client holds exactly `open_count` connections to here."""
        for _ in range(2_000):
            if len(self.open) == open_count:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"{len(self.open)} connections are open, not {open_count}")

    async def close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.sleep(0)
        await asyncio.sleep(0.002)  # transports say goodbye in the next turns of the loop
        assert not self.faults, self.faults


_deaf: list[socket.socket] = []


async def refused_port() -> int:
    """A port on which nobody listens: it is taken, so that nobody else is given it meanwhile."""
    if not _deaf:
        _deaf.append(socket.socket())
        _deaf[0].bind(("127.0.0.1", 0))
    return _deaf[0].getsockname()[1]
