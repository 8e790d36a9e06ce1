"""`/api/ws`: the live tail as a WebSocket, for pages that change what they watch without a new connection.

It is opened by a browser's session from a page of this very origin, or with a token in the Authorization header; anybody else is
refused before it is accepted. The query of the address is the first subscription. The client may then send JSON texts:

    {"type": "subscribe", "query": "team=a&status.gte=400", "fields": "call_id,cost_usd", "after": 123}
    {"type": "pause"}    nothing is sent until    {"type": "resume"}    which goes on behind the last call

and is sent {"type": "subscribed"}, {"type": "calls", "items": [...]}, {"type": "lost", "count": n}, {"type": "heartbeat"},
{"type": "problem", ...} for what it said wrong, {"type": "end"} when this worker is to leave or an hour is over.
"""

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.datastructures import Headers

from gw import clock
from gw.control.auth import Guard
from gw.control.http_items import Desk
from gw.control.http_live import HEARTBEAT_S, LIFE_S, LOOK_S, Receive, Send, must_have_room, subscription
from gw.control.http_live_line import Line
from gw.control.http_logs import scope_of
from gw.control.problem import FieldError, Problem, all_invalid
from gw.control.session import Principal
from gw.ledger.log_filter import PARAMETERS
from gw.ops.state import Word

PATH = "/api/ws"
MESSAGE_CHARS_MAX = 65_536
KNOWN = frozenset({*PARAMETERS, "q", "since", "until", "fields", "after"})
REFUSED, GOING_AWAY = 1008, 1001  # of RFC 6455, section 7.4.1


async def socket(desk: Desk, guard: Guard, scope: Any, receive: Receive, send: Send) -> None:
    """Serves one scope of type websocket at PATH."""
    if (await receive())["type"] != "websocket.connect":
        return
    headers = Headers(raw=scope["headers"])
    try:
        if not same_origin(headers):
            raise Problem("virtual_key_refused", "Another site's page asks.")
        client = scope.get("client") or ("", 0)
        principal = guard.admit(headers, client[0], clock.mono_ns(), desk.host, keys=True, changes=False)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        tail = Tail(desk, principal, receive, send)
        tail.subscribe(query)
        must_have_room(desk)
    except Problem:
        await send({"type": "websocket.close", "code": REFUSED})  # before it is accepted: 403
        return
    with desk.watching():
        await send({"type": "websocket.accept"})
        await tail.run()


def same_origin(headers: Headers) -> bool:
    """A browser says which page asks; it must be one of this host. Programs do not say."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""


class Tail:
    """One accepted socket."""

    def __init__(self, desk: Desk, principal: Principal, receive: Receive, send: Send) -> None:
        self._desk = desk
        self._scope = scope_of(principal)
        self._receive = receive
        self._send = send
        self._line: Line | None = None
        self._old: list[Line] = []
        self._paused = False

    def subscribe(self, query: dict[str, str]) -> None:
        """From now on this. Raises Problem."""
        unknown = [FieldError("query", name[:80], "unknown parameter") for name in query if name not in KNOWN]
        if unknown:
            raise all_invalid(unknown)
        wanted = subscription("messages", query, query.get("after", ""), self._scope, clock.wall_us())
        if self._line is not None:
            self._old.append(self._line)
        self._line = Line(self._desk.host.state_dir, wanted)

    async def run(self) -> None:
        """Until the client leaves, the worker is to leave, or LIFE_S are over."""
        listening = asyncio.create_task(self._listen(), name="live-listen")
        ends_ns, quiet_ns = clock.mono_ns() + int(LIFE_S * 1e9), clock.mono_ns()
        words = self._desk.host.state.words
        await self._say({"type": "subscribed"})
        try:
            while not listening.done() and not words[Word.DRAINING] and clock.mono_ns() < ends_ns:
                await self._close_old()
                if self._paused or self._line is None:
                    await asyncio.wait([listening], timeout=LOOK_S / 10)
                    continue
                line = self._line
                frame = await line.next(LOOK_S)
                if frame is not None and line is self._line and not self._paused:
                    await self._send({"type": "websocket.send", "text": frame.payload.decode()})
                    quiet_ns = clock.mono_ns()
                elif clock.mono_ns() - quiet_ns > HEARTBEAT_S * 1e9:
                    await self._say({"type": "heartbeat"})
                    quiet_ns = clock.mono_ns()
            if not listening.done():
                await self._say({"type": "end"})
                await self._send({"type": "websocket.close", "code": GOING_AWAY})
        finally:
            listening.cancel()
            await asyncio.wait([listening])
            if self._line is not None:
                await self._line.close()
            await self._close_old()

    async def _close_old(self) -> None:
        while self._old:
            await self._old.pop().close()

    async def _listen(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                await self._heed(message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace"))
            except Problem as problem:
                await self._say({"type": "problem", "problem": problem.body(self._desk.host.call_id())})

    async def _heed(self, text: str) -> None:
        """Raises Problem."""
        try:
            said = orjson.loads(text) if len(text) <= MESSAGE_CHARS_MAX else None
        except orjson.JSONDecodeError:
            said = None
        said = said if isinstance(said, dict) else {}
        kind = said.get("type")
        if kind == "subscribe":
            self.subscribe(_query(said))
            self._paused = False
            await self._say({"type": "subscribed"})
        elif kind == "pause" and not self._paused:
            self._paused = True
            await self._pause()
        elif kind == "resume":
            self._paused = False
        elif kind != "pause":
            raise Problem("invalid_json", 'Send {"type": "subscribe"}, {"type": "pause"} or {"type": "resume"}.')

    async def _pause(self) -> None:
        """The keeper is not to hold what comes meanwhile: it is read from the ledger afterwards."""
        if self._line is not None:
            line, self._line = self._line, self._line.again()
            self._old.append(line)

    async def _say(self, message: dict[str, Any]) -> None:
        with suppress(OSError):
            await self._send({"type": "websocket.send", "text": orjson.dumps(message).decode()})


def _query(said: dict[str, Any]) -> dict[str, str]:
    """Raises Problem."""
    query, fields, after = said.get("query", ""), said.get("fields", ""), said.get("after")
    texts = isinstance(query, str) and isinstance(fields, str)
    if not texts or not (after is None or (isinstance(after, int) and not isinstance(after, bool))):
        raise Problem("invalid_json", "`query` and `fields` are texts, `after` is a number.")
    found = dict(parse_qsl(query, keep_blank_values=True))
    return {**found, **({"fields": fields} if fields else {}), **({"after": str(after)} if after is not None else {})}
