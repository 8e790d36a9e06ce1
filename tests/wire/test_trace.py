"""Trace context towards the upstream, where gw is asked to put its own span there."""

from gw.domain.trace import span_id_of, trace_id_of
from gw.wire.trace import with_own_span

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT = f"00-{TRACE}-{SPAN}-01".encode()
REST = b"accept: */*\r\nx-traceparent: mine\r\n"


def test_a_valid_parent_keeps_its_trace_its_flags_and_its_state() -> None:
    head = b"traceparent: " + SENT + b"\r\n" + REST + b"tracestate: a=1,b=2\r\n"
    own = f"traceparent: 00-{TRACE}-{span_id_of('gw_1')}-01\r\n".encode()
    assert with_own_span(head, SENT, "gw_1") == REST + b"tracestate: a=1,b=2\r\n" + own


def test_one_that_is_not_sampled_stays_so_and_unknown_flags_stay_here() -> None:
    assert with_own_span(b"", SENT[:-2] + b"00", "gw_1").endswith(b"-00\r\n")
    assert with_own_span(b"", b"cc" + SENT[2:-2] + b"fd", "gw_1").endswith(b"-01\r\n")
    assert with_own_span(b"", SENT[:-2] + b"00", "gw_1").startswith(b"traceparent: 00-")


def test_without_a_valid_parent_the_call_begins_a_trace_and_a_state_of_none_stays_here() -> None:
    own = f"traceparent: 00-{trace_id_of('gw_1')}-{span_id_of('gw_1')}-01\r\n".encode()
    assert with_own_span(REST, b"", "gw_1") == REST + own
    assert with_own_span(b"traceparent: nonsense\r\n" + REST + b"tracestate: a=1\r\n", b"nonsense", "gw_1") == REST + own


def test_two_of_them_become_one() -> None:
    head = b"traceparent: " + SENT + b"\r\n" + REST + b"traceparent: " + SENT + b"\r\n"
    assert with_own_span(head, SENT, "gw_1").count(b"\r\ntraceparent: ") == 1
