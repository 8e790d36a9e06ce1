"""The fake upstream of the bench: fast, exact about time, and it keeps an invoice. One uvloop process on the load's core.

What it answers stands in the request's text: `[play:whole]`, `[play:hold MS]` (a whole answer after that long), `[play:turn MS]`
(60 events, one each MS), `[play:talk EVENTS MS]`, in OpenAI's words for who asks for Chat Completions. Events of all streams
are sent by one wheel with a tick of a millisecond, so a thousand streams cost one timer. An answer is on the invoice when its
last byte is handed to the kernel; one that was cut is not. GET /__invoice says what it has charged so far.

`python -m bench.load.upstream PORT` ends by SIGTERM.
"""

import asyncio
import gc
import itertools
import json
import re
import signal
import socket
import sys
from collections import Counter, defaultdict
from functools import cache
from typing import cast

import httptools
import uvloop

from bench.load import answers
from bench.load.answers import Bill, Event
from gw import clock

PLAY = re.compile(rb"\[play:([a-z]+)((?: \d+)*)\]")
MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]+)"')
TICK_NS = 1_000_000
INVOICE_PATH = b"/__invoice"


@cache
def bills(model: str) -> list[Bill]:
    return answers.bills(model)


@cache
def whole(model: str, turn: int) -> bytes:
    return answers.whole(model, bills(model)[turn].usage)


@cache
def events(model: str, turn: int, count: int) -> list[Event]:
    """`count` 0: those of a turn of Claude Code."""
    usage = bills(model)[turn].usage
    return answers.talk(model, usage, count) if count else answers.turn(model, usage)


@cache
def chat_events(model: str, turn: int, count: int) -> list[Event]:
    return answers.chat_talk(model, bills(model)[turn].usage, count)


class Invoice:
    """What was answered, by model: calls, tokens by the provider's names, pico-USD. `cut`: answers that nobody waited for."""

    def __init__(self) -> None:
        self.models: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.cut = 0

    def add(self, model: str, bill: Bill) -> None:
        line = self.models[model]
        line["calls"] += 1
        line["cost_pusd"] += bill.cost_pusd
        line.update(bill.usage)

    def json(self) -> bytes:
        return json.dumps({"models": self.models, "cut": self.cut}).encode()


class Stream:
    """One answer under way: its events, and how far they have been sent."""

    __slots__ = ("at", "bill", "connection", "events", "every", "model")

    def __init__(self, connection: "Connection", model: str, bill: Bill, parts: list[Event], every: int) -> None:
        self.connection = connection
        self.model = model
        self.bill = bill
        self.events = parts
        self.every = max(1, every)
        self.at = 0


class Wheel:
    """Sends the next event of each stream that is due, every millisecond while there is any."""

    def __init__(self) -> None:
        self._due: defaultdict[int, list[Stream]] = defaultdict(list)
        self._count = 0
        self._tick = 0
        self._turning = False
        self._loop = asyncio.get_running_loop()

    def add(self, stream: Stream, *, after: int = 0) -> None:
        """In `after` ticks, 1 or more; without it, when its next event is due."""
        if not self._turning:
            self._turning = True
            self._tick = clock.mono_ns() // TICK_NS
            self._loop.call_later(0.001, self._turn)
        self._count += 1
        self._due[self._tick + (after or stream.every)].append(stream)

    def _turn(self) -> None:
        now = clock.mono_ns() // TICK_NS
        while self._tick < now:
            self._tick += 1
            for stream in self._due.pop(self._tick, ()):
                self._count -= 1
                stream.connection.go_on(stream)
        self._turning = self._count > 0
        if self._turning:
            self._loop.call_later(0.001, self._turn)


class Connection(asyncio.Protocol):
    """One client connection; requests one after the other."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._stream: Stream | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.connections += 1

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            assert self._transport is not None
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections -= 1
        if self._stream is not None:
            self._stream = None
            self._server.invoice.cut += 1

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    # the parser's callbacks

    def on_message_begin(self) -> None:
        self._body: list[bytes] = []
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            body = self._server.invoice.json() if self._url.startswith(INVOICE_PATH) else b"{}"
            self._write(answers.HEAD_JSON % (0, len(body)) + body)
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self._answer(body)

    # answering

    def _answer(self, body: bytes) -> None:
        named, part = MODEL.search(body), PLAY.search(body)
        model = named[1].decode() if named else ""
        number = next(self._server.numbers)
        turn = number % answers.USAGES
        what = part[1] if part else b"whole"
        numbers = [int(word) for word in part[2].split()] if part else []
        bill = bills(model)[turn]
        if what in (b"turn", b"talk"):
            made = chat_events if self._url.endswith(b"/chat/completions") else events
            parts = made(model, turn, numbers[0] if what == b"talk" else 0)
            self._stream = Stream(self, model, bill, parts, numbers[-1])
            self.go_on(self._stream, lead=answers.HEAD_EVENTS % number)
            return
        data = whole(model, turn)
        stream = Stream(self, model, bill, [Event(answers.HEAD_JSON % (number, len(data)) + data, b"")], 1)
        self._stream = stream
        if what == b"hold":
            self._server.wheel.add(stream, after=max(1, numbers[0]))
        else:
            self.go_on(stream)

    def go_on(self, stream: Stream, *, lead: bytes = b"") -> None:
        """Send the next event, and plan the one after it; a client that does not read is left alone until it does."""
        if self._stream is not stream:
            return
        if not self._full:
            event = stream.events[stream.at]
            stream.at += 1
            data = lead + event.bytes_at(clock.mono_ns())
            if stream.at == len(stream.events):
                self._stream = None
                self._server.invoice.add(stream.model, stream.bill)
                self._write(data + answers.LAST_CHUNK if stream.at > 1 else data)
                return
            self._write(data)
        self._server.wheel.add(stream)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


class Server:
    """What the connections share."""

    def __init__(self) -> None:
        self.invoice = Invoice()
        self.wheel = Wheel()
        self.numbers = itertools.count()
        self.connections = 0

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(lambda: Connection(self), host, port, backlog=4096)


async def main() -> None:
    await Server().listen(port=int(sys.argv[1]))
    gc.freeze()
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    await done.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
