"""Rooms 4 to 8 of a call that may go to several places: each is tried in turn, until one has answered or none is left.

Invariants (tests/flow/test_attempts.py): nothing goes upstream that was not admitted on that upstream's path; nothing is
tried again once a byte has gone to the client; an attempt that may have been billed is settled, in a row of its own, before the
next one begins; what the client gets at last is an upstream's own answer, or the refusal of the last attempt.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from typing import NamedTuple

from gw import __version__, clock
from gw.answer import tell
from gw.beside import must_be_allowed
from gw.counting import Counting, counter_of, passes, tell_estimate
from gw.credentials.credential import Credential, CredentialError
from gw.demand import Demand
from gw.deployment import Deployment
from gw.domain.call import OpenCall
from gw.errors import Refusal
from gw.exchange import AGAIN, NEVER, OVERFLOWS, Outgoing, Turned, forward
from gw.governor import Waiting
from gw.ledger.journal import JournalError
from gw.listing import tell_models
from gw.ops.metrics import ADMIT, PLAN
from gw.preparing import as_it_came, prepare
from gw.refusing import outcome_of, refusal_of
from gw.routing.asked import Candidate
from gw.routing.decision import Decision
from gw.routing.health import Course, Turn
from gw.routing.ratelimit import seen
from gw.routing.retry import STOP, Step, next_step
from gw.routing.verdict import Verdict, classify
from gw.settle import Call, columns_of, way_of
from gw.speech import JSON_TYPE, OF_THE_BYTES, Speech
from gw.terms import price
from gw.translate.anthropic_answer import STATUS_OF
from gw.translate.anthropic_answer import read_error as anthropic_error
from gw.upstream.errors import UpstreamError
from gw.ways import Way, Ways, verdict_of
from gw.wire.asgi import Receive, Send
from gw.wire.headers import to_client
from gw.wire.trace import TRACEPARENT, with_own_span
from gw.worker import Worker

log = logging.getLogger("gw.attempts")

# Another place may do.
NOT_HERE = frozenset({"cannot_carry", "capability_rejected", "no_route", "model_unpriced", "upstream_saturated"})
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
AGAIN_LARGER = AGAIN | OVERFLOWS
FAILED = frozenset(range(400, 600))
Flag = bool  # compiled, a C integer: attempts.pxd
Number = int  # likewise
Statuses = frozenset[int]
Failed = UpstreamError | Turned | CredentialError | Refusal


class Tried(NamedTuple):
    """What became of one attempt that has not answered the client."""

    failure: Failed
    verdict: Verdict
    status: int
    slug: str
    ms: int = 0  # since it began, waiting for its place included


async def attempt(worker: Worker, call: Call, demand: Demand, receive: Receive, send: Send) -> None:
    """Raises Refusal, UpstreamError, CancelledError as one attempt does: of the last one."""
    ways: Ways = worker.ways
    call.demand = demand
    if not call.metered and call.endpoint == "models":
        return await tell_models(worker, call, demand, send)
    decision: Decision = ways.decide(call, demand)
    deployments = ways.deployments
    must_be_allowed(call.account, demand.plain)
    course: Course = ways.order(call, demand, decision)
    call.laps.lap(PLAN)
    if call.account.stores_content:
        _keep(worker, call, demand)
    if decision.wait_s:
        call.receive = receive  # the worker's next tick watches the client
        await asyncio.sleep(decision.wait_s)
        call.laps.skip()
    ways.purse.call()
    way: Way = ways.first(course, deployments)
    left, tried, at_place = course.order, 1, 1  # the candidate that is tried, and those after it
    while True:
        turn: Turn = _begin(ways, call, demand, way, tried)
        missed: Tried | None = None
        speech: Speech | None = None
        done = False
        try:
            try:
                if not way.room.takes(way.places_max):
                    await way.room.enter(call, way.places_max, worker.snapshot.config, receive)
                ways.count(way)
                try:
                    if not call.metered and not _is_counted(call, demand, way):
                        await tell_estimate(worker, call, demand, send)
                        return None
                    if call.metered and call.hold is None:  # a second try at the same place goes on under the first one's hold
                        waiting = _admit(worker, call, demand, way)
                        if waiting is not None:
                            call.receive = receive
                            await worker.governor.wait(call, waiting)
                            call.laps.skip()
                        call.laps.lap(ADMIT)
                    outgoing: Outgoing = _outgoing(call, demand, way, _again(ways, decision, way, len(left), tried, at_place))
                    speech = outgoing.speech
                    if not (way.keyed.line or call.own_credential):
                        outgoing.head += await authorised(way.keyed.credential, way.deployment, outgoing)
                    forwarding = forward(worker, call, outgoing, receive, send)
                    del outgoing  # the body may be large, and the answer long
                    await forwarding
                finally:
                    way.room.leave()
            except (Turned, UpstreamError, CredentialError, Refusal) as failure:
                missed = _missed(failure, call, way, speech, decision, at_place)
                if missed is None:
                    raise
            done = True
        finally:
            _over(ways, call, demand, turn, missed, done)
        if missed is None:
            ways.warmed(call, way)
            return None
        rest = await _after(worker, call, demand, way, turn, missed, left, tried, at_place, receive, send)
        if not rest:
            return None
        tried, at_place, left = tried + 1, (at_place + 1 if rest is left else 1), rest
        way = ways.way(left[0], deployments)


def _is_counted(call: Call, demand: Demand, way: Way) -> bool:
    """By the upstream, where a count is asked for."""
    return call.endpoint != "count_tokens" or bool(counter_of(demand, way.deployment, way.model))


def _begin(ways: Ways, call: Call, demand: Demand, way: Way, tried: Number) -> Turn:
    """An attempt; the first one right after the call's order has been found."""
    call.deployment = way.deployment
    demand.renamed = way.model != demand.model
    call.sent_model = way.behind if way.behind != demand.model else ""
    now_ns = call.laps.since_ns if tried == 1 and not call.account.stores_content else clock.mono_ns()
    demand.turn = turn = ways.health.begin_at(way.spot, now_ns)
    return turn


