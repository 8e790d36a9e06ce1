"""gw's own words: refusals in Anthropic's envelope, pings and the event that ends a stream."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw import _fast
from gw.errors import REFUSALS, Refusal
from gw.wire.refusals import PING, error_event, refusal_answer


@pytest.mark.parametrize("slug", REFUSALS)
def test_a_refusal_is_whole_and_says_the_same_everywhere(slug: str) -> None:
    refusal = Refusal(slug, 'what to do: "\u00e9\n')
    status, headers, body = refusal_answer(refusal, "gw_1")
    named = dict(headers)
    assert len(named) == len(headers)
    error = json.loads(body)
    assert error == {
        "type": "error",
        "error": {"type": REFUSALS[slug].type, "message": refusal.message},
        "request_id": "gw_1",
    }
    assert status == REFUSALS[slug].status
    assert named[b"content-length"] == b"%d" % len(body)
    assert named[b"request-id"] == named[b"x-gw-call-id"] == b"gw_1"
    assert named[b"x-gw-error"] == slug.encode()
    assert named.get(b"x-should-retry") == (b"false" if REFUSALS[slug].retry is False else None)
    assert named.get(b"retry-after") == (b"%d" % refusal.retry_after_s if refusal.retry_after_s else None)


def test_no_refusal_makes_claude_code_log_out_or_retry_for_minutes() -> None:
    """What its client was measured to do with each status (see gw.errors)."""
    for slug, kind in REFUSALS.items():
        assert kind.status not in (403, 408, 409), slug
        assert kind.status != 401 or kind.retry is False, slug
        assert kind.type != "policy_blocked" or (kind.status, kind.retry) == (400, False), slug


def test_a_wrong_method_names_the_right_ones() -> None:
    assert (b"allow", b"POST") in refusal_answer(Refusal("method_not_allowed", "x"), "gw_1", allow=b"POST")[1]


@given(message=st.text(st.characters(exclude_categories=["Cs"])), kind=st.sampled_from(["api_error", "overloaded_error"]))
def test_an_error_event_is_one_event_wherever_it_comes(message: str, kind: str) -> None:
    for before, at_boundary in ((b"", True), (b"event: ping\ndata: {}\n\n", True), (b"event: ping\ndata: {", False)):
        tap = _fast.Tap()
        tap.feed(before)
        assert tap.at_boundary == at_boundary
        event = error_event(kind, message, at_boundary=at_boundary)
        assert tap.feed(event) & _fast.ERROR and tap.at_boundary
        lines = event.strip(b"\n").split(b"\n")
        assert lines[0] == b"event: error" and len(lines) == 2
        assert json.loads(lines[1].removeprefix(b"data: "))["error"] == {"type": kind, "message": message}


def test_a_ping_is_one_event_and_says_nothing() -> None:
    tap = _fast.Tap()
    assert tap.feed(PING) == 0 and tap.at_boundary
    assert PING.count(b"\n\n") == 1 and json.loads(PING.split(b"data: ")[1]) == {"type": "ping"}
