"""Reads OTLP as Claude Code sends it (2.1.329, 2.1.197: docs/telemetry.md has what was seen), from JSON or protobuf, into nouns.

Nothing is trusted: names of any kind may be missing or new, numbers may be text. What gw has no place for is counted and left.
Texts (prompts, answers, commands, paths, inputs) are dropped here unless they are asked for: of an event's own attributes only
numbers, truth values and the texts named in PLAIN are kept.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson

from gw.domain.money import PUSD_PER_USD
from gw.domain.telemetry import Count, Event, Told
from gw.domain.text import printable

Attributes = dict[str, Any]

NAME_MAX = 128
MORE_BYTES_MAX = 16_384
AT_MAX_US = 2**53  # in the year 2255
NUMBER_MAX = 2**60  # whatever a client says, in what gw counts it in: it has to go into a column, and to be added up
DELTA = (1, "1", "AGGREGATION_TEMPORALITY_DELTA")
PREFIX = "claude_code."

# Metric -> (attribute that says which, its value -> total). Tokens are not among them: the ledger has them exactly.
METRICS: dict[str, tuple[str, dict[str, str]]] = {
    "session.count": ("", {"": "sessions"}),
    "lines_of_code.count": ("type", {"added": "lines_added", "removed": "lines_removed"}),
    "commit.count": ("", {"": "commits"}),
    "pull_request.count": ("", {"": "pull_requests"}),
    "code_edit_tool.decision": ("decision", {"accept": "edits_accepted", "reject": "edits_rejected"}),
    "active_time.total": ("type", {"user": "active_user_ms", "cli": "active_cli_ms"}),
    "cost.usage": ("", {"": "estimated_pusd"}),
}
SCALE = {"active_user_ms": 1000, "active_cli_ms": 1000, "estimated_pusd": PUSD_PER_USD}
# Texts of an event that say nothing of what is worked on.
PLAIN = frozenset(
    [
        "attempt", "effort", "error_type", "hook_event", "invocation_trigger", "language", "marketplace.name", "mcp_server_scope",
        "permission_mode", "plugin.name", "plugin.scope", "query_source", "server_scope", "skill.source", "speed", "start_type",
        "status", "status_code", "terminal.type", "tool_source", "tool_use_id", "transport_type", "trigger", "type",
    ]
)  # fmt: skip
# Attributes with a column of their own, or said by it.
COLUMNS = frozenset(
    [
        "session.id", "event.name", "event.sequence", "event.timestamp", "prompt.id", "request_id", "model", "tool_name",
        "decision", "source", "success", "duration_ms", "cost_usd", "cost_usd_micros", "skill.name", "server_name", "project",
    ]
)  # fmt: skip
WHO_IT_IS = ("user.", "organization.", "account")  # the key says whose it is


class Unreadable(ValueError):
    """Not what its content type says, or not of this signal."""


def read(signal: str, content_type: str, body: bytes, *, texts: bool = False) -> Told:
    """`signal`: logs, metrics or traces; `body`: unpacked. Raises Unreadable, and ImportError where protobuf needs the extra."""
    document = _from_protobuf(signal, body) if "protobuf" in content_type else _from_json(body)
    told = Told([], [])
    try:
        READERS[signal](document, told, texts)
    except (TypeError, AttributeError, ValueError, KeyError, ArithmeticError) as error:
        raise Unreadable(f"it is not OTLP {signal}: {error}") from error
    return told


def _from_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable("it is not JSON") from error


def _from_protobuf(signal: str, body: bytes) -> Any:
    """As JSON would have it, so that there is one reader."""
    from gw.telemetry.protobuf import Malformed, document_of  # noqa: PLC0415 - an extra

    try:
        return document_of(signal, body)
    except Malformed as error:
        raise Unreadable("it is not protobuf of this signal") from error


def _logs(document: Any, told: Told, texts: bool) -> None:
    for resource, record in _inner(document, "resourceLogs", "scopeLogs", "logRecords"):
        attributes = resource | _attributes(record.get("attributes"))
        event = _event(record, attributes, texts)
        if event is None:
            told.ignored += 1
        else:
            told.events.append(event)


def _metrics(document: Any, told: Told, texts: bool) -> None:
    for resource, metric in _inner(document, "resourceMetrics", "scopeMetrics", "metrics"):
        which, totals = METRICS.get(str(metric.get("name", "")).removeprefix(PREFIX), ("", {}))
        total = metric.get("sum") or {}
        cumulative = total.get("aggregationTemporality") not in DELTA
        for point in total.get("dataPoints") or []:
            attributes = resource | _attributes(point.get("attributes"))
            name = totals.get(str(attributes.get(which, "")) if which else "")
            if name is None or not _text(attributes, "session.id"):
                told.ignored += 1
            else:
                told.counts.append(_count(metric["name"], name, point, attributes, cumulative=cumulative))


def _traces(document: Any, told: Told, texts: bool) -> None:
    told.spans = sum(1 for _ in _inner(document, "resourceSpans", "scopeSpans", "spans"))


READERS: dict[str, Callable[[Any, Told, bool], None]] = {"logs": _logs, "metrics": _metrics, "traces": _traces}


def _inner(document: Any, outer: str, middle: str, inner: str) -> Iterator[tuple[Attributes, Any]]:
    """Each record, with the attributes of its resource."""
    for one in document.get(outer) or []:
        resource = _attributes((one.get("resource") or {}).get("attributes"))
        for scope in one.get(middle) or []:
            for record in scope.get(inner) or []:
                yield resource, record


def _attributes(pairs: Any) -> Attributes:
    return {str(pair["key"]): _value(pair.get("value") or {}) for pair in pairs or []}


def _value(value: Mapping[str, Any]) -> Any:
    """Text, number, truth value, or a list of them; None for what is none of these."""
    for kind, found in value.items():
        if kind == "intValue":
            return int(found)
        if kind == "arrayValue":
            return [_value(one) for one in found.get("values") or []]
        if kind in ("stringValue", "boolValue", "doubleValue"):
            return found
    return None


def _event(record: Mapping[str, Any], attributes: Attributes, texts: bool) -> Event | None:
    """None without a name or a session."""
    body = _value(record.get("body") or {})
    name = _text(attributes, "event.name") or (body if isinstance(body, str) else "")
    session_id = _text(attributes, "session.id")
    if not name or not session_id:
        return None
    said = _parameters(attributes)
    more = orjson.dumps(_more(attributes, texts=texts), default=str)
    if len(more) > MORE_BYTES_MAX:
        more = b'{"cut": true}'
    sequence = attributes.get("event.sequence")
    server = _text(said, "mcp_server_name") or _text(attributes, "server_name")
    return Event(
        session_id=session_id,
        project=_text(attributes, "project"),
        at_us=_us(record.get("timeUnixNano")) or _us(record.get("observedTimeUnixNano")),
        sequence=_whole(sequence) if sequence is not None else zlib.crc32(more),
        name=printable(name.removeprefix(PREFIX), NAME_MAX),
        prompt_id=_text(attributes, "prompt.id"),
        request_id=_text(attributes, "request_id"),
        model=_text(attributes, "model"),
        tool=_text(attributes, "tool_name"),
        mcp_server=server,
        mcp_tool=_text(said, "mcp_tool_name"),
        skill=_text(attributes, "skill.name") or _text(said, "skill_name"),
        decision=_text(attributes, "decision"),
        source=_text(attributes, "source"),
        success=_truth(attributes.get("success")),
        duration_ms=_whole(attributes.get("duration_ms")),
        estimated_pusd=_scaled(attributes.get("cost_usd"), PUSD_PER_USD),
        more=more.decode(),
    )


def _parameters(attributes: Attributes) -> Attributes:
    """Names of MCP servers, their tools and skills stand in JSON within an attribute, which also holds commands."""
    text = attributes.get("tool_parameters")
    if not isinstance(text, str):
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _more(attributes: Attributes, *, texts: bool) -> Attributes:
    return {
        key: value
        for key, value in sorted(attributes.items())
        if key not in COLUMNS
        and value is not None
        and (texts or not key.startswith(WHO_IT_IS))
        and (texts or key in PLAIN or isinstance(value, int | float) or _is_number(value))
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit()


def _count(metric: str, total: str, point: Mapping[str, Any], attributes: Attributes, *, cumulative: bool) -> Count:
    session_id = _text(attributes, "session.id")
    told_apart = orjson.dumps([metric, sorted(attributes.items())], default=str)
    value = point.get("asInt", point.get("asDouble", 0))
    return Count(
        session_id=session_id,
        project=_text(attributes, "project"),
        total=total,
        series=blake2b(told_apart, digest_size=16).hexdigest(),
        value=_scaled(value, SCALE.get(total, 1)),
        start_us=_us(point.get("startTimeUnixNano")),
        at_us=_us(point.get("timeUnixNano")),
        cumulative=cumulative,
    )


def _text(attributes: Attributes, name: str) -> str:
    value = attributes.get(name)
    return printable(value, NAME_MAX) if isinstance(value, str) else ""


def _us(nanoseconds: Any) -> int:
    return min(max(int(nanoseconds or 0), 0) // 1000, AT_MAX_US)


def _whole(value: Any) -> int:
    """Of a number, or of its text; 0 for anything else."""
    return _scaled(value, 1)


def _scaled(value: Any, scale: int) -> int:
    """Never below 0, and at most what a column holds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        number = Decimal(str(value)) * scale
    except ArithmeticError:
        return 0
    return min(max(int(number.to_integral_value()), 0), NUMBER_MAX) if number.is_finite() else 0


def _truth(value: Any) -> int:
    return {True: 1, "true": 1, False: 0, "false": 0}.get(value, -1) if isinstance(value, bool | str) else -1
