"""What the end of an attempt means, kind by kind."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.routing.verdict import classify
from gw.upstream.errors import ErrorKind

FULL, LARGER = {"message": "Prompt is too long: 9 > 5"}, {"larger_on_overflow": True}
# status, kind, type, more -> verb of a first attempt, verb of a second, billed, failed
TABLE: list[tuple[int, str, str, dict[str, Any], str, str, bool, bool]] = [
    (200, "", "", {}, "pass", "pass", True, False),
    (0, "connect", "", {}, "retry", "failover", False, True),
    (0, "connect_timeout", "", {}, "failover", "failover", False, True),
    (0, "connect_timeout", "", {"saturated": True}, "failover", "failover", False, False),
    (0, "tls", "", {}, "failover", "failover", False, True),
    (0, "proxy", "", {}, "failover", "failover", False, True),
    (0, "reset", "", {}, "failover", "failover", False, True),
    (0, "protocol", "", {}, "failover", "failover", False, True),
    (0, "idle_timeout", "", {}, "failover", "failover", False, True),
    (0, "first_byte_timeout", "", {}, "failover", "failover", True, True),
    (0, "total_timeout", "", {}, "refuse", "refuse", True, True),
    (0, "closed", "", {}, "refuse", "refuse", False, False),
    (307, "", "", {}, "refuse", "refuse", False, True),
    (400, "", "invalid_request_error", {}, "pass", "pass", False, False),
    (400, "", "invalid_request_error", FULL, "pass", "pass", False, False),
    (400, "", "invalid_request_error", {**FULL, **LARGER}, "failover", "failover", False, False),
    (400, "", "context_length_exceeded", LARGER, "failover", "failover", False, False),
    (400, "", "billing_error", {}, "failover", "failover", False, False),
    (400, "", "ThrottlingException", {}, "failover", "failover", False, False),
    (401, "", "authentication_error", {}, "failover", "failover", False, False),
    (402, "", "", {}, "failover", "failover", False, False),
    (403, "", "permission_error", {}, "failover", "failover", False, False),
    (404, "", "not_found_error", {}, "pass", "pass", False, False),
    (408, "", "", {}, "retry", "failover", False, True),
    (409, "", "", {}, "retry", "failover", False, True),
    (413, "", "request_too_large", {}, "pass", "pass", False, False),
    (422, "", "", {}, "pass", "pass", False, False),
    (429, "", "rate_limit_error", {}, "failover", "failover", False, False),
    (429, "", "rate_limit_error", {"retry_after_s": 1.5}, "retry", "failover", False, False),
    (429, "", "rate_limit_error", {"retry_after_s": 30.0}, "failover", "failover", False, False),
    (429, "", "insufficient_quota", {"retry_after_s": 1.0}, "failover", "failover", False, False),
    (500, "", "api_error", {}, "retry", "failover", False, True),
    (500, "", "api_error", {"should_retry": False}, "failover", "failover", False, True),
    (502, "", "", {}, "retry", "failover", False, True),
    (503, "", "", {}, "failover", "failover", False, True),
    (504, "", "", {}, "retry", "failover", False, True),
    (529, "", "overloaded_error", {}, "failover", "failover", False, True),
    (529, "", "overloaded_error", {"retry_after_s": 1.0}, "retry", "failover", False, True),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind", "type_", "more", "first", "second", "billed", "failed"), TABLE)
def test_each_end_has_its_verdict(
    status: int, kind: str, type_: str, more: dict[str, Any], first: str, second: str, billed: bool, failed: bool
) -> None:
    found = classify(status, kind, type_, 1, **more)
    assert (found.verb, found.billed, found.failed) == (first, billed, failed)
    assert classify(status, kind, type_, 2, **more).verb == second


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_credential_that_is_refused_is_left_alone_and_somebody_is_told(status: int) -> None:
    found = classify(status)
    assert found.alarm and found.rest_s >= 60


@pytest.mark.parametrize(
    "message",
    [
        "You don't have access to the model with the specified model ID.",
        "Project `proj_1` does not have access to model `gpt-9`",
    ],
)
def test_who_asks_for_a_model_that_the_account_has_not_closes_the_place_for_nobody_else(message: str) -> None:
    verdict = classify(403, message=message)
    assert (verdict.verb, verdict.rest_s, verdict.alarm, verdict.failed) == ("failover", 0, False, False)


@pytest.mark.parametrize(("status", "kind"), [(401, ""), (429, ""), (500, ""), (529, ""), (400, ""), (0, "reset"), (0, "tls")])
def test_the_clients_own_credential_goes_nowhere_else(status: int, kind: str) -> None:
    found = classify(status, kind, "", 1, own_credential=True)
    assert found.verb in ("pass", "refuse") and not found.alarm
    assert found.verb == ("pass" if status else "refuse")


def test_an_upstream_may_be_tried_as_often_as_it_says() -> None:
    assert [classify(500, "", "", attempt, retries=2).verb for attempt in (1, 2, 3)] == ["retry", "retry", "failover"]
    assert classify(500, "", "", 1, retries=0).verb == "failover"


@given(
    st.integers(0, 599).filter(lambda status: not 1 <= status < 200), st.sampled_from(get_args(ErrorKind)), st.text(max_size=9),
    st.integers(1, 9), st.booleans(), st.booleans(), st.floats(0, 1e6),
)  # fmt: skip
def test_nothing_is_charged_that_did_not_answer_or_was_not_at_work(
    status: int, kind: str, type_: str, attempt: int, own: bool, larger: bool, wait: float
) -> None:
    found = classify(status, kind, type_, attempt, own_credential=own, larger_on_overflow=larger, retry_after_s=wait)
    assert found.billed == (200 <= status < 300 or (not status and kind in ("first_byte_timeout", "total_timeout")))
    assert found.verb != "retry" or attempt == 1
    assert (found.verb == "pass") <= bool(status)
