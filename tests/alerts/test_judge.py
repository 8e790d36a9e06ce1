"""What each kind of rule finds, where it begins and ends, and in which words."""

import pytest

from gw.alerts import judge
from gw.alerts.decide import Condition
from gw.alerts.judge import Errors, Forecast, Session, Spending, Unpriced, quantile
from gw.alerts.notice import dollars, lines_of, percent, span_text
from gw.domain.budget import Budget, Mode
from gw.domain.scope import Scope, ScopeKind
from gw.domain.standing import Standing
from gw.domain.window import bounds, parse_window

USD = 10**9
HOUR = 3_600_000_000
DAY = 24 * HOUR
NOW = 1_793_534_400_000_000  # 2026-11-01 12:00 UTC


def standing(
    spent: int,
    limit: int = 100,
    *,
    window: str = "month",
    mode: Mode = "hard",
    kind: ScopeKind = "team",
    name: str = "platform",
    each: bool = False,
    zone: str = "UTC",
    now_us: int = NOW + 9 * DAY,
    contact: str = "",
) -> Standing:
    budget = Budget("platform", Scope(kind, name, each), limit * USD, parse_window(window, zone), mode, contact=contact)
    start_us, end_us = bounds(budget.window, now_us)
    return Standing(budget, name, limit * USD, spent * USD, (spent + 2) * USD, 0, start_us, end_us)


def only(found: object) -> Condition:
    (one,) = found  # type: ignore[misc]
    assert isinstance(one, Condition)
    return one


@pytest.mark.parametrize(
    ("spent", "holds", "level"),
    [
        (0, "off", 0),
        (74, "off", 0),
        (75, "between", 0),
        (79, "between", 0),
        (80, "on", 8000),
        (99, "on", 8000),
        (100, "on", 10_000),
        (250, "on", 10_000),
    ],
)
def test_a_budget_is_told_at_its_thresholds(spent: int, holds: str, level: int) -> None:
    one = only(judge.budget_threshold([standing(spent)], [8000, 10_000]))
    assert (one.holds, one.level) == (holds, level)


def test_a_threshold_below_the_gap_is_over_with_its_window() -> None:
    assert only(judge.budget_threshold([standing(1)], [100])).holds == "on"
    assert only(judge.budget_threshold([standing(0)], [100])).holds == "off"


def test_a_budget_says_who_how_much_and_until_when() -> None:
    one = only(judge.budget_threshold([standing(83, contact="anna@example.com")], [8000]))
    assert one.told.title == 'Team "platform" has spent 83 % of its monthly budget: $83.00 of $100.00, until Dec 1 00:00 UTC'
    assert ("Spent", "$83.00 of $100.00, $2.00 more set aside for calls that run") in one.told.facts
    assert one.told.advice == (
        "At the limit its calls are refused. To let them go on, raise it for a while (gw budget increase platform --limit-usd "
        "USD --until WHEN --reason WHY), or ask anna@example.com."
    )
    spent = only(judge.budget_threshold([standing(104)], [10_000])).told
    assert spent.title == 'Team "platform" has spent its monthly budget: $104.00 of $100.00, until Dec 1 00:00 UTC'
    berlin = only(
        judge.budget_threshold([standing(9, 10, window="day", zone="Europe/Berlin", kind="key", name="ci")], [8000])
    ).told
    assert berlin.title == 'Key "ci" has spent 90 % of its daily budget: $9.00 of $10.00, until Nov 11 00:00 CET'
    ever = only(judge.budget_threshold([standing(100, window="lifetime")], [8000])).told
    assert ever.title.endswith("its lifetime budget: $100.00 of $100.00, until it is raised")
    all_models = only(judge.budget_threshold([standing(100, kind="model", name="claude-opus-*")], [8000])).told
    assert all_models.title.startswith('All models like "claude-opus-*" together has spent')


def test_a_budget_of_nothing_is_spent_with_the_first_call() -> None:
    assert only(judge.budget_threshold([standing(0, 0)], [8000])).holds == "off"
    assert only(judge.budget_threshold([standing(1, 0)], [8000])).level == 8000


@pytest.mark.parametrize(
    ("spent", "per_hour_cents", "holds"),
    [
        (40, 0, "off"),
        (40, 10, "off"),  # 40 + 492 h x $0.10 = $89.20
        (40, 11, "between"),  # $94.12
        (40, 13, "on"),  # $103.96
        (99, 0, "between"),
        (100, 500, "off"),  # it is spent already: thresholds tell that
    ],
)
def test_a_forecast_is_what_is_spent_and_the_rate_for_the_rest(spent: int, per_hour_cents: int, holds: str) -> None:
    length = judge.recent_us(30 * DAY)
    assert length == 7 * DAY
    recent = per_hour_cents * USD // 100 * (length // HOUR)
    assert only(judge.budget_forecast([Forecast(standing(spent), recent, length)], NOW + 9 * DAY)).holds == holds


def test_a_forecast_says_when_the_limit_is_reached_and_what_it_will_be() -> None:
    now = NOW + 9 * DAY
    one = only(judge.budget_forecast([Forecast(standing(40), 84 * USD, 7 * DAY)], now))
    assert one.told.title == (
        'Team "platform" will exceed its monthly budget of $100.00 about Nov 15 12:00 UTC: '
        "$286.00 by Dec 1 00:00 UTC at the present rate"
    )
    assert ("Rate", "$0.50 an hour, over the last 7 days") in one.told.facts


def test_nothing_is_forecast_of_what_has_just_begun_or_never_ends() -> None:
    early = standing(40, now_us=NOW)
    assert not list(judge.budget_forecast([Forecast(early, 84 * USD, 7 * DAY)], early.start_us + DAY))
    assert not list(judge.budget_forecast([Forecast(standing(40, window="lifetime"), USD, HOUR)], NOW))


