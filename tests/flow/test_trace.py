"""Trace context through a gateway: into the row as it came, to the upstream as it came or with gw's own span."""

import asyncio
from collections.abc import Iterator

import pytest

from gw.domain.trace import span_id_of, trace_id_of
from tests.flow.client import call
from tests.flow.stage import JSON, OWN, Stage, prompt, session, stage

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(scope="module", params=[False, True], ids=["passing", "propagating"])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, bool]]:
    more = "[otel]\npropagate = true\n" if request.param else ""
    with stage(tmp_path_factory.mktemp("trace"), more=more) as one:
        yield one, request.param


@pytest.mark.parametrize("sent", [SENT, SENT[:-2] + "00", "00-nonsense", ""], ids=["sampled", "not-sampled", "invalid", "none"])
def test_a_trace_goes_on_where_it_came_from(ground: tuple[Stage, bool], sent: str) -> None:
    one, propagating = ground
    name = f"trace-{sent or 'none'}"
    headers = [OWN, JSON, session(name), ("x-test-id", name), ("tracestate", "a=1")]
    headers += [("traceparent", sent)] if sent else []
    answer = asyncio.run(call(one.port, headers=headers, body=prompt()))
    assert answer.status == 200
    (row,) = one.rows(name)
    valid = sent.startswith(f"00-{TRACE}")
    expected = (TRACE, SPAN, int(sent[-2:], 16)) if valid else ("", "", 0)
    assert (row["trace_id"], row["parent_span_id"], row["trace_flags"]) == expected
    (line,) = one.lines(name)
    parent, state = line.headers.get("traceparent", ""), line.headers.get("tracestate", "")
    if not propagating:
        assert (parent, state) == (sent, "a=1")
        return
    trace, flags = (TRACE, sent[-2:]) if valid else (trace_id_of(row["call_id"]), "01")
    assert parent == f"00-{trace}-{span_id_of(row['call_id'])}-{flags}"
    assert state == ("a=1" if valid else "")
