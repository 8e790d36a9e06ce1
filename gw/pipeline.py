"""The route of one call. The only file that knows the order of the rooms; read it top to bottom.

Invariants (tests/flow): a call leaves exactly one record, and it is in the journal before the client sees the end of
its response; nothing goes upstream without an admitted account; whatever happens (refusal, upstream failure, the client
leaving, shutdown, a bug) ends in the one `finally` of `handle`.
"""

from __future__ import annotations

import asyncio
import logging

from gw._fast import peek
from gw.admit.auth import EndedKey
from gw.domain.call import Endpoint, Outcome
from gw.domain.text import printable
from gw.errors import Refusal
from gw.exchange import Outgoing, forward
from gw.ops.metrics import ADMIT, AUTH, PEEK, PLAN, RELAY
from gw.providers.anthropic import request_path
from gw.routing.plan import plan
from gw.settle import MODEL_MAX, Call
from gw.snapshot import Deployment
from gw.upstream.errors import UpstreamError
from gw.wire.asgi import Receive, Scope, Send
from gw.wire.body import PEEK_MESSAGES, read_body, readable
from gw.wire.headers import VALUE_MAX, Sent, read_request, text_of
from gw.wire.refusals import refusal_answer
from gw.wire.trace import TRACEPARENT, with_own_span
from gw.worker import Worker

log = logging.getLogger("gw.pipeline")

_new = tuple.__new__  # past the keyword handling of a NamedTuple's class
Flag = bool  # compiled, a C integer: pipeline.pxd


