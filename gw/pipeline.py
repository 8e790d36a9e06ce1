"""The route of one call. The only file that knows the order of the rooms; read it top to bottom.

Invariants (tests/flow): a call leaves exactly one record, and it is in the journal before the client sees the end of
its response; nothing goes upstream without an admitted account; whatever happens (refusal, upstream failure, the client
leaving, shutdown, a bug) ends in the one `finally` of `handle`.
"""

from __future__ import annotations

import asyncio
import logging

from gw._fast import peek, peek_and_weigh
from gw.admit.auth import EndedKey
from gw.attempts import attempt
from gw.beside import must_be_allowed
from gw.demand import Demand
from gw.deployment import Deployment
from gw.domain.call import Outcome
from gw.domain.text import printable
from gw.doors import Door
from gw.errors import Refusal
from gw.exchange import Outgoing, forward
from gw.governor import Waiting
from gw.known import Known
from gw.ops.metrics import ADMIT, AUTH, PEEK, PLAN, RELAY
from gw.passing import passage
from gw.providers.anthropic import request_path
from gw.refusing import refusal_of, refuse
from gw.routing.plan import plan
from gw.settle import MODEL_MAX, Call, columns_of
from gw.terms import price
from gw.upstream.errors import UpstreamError
from gw.wire.asgi import Receive, Scope, Send
from gw.wire.body import PEEK_MESSAGES, read_on, readable, too_large, whole_in
from gw.wire.credentials import as_known
from gw.wire.headers import VALUE_MAX, Sent, read_request
from gw.wire.trace import TRACEPARENT, with_own_span
from gw.worker import Worker

log = logging.getLogger("gw.pipeline")

NO_MODEL = ("models", "other")
Flag = bool  # compiled, a C integer: pipeline.pxd


