"""Live tails in a worker: it asks the keeper for what a watcher wants, and hands on the bytes that come, as they come.

On the worker's own loop, and with as little work as that: a batch of calls is one read and one send, some ten times a second. A
watcher stays for LIFE_S at most, so that whoever may no longer watch is asked again who it is; a worker that is to leave ends its
watchers first. `Line` is the connection to the keeper, which outlives a keeper that is replaced.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gw import clock
from gw.control.host import Host
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_logs import filter_of, scope_of
from gw.control.problem import FieldError, Problem, all_invalid
from gw.ledger.log_filter import PARAMETERS, LogScope
from gw.ledger.log_shown import fields_of
from gw.live.framing import HEAD, LENGTH, SOCKET_FILE, Style, Subscription, subscription_frame
from gw.ops.state import Word

EVENTS = "text/event-stream"
WATCHERS_MAX = 32  # of one worker
FRAME_BYTES = 1 << 20  # a batch is read at once up to this
HEARTBEAT_S = 15.0
LOOK_S = 1.0  # how often a watcher's task sees that the worker is to leave
LIFE_S = 3600.0
RETRY_MS = 2_000  # a browser comes again after that
AGAIN_S = 0.5  # after which the keeper is asked again where it does not answer
SEQ_MAX = 2**63 - 1
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Frame(Struct, frozen=True):
    seq: int
    payload: bytes


class Line:
    """A subscription, wherever the keeper is. Close it."""

    def __init__(self, state_dir: Path, wanted: Subscription) -> None:
        self._path = state_dir / SOCKET_FILE
        self._wanted = wanted
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._frame: asyncio.Task[Frame] | None = None

    async def next(self, seconds: float) -> Frame | None:
        """None: nothing came for so long, or the keeper is not there just now."""
        if self._reader is None and not await self._open():
            await asyncio.sleep(min(AGAIN_S, seconds))
            return None
        assert self._reader is not None
        if self._frame is None:
            self._frame = asyncio.create_task(_read(self._reader), name="live-frame")
        done, _ = await asyncio.wait([self._frame], timeout=seconds)
        if not done:
            return None
        task, self._frame = self._frame, None
        try:
            frame = task.result()
        except (OSError, EOFError):
            self._drop()
            return None
        self._wanted = replace(self._wanted, after=max(frame.seq, self._wanted.after))
        return frame

    @property
    def after(self) -> int:
        """The number of the last call that was told of; -1: none yet."""
        return self._wanted.after

    def again(self) -> "Line":
        """One that goes on behind the last call."""
        return Line(self._path.parent, self._wanted)

    async def close(self) -> None:
        if self._frame is not None:
            self._frame.cancel()
            await asyncio.wait([self._frame])
            self._frame = None
        self._drop()

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _open(self) -> bool:
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(self._path, limit=FRAME_BYTES)
        except OSError:
            return False
        self._writer.write(subscription_frame(self._wanted))
        return True


async def _read(reader: asyncio.StreamReader) -> Frame:
    head = await reader.readexactly(HEAD.size)
    size, seq = HEAD.unpack(head)
    return Frame(seq, await reader.readexactly(size + LENGTH.size - HEAD.size))


def live(desk: Desk, ask: Ask) -> Answer:
    """GET /api/live. What is wrong with the request is said before the stream begins."""
    must_have_room(desk)
    after = ask.last_event_id or ask.query.get("after", "")
    wanted = subscription("events", ask.query, after, scope_of(ask.principal), ask.now_us)

    async def stream(head: dict[str, str], receive: Receive, send: Send) -> None:
        await _events(desk, wanted, head, receive, send)

    return Answer(200, b"", EVENTS, {**NO_STORE, "x-accel-buffering": "no"}, stream)


def must_have_room(desk: Desk) -> None:
    """Raises Problem."""
    if desk.watchers >= WATCHERS_MAX:
        raise Problem("busy", f"This worker has {WATCHERS_MAX} watchers already.")


def subscription(style: Style, query: dict[str, str], after: str, scope: LogScope, now_us: int) -> Subscription:
    """Raises Problem with all that is wrong."""
    errors: list[FieldError] = []
    names, unknown = fields_of(query.get("fields", ""))
    errors += [FieldError("query", "fields", f'there is no column "{name[:80]}"') for name in unknown]
    if after and not (after.isascii() and after.isdecimal() and len(after) < 20 and int(after) <= SEQ_MAX):
        errors.append(FieldError("query", "after", "must be the seq of a call"))
        after = ""
    filter_of(query, now_us, errors)
    if errors:
        raise all_invalid(errors)
    filters = {name: text for name, text in query.items() if name in PARAMETERS or name in ("q", "since", "until")}
    return Subscription(
        style=style,
        query=filters,
        fields=tuple(names),
        scope=(scope.kind, scope.name, scope.id),
        now_us=now_us,
        after=int(after) if after else -1,
    )


async def _events(desk: Desk, wanted: Subscription, head: dict[str, str], receive: Receive, send: Send) -> None:
    """Until the client leaves, the worker is to leave, or LIFE_S are over."""
    with desk.watching():
        headers = [(name.encode(), value.encode("latin-1")) for name, value in head.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _body(send, b"retry: %d\n: live\n\n" % RETRY_MS)
        gone = asyncio.create_task(_left(receive), name="live-left")
        line = Line(desk.host.state_dir, wanted)
        try:
            await _pump(desk.host, line, gone, lambda payload: _body(send, payload), b": still here\n\n")
        finally:
            gone.cancel()
            await line.close()
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pump(
    host: Host, line: Line, gone: asyncio.Task[None], hand_on: Callable[[bytes], Awaitable[None]], heartbeat: bytes
) -> None:
    ends_ns = clock.mono_ns() + int(LIFE_S * 1e9)
    quiet_ns = clock.mono_ns()
    while not gone.done() and not host.state.words[Word.DRAINING] and clock.mono_ns() < ends_ns:
        frame = await line.next(LOOK_S)
        now_ns = clock.mono_ns()
        if frame is not None:
            await hand_on(frame.payload)
            quiet_ns = now_ns
        elif now_ns - quiet_ns > HEARTBEAT_S * 1e9:
            await hand_on(heartbeat)
            quiet_ns = now_ns


async def _body(send: Send, payload: bytes) -> None:
    await send({"type": "http.response.body", "body": payload, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
