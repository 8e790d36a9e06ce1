"""An upstream that sends any bytes and keeps every byte it was sent, in a thread of its own, for a gateway in other processes.

A request names its script in the header `x-test-id`; without a script it gets a good whole answer.
"""

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from gw.demo.answers import event
from tests.upstream.server import Peer, Upstream, chunk

MODEL = "claude-opus-5-5"
USAGE = {"input_tokens": 10, "output_tokens": 5}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "usage": USAGE,
}
WHOLE_BODY = json.dumps(MESSAGE).encode()
JSON_TYPE = b"Content-Type: application/json\r\n"
SSE_TYPE = b"Content-Type: text/event-stream\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + JSON_TYPE + b"Content-Length: %d\r\n\r\n" % len(WHOLE_BODY) + WHOLE_BODY
EVENTS = (
    event("message_start", {"type": "message_start", "message": MESSAGE | {"content": [], "usage": {"input_tokens": 10}}}),
    event("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}),
    event("content_block_stop", {"type": "content_block_stop", "index": 0}),
    event("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE}),
    event("message_stop", {"type": "message_stop"}),
)
STREAM_HEAD = OK + SSE_TYPE + b"Transfer-Encoding: chunked\r\n\r\n"
STREAM = STREAM_HEAD + b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)(?=\r\n)", re.I)
_TEST_ID = re.compile(rb"\r\nx-test-id: ([^\r\n]*)\r\n", re.I)

Script = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True)
class Got:
    """One request as it came, on the connection of this number."""

    connection: int
    head: bytes
    body: bytes


class RawUpstream:
    """A context manager. `requests`: by test id; `strays`: bytes that were no whole request."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.requests: dict[str, list[Got]] = {}
        self.strays: list[bytes] = []
        self.early: set[str] = set()  # test ids whose scripts begin at the head of the request, and end its connection
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._upstream = Upstream(self._serve)

    @property
    def base_url(self) -> str:
        return self._upstream.url

    @property
    def port(self) -> int:
        return self._upstream.port

    @property
    def open(self) -> int:
        """Connections that gw has not closed."""
        return len(self._upstream.open)

    def answer(self, name: str, *pieces: bytes, end: str = "") -> None:
        """The script of a test id: these bytes, each piece on its own, then `end`, `reset`, `half_close` or nothing."""

        async def script(peer: Peer) -> None:
            await peer.send_slowly(list(pieces))
            if end:
                getattr(peer, end)()

        self.scripts[name] = script

    async def _serve(self, peer: Peer) -> None:
        while True:
            try:
                head = await peer.head()
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    self.strays.append(end.partial)
                return
            except asyncio.LimitOverrunError:
                return peer.end()  # a head beyond all measure
            found = _TEST_ID.search(head)
            name = found[1].decode("latin-1") if found else ""
            body = b""
            if name not in self.early:
                length = _LENGTH.findall(head)
                assert len(length) <= 1 and b"transfer-encoding" not in head.lower(), head
                body = await peer.reader.readexactly(int(length[0]) if length else 0)
            self.requests.setdefault(name, []).append(Got(peer.number, head, body))
            script = self.scripts.get(name)
            if script is not None:
                await script(peer)
            else:
                await peer.send(STREAM if b'"stream":true' in body.replace(b" ", b"") else WHOLE)
            if name in self.early:  # what follows is the rest of its body
                return

    def _call(self, coroutine: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        future.result(10)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._upstream.listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._call(self._upstream.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