async def handle(worker: Worker, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
    """Serves one request of the data plane, whole."""
    call = worker.begin(door.endpoint)
    call.dialect = door.dialect
    try:
        await _serve(worker, door, call, scope, receive, send)
    except EndedKey as refusal:
        call.account = refusal.account
        await refuse(worker, call, refusal, send)
    except Refusal as refusal:
        await refuse(worker, call, refusal, send)
    except UpstreamError as error:
        await refuse(worker, call, refusal_of(error, call), send)
    except asyncio.CancelledError:
        if not (call.client_gone or call.stopping):
            raise
        if call.stopping and not call.client_gone and not call.status:
            await refuse(worker, call, Refusal("draining", "This gateway is restarting. Try again."), send)
    except Exception:  # a bug: it costs this call, never the worker, and it is recorded
        log.exception("call %s failed inside gw", call.call_id)
        await refuse(
            worker, call, Refusal("gw_error", f"gw failed inside. Please report it with the reference {call.call_id}."), send
        )
    finally:
        try:
            outcome, slug = _outcome_of_cancelled(call)
            worker.settle(call, outcome, slug)
        finally:
            worker.end(call)


async def _serve(  # noqa: PLR0917 - by position: every call asks
    worker: Worker, door: Door, call: Call, scope: Scope, receive: Receive, send: Send
) -> None:
    snapshot = call.snapshot
    # 1 entry
    sent = read_request(as_known(scope, door.family) if call.dialect else scope["headers"])
    call.values = sent.values
    call.told, call.session_id = sent.told, sent.told.session_id
    worker.must_take()
    call.laps.lap(RELAY)
    # 2 authenticate
    caller = snapshot.authenticator.authenticate(sent.gw_key, sent.api_key, sent.authorization, call.started_us)
    call.account = caller.account
    call.own_credential = caller.own_credential
    call.laps.lap(AUTH)
    # 3 peek: the body stays verbatim
    body, plain, model = b"", b"", None
    usual = call.endpoint == "messages"  # compared first, for to find two words alike is cheap
    if usual or (call.endpoint != "models" and scope["method"] != "GET"):
        if sent.content_length > snapshot.body_bytes_max:
            raise too_large(snapshot.body_bytes_max)
        first = await receive()
        whole = whole_in(first, sent.content_length)
        if whole is None:
            whole = await read_on(first, receive, sent.content_length, snapshot.body_bytes_max)
        del first  # the answer is long, and the body may be large
        if whole is None:
            raise _broken_off(call, sent.content_length)
        body = whole
        call.body_bytes = len(body)
        call.laps.skip()
        if usual or call.endpoint != "other":
            call.body_bytes = len(plain := readable(body, sent.content_encoding, snapshot.body_bytes_max))
    demand = None
    if call.dialect or snapshot.routed or (not usual and door.operation == "other"):
        demand = Demand(door, sent, scope, body, plain)
        if call.dialect and call.endpoint not in NO_MODEL:
            plain = demand.weighed = demand.slip()
    if usual or call.endpoint not in NO_MODEL:
        model = _peek(call, plain)
    call.laps.lap(PEEK)
    if demand is not None:  # 4 to 8 for wherever it may go
        demand.model = model or ""
        body = plain = whole = b""
        await (attempt if call.endpoint != "other" else passage)(worker, call, demand, receive, send)
        return
    # 4 plan
    deployment = plan(call.account, model, snapshot.deployments)
    must_be_allowed(call.account, plain)
    call.deployment = deployment
    call.laps.lap(PLAN)
    # 5 admit
    if call.metered:
        waiting = _admit(worker, call, model or "", plain)
        if waiting is not None:
            call.receive = receive  # the worker's next tick watches the client
            await worker.governor.wait(call, waiting)
            call.laps.skip()
        call.laps.lap(ADMIT)
    # 6 prepare
    head = _head_of(call, sent, deployment)
    path = request_path(call.endpoint, scope["query_string"])
    if call.account.stores_content and call.metered:
        worker.content.request(call.call_id, call.account, call.session_id, call.started_us, plain, call.snapshot.config.content)
    # 7, 8 forward; 9, 10 settle and record
    method = b"POST" if usual or call.endpoint != "models" else b"GET"
    forwarding = forward(worker, call, Outgoing(method, path, head, body), receive, send)
    body = plain = whole = b""  # it may be large, and the answer long
    await forwarding


def _broken_off(call: Call, declared: int) -> BaseException:
    """The body did. Of chunks that are none, or a client that left, the server does not say which it was."""
    if declared >= 0:
        call.client_gone = True
        return asyncio.CancelledError()
    return Refusal("request_incomplete", "The request body broke off before its end. Send it again, whole.")


def _admit(worker: Worker, call: Call, model: str, plain: bytes) -> Waiting | None:
    """By the rules and prices that are in force now: the body may have been long in coming. Raises Refusal."""
    snapshot = call.snapshot = worker.snapshot
    assert call.deployment is not None
    columns_of(call)
    known, at_us = call.known, call.started_us
    terms = known.terms if known is not None and known.version == snapshot.version else None
    if terms is not None and terms.plan.from_us <= at_us < terms.plan.until_us:
        call.terms, call.charged_us = terms, at_us
    else:
        price(call, model, call.deployment)
        if known is not None and known.version == snapshot.version:
            known.terms = call.terms
    if snapshot.governed or call.account.bounded:
        return worker.governor.admit(call, plain)
    return None


def _peek(call: Call, plain: bytes) -> str:
    """The top-level keys that decide; raises Refusal (400)."""
    seen = peek_and_weigh(plain) if _will_be_weighed(call) else peek(plain)
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


def _will_be_weighed(call: Call) -> Flag:
    """As far as one can say before its body is read: by the rules for its session's last call, else by whether there are any
    budgets or limits. If that is wrong, the governor weighs the body, or nobody looks at its weight."""
    if not call.metered:
        return False
    known: Known | None = call.told.known
    if known is not None and known.rules is not None and known.version == call.snapshot.version:
        return known.ruled or call.account.bounded
    return call.snapshot.governed or call.account.bounded


def _head_of(call: Call, sent: Sent, deployment: Deployment) -> bytes:
    """As for the call before, where that was alike. Raises Refusal."""
    known, own, credential = call.known, call.own_credential, deployment.credential
    head = known.head if known is not None and known.own_credential == own and known.credential is credential else None
    if head is None:
        head = _head(sent, deployment, own)
        if known is not None:
            known.head, known.own_credential, known.credential = head, own, credential
    return with_own_span(head, call.values.get(TRACEPARENT, b""), call.call_id) if call.snapshot.propagates else head


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


def _outcome_of_cancelled(call: Call) -> tuple[Outcome, str]:
    """For the `finally`: only a call that no room has settled takes it."""
    if call.client_gone:
        return "client_gone", ""
    return "stopped", "draining" if call.stopping else "cancelled"
