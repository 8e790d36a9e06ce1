"""Refusals in Anthropic's envelope, and the events gw itself adds to a stream."""

import orjson

from gw.errors import Refusal

ADMINISTRATOR = "your gateway administrator"  # in messages; the configuration's `contact` takes its place
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def envelope(error_type: str, message: str, call_id: str) -> bytes:
    return orjson.dumps({"type": "error", "error": {"type": error_type, "message": message}, "request_id": call_id})


def refusal_answer(
    refusal: Refusal, call_id: str, *, contact: str = ADMINISTRATOR, allow: bytes = b""
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """(status, headers, body). One line of message: it is all that Claude Code shows. `contact`: whom it says to ask."""
    kind = refusal.kind
    body = envelope(kind.type, refusal.message.replace(ADMINISTRATOR, contact), call_id)
    gw_id = call_id.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", gw_id),
        (b"x-gw-call-id", gw_id),
        (b"x-gw-error", refusal.slug.encode()),
    ]
    if kind.retry is False:
        headers.append((b"x-should-retry", b"false"))
    if refusal.retry_after_s:
        headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
    headers += refusal.headers
    if allow:
        headers.append((b"allow", allow))
    return kind.status, headers, body


def error_event(error_type: str, message: str, *, at_boundary: bool) -> bytes:
    """An `event: error` that ends a stream. In the middle of an event a blank line closes that one first."""
    data = orjson.dumps({"type": "error", "error": {"type": error_type, "message": message}})
    return (b"" if at_boundary else b"\n\n") + b"event: error\ndata: " + data + b"\n\n"
