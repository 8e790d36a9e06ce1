"""Rooms 7 and 8: send the request upstream, relay the answer, watch the client.

A stream is relayed chunk by chunk as it arrives, with the tap beside it; a whole answer is read to its end first, so that
its cost can stand in a header. In both, the call is settled before the bytes that end the answer are handed to the client.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from gw import clock
from gw._fast import DONE, FIRST_TOKEN, Tap
from gw.domain.call import Outcome
from gw.domain.estimate import tokens_of
from gw.domain.money import usd_text
from gw.domain.usage import Reading
from gw.errors import Refusal
from gw.providers.anthropic import is_billed
from gw.settle import Call
from gw.upstream.errors import UpstreamError
from gw.upstream.response import Response
from gw.wire.anthropic import read_error, read_message
from gw.wire.headers import Headers, to_client
from gw.wire.refusals import PING, error_event
from gw.worker import Worker

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

WHOLE_MAX = 64 * 1024 * 1024  # a whole answer larger than this is relayed unread
DECODED_MAX = 64 * 1024 * 1024
DECODED_STEP = 1024 * 1024


async def forward(worker: Worker, call: Call, method: bytes, path: bytes, head: bytes, body: bytes, receive: Receive, send: Send) -> None:
    """One attempt on the call's deployment. Raises Refusal or UpstreamError only while nothing has gone to the client."""
    deployment, peek = call.deployment, call.peek
    assert deployment is not None
    if call.endpoint == "messages" and peek is not None:
        call.slot, memory = worker.block.take_slot(call.call_id.encode())
        call.tap = Tap(peek.ttl, memory)
        worker.open(call)
    watch = Watch(worker, call, receive)
    call.sent = True
    response: Response | None = None
    try:
        response = await worker.pool.request(deployment.target, method, path, head, body)
        call.first_byte_us = clock.wall_us()
        call.upstream_status = response.status
        call.retries = response.retries
        call.billed = is_billed(response.status, call.endpoint)
        headers, call.upstream_request_id, _ = to_client(response.headers, call.call_id.encode(), own_account=call.own_credential)
        if _named(response.headers, b"content-type").startswith(b"text/event-stream") and call.tap is not None:
            await Stream(worker, call, response, call.tap, send).relay(headers)
        else:
            await _whole(worker, call, response, headers, send)
    finally:
        watch.close()
        if response is not None and not response.complete:
            response.abort()


class Watch:
    """Keeps one `receive()` open beside the exchange: only it sees the client leave."""

    __slots__ = ("_call", "_future", "_receive", "_task", "_timer", "_worker")

    def __init__(self, worker: Worker, call: Call, receive: Receive) -> None:
        self._worker = worker
        self._call = call
        self._receive = receive
        self._task = worker.running[call]
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    def _arm(self) -> None:
        future: Any = self._receive()
        if not hasattr(future, "add_done_callback"):
            future = asyncio.ensure_future(future)
        self._future = future
        future.add_done_callback(self._seen)

    def _seen(self, future: Any) -> None:
        if future.cancelled():
            return
        if future.result()["type"] == "http.request":
            self._arm()
            return
        call = self._call
        call.client_gone = True
        server = call.snapshot.config.server
        if server.on_client_gone == "drain" and call.endpoint == "messages":
            self._timer = asyncio.get_running_loop().call_later(server.drain_client_gone_s, self._task.cancel)
        else:
            self._task.cancel()

    def close(self) -> None:
        self._future.remove_done_callback(self._seen)
        self._future.cancel()
        if self._timer is not None:
            self._timer.cancel()


async def _whole(worker: Worker, call: Call, response: Response, headers: Headers, send: Send) -> None:
    """Reads the answer to its end, settles, sends it with its cost."""
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := await response.read():
            parts.append(chunk)
            size += len(chunk)
            if size > WHOLE_MAX:
                return await _unread(worker, call, response, headers, parts, send)
    except UpstreamError:
        call.reading = Reading(text_bytes=size)
        raise
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    outcome, error = _judge(call, response, body)
    call.status = response.status
    call.response_bytes = len(body)
    if call.endpoint == "models" and outcome == "completed" and call.account.models != ("*",):
        body = _allowed_models(call, body)
    worker.settle(call, outcome, error)
    if call.client_gone:
        return
    if call.endpoint == "messages" and call.record is not None and call.record.usage_source != "none":
        headers.append((b"x-gw-cost-usd", usd_text(call.record.billed_pusd).encode()))
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _judge(call: Call, response: Response, body: bytes) -> tuple[Outcome, str]:
    """Reads usage or error from a whole answer. Raises Refusal if the upstream refused gw's own credential."""
    status = response.status
    plain = decoded(body, _named(response.headers, b"content-encoding"))
    if status >= 400:
        kind, message = read_error(plain if plain is not None else b"")
        if status in (401, 403) and not call.own_credential:
            name = call.deployment.name if call.deployment is not None else ""
            raise Refusal(
                "upstream_credential_refused",
                f'The upstream "{name}" refused the gateway\'s credential ({status} {kind}: {message[:300]}). Tell your gateway administrator.',
            )
        return "upstream_error", f"upstream_{kind or status}"
    if call.endpoint != "messages":
        return "completed", ""
    call.first_token_us = call.first_byte_us
    ttl = call.peek.ttl if call.peek is not None else 0
    call.reading = read_message(plain, ttl) if plain is not None else Reading(garbled=True)
    if call.reading.started:
        return "completed", ""
    if b"json" not in _named(response.headers, b"content-type"):
        call.billed = False  # a page of some proxy, not an answer of the provider
    return "upstream_error", "upstream_garbled"


