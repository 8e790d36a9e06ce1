"""Rooms 7 and 8: send the request upstream, relay the answer (`relay`: a stream, `answer`: a whole one), watch the client.

In both the call is settled before the bytes that end the answer are handed to the client.
"""

from __future__ import annotations

from typing import NamedTuple

from gw import clock
from gw._fast import Tap
from gw.answer import relay_whole
from gw.errors import Refusal
from gw.ops.metrics import RECORD, RELAY, timing_text
from gw.providers.anthropic import is_billed
from gw.relay import Stream
from gw.settle import Call
from gw.upstream.response import Response
from gw.wire.asgi import Receive, Send
from gw.wire.headers import TIMING, to_client
from gw.worker import Worker

REDIRECTS = frozenset({301, 302, 303, 307, 308})  # a client would follow them past gw, with its virtual key


class Outgoing(NamedTuple):
    """The request as it goes upstream; `head` without what the upstream client writes itself."""

    method: bytes
    path: bytes
    head: bytes
    body: bytes


async def forward(worker: Worker, call: Call, outgoing: Outgoing, receive: Receive, send: Send) -> None:
    """One attempt on the call's deployment. Raises Refusal or UpstreamError only while nothing has gone to the client."""
    deployment, peek = call.deployment, call.peek
    assert deployment is not None
    if call.endpoint == "messages" and peek is not None:
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
        try:
            response = await worker.pool.request(deployment.target, *outgoing, on_send=call.goes_out)
        except ValueError as error:  # it would change the shape of the message
            raise Refusal("invalid_field", f"The request cannot be passed on: {error}.") from error
        del outgoing  # its body may be large, and the answer long
        call.laps.skip()
        call.first_byte_us = clock.wall_us()
        call.upstream_status = response.status
        call.retries = response.retries
        call.billed = is_billed(response.status, call.endpoint)
        if response.status in REDIRECTS:
            raise Refusal(
                "upstream_redirect",
                f'The upstream "{deployment.name}" answered with a redirect ({response.status}), which gw does not follow: '
                "its base_url is wrong. Tell your gateway administrator.",
            )
        answer = to_client(response.headers, call.call_id.encode(), own_account=call.own_credential)
        call.upstream_request_id = answer.request_id
        call.laps.lap(RELAY)
        if answer.streams and response.status < 400 and call.endpoint == "messages" and peek is not None:
            tap = call.tap = call.tap or Tap(peek.ttl)  # a stream that was not asked for has no slot
            answer.headers.extend(worker.governor.headers(call))
            if TIMING in call.values:
                answer.headers.append((TIMING, timing_text(call.laps)))
            await Stream(worker, call, response, tap, send).relay(answer)
        else:
            await relay_whole(worker, call, response, answer, send)
    finally:
        call.receive = None
        if call.watch is not None:
            call.watch.close()
        if response is not None and not response.complete:
            response.abort()
