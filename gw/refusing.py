"""How a call ends that an upstream has not answered: gw's own answer, in the client's dialect."""

from __future__ import annotations

import orjson

from gw.domain.call import Outcome
from gw.errors import Refusal
from gw.settle import Call
from gw.translate.dialects import error_headers, speaker
from gw.translate.form import Failure
from gw.upstream.errors import UpstreamError
from gw.wire.asgi import Send
from gw.wire.headers import attempts_line
from gw.wire.refusals import ADMINISTRATOR, refusal_answer
from gw.worker import Worker

Answered = tuple[int, list[tuple[bytes, bytes]], bytes]


async def refuse(worker: Worker, call: Call, refusal: Refusal, send: Send) -> None:
    """The answer in the client's dialect, if nothing has gone out yet; its record before its end."""
    silent = call.status != 0 or call.client_gone
    call.budget = call.budget or refusal.rule
    status, headers, body = answer_of(refusal, call.call_id, call.dialect, call.snapshot.config.server.contact)
    if call.attempts is not None:
        headers.append(attempts_line(call.attempts))
    if not silent:
        call.status = status
        call.response_bytes = len(body)
    worker.settle(call, outcome_of(refusal.slug, call), refusal.slug)
    if silent:
        return
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def answer_of(refusal: Refusal, call_id: str, dialect: str, contact: str) -> Answered:
    """(status, headers, body). `dialect`: "" is Anthropic's."""
    status, headers, body = refusal_answer(refusal, call_id, contact=contact)
    if not dialect:
        return status, headers, body
    failure = Failure(refusal.kind.type, refusal.message.replace(ADMINISTRATOR, contact), status, refusal.slug)
    body = orjson.dumps(speaker(dialect).write_error(failure, call_id))
    status, more = error_headers(dialect, failure)
    headers = [one for one in headers if one[0] != b"content-length"]
    return status, [*headers, *more, (b"content-length", b"%d" % len(body))], body


def outcome_of(slug: str, call: Call) -> Outcome:
    if call.client_gone:
        return "client_gone"
    if slug == "gw_error":
        return "gw_error"
    if slug.endswith("_timeout"):
        return "timed_out"
    if not call.sent:
        return "refused"
    return "stopped" if slug == "draining" else "upstream_error"


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
        error.sent and call.metered and (answered or error.kind in ("first_byte_timeout", "total_timeout"))
    )
    name = call.deployment.name if call.deployment is not None else ""
    return Refusal(
        slug, f'The upstream "{name}" failed: {error.detail}. Try again; if it persists, tell your gateway administrator.'
    )