async def _unread(worker: Worker, call: Call, response: Response, headers: Headers, parts: list[bytes], send: Send) -> None:
    """An answer beyond any sense: relayed, billed by estimate, marked."""
    call.status = response.status
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    chunk = b"".join(parts)
    while chunk:
        call.response_bytes += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await response.read()
    call.reading = Reading(text_bytes=call.response_bytes, garbled=True)
    worker.settle(call, "completed", "")
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _allowed_models(call: Call, body: bytes) -> bytes:
    """The upstream's list, cut to what this key may use."""
    import orjson  # noqa: PLC0415

    try:
        listed = orjson.loads(body)
        listed["data"] = [one for one in listed["data"] if call.account.may_use_model(one["id"])]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body
    return orjson.dumps(listed)


def decoded(body: bytes, encoding: bytes) -> bytes | None:
    """The readable form of an answer that came encoded all the same; None if it cannot be read."""
    if encoding in (b"", b"identity"):
        return body
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        return None
    decoder = zlib.decompressobj(47)
    try:
        plain = decoder.decompress(body, DECODED_MAX)
    except zlib.error:
        return None
    return plain if decoder.eof else None


def _named(headers: Headers, name: bytes) -> bytes:
    for key, value in headers:
        if key == name:
            return value.strip().lower()
    return b""


class Stream:
    """Relays one event stream: bytes through, tap beside, pings into silence, one settlement."""

    __slots__ = ("_call", "_feed", "_gone_text_bytes", "_opaque", "_response", "_send", "_tap", "_worker")

    def __init__(self, worker: Worker, call: Call, response: Response, tap: Tap, send: Send) -> None:
        self._worker = worker
        self._call = call
        self._response = response
        self._tap = tap
        self._send = send
        self._gone_text_bytes = -1
        encoding = _named(response.headers, b"content-encoding")
        self._opaque = encoding not in (b"", b"identity")
        self._feed: Callable[[bytes], int] = tap.feed if not self._opaque else partial(_feed_decoded, tap, _decoder(encoding))

    async def relay(self, headers: Headers) -> None:
        call, response, send = self._call, self._response, self._send
        ping_s = call.snapshot.config.server.ping_interval_s
        call.status = response.status
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        try:
            while True:
                chunk = await response.read(ping_s)
                if chunk:
                    await self._pass_on(chunk)
                elif chunk is None:
                    await self._ping()
                else:
                    break
                if call.client_gone and self._enough():
                    return
        except UpstreamError as error:
            return await self._broken(error)
        except asyncio.CancelledError:
            if call.stopping and not call.client_gone:
                await self._end_with("stopped", "draining", "overloaded_error", "This gateway is restarting. Try again.")
                return
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

    def _outcome(self) -> tuple[Outcome, str]:
        call = self._call
        reading = call.read()
        if call.client_gone:
            return "client_gone", ""
        if reading.error_type:
            return "upstream_error", f"upstream_{reading.error_type}"
        if call.upstream_status >= 400:
            return "upstream_error", f"upstream_{call.upstream_status}"
        if reading.finished or reading.final_usage:
            return "completed", ""
        return "upstream_error", "upstream_truncated"

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
        self._worker.settle(call, "client_gone" if call.client_gone else outcome, slug)
        if call.client_gone:
            return
        event = b"" if ended or self._opaque else error_event(error_type, message, at_boundary=self._tap.at_boundary)
        await self._send({"type": "http.response.body", "body": event, "more_body": False})


def _decoder(encoding: bytes) -> Any:
    return zlib.decompressobj(47) if encoding in (b"gzip", b"x-gzip", b"deflate") else None


def _feed_decoded(tap: Tap, decoder: Any, chunk: bytes) -> int:
    """Feeds the tap what a compressed chunk holds, in bounded steps; garbage marks the row through the tap."""
    if decoder is None:
        return 0
    seen = 0
    try:
        piece = decoder.decompress(chunk, DECODED_STEP)
        while piece:
            seen |= tap.feed(piece)
            piece = decoder.decompress(decoder.unconsumed_tail, DECODED_STEP) if decoder.unconsumed_tail else b""
    except zlib.error:
        return seen
    return seen