def _again(ways: Ways, decision: Decision, way: Way, left: Number, tried: Number, at_place: Number) -> Statuses:  # noqa: PLR0917
    """The statuses after which another attempt is possible."""
    if tried < ways.attempts_max and (left > 1 or at_place <= way.deployment.max_retries):
        return AGAIN_LARGER if decision.larger_on_overflow else AGAIN
    return NEVER


def _over(ways: Ways, call: Call, demand: Demand, turn: Turn, missed: Tried | None, done: Flag) -> None:  # noqa: PLR0917
    """What an attempt says of its place's health. Not `done`: nothing, its call has ended within it."""
    demand.turn = None
    if not done or (missed is not None and _says_nothing(call, missed.failure)):
        ways.health.abandon(turn)
    else:
        ways.ended(call, demand, turn, missed.verdict if missed is not None else verdict_of(call))


async def _after(  # noqa: PLR0917 - one attempt's whole surroundings
    worker: Worker,
    call: Call,
    demand: Demand,
    way: Way,
    turn: Turn,
    missed: Tried,
    left: tuple[Candidate, ...],
    tried: int,
    at_place: int,
    receive: Receive,
    send: Send,
) -> tuple[Candidate, ...]:
    """After an attempt that has not answered: those that are left, the next one first, when its time has come; `left` itself for
    the same place again; () if the client has its answer. Raises as the last attempt does."""
    ways: Ways = worker.ways
    if missed.verdict.alarm:
        log.error('upstream "%s": %s (%s %d)', way.deployment.name, missed.verdict.why, missed.slug, missed.status)
    missed = missed._replace(ms=max(clock.mono_ns() - turn.began_ns, 0) // NS_PER_MS)
    others = left[1:]
    if missed.verdict.larger:
        others = tuple([one for one in others if one.context_tokens > left[0].context_tokens])
    step = _next(ways, missed, tried, at_place, len(others))
    if step.stop or worker.draining:
        await _end(worker, call, demand, way, missed, send)
        return ()
    if _leave(worker, call, way, missed, step.again) and call.account.stores_content:
        _keep(worker, call, demand)
    if step.wait_ns:
        call.receive = receive  # the worker's next tick watches the client
        await asyncio.sleep(step.wait_ns / NS_PER_S)
        call.laps.skip()
    return left if step.again else others


def _next(ways: Ways, missed: Tried, tried: int, at_place: int, others: int) -> Step:
    if isinstance(missed.failure, Refusal):  # nothing was sent: to look elsewhere costs nobody anything
        return Step(not others)
    if missed.verdict.verb == "failover" and not others:
        return STOP  # clients try again by themselves, and show it
    return next_step(ways.patience, ways.purse, missed.verdict, tried, at_place, others, clock.mono_ns(), random.random)


def _says_nothing(call: Call, failure: Failed) -> bool:
    """Of the place's health: who does not count for a model, or may not, may serve it well."""
    return isinstance(failure, Refusal) or (call.endpoint == "count_tokens" and isinstance(failure, Turned))


def _missed(  # noqa: PLR0917 - one attempt's whole surroundings
    failure: Failed, call: Call, way: Way, speech: Speech | None, decision: Decision, at_place: int
) -> Tried | None:
    """None: nothing else may be tried."""
    if isinstance(failure, Turned):
        return _turned(failure, call, speech, decision, at_place)
    if isinstance(failure, UpstreamError):
        if call.status:
            return None
        verdict = classify(
            0,
            failure.kind,
            attempt=at_place,
            own_credential=call.own_credential,
            saturated=failure.saturated,
            retries=way.deployment.max_retries,
        )
        return Tried(failure, verdict, 0, failure.kind)
    if isinstance(failure, CredentialError):
        return Tried(failure, Verdict("failover", "credential_refused", rest_s=5, alarm=True), 0, "upstream_no_credential")
    elsewhere = failure.slug in NOT_HERE or _is_spent_here(call, failure)
    return Tried(failure, Verdict("failover", failure.slug), 0, failure.slug) if elsewhere else None


def _is_spent_here(call: Call, failure: Refusal) -> bool:
    """The budget of this upstream is, and its calls may go elsewhere."""
    if failure.slug not in ("budget_exceeded", "budget_reserved"):
        return False
    return any(one.name == failure.rule and one.on_exceed_elsewhere for one in call.snapshot.config.budget)


def _admit(worker: Worker, call: Call, demand: Demand, way: Way) -> Waiting | None:
    """Room 5, by the rules and prices that are in force now: what must be waited for. Raises Refusal."""
    snapshot = call.snapshot = worker.snapshot
    price(call, call.sent_model or demand.model, way.deployment)
    if snapshot.governed or call.account.bounded:
        return worker.governor.admit(call, demand.weighed)
    return None


def _outgoing(call: Call, demand: Demand, way: Way, again: Statuses) -> Outgoing:
    """Room 6; still without what authorises it, where that is neither the client's own nor a key. Raises Refusal."""
    own = call.own_credential
    key = way.deployment.own_login(demand.sent.credentials) if own else way.keyed.line
    last = key if not call.snapshot.propagates else b""
    made: Outgoing | None = as_it_came(demand, way, last) if not own else None
    if made is None:
        made = prepare(demand, way.deployment, way.model, own_credential=own)
        made.head += last
        if isinstance(made.speech, Counting) and not made.speech.same:
            again = FAILED  # none of its errors is the client's: there is the estimate
    if call.snapshot.propagates:
        made.head = with_own_span(made.head, call.values.get(TRACEPARENT, b""), call.call_id) + key
    made.again, made.early = again, bool(again) and not own
    return made


async def authorised(credential: Credential, deployment: Deployment, made: Outgoing) -> bytes:
    """The lines that authorise the request. Raises CredentialError."""
    if not credential.usable:
        await credential.ready()
    lines = credential.head()
    if lines is not None:
        return lines
    url = deployment.base_url.rstrip("/") + made.path.decode("latin-1")
    return credential.sign(made.method, url, made.head, made.body)


def no_credential(error: CredentialError) -> Refusal:
    return Refusal("upstream_no_credential", f"{error.message} Tell your gateway administrator.")


def _turned(failure: Turned, call: Call, speech: Speech | None, decision: Decision, at_place: int) -> Tried:
    """What the upstream has said in place of an answer."""
    response, body = failure.response, failure.whole.body
    status = 0 if failure.early else response.status
    said = speech.failure(status, body) if speech is not None else anthropic_error(status, body)
    if failure.early:
        failure.status = STATUS_OF.get(said.kind, 500)
    limits = seen(response.headers, clock.wall_us(), body)
    should_retry = next((value for name, value in response.headers if name == b"x-should-retry"), b"")
    verdict = classify(
        failure.status,
        body_type=said.code or said.kind,
        attempt=at_place,
        retries=call.deployment.max_retries if call.deployment is not None else 0,
        own_credential=call.own_credential,
        retry_after_s=limits.retry_after_us / 1_000_000,
        should_retry={b"true": True, b"false": False}.get(should_retry),
        larger_on_overflow=decision.larger_on_overflow,
        message=said.message,
    )
    failure.speech = speech
    return Tried(failure, verdict, response.status, f"upstream_{said.kind}")


def _keep(worker: Worker, call: Call, demand: Demand) -> None:
    """The request's content, where it is stored: in Anthropic's words, whatever the client's."""
    if call.endpoint == "messages":
        content = call.snapshot.config.content
        worker.content.request(
            call.call_id, call.account, call.session_id, call.started_us, demand.in_anthropics_words(), content
        )


def _leave(worker: Worker, call: Call, way: Way, missed: Tried, stays: Flag) -> bool:
    """After an attempt that another one follows: what it may have cost is settled in a row of its own (True); else what was set
    aside for it is given back, unless the next one is at the same place."""
    failure = missed.failure
    noted = (way.deployment.name, missed.status, missed.slug, missed.ms)
    call.billed = billed = False
    if isinstance(failure, UpstreamError):
        refusal = refusal_of(failure, call)  # says whether it was billed
        billed = call.billed
        if billed:
            worker.settle(call, outcome_of(refusal.slug, call), refusal.slug)
            worker.again(call)
    call.attempts = [*(call.attempts or ()), noted]
    call.retries = len(call.attempts)
    if call.sent and call.metered:
        _say_free(worker, call)
    if not stays and not billed:
        worker.governor.let_go(call)
    call.tap = call.found = call.reading = None
    call.sent = False
    call.first_byte_us = call.upstream_status = 0  # what the next one has not said is not known
    return billed


def _say_free(worker: Worker, call: Call) -> None:
    """Until the next attempt is opened, the death of this process must charge nothing for the one that has failed."""
    stream = call.peek.stream if call.peek is not None else False
    one = OpenCall(
        -1, call.call_id, call.endpoint, call.started_us, call.worker, stream, call.body_bytes, columns_of(call), __version__,
        0, 0, 0, call.sent_model, True, *way_of(call),
    )  # fmt: skip
    with suppress(JournalError):  # it may be charged for by estimate then; the next attempt is refused, if there is one
        worker.journal.open_call(one)


async def _end(  # noqa: PLR0917 - one attempt's whole surroundings
    worker: Worker, call: Call, demand: Demand, way: Way, missed: Tried, send: Send
) -> None:
    """The last attempt has not answered either. Raises what it raised, unless the upstream's words are the client's answer."""
    failure = missed.failure
    if call.endpoint == "count_tokens" and not call.own_credential:
        counter = counter_of(demand, way.deployment, way.model)
        if not passes(demand, way.deployment, counter):
            return await tell_estimate(worker, call, demand, send)
    if not isinstance(failure, Turned):
        if isinstance(failure, CredentialError):
            raise no_credential(failure)
        raise failure
    headers = failure.response.headers
    if failure.early:
        headers = [*(one for one in headers if one[0] not in OF_THE_BYTES), JSON_TYPE]
    answer = to_client(headers, call.call_id.encode(), own_account=call.own_credential)
    call.billed = False
    body = tell(worker, call, failure.status, answer, failure.whole.body, failure.speech)
    if body is not None:
        await send({"type": "http.response.start", "status": failure.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
