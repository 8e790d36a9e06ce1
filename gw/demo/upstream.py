"""The fake upstream: an HTTP/1.1 server that plays a script's replies step by step and bills each call.

One protocol object per connection, one task per connection while it has requests. The client's leaving cancels the
task at once, so `cut_us` of the invoice line is the moment the operating system told us. The invoice line is added
before the last bytes of an answer are handed to the socket.
Runs in a loop of one's own (`FakeUpstream`), in a thread (`UpstreamThread`) or as a process:
`python -m gw.demo.upstream --port 0 --script by-prompt --invoice FILE` prints its port on the first line of stdout.
"""

import argparse
import asyncio
import itertools
import secrets
import signal
import socket
import ssl
import struct
import sys
import threading
from collections import deque
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import httptools
import uvloop

from gw.demo.exchange import Chunk, Hangup, Pause, Reply, Request, Reset, Script
from gw.demo.invoice import Invoice, Tally
from gw.demo.scripts import SCRIPTS

INVOICE_PATH = "/__invoice"


class _Connection(asyncio.Protocol):
    """One client connection: requests are answered one after the other, in order."""

    def __init__(self, upstream: "FakeUpstream") -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._answer: Tally | None = None

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=0)  # each chunk is a write of its own: it is flushed before the next
        self._upstream.connections.add(self)
        self._upstream.empty.clear()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.connections.discard(self)
        if not self._upstream.connections:
            self._upstream.empty.set()
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools callbacks
    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        request = Request(
            method=self._parser.get_method().decode(),
            target=self._target.decode("latin-1"),
            headers=tuple(self._headers),
            body=b"".join(self._body),
        )
        self._waiting.append(request)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve(), name="fake-upstream-connection")
            self._task.add_done_callback(self._served)

    # answering
    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._play(self._waiting.popleft())
        except asyncio.CancelledError:
            if self._answer is not None and not self._answer.line_added:
                self._upstream.invoice.add(self._answer.line("cut_by_client"))
            raise
        finally:
            self._answer = None
            self._task = None

    def _served(self, task: asyncio.Task[None]) -> None:
        """A script that raised must be heard of, and must not leave its client waiting."""
        if not task.cancelled() and task.exception() is not None:
            self.close()
            context = {"message": "the script failed", "exception": task.exception(), "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _play(self, request: Request) -> None:
        transport = self._transport
        assert transport is not None
        if request.path == INVOICE_PATH:
            body = self._upstream.invoice.json()
            transport.write(_head(Reply(headers=(("content-type", "application/json"),)), "", len(body)) + body)
            return
        reply = self._upstream.script(request)
        answer = self._answer = Tally(request, reply, self._upstream.next_request_id())
        self._upstream.calls_started += 1
        if reply.headers_after:
            await asyncio.sleep(reply.headers_after)
        steps = () if request.method == "HEAD" else reply.steps
        pending = _head(reply, answer.request_id, sum(len(step.data) for step in reply.steps if isinstance(step, Chunk)))
        for index, step in enumerate(steps):
            if isinstance(step, Chunk):
                answer.count(step)
                self._upstream.chunks_sent += 1
                pending += _framed(reply, step.data)
                if index == len(steps) - 1:
                    break  # the last bytes wait for the invoice line
                transport.write(pending)
                pending = b""
                if transport.is_closing():
                    self._writable.clear()  # connection_lost is on its way: it sets it, and cancels this task
                if not self._writable.is_set():
                    await self._writable.wait()
                continue
            if pending:
                transport.write(pending)
                pending = b""
            if not isinstance(step, Pause):
                await self._break_off(answer, step)
                return
            await asyncio.sleep(step.seconds)
        self._finish(answer, pending)

    def _finish(self, answer: Tally, pending: bytes) -> None:
        """Add the line, then let the last bytes go."""
        assert self._transport is not None
        self._upstream.invoice.add(answer.line("complete"))
        answer.line_added = True
        if answer.reply.framing == "chunked" and answer.request.method != "HEAD":
            pending += b"0\r\n\r\n"
        if pending:
            self._transport.write(pending)
        if answer.reply.framing == "close" or answer.request.header("connection").lower() == "close":
            self._transport.close()

    async def _break_off(self, answer: Tally, step: Reset | Hangup) -> None:
        """Wait until the kernel has taken what was written, then end the connection as told."""
        transport = self._transport
        assert transport is not None
        await self._writable.wait()
        self._upstream.invoice.add(answer.line("cut_by_upstream"))
        answer.line_added = True
        if isinstance(step, Reset):
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _framed(reply: Reply, body: bytes) -> bytes:
    if reply.framing != "chunked":
        return body
    return b"%x\r\n%b\r\n" % (len(body), body) if body else b""


def _head(reply: Reply, request_id: str, size: int) -> bytes:
    """Status line and headers, or nothing for status 0; the body's framing is named here and nowhere else."""
    if not reply.status:
        return b""
    try:
        reason = HTTPStatus(reply.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if request_id:
        lines.append(f"request-id: {request_id}")
        lines.append("anthropic-organization-id: 00000000-0000-4000-8000-00000000demo")
    if reply.framing == "chunked":
        lines.append("transfer-encoding: chunked")
    elif reply.framing == "length":
        lines.append(f"content-length: {size}")
    else:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class FakeUpstream:
    """The server. `script` may be replaced at any time; it takes effect with the next request."""

    def __init__(self, script: Script, invoice: Invoice | None = None) -> None:
        self.script = script
        self.invoice = invoice or Invoice()
        self.connections: set[_Connection] = set()
        self.empty = asyncio.Event()  # no connection is open
        self.empty.set()
        self.calls_started = 0
        self.chunks_sent = 0  # of all calls: tells a test that a stream is under way
        self._salt = secrets.token_hex(5)
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    def next_request_id(self) -> str:
        return f"req_{self._salt}{next(self._numbers):08d}"

    async def start(self, host: str = "127.0.0.1", port: int = 0, ssl_context: ssl.SSLContext | None = None) -> int:
        """Listen; returns the port. Raises OSError if it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), host, port, ssl=ssl_context, backlog=2048, reuse_address=True
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()
        await self.empty.wait()
        self.invoice.close()


class UpstreamThread:
    """A fake upstream in a thread with its own loop, as a context manager; the invoice is readable while it runs."""

    def __init__(self, script: Script, *, port: int = 0, ssl_context: ssl.SSLContext | None = None) -> None:
        self.upstream = FakeUpstream(script)
        self.port = port
        self._ssl = ssl_context
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="fake-upstream", daemon=True)

    @property
    def invoice(self) -> Invoice:
        return self.upstream.invoice

    @property
    def base_url(self) -> str:
        return f"{'https' if self._ssl else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Raises OSError if the port is taken."""
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        try:
            self.port = await self.upstream.start(port=self.port, ssl_context=self._ssl)
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        await self._done.wait()
        await self.upstream.stop()


async def _main(args: argparse.Namespace) -> None:
    upstream = FakeUpstream(SCRIPTS[args.script], Invoice(args.invoice))
    port = await upstream.start(args.host, args.port)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    await done.wait()
    await upstream.stop()


def main() -> None:
    """Entry of the process form; ends by SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m gw.demo.upstream", description="a fake Anthropic upstream")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--script", default="by-prompt", choices=sorted(SCRIPTS))
    parser.add_argument("--invoice", type=Path, help="append each line to this file as JSON")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
