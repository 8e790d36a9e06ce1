"""An event stream: bytes through as they arrive, the tap beside them, pings into silence, one settlement."""

import asyncio
import zlib
from collections.abc import Callable
from contextlib import suppress

from gw import clock
from gw._fast import DONE, FIRST_TOKEN, Tap
from gw.admit.hold import Hold
from gw.domain.call import Outcome
from gw.domain.estimate import tokens_of
from gw.domain.usage import Reading
from gw.ending import Ending
from gw.settle import Call
from gw.upstream.errors import UpstreamError
from gw.upstream.response import Response
from gw.wire.anthropic import error_slug
from gw.wire.asgi import Send
from gw.wire.headers import Answer
from gw.wire.refusals import PING, error_event
from gw.worker import Worker

DECODED_STEP = 1024 * 1024
ANY_WINDOW = 47  # gzip or zlib, whichever it is


class Stream:
    """Relays one event stream: bytes through, tap beside, pings into silence, one settlement."""

    __slots__ = (
        "_call",
        "_decoded",
        "_ending",
        "_feed",
        "_gone_text_bytes",
        "_opaque",
        "_response",
        "_send",
        "_tap",
        "_worker",
    )

    def __init__(self, worker: Worker, call: Call, response: Response, tap: Tap, send: Send) -> None:
        self._worker = worker
        self._call = call
        self._response = response
        self._tap = tap
        self._send = send
        self._gone_text_bytes = -1
        self._opaque = False
        self._ending: Ending | None = None  # a budget has refused more: the stream ends as soon as it can be ended well
        self._decoded: Decoded | None = None
        self._feed: Callable[[bytes], int] = tap.feed

    async def relay(self, answer: Answer) -> None:
        if answer.encoding:
            self._opaque = True
            self._decoded = Decoded(self._tap, answer.encoding)
            self._feed = self._decoded.feed
        call, response, send = self._call, self._response, self._send
        ping_s = call.snapshot.config.server.ping_interval_s
        try:
            if not call.client_gone:
                call.status = response.status
                await send({"type": "http.response.start", "status": response.status, "headers": answer.headers})
            while True:
                chunk = await response.read(ping_s)
                if chunk and self._ending is not None and not self._opaque:
                    chunk = self._ending.whole(chunk)
                    if not chunk:
                        continue
                if chunk:
                    await self._pass_on(chunk)
                elif chunk is None:
                    await self._ping()
                else:
                    break
                if call.client_gone and self._enough():
                    return
                if call.hold is not None and chunk and await self._spent(call.hold, chunk):
                    return await self._end_spent()
            if self._ending is not None and self._ending.rest:
                await self._pass_on(self._ending.rest)
        except UpstreamError as error:
            return await self._broken(error)
        except asyncio.CancelledError:
            if call.stopping and not call.client_gone:
                await self._end_with("stopped", "draining", "overloaded_error", "This gateway is restarting. Try again.")
                return
            self._hear()
            raise
        self._worker.settle(call, *self._outcome())
        if not call.client_gone:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, chunk: bytes) -> None:
        call = self._call
        seen = self._feed(chunk)
        call.response_bytes += len(chunk)
        if seen:
            if seen & FIRST_TOKEN and not call.first_token_us:
                call.first_token_us = clock.wall_us()
            if seen & DONE:
                self._worker.settle(call, *self._outcome())
        if not call.client_gone:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _ping(self) -> None:
        """Only between events, and only into a stream whose bytes are text."""
        if self._tap.at_boundary and not self._opaque and not self._call.client_gone:
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})

    async def _spent(self, hold: Hold, chunk: bytes) -> bool:
        """Notes what the stream has cost. True: its budget has no more for it, and this is a good place to end it."""
        call, tap = self._call, self._tap
        if call.record is not None:
            return False
        if self._ending is None:
            if tap.text_bytes < hold.look_at:
                return False
            blocked = await self._worker.governor.more(call, hold)
            if blocked is None:
                return False
            self._ending = Ending(blocked, tap.text_bytes)
        return self._ending.now(tap, chunk, opaque=self._opaque)

    async def _end_spent(self) -> None:
        """The finished block, then the error: Claude Code ends the turn at it and sends nothing again (measured)."""
        call, ending = self._call, self._ending
        assert ending is not None
        call.budget = ending.blocked.rule
        self._hear()
        self._admit_unreadable()
        self._worker.settle(call, "client_gone" if call.client_gone else "stopped", "budget_exceeded")
        if call.client_gone:
            return
        event = b"" if self._opaque else ending.closing + self._worker.governor.stop_event(call, ending.blocked)
        await self._send({"type": "http.response.body", "body": event, "more_body": False})

    def _hear(self) -> None:
        """What has come already and will not be passed on was generated, and is charged."""
        with suppress(UpstreamError):
            while chunk := self._response.read_nowait():
                self._feed(chunk)

    def _outcome(self) -> tuple[Outcome, str]:
        call = self._call
        self._admit_unreadable()
        reading = call.read()
        if call.client_gone:
            return "client_gone", ""
        if self._unreadable:
            return "upstream_error", "upstream_garbled"
        if reading.error_type:
            return "upstream_error", error_slug(reading.error_type, "error_event")
        if reading.finished or reading.final_usage:
            return "completed", ""
        return "upstream_error", "upstream_truncated"

    @property
    def _unreadable(self) -> bool:
        return self._decoded is not None and self._decoded.failed

    def _admit_unreadable(self) -> None:
        """What was relayed could not be read: billed by its size, and marked."""
        if self._unreadable:
            self._call.reading = Reading(text_bytes=self._call.response_bytes, garbled=True)

    def _enough(self) -> bool:
        """The client has left and the upstream is read on for the exact bill: up to a bound in tokens."""
        call, seen = self._call, self._tap.text_bytes
        if self._gone_text_bytes < 0:
            self._gone_text_bytes = seen
        model = call.peek.model or "" if call.peek is not None else ""
        return tokens_of(seen - self._gone_text_bytes, model) > call.snapshot.config.server.drain_client_gone_tokens

    async def _broken(self, error: UpstreamError) -> None:
        slug = "upstream_" + {"closed": "reset"}.get(error.kind, error.kind)
        outcome: Outcome = "timed_out" if error.kind.endswith("timeout") else "upstream_error"
        await self._end_with(outcome, slug, "api_error", f"The upstream failed in the middle of its answer: {error.detail}.")

    async def _end_with(self, outcome: Outcome, slug: str, error_type: str, message: str) -> None:
        """Ends the client's stream with an error event and a clean end of the body: a reset would cost it what it has."""
        call = self._call
        ended = call.record is not None  # message_stop has gone out: nothing more to say
        self._admit_unreadable()
        self._worker.settle(call, "client_gone" if call.client_gone else outcome, slug)
        if call.client_gone:
            return
        event = b"" if ended or self._opaque else error_event(error_type, message, at_boundary=self._tap.at_boundary)
        await self._send({"type": "http.response.body", "body": event, "more_body": False})


class Decoded:
    """Feeds the tap what a compressed stream holds, in bounded steps. `failed`: it cannot be read, or not any more."""

    def __init__(self, tap: Tap, encoding: bytes) -> None:
        self._tap = tap
        self.failed = encoding not in (b"gzip", b"x-gzip", b"deflate")
        self._decoder = zlib.decompressobj(ANY_WINDOW)

    def feed(self, chunk: bytes) -> int:
        seen = 0
        try:
            while chunk and not self.failed:
                if self._decoder.eof:  # another member of a gzip stream
                    self._decoder = zlib.decompressobj(ANY_WINDOW)
                seen |= self._tap.feed(self._decoder.decompress(chunk, DECODED_STEP))
                chunk = self._decoder.unconsumed_tail or self._decoder.unused_data
        except zlib.error:
            self.failed = True
        return seen
