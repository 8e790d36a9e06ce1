"""An event stream: bytes through as they arrive, the tap beside them, pings into silence, one settlement.

Most of a stream's life is one small event after the other, and nothing to decide. To wake a task for each would cost more
than all the rest, so an event is passed on where it arrives, by `take`, within the connection's call. The task waits
meanwhile, and is woken for what takes time or has to be decided: a client that does not keep up, a budget to be looked at,
silence, the end.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from gw import clock
from gw._fast import DONE, FIRST_TOKEN, Tap
from gw.admit.hold import Hold
from gw.domain.call import Outcome
from gw.domain.estimate import tokens_of
from gw.domain.usage import Reading
from gw.ending import Ending
from gw.settle import Call
from gw.translate.form import Failure
from gw.translation import Interpreter
from gw.upstream.errors import UpstreamError
from gw.upstream.response import Response
from gw.wire.anthropic import error_slug
from gw.wire.asgi import Send
from gw.wire.headers import Answer
from gw.wire.refusals import PING, error_event
from gw.worker import Worker

DECODED_STEP = 1024 * 1024
ANY_WINDOW = 47  # gzip or zlib, whichever it is
NEVER_BYTES = 1 << 60
OVER = object()


class Stream:
    """Relays one event stream: bytes through, tap beside, pings into silence, one settlement."""

    __slots__ = (
        "_at_once",
        "_between",
        "_call",
        "_decoded",
        "_ending",
        "_feed",
        "_gone_text_bytes",
        "_last",
        "_look_at",
        "_opaque",
        "_response",
        "_send",
        "_sending",
        "_tap",
        "_worker",
    )

    def __init__(  # noqa: PLR0917 - compiled, it is a C struct
        self, worker: Worker, call: Call, response: Response, tap: Tap, send: Send, between: Interpreter | None = None
    ) -> None:
        """`between`: where client and upstream do not both speak Anthropic's dialect."""
        self._worker = worker
        self._call = call
        self._response = response
        self._tap = tap
        self._send = send
        self._gone_text_bytes = -1
        self._opaque = False
        self._at_once = False  # whether it can be seen from what `send` gives that the server has taken a message
        self._sending: Awaitable[None] | None = None  # of the last message: the server has not taken it yet
        self._last = b""  # the last chunk that was passed on, until its cost has been looked at
        self._look_at = 0 if call.hold is not None else NEVER_BYTES  # as the hold's
        self._ending: Ending | None = None  # a budget has refused more: the stream ends as soon as it can be ended well
        self._decoded: Decoded | None = None
        self._feed: Callable[[bytes], int] = tap.feed
        self._between = between

    async def relay(self, answer: Answer) -> None:
        if answer.encoding and self._between is None:
            self._opaque = True
            self._decoded = Decoded(self._tap, answer.encoding)
            self._feed = self._decoded.feed
        call, response = self._call, self._response
        if call.account.stores_content:
            encoding = answer.encoding if self._between is None else b""
            self._feed = self._worker.content.beside(call.call_id, self._feed, encoding)
        try:
            if not call.client_gone:
                call.status = response.status
                begun = self._send({"type": "http.response.start", "status": response.status, "headers": answer.headers})
                self._at_once = tells_at_once(begun)
                await begun
            if self._at_once:
                response.taker = self.take
            if not await self._pump():
                return
        except UpstreamError as error:
            return await self._broken(error)
        except asyncio.CancelledError:
            if call.stopping and not call.client_gone:
                await self._end_with("stopped", "draining", "overloaded_error", "This gateway is restarting. Try again.")
                return
            self._hear()
            raise
        finally:
            response.taker = None
        self._worker.settle(call, *self._outcome())
        if not call.client_gone:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self) -> bool:
        """Until the upstream's end. False: the stream has been ended before."""
        call, response = self._call, self._response
        ping_s = call.snapshot.config.server.ping_interval_s
        while True:
            sending, self._sending = self._sending, None
            if sending is not None:
                await sending
            if call.client_gone and self._enough():
                return False
            if self._last and call.hold is not None and await self._spent(call.hold, self._last):
                await self._end_spent()
                return False
            self._last = b""
            chunk = response.read_nowait()
            if chunk is None:
                if not await response.wait(ping_s):
                    await self._ping()
                continue
            if not chunk:
                break
            if self._ending is not None and not self._opaque and self._between is None:
                chunk = self._ending.whole(chunk)
                if not chunk:
                    continue
            self._sending = self._pass_on(chunk)
        if self._ending is not None and self._ending.rest:
            sending = self._pass_on(self._ending.rest)
            if sending is not None:
                await sending
        if self._between is not None:
            chunk, story = self._between.close()
            sending = self._told(chunk, story)
            if sending is not None:
                await sending
        return True

    def take(self) -> bool:
        """Passes on what has come while the task waits. False: the task is needed."""
        if self._ending is not None or self._call.client_gone:
            return False
        chunk = self._response.read_nowait()
        if chunk:
            self._sending = self._pass_on(chunk)
        return self._sending is None and self._tap.text_bytes < self._look_at

    def _pass_on(self, chunk: bytes) -> Awaitable[None] | None:
        """To the tap, then to the client. What it gives is to be awaited before the next."""
        if self._between is not None:
            told, story = self._between.hear(chunk)
            return self._told(told, story)
        return self._told(chunk, chunk)

    def _told(self, chunk: bytes, story: bytes) -> Awaitable[None] | None:
        """`story`: what the tap hears of the chunk."""
        call = self._call
        seen = self._feed(story)
        call.response_bytes += len(chunk)
        self._last = story
        if seen:
            if seen & FIRST_TOKEN and not call.first_token_us:
                call.first_token_us = clock.wall_us()
            if seen & DONE:
                self._worker.settle(call, *self._outcome())
        if call.client_gone or not chunk:
            return None
        sending: Any = self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        return None if self._at_once and next(sending, OVER) is OVER else sending

    async def _ping(self) -> None:
        """Only between events, and only into a stream whose bytes are text."""
        if self._tap.at_boundary and not self._opaque and not self._call.client_gone:
            ping = PING if self._between is None else self._between.ping()
            if ping:
                await self._send({"type": "http.response.body", "body": ping, "more_body": True})

    async def _spent(self, hold: Hold, chunk: bytes) -> bool:
        """Notes what the stream has cost. True: its budget has no more for it, and this is a good place to end it."""
        call, tap = self._call, self._tap
        if call.record is not None:
            return False
        if self._ending is None:
            if tap.text_bytes < hold.look_at:
                return False
            blocked = await self._worker.governor.more(call, hold)
            self._look_at = hold.look_at
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
        if self._between is not None:
            event = self._between.fail(Failure("billing_error", self._worker.governor.stop_text(call, ending.blocked), 429))
        else:
            event = b"" if self._opaque else ending.closing + self._worker.governor.stop_event(call, ending.blocked)
        await self._send({"type": "http.response.body", "body": event, "more_body": False})

    def _hear(self) -> None:
        """What has come already and will not be passed on was generated, and is charged."""
        with suppress(UpstreamError):
            while chunk := self._response.read_nowait():
                self._feed(chunk if self._between is None else self._between.hear(chunk)[1])

    def _outcome(self) -> tuple[Outcome, str]:
        call = self._call
        self._admit_unreadable()
        if self._between is not None:
            call.served_model, call.charge_pusd = self._between.served_model, self._between.charge_pusd
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
        if self._between is not None and self._between.garbled:
            return not self._tap.found().started  # else what was understood before is billed
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
        if ended:
            event = b""
        elif self._between is not None:
            event = self._between.fail(Failure(error_type, message))
        else:
            event = b"" if self._opaque else error_event(error_type, message, at_boundary=self._tap.at_boundary)
        await self._send({"type": "http.response.body", "body": event, "more_body": False})


def tells_at_once(begun: Any) -> bool:
    """Whether what `send` gives may be asked, without a task, if there is anything to wait for. Granian's awaitables may: they
    are their own iterators, and stand where they stood. A coroutine or a generator would run."""
    return hasattr(begun, "__next__") and not hasattr(begun, "send")


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
