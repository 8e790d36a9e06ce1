"""What gw itself does for one event of a stream: microseconds, or instructions as callgrind counts them.

    python -m bench.micro.bench_relay                          microseconds an event, 1,000 streams in turn
    python -m bench.micro.bench_relay --instructions [events]  instructions an event, and where they go (needs valgrind)
    python -m bench.micro.bench_relay --from chat              the upstream speaks another dialect: chat, responses or gemini

One worker in this process, everything on (virtual key, four budget levels, limits, tap, pricing, journal, counters). Events
go in where a socket's bytes would, each by itself, parsed by the connection and relayed by the stream's own code; transport
and server are stand-ins that take everything at once, so no socket is in the figure. A thousand streams in turn have the
caches of a busy worker. Instructions are counted over 50 streams, and are the same from run to run to 1 %.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from gw import clock
from gw.app import App
from gw.config.load import load
from gw.domain.key import mint
from gw.startup import prepare_state
from gw.upstream.connection import Connection
from gw.upstream.outgoing import serialise
from gw.upstream.pool import Lane
from gw.upstream.response import Response
from gw.upstream.target import Target
from gw.worker import Worker

CONFIG = """[server]
state_dir = "{folder}/state"
[storage]
url = "sqlite:///{folder}/gw.db"
[auth]
passthrough = false
[[upstream]]
name = "fake"
base_url = "http://127.0.0.1:9"
api_key = "upstream-key"
{upstream}
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "bench"
team = "platform"
secret = "{key}"
[[budget]]
name = "customer"
customer = "acme"
limit_usd = "1000000"
[[budget]]
name = "team"
team = "platform"
limit_usd = "1000000"
[[budget]]
name = "key"
key = "bench"
limit_usd = "1000000"
window = "day"
[[budget]]
name = "sessions"
session = "*"
limit_usd = "1000000"
window = "lifetime"
[[limit]]
name = "requests"
team = "platform"
requests = 100000000
per = "1m"
[[limit]]
name = "tokens"
key = "bench"
tokens = 100000000000
per = "1m"
"""
BODY = (
    b'{"model":"MODEL","max_tokens":64000,"stream":true,"messages":[{"role":"user","content":"hello"}],'
    b'"metadata":{"user_id":"{\\"device_id\\":\\"00\\",\\"session_id\\":\\"s\\"}"}}'
)
STREAMS, COUNTED_STREAMS = 1_000, 50
WARM_UP = 20  # rounds
ROUNDS = 200


def event(name: str, data: str) -> bytes:
    """As the provider sends one: a chunk of its own."""
    text = (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(text), text)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
START = event(
    "message_start",
    '{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],'
    '"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":2095,"cache_creation_input_tokens":0,'
    '"cache_read_input_tokens":21000,"output_tokens":1,"service_tier":"standard"}}}',
) + event("content_block_start", '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}')
DELTA = event(
    "content_block_delta",
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" and then the fix"}}',
)
STOP = event("message_stop", '{"type":"message_stop"}') + b"0\r\n\r\n"


LAST = b"0\r\n\r\n"
CHUNK = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795273492,"model":"gpt-5.2","choices":[%s],"usage":%s}'
PART = (
    '{"candidates":[{"content":{"role":"model","parts":[{"text":"%s"}]},"index":0%s}],"modelVersion":"gemini-2.5-pro",'
    '"usageMetadata":%s}'
)
COUNTED = '{"promptTokenCount":23095,"candidatesTokenCount":12,"totalTokenCount":23107}'


class Told(NamedTuple):
    """What an upstream of a dialect says, and what it is configured by."""

    start: bytes
    delta: bytes
    stop: bytes
    model: str = "claude-opus-5-5"
    upstream: str = ""


DIALECTS = {
    "anthropic": Told(START, DELTA, STOP),
    "chat": Told(
        event("", CHUNK % ('{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}', "null")),
        event("", CHUNK % ('{"index":0,"delta":{"content":" and then the fix"},"finish_reason":null}', "null")),
        event("", CHUNK % ('{"index":0,"delta":{},"finish_reason":"stop"}', '{"prompt_tokens":23095,"completion_tokens":12}'))
        + event("", "[DONE]")
        + LAST,
        "gpt-5.2",
        'provider = "openai"\napi = "chat"',
    ),
    "responses": Told(
        event("response.created", '{"type":"response.created","response":{"id":"resp_1","model":"gpt-5.2","output":[]}}')
        + event(
            "response.output_item.added",
            '{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","content":[]}}',
        ),
        event(
            "response.output_text.delta",
            '{"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_1","output_index":0,"content_index":0,'
            '"delta":" and then the fix","logprobs":[],"obfuscation":"aB3dE"}',
        ),
        event(
            "response.completed",
            '{"type":"response.completed","response":{"id":"resp_1","model":"gpt-5.2","status":"completed","output":[],'
            '"usage":{"input_tokens":23095,"output_tokens":12}}}',
        )
        + LAST,
        "gpt-5.2",
        'provider = "openai"\napi = "responses"',
    ),
    "gemini": Told(
        event("", PART % ("", "", COUNTED)),
        event("", PART % (" and then the fix", "", COUNTED)),
        event("", PART % ("", ',"finishReason":"STOP"', COUNTED)) + LAST,
        "gemini-2.5-pro",
        'provider = "gemini"',
    ),
}


class Transport:
    """Takes every byte at once."""

    def write(self, data: bytes) -> None:
        pass

    writelines = write

    def abort(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


class Upstream:
    """In the pool's place: each request gets a connection of its own, and the head of an answer."""

    def __init__(self) -> None:
        self.connections: list[Any] = []
        self._lane: Lane | None = None

    async def request(self, target: Target, *message: Any, on_send: Callable[[], None]) -> Response:
        self._lane = self._lane or Lane(target)
        self._lane.places += 1
        connection = Connection(asyncio.get_running_loop(), self._lane, target)
        connection.connection_made(Transport())  # type: ignore[arg-type]
        on_send()
        lead, parts = serialise(target, *message)
        response = connection.send(target, b"POST", lead, parts, asyncio.get_running_loop().time() + 3600)
        connection.data_received(HEAD)
        response.waiter = None  # as the pool does
        self.connections.append(connection)
        return response

    async def close(self) -> None:
        pass


