"""Rooms 7 and 8: send the request upstream, relay the answer (`relay`: a stream, `answer`: a whole one), watch the client.

In both the call is settled before the bytes that end the answer are handed to the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gw._fast import Answer, Tap
from gw.answer import Whole, read_whole, relay_whole, tell
from gw.beginning import failure_at_first, failure_instead, is_answer
from gw.clock import wall_us
from gw.errors import Refusal
from gw.naming import Named
from gw.ops.metrics import RECORD, RELAY, timing_text
from gw.relay import Stream
from gw.settle import Call
from gw.speech import Speech
from gw.upstream.response import Response
from gw.wire.asgi import Receive, Send
from gw.wire.headers import TIMING, attempts_line, to_client
from gw.worker import Worker

if TYPE_CHECKING:
    from gw.ways import Ways

Flag = bool  # compiled, a C integer: exchange.pxd
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # a client would follow them past gw, with its virtual key
# What another attempt may do better; 401 and 403 where the credential is gw's own.
AGAIN = frozenset({401, 402, 403, 408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530})
OVERFLOWS = frozenset({400, 413, 422})  # where a longer prompt may fit elsewhere
NEVER: frozenset[int] = frozenset()


class Outgoing:
    """The request as it goes upstream; `head` without what the upstream client writes itself. `speech`: where one side has
    another dialect than Anthropic's. `again`: statuses that another attempt may do better, and that are raised as Turned; with
    none, all that comes is the client's. `early`: so is a stream that begins with a failure."""

    __slots__ = ("again", "body", "early", "head", "method", "path", "speech")

    def __init__(  # noqa: PLR0917 - by position: every call makes one
        self,
        method: bytes,
        path: bytes,
        head: bytes,
        body: bytes,
        speech: Speech | None = None,
        again: frozenset[int] = NEVER,
        early: Flag = False,
    ) -> None:
        self.method = method
        self.path = path
        self.head = head
        self.body = body
        self.speech = speech
        self.again = again
        self.early = early


class Turned(Exception):
    """The upstream's answer is one that another attempt may do better; nothing of it has gone to the client."""

    def __init__(self, response: Response, whole: Whole, *, early: bool = False) -> None:
        """`early`: a stream has begun with it; `whole` is what an HTTP error would have said, in JSON."""
        super().__init__(response.status)
        self.response = response
        self.whole = whole
        self.early = early
        self.status = response.status  # as it is told; what a stream begins with has its own
        self.speech: Speech | None = None


async def forward(worker: Worker, call: Call, outgoing: Outgoing, receive: Receive, send: Send) -> None:
    """One attempt on the call's deployment. Raises Refusal, UpstreamError or Turned only while nothing has gone to the client."""
    deployment, peek = call.deployment, call.peek
    assert deployment is not None
    if call.metered and peek is not None:
        if peek.stream:
            if call.slot < 0:
                call.slot = worker.block.take_slot(call.call_id)
            call.tap = Tap(peek.ttl, worker.block.observations(call.slot))
        call.laps.lap(RELAY)
        worker.open(call)
        call.laps.lap(RECORD)
    call.receive = receive  # the worker's next tick watches it
    call.sent = True
    response: Response | None = None
    try:
        speech, again, early = outgoing.speech, outgoing.again, outgoing.early
        try:
            response = await worker.pool.request(
                deployment.target, outgoing.method, outgoing.path, outgoing.head, outgoing.body, on_send=call.goes_out
            )
        except ValueError as error:  # it would change the shape of the message
            raise Refusal("invalid_field", f"The request cannot be passed on: {error}.") from error
        del outgoing  # the body may be large, and the answer long
        call.laps.skip()
        call.first_byte_us = wall_us()
        call.upstream_status = response.status
        call.retries = response.retries + (len(call.attempts) if call.attempts is not None else 0)
        call.billed = call.metered and 200 <= response.status < 300  # providers charge for no HTTP error
        if response.status >= 300 and response.status in REDIRECTS:
            raise Refusal(
                "upstream_redirect",
                f'The upstream "{deployment.name}" answered with a redirect ({response.status}), which gw does not follow: '
                "its base_url is wrong. Tell your gateway administrator.",
            )
        _heard(worker, call, response)
        if speech is not None:
            speech.head(response.headers)
        if again and response.status in again:
            raise Turned(response, await read_whole(response))
        answer = to_client(response.headers, call.call_id.encode(), call.own_credential)
        call.upstream_request_id = answer.request_id
        call.laps.lap(RELAY)
        streams = answer.streams if speech is None else speech.streams_as(answer)
        told = response.status < 400 and call.metered and peek is not None
        if early and told:
            patience_s = call.snapshot.config.server.ping_interval_s
            failure = None
            if streams:
                failure = await failure_at_first(response, answer, patience_s)
            elif not is_answer(response):
                failure = await failure_instead(response, answer)
            if failure is not None:
                raise Turned(response, Whole(failure, False), early=True)
        if streams and told:
            await _stream(worker, call, response, answer, speech, send).relay(answer)
        elif response.complete:  # as small ones are: `relay_whole`, with nothing to wait for
            whole = tell(worker, call, response.status, answer, response.read_nowait() or b"", speech)
            if whole is not None:
                await send({"type": "http.response.start", "status": call.status, "headers": answer.headers})
                await send({"type": "http.response.body", "body": whole, "more_body": False})
        else:
            await relay_whole(worker, call, response, answer, send, speech)
    finally:
        call.receive = None
        if call.watch is not None:
            call.watch.close()
            call.watch = None
        if response is not None and not response.complete:
            response.abort()


def _heard(worker: Worker, call: Call, response: Response) -> None:
    """An attempt's place is told what its answer says."""
    demand = call.demand
    if demand is not None and demand.turn is not None:
        ways: Ways = worker.ways
        ways.heard(demand.turn, response.status, response.headers, call.laps.since_ns)


def _stream(  # noqa: PLR0917 - by position: every stream asks
    worker: Worker, call: Call, response: Response, answer: Answer, speech: Speech | None, send: Send
) -> Stream:
    """The answer as a stream, as it is or as it is translated. Its headers are complete."""
    if call.demand is not None:
        call.demand.let_go()
    assert call.peek is not None
    tap = call.tap = call.tap or Tap(call.peek.ttl)  # a stream that was not asked for has no slot
    between = None
    headers = answer.headers
    if speech is not None:
        between = speech.interpreter(answer.encoding)
        headers[:] = speech.stream_headers(headers)
    if call.demand is not None and call.demand.renamed and not answer.encoding and (speech is None or speech.names_events):
        between = Named(between, call.demand.model)
    headers.extend(worker.governor.headers(call))
    if call.attempts is not None:
        headers.append(attempts_line(call.attempts))
    if call.demand is not None:
        headers.extend(call.demand.left_out())
    if TIMING in call.values:
        headers.append((TIMING, timing_text(call.laps)))
    return Stream(worker, call, response, tap, send, between)
