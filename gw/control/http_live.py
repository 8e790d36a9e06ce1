"""Live tails in a worker: it asks the keeper for what a watcher wants, and hands on the bytes that come, as they come.

On the worker's own loop, and with as little work as that: a batch of calls is one read and one send, some ten times a second. A
watcher stays for LIFE_S at most, so that whoever may no longer watch is asked again who it is; a worker that is to leave ends its
watchers first.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from gw import clock
from gw.control.host import Host
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_live_line import Line, Source
from gw.control.http_logs import filter_of, scope_of
from gw.control.problem import FieldError, Problem, all_invalid
from gw.ledger.log_filter import PARAMETERS, LogScope
from gw.ledger.log_shown import fields_of
from gw.live.framing import Style, Subscription
from gw.ops.state import Word

EVENTS = "text/event-stream"
WATCHERS_MAX = 32  # of one worker
HEARTBEAT_S = 15.0
LOOK_S = 1.0  # how often a watcher's task sees that the worker is to leave
LIFE_S = 3600.0
RETRY_MS = 2_000  # a browser comes again after that
SEQ_MAX = 2**63 - 1
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


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
        try:
            async with _source(desk, wanted) as source:
                await _pump(desk.host, source, gone, lambda payload: _body(send, payload), b": still here\n\n")
        finally:
            gone.cancel()
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def _source(desk: Desk, wanted: Subscription) -> AsyncIterator[Source]:
    """A line of its own for who goes on behind a call that it has seen; else one that all share who want the same."""
    if wanted.after < 0:
        async with desk.trunks.ride(desk.host.state_dir, wanted) as rider:
            yield rider
        return
    line = Line(desk.host.state_dir, wanted)
    try:
        yield line
    finally:
        await line.close()


async def _pump(
    host: Host, source: Source, gone: asyncio.Task[None], hand_on: Callable[[bytes], Awaitable[None]], heartbeat: bytes
) -> None:
    ends_ns = clock.mono_ns() + int(LIFE_S * 1e9)
    quiet_ns = clock.mono_ns()
    while not gone.done() and not host.state.words[Word.DRAINING] and clock.mono_ns() < ends_ns:
        frame = await source.next(LOOK_S)
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
