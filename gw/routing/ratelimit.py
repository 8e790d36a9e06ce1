"""What an upstream says of its own limits: how much of them is left, and when to come again. Pure.

Read are the headers of Anthropic (`anthropic-ratelimit-*`, with the shares of subscriptions), of OpenAI and whoever copies it
(`x-ratelimit-*`), the draft of the IETF (`ratelimit-*`), `retry-after` in seconds, as a date and in milliseconds, Google's
RetryInfo in the body of an error, and the slugs by which AWS says that it throttles. What cannot be read says nothing.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

Headers = list[tuple[bytes, bytes]]
SPEAKING = (b"retry-after", b"anthropic-ratelimit-", b"x-ratelimit-", b"ratelimit-", b"x-ms-")
US = 1_000_000
WHOLE = 1000
WAIT_MAX_US = 86_400 * US  # more is a mistake, or no wait at all
TEXT_MAX = 64  # of a span, a date or a moment: what is longer is none, and its digits would take long to read
EPOCH_MS_FROM, EPOCH_S_FROM = 10**11, 10**9  # a reset of that size is a moment, not a wait
RESET_DEFAULT_US = 60 * US  # where what is left is said, but not when there will be more
AWS_THROTTLED = ("throttl", "toomanyrequests", "requestlimitexceeded", "slowdown", "provisionedthroughputexceeded")

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h|d)")
_UNIT_US = {"d": 86_400 * US, "h": 3_600 * US, "m": 60 * US, "s": US, "ms": 1_000, "us": 1, "µs": 1, "ns": 0}
_PARTS = re.compile(rb"^(?:anthropic-ratelimit-|x-ratelimit-|ratelimit-|x-ms-ratelimit-)(.+)$")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?")


class Left(NamedTuple):
    """Of the tightest of its limits: `permille` of it is left until `until_us` (wall clock). `name` as the header has it."""

    permille: int
    until_us: int
    name: str


class Seen(NamedTuple):
    """`retry_after_us` 0: nothing was said. `left` None: nothing was said."""

    retry_after_us: int = 0
    left: Left | None = None


NOTHING = Seen()


def speaks(headers: Headers) -> bool:
    """Whether one of them may say something: of most answers none does, and `seen` need not look."""
    for name, _ in headers:  # noqa: SIM110 - compiled, `any` would cost a generator
        if name and name[0] in b"arx" and name.startswith(SPEAKING):
            return True
    return False


def seen(headers: Headers, now_us: int, body: bytes = b"") -> Seen:
    """`headers`: names in lower case. `body`: of an error, b"" else."""
    limits: dict[str, dict[str, str]] = {}
    retry_us = 0
    for name, value in headers:
        if name.startswith(SPEAKING):
            text = value.decode("latin-1").strip()
            limit, said = _parts(name)
            if said == "retry":
                retry_us = max(retry_us, _retry(name, text, now_us))
            elif said:
                limits.setdefault(limit, {})[said] = text
    if body and not retry_us:
        retry_us = retry_info_us(body)
    if not limits:
        return Seen(retry_us) if retry_us else NOTHING
    lefts = [one for one in (_left(name, limit, now_us) for name, limit in limits.items()) if one is not None]
    return Seen(retry_us, min(lefts, default=None))


def is_throttled(error_type: str) -> bool:
    """Whether an error of AWS (`x-amzn-errortype`, `__type`) says to slow down, whatever its status is."""
    plain = error_type.lower().replace("_", "")
    return any(word in plain for word in AWS_THROTTLED)


def retry_info_us(body: bytes) -> int:
    """Google's RetryInfo: `{"error": {"details": [{"@type": ".../google.rpc.RetryInfo", "retryDelay": "34.07s"}]}}`."""
    if b"retryDelay" not in body:
        return 0
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return 0
    error = (document[0] if isinstance(document, list) and document else document) or {}
    error = error.get("error") if isinstance(error, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return _bounded(span_us(delay))
        if isinstance(delay, dict) and isinstance(delay.get("seconds"), int | str):
            return _bounded(span_us(f"{delay['seconds']}s"))
    return 0


def span_us(text: str) -> int:
    """`6m0s`, `1.5s`, `120ms`, `2` (seconds) -> microseconds; -1 if it is none of them."""
    if len(text) > TEXT_MAX:
        return -1
    if _NUMBER.fullmatch(text):
        return _scaled(text, US)
    at = total = 0
    for found in _SPAN.finditer(text):
        if found.start() != at:
            return -1
        total += _scaled(found[1], _UNIT_US[found[2]])
        at = found.end()
    return total if text and at == len(text) else -1


def _scaled(digits: str, unit_us: int) -> int:
    if digits.isdecimal():
        return int(digits) * unit_us
    whole, _, part = digits.partition(".")
    scaled: int = int(whole + part) * unit_us // 10 ** len(part)
    return scaled


def _bounded(us: int) -> int:
    return min(max(us, 0), WAIT_MAX_US)


def _retry(name: bytes, text: str, now_us: int) -> int:
    """`retry-after`: seconds or a date; `retry-after-ms` and `x-ms-retry-after-ms`: milliseconds."""
    if name.endswith(b"-ms"):
        return _bounded(_scaled(text, 1_000)) if _NUMBER.fullmatch(text) else 0
    if name != b"retry-after" or len(text) > TEXT_MAX:
        return 0
    if (span := span_us(text)) >= 0:
        return _bounded(span)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    return _bounded(_us_of(moment) - now_us)


@lru_cache(maxsize=256)
def _parts(name: bytes) -> tuple[str, str]:
    """(limit, what of it) of a header: `tokens-remaining`, `remaining-tokens`, `unified-5h-utilization`, `remaining`. What is
    "retry" for those that say when to come again, "" for others."""
    if b"retry-after" in name:
        return "", "retry"
    found = _PARTS.match(name)
    rest = found[1].decode("latin-1") if found is not None else ""
    for said in ("limit", "remaining", "reset", "utilization"):
        if rest == said:
            return "", said
        if rest.endswith(f"-{said}"):
            return rest[: -len(said) - 1], said
        if rest.startswith(f"{said}-"):
            return rest[len(said) + 1 :], said
    return rest, ""


def _left(name: str, limit: dict[str, str], now_us: int) -> Left | None:
    reset = limit.get("reset", "")
    until_us = min(_moment(reset, now_us), now_us + WAIT_MAX_US) if reset else now_us + RESET_DEFAULT_US
    if until_us <= now_us:
        return None  # what was left is full again
    if "utilization" in limit:
        used = limit["utilization"]
        if not _NUMBER.fullmatch(used):
            return None
        return Left(max(WHOLE - _scaled(used, WHOLE), 0), until_us, name)
    remaining, most = limit.get("remaining", ""), limit.get("limit", "")
    if not _NUMBER.fullmatch(remaining):
        return None
    left = _scaled(remaining, 1)
    if not _NUMBER.fullmatch(most) or _scaled(most, 1) <= 0:
        return Left(0, until_us, name) if left <= 0 else None
    return Left(min(left * WHOLE // _scaled(most, 1), WHOLE), until_us, name)


def _moment(text: str, now_us: int) -> int:
    """A moment (RFC 3339, seconds or milliseconds since 1970), or a wait; now if it cannot be read."""
    span = -1 if text[10:11] == "T" else span_us(text)
    if span >= 0:
        if span >= EPOCH_MS_FROM * US:
            return span // 1_000
        return span if span >= EPOCH_S_FROM * US else now_us + _bounded(span)
    try:
        return _us_of(datetime.fromisoformat(text))
    except ValueError:
        return now_us


def _us_of(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * US + since.microseconds
