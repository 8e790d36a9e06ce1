"""Trace context: what counts as a parent, and ids that follow from a call's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.trace import NO_PARENT, Parent, parent_of, span_id_of, trace_id_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("sent", "parent"),
    [
        (f"00-{TRACE}-{SPAN}-01", Parent(TRACE, SPAN, 1)),
        (f"00-{TRACE}-{SPAN}-00", Parent(TRACE, SPAN, 0)),
        (f"00-{TRACE}-{SPAN}-ff", Parent(TRACE, SPAN, 255)),
        (f"cc-{TRACE}-{SPAN}-01", Parent(TRACE, SPAN, 1)),  # of a later version, as far as this one goes
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", Parent(TRACE, SPAN, 1)),
        (f"cc-{TRACE}-{SPAN}-01.what", NO_PARENT),
        (f"00-{TRACE}-{SPAN}-01-more", NO_PARENT),
        (f"ff-{TRACE}-{SPAN}-01", NO_PARENT),
        (f"00-{'0' * 32}-{SPAN}-01", NO_PARENT),
        (f"00-{TRACE}-{'0' * 16}-01", NO_PARENT),
        (f"00-{TRACE.upper()}-{SPAN}-01", NO_PARENT),
        (f"00-{TRACE[1:]}-{SPAN}-01", NO_PARENT),
        (f"00-{TRACE}-{SPAN}", NO_PARENT),
        (f" 00-{TRACE}-{SPAN}-01", NO_PARENT),
        (f"00-{TRACE}-{SPAN}-01\n", NO_PARENT),
        ("", NO_PARENT),
    ],
)
def test_a_parent_is_what_the_recommendation_says(sent: str, parent: Parent) -> None:
    assert parent_of(sent.encode()) == parent


@given(st.binary(max_size=80))
def test_no_bytes_are_too_strange(sent: bytes) -> None:
    found = parent_of(sent)
    assert found == NO_PARENT or re.fullmatch(r"[0-9a-f]{32}-[0-9a-f]{16}", f"{found.trace_id}-{found.span_id}")


def test_ids_follow_from_the_call_and_from_nothing_else() -> None:
    assert trace_id_of("gw_1") == trace_id_of("gw_1") != trace_id_of("gw_2")
    assert span_id_of("gw_1") == span_id_of("gw_1") != span_id_of("gw_2")
    assert parent_of(f"00-{trace_id_of('gw_1')}-{span_id_of('gw_1')}-01".encode()).flags == 1
    ids = [int(trace_id_of(f"gw_{number}")[16:], 16) for number in range(4000)]
    assert 0.45 < sum(one < 2**63 for one in ids) / len(ids) < 0.55  # a share of traces is a share of calls
