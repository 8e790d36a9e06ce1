"""What an attempt's end means: pass it on, try the same place again, try another, or refuse. Pure.

Nothing here is asked once a byte has gone to the client. A verdict says what would be right; whether there is another place, a
wait worth having or a retry left to spend, says gw.routing.retry.
"""

from typing import Literal, NamedTuple

Verb = Literal["pass", "retry", "failover", "refuse"]

# How the transport may fail (gw.upstream.errors.ErrorKind).
UNREACHED = frozenset({"connect", "connect_timeout", "tls", "proxy"})  # nothing was sent
BROKEN = frozenset({"reset", "protocol", "idle_timeout"})  # sent, and no answer came of it
LATE = frozenset({"first_byte_timeout"})  # sent, and the upstream may be at work on it still: it bills that
OVER = frozenset({"total_timeout", "closed"})  # the attempt's time is over, or gw itself ended it

AGAIN = frozenset({408, 409, 500, 502, 504, 520, 522, 524})  # a moment later the same place may do better
ELSEWHERE = frozenset({429, 503, 529, 521, 523, 525, 526, 527, 530})  # it has too much to do, or is not there
CREDENTIAL = frozenset({401, 402, 403})
PATIENCE_S = 2.0  # a place that asks for so little is worth waiting for: the session's cache is there
REST_UNPAID_S = 600.0  # nobody pays a bill in the time of a cool-down
REST_CREDENTIAL_S = 60.0

UNPAID = frozenset({"billing_error", "insufficient_quota", "billing_hard_limit_reached", "quota_exceeded", "billing_not_active"})
CONTEXT_TYPES = frozenset({"context_length_exceeded", "prompt_too_long", "context_full"})
CONTEXT_WORDS = (
    "prompt is too long",
    "maximum context length",
    "context window",
    "context_length_exceeded",
    "exceed context limit",
    "exceeds the maximum number of tokens",
    "input is too long",
    "too many input tokens",
    "prompt_too_long",
)


class Verdict(NamedTuple):
    """`billed`: the upstream may charge for it. `failed`: it counts against the place's health. `rest_s`: leave the place alone
    for so long. `larger`: only a place that takes longer prompts will do. `alarm`: somebody must be told."""

    verb: Verb
    why: str = ""
    billed: bool = False
    failed: bool = False
    retry_after_s: float = 0.0
    rest_s: float = 0.0
    larger: bool = False
    alarm: bool = False


PASS = Verdict("pass", "answered", billed=True)


def classify(
    status: int,
    error_kind: str = "",
    body_type: str = "",
    attempt: int = 1,
    *,
    own_credential: bool = False,
    retries: int = 1,
    retry_after_s: float = 0.0,
    should_retry: bool | None = None,
    larger_on_overflow: bool = False,
    message: str = "",
    saturated: bool = False,
) -> Verdict:
    """`status`: of the answer, 0 if none came; then `error_kind` says why. `body_type`: `error.type` or `error.code` of the
    answer, or AWS's type. `attempt`: from 1, at this place, where it may be tried again `retries` times. `own_credential`: the
    client's own goes upstream, and so there is no other place for it. `should_retry`: of the header x-should-retry. `message`:
    the error's words, for context lengths. `saturated`: gw's own limit of connections was the reason."""
    if not status:
        return _broken(error_kind, again=attempt <= retries, own_credential=own_credential, saturated=saturated)
    if status < 400:
        return PASS if status < 300 else Verdict("refuse", "redirect", failed=True)
    if is_context_full(status, body_type, message):
        return Verdict("failover", "context_full", larger=True) if larger_on_overflow else Verdict("pass", "context_full")
    unpaid = body_type in UNPAID or status == 402
    if own_credential:  # the client's own limits, and the client's own patience
        return Verdict("pass", f"status_{status}", failed=status >= 500)
    if status == 403 and not unpaid and _is_of_the_model(message):  # who asks for such a one must not close the place for all
        return Verdict("failover", "model_refused")
    if status in CREDENTIAL or unpaid:
        rest_s = REST_UNPAID_S if unpaid else REST_CREDENTIAL_S
        return Verdict("failover", "unpaid" if unpaid else "credential_refused", rest_s=rest_s, alarm=True)
    throttled = status == 429 or _throttled(body_type)
    if not (throttled or status in AGAIN or status in ELSEWHERE) or (status == 400 and not throttled):
        return Verdict("pass", f"status_{status}", failed=status > 500)
    failed = not throttled
    rest_s = max(retry_after_s, 0.0)
    why = "throttled" if throttled else f"status_{status}"
    if should_retry is False and not throttled:
        return Verdict("failover", why, failed=failed, retry_after_s=rest_s, rest_s=rest_s)
    near = 0 < retry_after_s <= PATIENCE_S
    soon = near if throttled else near or status in AGAIN
    verb: Verb = "retry" if attempt <= retries and soon else "failover"
    return Verdict(verb, why, failed=failed, retry_after_s=rest_s, rest_s=rest_s)


def is_context_full(status: int, body_type: str, message: str) -> bool:
    """The prompt is longer than the model takes, in any provider's words."""
    if status not in (400, 413, 422):
        return False
    words = message.lower()
    return body_type in CONTEXT_TYPES or any(one in words for one in CONTEXT_WORDS)


def _broken(kind: str, *, again: bool, own_credential: bool, saturated: bool) -> Verdict:
    if saturated:  # nobody upstream has failed
        return Verdict("refuse" if own_credential else "failover", "saturated")
    if kind in UNREACHED:
        again = again and kind != "tls"  # what a certificate says stays so
        if own_credential:
            return Verdict("retry" if again else "refuse", kind, failed=True)
        return Verdict("retry" if again and kind == "connect" else "failover", kind, failed=True)
    if kind in BROKEN:
        return Verdict("refuse" if own_credential else "failover", kind, failed=True)
    if kind in LATE:
        return Verdict("refuse" if own_credential else "failover", kind, billed=True, failed=True)
    return Verdict("refuse", kind or "unknown", billed=kind == "total_timeout", failed=kind in OVER and kind != "closed")


def _is_of_the_model(message: str) -> bool:
    """In OpenAI's and AWS's words: the account is good, but not for this model."""
    words = message.lower()
    return "access to" in words and "model" in words


def _throttled(body_type: str) -> bool:
    plain = body_type.lower().replace("_", "")
    return "throttl" in plain or "toomanyrequests" in plain or plain in ("resourceexhausted", "ratelimiterror")
