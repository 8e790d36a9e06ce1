"""Trace context on its way to the upstream, where `[otel] propagate` asks for it: gw's own span becomes the parent.

Without it the client's `traceparent` and `tracestate` pass unchanged, as every header does.
"""

import re

from gw.domain.trace import NO_PARENT, SAMPLED, parent_of, span_id_of, trace_id_of

TRACEPARENT = b"traceparent"
KNOWN_FLAGS = 0x03  # sampled, and random (level 2); what a later version may say in the others is not known here
_PARENT_LINES = re.compile(rb"(?m)^traceparent: .*\r\n")
_CONTEXT_LINES = re.compile(rb"(?m)^trace(?:parent|state): .*\r\n")


def with_own_span(head: bytes, sent: bytes, call_id: str) -> bytes:
    """The lines of a request's head, with gw's span as the parent. `sent`: the client's `traceparent`, b"" for none.

    A valid one keeps its trace, flags and `tracestate`; without one the call begins a trace, and a `tracestate` that belongs to
    none stays here (section 3.3.1.4 of the recommendation).
    """
    parent = parent_of(sent)
    lines = _CONTEXT_LINES if parent is NO_PARENT else _PARENT_LINES
    trace_id, flags = (trace_id_of(call_id), SAMPLED) if parent is NO_PARENT else (parent.trace_id, parent.flags)
    own = f"traceparent: 00-{trace_id}-{span_id_of(call_id)}-{flags & KNOWN_FLAGS:02x}\r\n"
    return lines.sub(b"", head) + own.encode()