class Taken:
    """What the server's `send` gives when it has taken the message: nothing to wait for."""

    def __await__(self) -> "Taken":
        return self

    def __next__(self) -> None:
        raise StopIteration


TAKEN = Taken()



def send(message: Any) -> Taken:
    assert message.get("status", 200) == 200
    return TAKEN


class Streams:
    """`count` streams under way, and the worker that serves them."""

    def __init__(self, folder: Path, count: int, dialect: str = "anthropic") -> None:
        key = mint().text
        self._told = DIALECTS[dialect]
        self._body = BODY.replace(b"MODEL", self._told.model.encode())
        self._folder = folder
        config = folder / "gw.toml"
        config.write_text(CONFIG.format(folder=folder, key=key, upstream=self._told.upstream))
        (folder / "state").mkdir(mode=0o700)
        prepare_state(load(config), config)
        self._headers = [(b"content-length", b"%d" % len(self._body)), (b"x-api-key", key.encode())]
        self._count = count
        self._upstream = Upstream()
        self._calls: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        app: Any = App()
        app.worker = Worker(self._folder / "state")
        app.worker.pool = self._upstream
        scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"", "headers": self._headers}
        self._calls = [asyncio.create_task(app(scope, self._receive, send)) for _ in range(self._count)]
        while len(self._upstream.connections) < self._count:
            await asyncio.sleep(0)
        for connection in self._upstream.connections:
            connection.data_received(self._told.start)
        for _ in range(WARM_UP):
            await self.round()

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body, "more_body": True}

    async def round(self) -> None:
        """One event for each stream, and whatever that wakes."""
        for connection in self._upstream.connections:
            connection.data_received(self._told.delta)
        await asyncio.sleep(0)

    async def end(self) -> None:
        for connection in self._upstream.connections:
            connection.data_received(self._told.stop)
        await asyncio.gather(*self._calls)


async def measure(streams: Streams) -> None:
    await streams.begin()
    took_us = []
    for _ in range(ROUNDS):
        started_ns = clock.mono_ns()
        await streams.round()
        took_us.append((clock.mono_ns() - started_ns) / STREAMS / 1000)
    print(f"{min(took_us):.2f} us an event at best, {statistics.median(took_us):.2f} in the middle")
    await streams.end()


async def under_callgrind(streams: Streams, events: int) -> None:
    """In the child: counts only warm events."""
    await streams.begin()
    subprocess.run(["callgrind_control", "-i", "on", str(os.getpid())], check=True, stdout=subprocess.DEVNULL)
    for _ in range(events // COUNTED_STREAMS):
        await streams.round()
    os._exit(0)


def instructions(events: int, dialect: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        grind = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        itself = [sys.executable, "-m", "bench.micro.bench_relay", "--counted", str(events), "--from", dialect]
        subprocess.run([*grind, *itself], check=True)
        shown = subprocess.run(
            ["callgrind_annotate", "--inclusive=yes", "--show-percs=no", str(out)], check=True, capture_output=True, text=True
        ).stdout
    total = next(int(line.split()[0].replace(",", "")) for line in shown.splitlines() if "PROGRAM TOTALS" in line)
    print(shown)
    print(f"{total / events:,.0f} instructions an event")


def main() -> None:
    words = sys.argv[1:]
    dialect = "anthropic"
    if "--from" in words:
        at = words.index("--from")
        dialect = words[at + 1]
        del words[at : at + 2]
    events = int(words[1]) if len(words) > 1 else 20_000
    if words[:1] == ["--instructions"]:
        return instructions(events, dialect)
    counted = words[:1] == ["--counted"]
    with tempfile.TemporaryDirectory() as folder:
        streams = Streams(Path(folder), COUNTED_STREAMS if counted else STREAMS, dialect)
        uvloop.run(under_callgrind(streams, events) if counted else measure(streams))
    return None


if __name__ == "__main__":
    main()
