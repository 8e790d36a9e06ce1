"""What gw says about budgets and limits: to the byte what Claude Code was measured to need, in one line, whatever the names."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.budget import Budget
from gw.domain.limit import Limit, usd_units
from gw.domain.money import NUSD_MAX, nusd_from_usd
from gw.domain.scope import KINDS, Scope
from gw.domain.standing import Standing
from gw.domain.window import LIFETIME, bounds, parse_window
from gw.errors import REFUSALS, Refusal
from gw.wire import budgets as say
from gw.wire.refusals import refusal_answer

USD = 10**9
NOW_US = 1_795_354_200_000_000  # 2026-11-22 13:30:00 UTC, a Sunday
MIDNIGHT_S = 1_795_392_000  # 2026-11-23 00:00:00 UTC
CALL = "gw_0199aabbccdd0001"
UNIFIED = b"anthropic-ratelimit-unified-"
OF_EVERY_REFUSAL = {b"content-type", b"content-length", b"request-id", b"x-gw-call-id", b"x-gw-error"}


def standing(
    spent: str, used: str = "", *, account: str = "platform", limit: str = "10", now_us: int = NOW_US, **more
) -> Standing:
    """Of a hard daily budget of a team unless told otherwise; amounts in USD."""
    scope = more.pop("scope", Scope("team", account))
    window = more.pop("window", parse_window("day"))
    budget = Budget("b", scope, nusd_from_usd(limit), window, warn_at=(5000, 8000, 9500), **more)
    start_us, end_us = bounds(window, now_us)
    settled = nusd_from_usd(spent)
    return Standing(budget, account, nusd_from_usd(limit), settled, nusd_from_usd(used or spent), 0, start_us, end_us)


def said(refusal: Refusal, contact: str = "finops@example.com") -> tuple[int, dict[bytes, bytes], str]:
    """(status, headers without those that every refusal has, message)."""
    status, headers, body = refusal_answer(refusal, CALL, contact=contact)
    assert len({name for name, _ in headers}) == len(headers)
    error = json.loads(body)
    assert error["type"] == "error" and error["request_id"] == CALL and error["error"]["type"] == refusal.kind.type
    own = {name: value for name, value in headers if name not in OF_EVERY_REFUSAL}
    return status, own, error["error"]["message"]


# --- the stop -----------------------------------------------------------------------------------------------------------


def test_a_spent_budget_is_refused_exactly_as_claude_code_stops_at():
    refusal = say.budget_refusal(standing("10.02", scope=Scope("key", "anna"), account="anna"), CALL, NOW_US)
    status, headers, message = said(refusal)
    assert (status, refusal.kind.type, refusal.rule) == (429, "billing_error", "b")
    assert headers == {
        b"retry-after": b"37800",
        b"x-should-retry": b"false",
        UNIFIED + b"status": b"rejected",
        UNIFIED + b"reset": b"1795392000",
        UNIFIED + b"overage-reset": b"1795392000",
        UNIFIED + b"overage-utilization": b"1",
        UNIFIED + b"overage-surpassed-threshold": b"1",
        UNIFIED + b"overage-period": b"daily",
        UNIFIED + b"overage-disabled-reason": b"org_spend_cap_reached",
    }
    assert message == (
        'Budget exceeded for key "anna": $10.02 of $10.00 (daily) · resets Nov 23 00:00 UTC · '
        f"ask finops@example.com for more (ref {CALL})"
    )


def test_neither_of_the_headers_that_would_hide_the_message_is_there():
    for spent in ("0", "9.99", "10", "99"):
        _, headers, _ = said(say.budget_refusal(standing(spent), CALL, NOW_US, 20 * USD))
        assert not {UNIFIED + b"representative-claim", UNIFIED + b"overage-status"} & headers.keys()


SCOPES = [
    (Scope("customer", "acme"), True),
    (Scope("team", "platform"), True),
    (Scope("upstream", "anthropic"), True),
    (Scope("model", "*", each=True), True),
    (Scope("project", "alpha"), True),
    (Scope("key", "ci-*"), True),
    (Scope("key", "ci-*", each=True), False),
    (Scope("key", "anna"), False),
    (Scope("session", "*", each=True), False),
]


@pytest.mark.parametrize(("scope", "shared"), SCOPES, ids=str)
def test_a_shared_budget_is_said_to_be_one(scope, shared):
    _, headers, _ = said(say.budget_refusal(standing("10", scope=scope), CALL, NOW_US))
    assert headers.get(UNIFIED + b"overage-scope") == (b"group_pool" if shared else None)


PERIODS = [
    ("1m", "daily"),
    ("hour", "daily"),
    ("5h", "daily"),
    ("day", "daily"),
    ("3d", "daily"),
    ("5d", "weekly"),
    ("week", "weekly"),
    ("2w", "weekly"),
    ("3w", "monthly"),
    ("month", "monthly"),
    ("1Y", "monthly"),
    ("lifetime", "monthly"),
]


@pytest.mark.parametrize(("window", "period"), PERIODS)
def test_a_window_is_given_as_the_nearest_period_the_client_knows(window, period):
    _, headers, _ = said(say.budget_refusal(standing("10", window=parse_window(window)), CALL, NOW_US))
    assert headers[UNIFIED + b"overage-period"] == period.encode()


def test_a_day_at_a_clock_change_is_a_day():
    for at in ("2026-03-29", "2026-10-25"):
        window = parse_window("day", "Europe/Berlin")
        now_us = bounds(parse_window("1d", "UTC", at), NOW_US)[0]
        assert say.period(standing("10", window=window, now_us=now_us)) == b"daily"


def test_a_budget_for_good_has_no_reset_to_wait_for():
    _, headers, message = said(say.budget_refusal(standing("10", window=LIFETIME), CALL, NOW_US))
    assert not {b"retry-after", UNIFIED + b"reset", UNIFIED + b"overage-reset"} & headers.keys()
    assert headers[b"x-should-retry"] == b"false" and headers[UNIFIED + b"overage-disabled-reason"] == b"org_spend_cap_reached"
    assert "(lifetime) · ask" in message and "reset" not in message


@given(late_us=st.integers(-5_000_000, 5_000_000))
def test_retry_after_is_never_before_the_reset_and_at_least_a_second(late_us):
    now_us = MIDNIGHT_S * 10**6 + late_us
    refusal = say.budget_refusal(standing("10"), CALL, now_us)
    assert refusal.retry_after_s >= 1 and now_us + refusal.retry_after_s * 10**6 >= MIDNIGHT_S * 10**6
    assert refusal.retry_after_s <= max(1, -(late_us // 10**6))


def test_a_call_too_large_for_what_is_left_is_told_so_and_not_that_all_is_spent():
    worst = standing("9.31", "9.5", reserve="worst")
    _, headers, message = said(say.budget_refusal(worst, CALL, NOW_US, 1_234_567_890))
    assert headers[UNIFIED + b"overage-utilization"] == b"0.93"
    assert headers[UNIFIED + b"overage-surpassed-threshold"] == b"0.8"
    assert headers[UNIFIED + b"overage-disabled-reason"] == b"org_spend_cap_reached"
    assert message == (
        'Budget too small for team "platform": $0.69 of $10.00 left (daily) and this call may cost up to $1.24 · '
        f"resets Nov 23 00:00 UTC · ask finops@example.com for more (ref {CALL})"
    )
    typical = say.budget_refusal(standing("0", limit="0.5"), CALL, NOW_US, 12 * USD).message
    assert "$0.500 of $0.500 left (daily) and this call will probably cost $12.000" in typical


def test_a_session_may_also_begin_anew():
    one = standing("5", limit="5", scope=Scope("session", "*", each=True, key="anna"), account="0c1f", window=LIFETIME)
    assert 'session "0c1f": $5.00 of $5.00 (lifetime) · start a new session, or ask' in say.budget_refusal(one, CALL, 0).message


def test_the_reset_is_on_the_clock_of_the_budget():
    one = standing("10", window=parse_window("month", "America/New_York"))
    assert "resets Dec 1 00:00 EST" in say.budget_refusal(one, CALL, NOW_US).message


def test_the_contact_of_the_budget_comes_before_that_of_the_configuration():
    assert (
        "ask boss@example.com for more" in said(say.budget_refusal(standing("10", contact="boss@example.com"), CALL, NOW_US))[2]
    )
    assert "ask #help for more" in said(say.budget_refusal(standing("10"), CALL, NOW_US), contact="#help")[2]


# --- other refusals -----------------------------------------------------------------------------------------------------


def test_spending_that_cannot_be_read_is_refused_with_nothing_else_said():
    refusal = say.unreadable_refusal(CALL, "b")
    status, headers, message = said(refusal)
    assert (status, refusal.kind.type, refusal.rule) == (429, "billing_error", "b")
    assert headers == {b"x-should-retry": b"false", UNIFIED + b"overage-disabled-reason": b"fetch_error"}
    assert "tell finops@example.com" in message


def test_a_budget_that_is_only_set_aside_may_be_tried_again_soon():
    refusal = say.reserved_refusal(standing("7.1", "10"), CALL)
    status, headers, message = said(refusal)
    assert (status, refusal.kind.type, headers) == (429, "rate_limit_error", {b"retry-after": b"2"})
    assert message == (
        'Budget for team "platform" is set aside for calls that run: $7.10 spent and $2.90 set aside of $10.00 (daily) · '
        f"try again when one of them has ended (ref {CALL})"
    )


REQUESTS = Limit("bursts", Scope("key", "ci"), "requests", 60, 60 * 10**9, 120)
RATES = [
    (REQUESTS, 1, "1", '"ci": 60 requests per minute, at most 120 at once · clears in 1 s'),
    (REQUESTS, 10**9, "1", "clears in 1 s"),
    (REQUESTS, 10**9 + 1, "2", "clears in 2 s"),
    (REQUESTS, 125 * 10**9, "125", "clears in 2 min 5 s"),
    (REQUESTS, 3600 * 10**9, "3600", "clears in 1 h"),
    (REQUESTS, 3601 * 10**9, "3601", "clears in 1 h 1 min"),
    (REQUESTS, 86_399 * 10**9, "86399", "clears in 24 h"),
    (REQUESTS, 100_000 * 10**9, "100000", "clears in 1 d 4 h"),
    (Limit("t", Scope("team", "x"), "input_tokens", 5, 300 * 10**9, 5), 1, "1", "5 input tokens per 5 minutes · clears"),
    (Limit("u", Scope("team", "x"), "usd", usd_units(5 * USD), 86_400 * 10**9, usd_units(USD // 2)), 1, "1", "$5.00 per day, at"),
    (Limit("u", Scope("team", "x"), "usd", usd_units(5 * USD), 5 * 10**9, usd_units(USD // 2)), 1, "1", "at most $0.500 at once"),
]


@pytest.mark.parametrize(("limit", "wait_ns", "retry_after", "words"), RATES)
def test_a_rate_limit_says_when_it_clears_rounded_up(limit, wait_ns, retry_after, words):
    refusal = say.rate_refusal(limit, limit.scope.name, wait_ns, CALL)
    status, headers, message = said(refusal)
    assert (status, refusal.kind.type, headers) == (429, "rate_limit_error", {b"retry-after": retry_after.encode()})
    assert words in message and message.startswith(f'Rate limit "{limit.id}" for ') and refusal.rule == limit.id


@given(st.integers(1, 10**7))
def test_a_span_is_never_said_to_be_shorter_than_it_is(seconds):
    size = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
    told = sum(int(count) * size[unit] for count, unit in re.findall(r"(\d+) (s|min|h|d)", say.span_text(seconds)))
    assert seconds <= told < seconds + 3600


def test_the_other_refusals_name_what_to_do():
    parallel = said(say.parallel_refusal(Limit("p", Scope("key", "ci"), "parallel", 4), "ci", CALL))
    assert parallel[:2] == (429, {b"retry-after": b"1"})
    assert 'Limit of parallel calls "p" for key "ci": 4 calls run already' in parallel[2]
    costly = said(say.too_costly_refusal("ci", 1_500_000_001, USD, CALL))
    assert costly[:2] == (400, {b"x-should-retry": b"false"})
    assert 'This call could cost $1.51; the virtual key "ci" may spend $1.00 on one call' in costly[2]
    assert "ask finops@example.com for more" in costly[2]
    tokens = said(say.max_tokens_refusal("ci", 128_000, 32_000, CALL))
    assert tokens[:2] == (400, {b"x-should-retry": b"false"}) and "CLAUDE_CODE_MAX_OUTPUT_TOKENS=32000" in tokens[2]
    assert said(say.busy_refusal(CALL))[:2] == (529, {b"retry-after": b"2"})


def test_every_slug_about_money_is_billing_or_policy_or_retried():
    kinds = {slug: REFUSALS[slug] for slug in REFUSALS if slug.startswith(("budget_", "request_too", "max_tokens"))}
    assert {slug for slug, kind in kinds.items() if kind.retry is None} == {"budget_reserved"}


# --- in mid-stream ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_boundary", [True, False])
def test_a_stream_is_ended_by_one_event_that_says_what_a_refusal_would(at_boundary):
    event = say.stop_event(standing("10.5"), CALL, at_boundary=at_boundary)
    assert event.startswith(b"event: error\n" if at_boundary else b"\n\nevent: error\n") and event.endswith(b"}\n\n")
    error = json.loads(event.strip().split(b"data: ")[1])["error"]
    assert error["type"] == "billing_error"
    assert error["message"] == say.budget_refusal(standing("10.5"), CALL, NOW_US).message


@pytest.mark.parametrize(("used", "shares"), [("10", "$9.10 spent and $0.90 set aside"), ("", "$9.10")])
def test_a_stream_that_others_leave_nothing_for_is_told_so(used, shares):
    event = say.stop_event(standing("9.1", used), CALL, at_boundary=True).decode()
    assert f'Budget used up for team \\"platform\\": {shares} of $10.00 (daily) · resets' in event


# --- any names, any amounts ---------------------------------------------------------------------------------------------

NAMES = st.text(max_size=300) | st.text(st.sampled_from('a"\r\n\x00\x1b\u202e\u2028\ud800é中'), max_size=40)
AMOUNTS = st.integers(0, NUSD_MAX)
WINDOWS = st.sampled_from([parse_window(text) for text in ("1m", "hour", "day", "week", "month", "year", "lifetime")])
STANDINGS = st.builds(
    lambda kind, name, each, mode, reserve, contact, window, limit, settled, more, at_us: Standing(
        Budget("b", Scope(kind, name, each=each), limit, window, mode, reserve, (5000, 8000, 9500), contact),
        name,
        limit,
        settled,
        min(settled + more, NUSD_MAX),
        0,
        *bounds(window, at_us),
    ),
    st.sampled_from(KINDS),
    NAMES,
    st.booleans(),
    st.sampled_from(["hard", "soft", "shadow"]),
    st.sampled_from(["typical", "worst"]),
    NAMES,
    WINDOWS,
    AMOUNTS,
    AMOUNTS,
    AMOUNTS,
    st.integers(0, 2 * NOW_US),
)
HEADER_VALUE = re.compile(rb"[\x20-\x7e]*")


@given(STANDINGS, AMOUNTS, st.integers(0, 2 * NOW_US))
def test_whatever_the_names_a_refusal_is_one_line_and_its_headers_are_valid(one, needed, now_us):
    limit = Limit("l", one.budget.scope, "usd", 1, 10**9, 1)
    for refusal in (
        say.budget_refusal(one, CALL, now_us, needed),
        say.reserved_refusal(one, CALL),
        say.rate_refusal(limit, one.account, needed, CALL),
        say.parallel_refusal(limit, one.account, CALL),
        say.too_costly_refusal(one.account, needed, one.limit_nusd, CALL, one.budget.contact),
        say.max_tokens_refusal(one.account, 2, 1, CALL, one.budget.contact),
    ):
        _, headers, message = said(refusal)
        assert message.isprintable() and len(message) < 600 and message.endswith(f"(ref {CALL})")
        assert all(HEADER_VALUE.fullmatch(value) for value in headers.values())
    event = say.stop_event(one, CALL, at_boundary=True)
    assert event.count(b"\n") == 3 and b"\r" not in event


@given(st.lists(STANDINGS, max_size=6), st.booleans())
def test_whatever_the_names_headers_of_an_answer_are_valid(ones, native):
    headers = say.success_headers(ones, native=native)
    assert len({name for name, _ in headers}) == len(headers)
    for name, value in headers:
        assert re.fullmatch(rb"[a-z-]+", name) and HEADER_VALUE.fullmatch(value) and len(value) < 700
    assert bool(headers) == any(one.budget.mode != "shadow" for one in ones)
    assert native or not any(name.startswith(UNIFIED) for name, _ in headers)


@given(AMOUNTS, AMOUNTS)
def test_amounts_err_on_the_safe_side(nusd, limit):
    places = say.decimals_of(limit)
    assert 2 <= places <= 9 and nusd_from_usd(say.dollars(limit, places)[1:]) == limit
    low, high = (nusd_from_usd(say.dollars(nusd, places, up=up)[1:]) for up in (False, True))
    assert low <= nusd <= high and high - low <= 10 ** (9 - places)
    assert (low < limit) == (nusd < limit)  # what is not exceeded does not look exceeded


# --- headers of answers -------------------------------------------------------------------------------------------------


def test_each_answer_under_a_budget_carries_what_native_mode_shows():
    assert dict(say.success_headers([standing("8.29", "9")])) == {
        b"x-gw-budget-remaining-usd": b"1",
        b"x-gw-budget-reset": b"1795392000",
        UNIFIED + b"status": b"allowed_warning",
        UNIFIED + b"representative-claim": b"overage",
        UNIFIED + b"overage-status": b"allowed_warning",
        UNIFIED + b"overage-utilization": b"0.82",
        UNIFIED + b"overage-surpassed-threshold": b"0.8",
        UNIFIED + b"reset": b"1795392000",
        UNIFIED + b"overage-reset": b"1795392000",
    }


def test_below_every_warning_there_is_none():
    headers = dict(say.success_headers([standing("4.99")]))
    assert headers[UNIFIED + b"status"] == headers[UNIFIED + b"overage-status"] == b"allowed"
    assert UNIFIED + b"overage-surpassed-threshold" not in headers


THRESHOLDS = [("5", "0.5"), ("7.99", "0.5"), ("8", "0.8"), ("9.5", "0.95"), ("9.999", "0.95"), ("10", "1"), ("25", "1")]


@pytest.mark.parametrize(("spent", "passed"), THRESHOLDS)
def test_the_greatest_warning_that_is_passed_is_named_and_utilisation_stays_below_one(spent, passed):
    headers = dict(say.success_headers([standing(spent, mode="soft")]))
    assert headers[UNIFIED + b"overage-surpassed-threshold"] == passed.encode()
    assert headers[UNIFIED + b"overage-utilization"] < b"1"


def test_without_a_budget_nothing_is_said_and_a_shadow_budget_keeps_silent():
    assert say.success_headers([]) == [] == say.success_headers([standing("99", mode="shadow")])


def test_what_is_left_is_of_the_tightest_budget_and_the_warning_of_the_fullest():
    tight = standing("1", limit="2", scope=Scope("key", "anna"), account="anna", window=LIFETIME)
    full = standing("90", limit="100")
    headers = dict(say.success_headers([full, tight]))
    assert headers[b"x-gw-budget-remaining-usd"] == b"1" and b"x-gw-budget-reset" not in headers
    assert headers[UNIFIED + b"overage-utilization"] == b"0.90" and UNIFIED + b"overage-reset" in headers


def test_an_overspent_soft_budget_is_named_and_refuses_nothing():
    headers = dict(say.success_headers([standing("12.5", mode="soft"), standing("1")]))
    assert headers[b"x-gw-budget-warning"] == b'team "platform": $12.50 of $10.00 (daily)'
    assert headers[b"x-gw-budget-remaining-usd"] == b"0"


def test_callers_of_their_own_account_keep_its_headers():
    """Their subscription's limits are shown from the upstream's headers of these names."""
    assert not any(name.startswith(UNIFIED) for name, _ in say.success_headers([standing("9")], native=False))


def test_a_budget_of_nothing_is_spent():
    nothing = standing("0", limit="0")
    assert "$0.00 of $0.00" in say.budget_refusal(nothing, CALL, NOW_US).message
    assert say.percent(nothing) == 100 and dict(say.success_headers([nothing]))[UNIFIED + b"overage-utilization"] == b"0.99"


def test_every_refusal_about_money_and_speed_is_documented_with_its_status_and_type():
    page = (Path(__file__).parents[2] / "docs" / "budgets.md").read_text()
    slugs = [slug for slug in REFUSALS if re.match("budget_|rate_|too_many|request_too_c|max_tokens|gateway_busy", slug)]
    assert len(slugs) == 8
    for slug in slugs:
        assert f"| `{slug}` | {REFUSALS[slug].status} `{REFUSALS[slug].type}` |" in page