def rate(nusd: int, hours: tuple[int, ...] = (), per_hour: int = 0, times: int = 0, least: int = 0) -> list[Condition]:
    found = [Spending("key", "ci", nusd, HOUR // 4, hours)]
    return list(judge.spend_rate(found, per_hour * USD, times * 1000, least * USD, 5))


def test_a_rate_is_judged_by_its_bound_and_by_its_own_past() -> None:
    assert [one.holds for nusd in (0, 9, 11, 13) for one in rate(nusd * USD, per_hour=50)] == ["off", "off", "between", "on"]
    usual = (2 * USD,) * 7
    assert not rate(9 * USD, usual[:4], times=5), "too short a past says nothing"
    (one,) = rate(9 * USD, usual, times=5)
    assert one.holds == "on"
    assert one.told.title == 'Key "ci" spends $36.00 an hour, 18 times as much as usual ($2.00)'
    (small,) = rate(9 * USD, usual, times=5, least=40)
    assert small.holds == "between", "less than the least is never told"
    (fixed,) = rate(13 * USD, per_hour=50)
    assert fixed.told.title == 'Key "ci" spends $52.00 an hour, more than $50.00'
    assert fixed.told.over == 'Key "ci" spends $52.00 an hour again'


def session(nusd: int, earlier: tuple[int, ...]) -> list[Condition]:
    return list(judge.unusual_session([Session("key", "anna", "5f3c1a20-aaaa-bbbb", nusd, 412, NOW, earlier)], 3000, USD, 5))


def test_a_session_is_unusual_by_the_quartiles_of_the_others() -> None:
    earlier = tuple(usd * USD for usd in (1, 1, 2, 2, 3, 3, 4, 4))  # quartiles 1, 2, 3: a fence of 3 + 3 x 2
    assert [one.level for usd in (5, 9, 10, 19, 40) for one in session(usd * USD, earlier)] == [0, 0, 1, 2, 3]
    assert not session(99 * USD, earlier[:4])
    (one,) = session(84 * USD + 200_000_000, earlier)
    assert one.told.title == 'A session of key "anna" has cost $84.20, 42.1 times the usual'
    assert ("Usual", "half of the 8 sessions before cost at most $2.00, three quarters $3.00") in one.told.facts
    assert "gw logs --session 5f3c1a20-aaaa" in one.told.advice


def test_sessions_that_all_cost_the_same_need_a_multiple_and_a_dollar() -> None:
    same = (USD // 10,) * 20
    assert session(USD, same)[0].holds == "off" and session(USD + 1, same)[0].holds == "on"
    dear = (10 * USD,) * 20
    assert session(30 * USD, dear)[0].holds == "off" and session(30 * USD + 1, dear)[0].holds == "on"


@pytest.mark.parametrize(
    ("calls", "failed", "holds"),
    [(0, 0, "off"), (19, 19, "between"), (100, 5, "between"), (100, 4, "off"), (100, 10, "between"), (100, 11, "on")],
)
def test_errors_count_from_so_many_calls_on(calls: int, failed: int, holds: str) -> None:
    one = only(judge.error_rate([Errors("upstream", "anthropic", calls, failed, HOUR // 4, "overloaded (11)")], 100, 20))
    assert one.holds == holds
    if holds == "on":
        assert one.told.title == 'Upstream "anthropic": 11 % of calls fail (11 of 100 in 15 min)'
        assert ("Mostly", "overloaded (11)") in one.told.facts


def test_health_says_what_it_is() -> None:
    unpriced = only(judge.unpriced_model([Unpriced("claude-next", 12, NOW - HOUR, NOW)], NOW))
    assert unpriced.told.title == 'Model "claude-next" has no price: 12 calls in the last day count as $0'
    assert only(judge.unpriced_model([Unpriced("claude-next", 12, NOW - HOUR, NOW)], NOW + DAY)).holds == "off"
    drift = judge.accounting_drift(5 * USD, 2 * USD, USD, 3)
    assert drift.holds == "on" and drift.told.title.startswith("Budgets and the ledger differed by $3.00")
    assert judge.accounting_drift(5 * USD, 5 * USD, 0, 3).holds == "off"
    lag = judge.database_lag(90_000_000, 45_000_000, 60_000_000, "connection refused")
    assert lag.holds == "on" and lag.told.title == "The ledger is 90 s behind: the database takes no rows".replace(
        "90 s", "1 min"
    )
    assert judge.database_lag(29_000_000, 0, 60_000_000, "").holds == "off"
    assert judge.database_lag(29_000_000, 0, 60_000_000, "down").holds == "between"


def test_figures_are_as_exact_as_people_need() -> None:
    amounts = {
        0: "$0",
        1: "less than $0.0001",
        43_200_000: "$0.0432",
        USD: "$1.00",
        84_204_999_999: "$84.20",
        12_345 * USD: "$12,345",
        -USD: "-$1.00",
    }
    assert {nusd: dollars(nusd) for nusd in amounts} == amounts
    assert [percent(*pair) for pair in ((83, 100), (1, 200), (1, 30), (5, 0), (200, 100))] == [
        "83 %",
        "0.5 %",
        "3.3 %",
        "all",
        "200 %",
    ]
    assert [span_text(us) for us in (5_000_000, 900_000_000, 3 * HOUR, 50 * HOUR)] == ["5 s", "15 min", "3 h", "2 days"]
    assert lines_of([("A", "1"), ("Longer", "2")]) == "A:      1\nLonger: 2"


def test_quantiles_are_values_that_are_there() -> None:
    assert [quantile([4, 1, 3, 2], part, 4) for part in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert quantile([7], 1, 2) == 7