async def handle(worker: Worker, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
    """Serves one request of the data plane, whole."""
    call = worker.begin(endpoint)
    try:
        await _serve(worker, call, scope, receive, send)
    except EndedKey as refusal:
        call.account = refusal.account
        await _refuse(worker, call, refusal, send)
    except Refusal as refusal:
        await _refuse(worker, call, refusal, send)
    except UpstreamError as error:
        await _refuse(worker, call, refusal_of(error, call), send)
    except asyncio.CancelledError:
        if not (call.client_gone or call.stopping):
            raise
        if call.stopping and not call.client_gone and not call.status:
            await _refuse(worker, call, Refusal("draining", "This gateway is restarting. Try again."), send)
    except Exception:  # a bug: it costs this call, never the worker, and it is recorded
        log.exception("call %s failed inside gw", call.call_id)
        await _refuse(
            worker, call, Refusal("gw_error", f"gw failed inside. Please report it with the reference {call.call_id}."), send
        )
    finally:
        try:
            outcome, slug = _outcome_of_cancelled(call)
            worker.settle(call, outcome, slug)
        finally:
            worker.end(call)


async def _serve(worker: Worker, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    snapshot = call.snapshot
    # 1 entry
    sent = read_request(scope["headers"])
    call.values = sent.values
    call.session_id = text_of(sent.values.get(b"x-claude-code-session-id", b""))
    worker.must_take()
    call.laps.lap(RELAY)
    # 2 authenticate
    caller = snapshot.authenticator.authenticate(sent.gw_key, sent.api_key, sent.authorization, call.started_us)
    call.account = caller.account
    call.own_credential = caller.own_credential
    call.laps.lap(AUTH)
    # 3 peek: the body stays verbatim
    body, plain, model = b"", b"", None
    if call.endpoint != "models":
        whole = await read_body(receive, sent.content_length, snapshot.body_bytes_max)
        if whole is None and sent.content_length >= 0:
            call.client_gone = True
            raise asyncio.CancelledError
        if whole is None:  # chunks that are none, or a client that left: the server does not say which
            raise Refusal("request_incomplete", "The request body broke off before its end. Send it again, whole.")
        body = whole
        call.body_bytes = len(body)
        call.laps.skip()
        plain = readable(body, sent.content_encoding, snapshot.body_bytes_max)
        model = _peek(call, plain)
    call.laps.lap(PEEK)
    # 4 plan
    deployment = plan(call.account, model, snapshot.deployments)
    call.deployment = deployment
    call.laps.lap(PLAN)
    # 5 admit, by the rules and prices that are in force now: the body may have been long in coming
    if call.endpoint == "messages":
        snapshot = call.snapshot = worker.snapshot
        _price(call, model or "", deployment)
        if snapshot.governed or call.account.bounded:
            waiting = worker.governor.admit(call, plain)
            if waiting is not None:
                call.receive = receive  # the worker's next tick watches the client
                await worker.governor.wait(call, waiting)
                call.laps.skip()
        call.laps.lap(ADMIT)
    # 6 prepare
    head = _head(sent, deployment, call.own_credential)
    if snapshot.propagates:
        head = with_own_span(head, call.values.get(TRACEPARENT, b""), call.call_id)
    path = request_path(call.endpoint, scope["query_string"])
    if call.account.stores_content and call.endpoint == "messages":
        worker.content.request(call.call_id, call.account, call.session_id, call.started_us, plain, snapshot.config.content)
    # 7, 8 forward; 9, 10 settle and record
    method = b"GET" if call.endpoint == "models" else b"POST"
    forwarding = forward(worker, call, _new(Outgoing, (method, path, head, body)), receive, send)
    body = plain = whole = b""  # it may be large, and the answer long
    await forwarding


def _peek(call: Call, plain: bytes) -> str:
    """The top-level keys that decide; raises Refusal (400)."""
    seen = peek(plain)
    call.peek = seen
    if seen.error:
        slug, message = PEEK_MESSAGES[seen.error]
        raise Refusal(slug, message.format(offset=seen.error_offset))
    if seen.model is None:
        raise Refusal("invalid_field", '"model" is missing. Name the model in the request body.')
    if len(seen.model) > MODEL_MAX:
        raise Refusal("invalid_field", f'"model" is longer than {MODEL_MAX} characters.')
    call.device, session_id = call.snapshot.device.read(seen.user_id)
    if not call.session_id:
        call.session_id = printable(session_id, VALUE_MAX)
    return seen.model


def _price(call: Call, model: str, deployment: Deployment) -> None:
    """A virtual key may not spend at an unknown price, unless the configuration says so."""
    call.charged_us = call.started_us
    snapshot, account = call.snapshot, call.account
    call.terms = snapshot.book.terms(
        deployment.provider, deployment.name, deployment.region, model, account.key_name, account.team, call.started_us
    )
    needs_price = snapshot.key_needs_price if account.key_id else snapshot.passthrough_needs_price
    if needs_price and not call.terms.known:
        raise Refusal(
            "model_unpriced",
            f'The price of the model "{model}" is not known, so it cannot be charged to a virtual key. '
            "Choose another with /model, or ask your gateway administrator to add a [[pricing.override]] for it.",
        )


def _head(sent: Sent, deployment: Deployment, own_credential: Flag) -> bytes:
    if own_credential:
        return sent.head + sent.credentials + deployment.extra
    if not deployment.credential:
        raise Refusal(
            "upstream_no_credential",
            f'The upstream "{deployment.name}" has no credential ({deployment.secret_name} is not set). '
            "Tell your gateway administrator.",
        )
    return sent.head + deployment.credential + deployment.extra


async def _refuse(worker: Worker, call: Call, refusal: Refusal, send: Send) -> None:
    """The answer in the client's dialect, if nothing has gone out yet; its record before its end."""
    silent = call.status != 0 or call.client_gone
    call.budget = call.budget or refusal.rule
    status, headers, body = refusal_answer(refusal, call.call_id, contact=call.snapshot.config.server.contact)
    if not silent:
        call.status = status
        call.response_bytes = len(body)
    worker.settle(call, _outcome_of(refusal.slug, call), refusal.slug)
    if silent:
        return
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _outcome_of(slug: str, call: Call) -> Outcome:
    if call.client_gone:
        return "client_gone"
    if slug == "gw_error":
        return "gw_error"
    if slug.endswith("_timeout"):
        return "timed_out"
    if not call.sent:
        return "refused"
    return "stopped" if slug == "draining" else "upstream_error"


def _outcome_of_cancelled(call: Call) -> tuple[Outcome, str]:
    """For the `finally`: only a call that no room has settled takes it."""
    if call.client_gone:
        return "client_gone", ""
    return "stopped", "draining" if call.stopping else "cancelled"


SLUG_OF = {
    "connect": "upstream_unreachable",
    "connect_timeout": "upstream_connect_timeout",
    "tls": "upstream_tls",
    "proxy": "upstream_proxy",
    "first_byte_timeout": "upstream_first_byte_timeout",
    "idle_timeout": "upstream_idle_timeout",
    "total_timeout": "upstream_total_timeout",
    "reset": "upstream_reset",
    "closed": "upstream_reset",
    "protocol": "upstream_protocol",
}


def refusal_of(error: UpstreamError, call: Call) -> Refusal:
    """What the client is told of an upstream failure before its answer began.

    Billed, by estimate, is a call whose answer began or whose request was sent and then kept the client waiting in vain.
    """
    slug = "upstream_saturated" if error.saturated else SLUG_OF[error.kind]
    answered = 200 <= call.upstream_status < 300
    call.billed = (
        error.sent and call.endpoint == "messages" and (answered or error.kind in ("first_byte_timeout", "total_timeout"))
    )
    name = call.deployment.name if call.deployment is not None else ""
    return Refusal(
        slug, f'The upstream "{name}" failed: {error.detail}. Try again; if it persists, tell your gateway administrator.'
    )
