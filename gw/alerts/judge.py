"""From facts to conditions: what each kind of rule looks at, when it is on, and when it is off again. Pure; money is nano-USD.

Each has a gap between on and off, so that a figure that wavers about its bound is one alert and not many:
    budget_threshold   on from the threshold; off 5 points of the limit below the lowest, or when nothing is spent
    budget_forecast    on above the limit; off below 90 % of it, or when the limit is reached
    spend_rate         on above the bound; off below 80 % of it
    unusual_session    on above its fence; off when the session has had no call for the rule's window
    error_rate         on above the share; off below half of it
    unpriced_model     on while calls of it come; off when none has come for a day
    accounting_drift   on when drift grows beyond the bound; off when it does not grow
    database_lag       on beyond the bound; off below half of it
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gw.alerts.decide import Condition, Holds
from gw.alerts.notice import Told, dollars, moment_text, name_text, percent, span_text
from gw.domain.budget import BASIS
from gw.domain.standing import Standing
from gw.domain.window import describe

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
GAP_BASIS = 500
RECENT_US = (HOUR_US, 7 * DAY_US)  # the shortest and the longest time that a forecast goes by
FENCE = 3  # interquartile ranges above the third quartile: "far out" for Tukey


class Forecast(Struct, frozen=True):
    """`recent_nusd` was spent in the last `recent_us`."""

    standing: Standing
    recent_nusd: int
    recent_us: int


class Spending(Struct, frozen=True):
    """Of one account in the last `window_us`. `hours`: what was spent in each earlier hour in which there was spending."""

    kind: str
    name: str
    nusd: int
    window_us: int
    hours: tuple[int, ...] = ()


class Session(Struct, frozen=True):
    """A session that had a call lately. `earlier`: what the other sessions of its account have cost."""

    kind: str
    name: str
    session: str
    nusd: int
    calls: int
    last_us: int
    earlier: tuple[int, ...]


class Errors(Struct, frozen=True):
    """Calls in the last `window_us`, without those that gw refused; `worst`: the most frequent error."""

    kind: str
    name: str
    calls: int
    failed: int
    window_us: int
    worst: str = ""


class Unpriced(Struct, frozen=True):
    """A model without a price. Calls in the last day."""

    model: str
    calls: int
    first_us: int
    last_us: int
    refused: bool = False


def median(values: Sequence[int]) -> int:
    """The lower of the two in the middle. Of at least one value."""
    return quantile(values, 1, 2)


def quantile(values: Sequence[int], part: int, of: int) -> int:
    """The smallest value that at least `part`/`of` of all are not above. Of at least one value."""
    found = sorted(values)
    return found[max(-(-len(found) * part // of), 1) - 1]


def recent_us(length_us: int) -> int:
    """How far back a forecast looks in a window of that length: a quarter of it, within RECENT_US."""
    return min(max(length_us // 4, RECENT_US[0]), RECENT_US[1])


# --- budgets ------------------------------------------------------------------------------------------------------------


def budget_threshold(found: Iterable[Standing], at: Sequence[int]) -> Iterable[Condition]:
    """`at`: basis points of the limit, rising; the level is the highest that is reached."""
    for one in found:
        share = one.settled_nusd * BASIS // one.limit_nusd if one.limit_nusd else (BASIS if one.settled_nusd else 0)
        level = max((bound for bound in at if share >= bound), default=0)
        off = not one.settled_nusd or share < at[0] - GAP_BASIS  # a threshold may lie below the gap
        holds: Holds = "on" if level else "off" if off else "between"
        yield Condition(_budget_subject(one), holds, _threshold_told(one, level), level, one.start_us, one.limit_nusd)


def _threshold_told(one: Standing, level: int) -> Told:
    spent, limit = dollars(one.settled_nusd), dollars(one.limit_nusd)
    window = _window(one)
    if one.settled_nusd >= one.limit_nusd:
        title = f"{_name(one)} has spent its {window}budget: {spent} of {limit}, until {_until(one)}"
    else:
        title = f"{_name(one)} has spent {percent(one.settled_nusd, one.limit_nusd)} of its {window}budget: {spent} of {limit}"
        title += f", until {_until(one)}" if one.end_us else ""
    facts = [*_budget_facts(one)]
    if level:
        facts.append(("Threshold", percent(level, BASIS)))
    advice = {
        "hard": f"At the limit its calls are refused. To let them go on, {_raise(one)}, or ask",
        "soft": 'The budget is soft: calls go on beyond its limit. If that is not meant, set mode = "hard", or ask',
        "shadow": "The budget is a shadow: nothing is refused. To see what would be, look at its calls, or ask",
    }[one.budget.mode]
    over = f"{_name(one)} is below its {window}thresholds again: {spent} of {limit}"
    return Told(title, tuple(facts), f"{advice} {one.budget.contact}." if one.budget.contact else f"{advice} its owner.", over)


def budget_forecast(found: Iterable[Forecast], now_us: int) -> Iterable[Condition]:
    """spent + rate x what is left of the window, by the rate of the recent past (`recent_us`). Nothing is said of windows that
    never end, nor in the first twentieth of one."""
    for one in found:
        stands = one.standing
        length_us = stands.end_us - stands.start_us
        if not stands.end_us or not stands.limit_nusd or now_us - stands.start_us < length_us // 20:
            continue
        left_us = max(stands.end_us - now_us, 0)
        expected = stands.settled_nusd + one.recent_nusd * left_us // one.recent_us
        spent = stands.settled_nusd >= stands.limit_nusd
        holds: Holds = "between"
        if spent or expected * 10 < stands.limit_nusd * 9:
            holds = "off"
        elif expected > stands.limit_nusd:
            holds = "on"
        yield Condition(
            _budget_subject(stands), holds, _forecast_told(one, expected, now_us), 0, stands.start_us, stands.limit_nusd
        )


def _forecast_told(one: Forecast, expected: int, now_us: int) -> Told:
    stands = one.standing
    left = stands.limit_nusd - stands.settled_nusd
    zone = stands.budget.window.time_zone
    reached_us = now_us + left * one.recent_us // one.recent_nusd if one.recent_nusd > 0 else stands.end_us
    limit, window = dollars(stands.limit_nusd), _window(stands)
    title = (
        f"{_name(stands)} will exceed its {window}budget of {limit} about {moment_text(max(reached_us, now_us), zone)}: "
        f"{dollars(expected)} by {_until(stands)} at the present rate"
    )
    per_hour = one.recent_nusd * HOUR_US // one.recent_us
    facts = (
        *_budget_facts(stands),
        ("Rate", f"{dollars(per_hour)} an hour, over the last {span_text(one.recent_us)}"),
        ("Expected", f"{dollars(expected)} by {_until(stands)}"),
    )
    advice = (
        f"Look who spends it (gw usage --by session), {_raise(stands)}, or slow"
    )
    spent = dollars(stands.settled_nusd)
    over = f"{_name(stands)} will keep its {window}budget of {limit}: {spent} are spent, until {_until(stands)}"
    if stands.settled_nusd >= stands.limit_nusd:
        over = f"{_name(stands)} has spent its {window}budget of {limit}: the forecast came true"
    return Told(title, facts, f"{advice} it down with a limit.", over)


def _budget_facts(one: Standing) -> tuple[tuple[str, str], ...]:
    reserved = f", {dollars(one.reserved_nusd)} more set aside for calls that run" if one.reserved_nusd else ""
    return (
        ("Budget", f"{one.budget.id} ({one.budget.mode}, {describe(one.budget.window)})"),
        ("Spent", f"{dollars(one.settled_nusd)} of {dollars(one.limit_nusd)}{reserved}"),
        ("Left", dollars(one.remaining_nusd)),
        ("Begins anew", _until(one)),
    )


def _budget_subject(one: Standing) -> str:
    return f"budget:{one.budget.id}:{one.budget.scope.kind}:{one.account}"


def _name(one: Standing) -> str:
    scope = one.budget.scope
    if scope.is_pattern and not scope.each and scope.kind != "session":
        return f"All {scope.kind}s together" if scope.name == "*" else f'All {scope.kind}s like "{scope.name}" together'
    text = name_text(scope.kind, one.account)
    return text[0].upper() + text[1:]


def _window(one: Standing) -> str:
    return f"{describe(one.budget.window)} " if one.end_us else "lifetime "


def _until(one: Standing) -> str:
    return moment_text(one.end_us, one.budget.window.time_zone) if one.end_us else "it is raised"


def _raise(one: Standing) -> str:
    return f"raise it for a while (gw budget increase {_quoted(one.budget.id)} --limit-usd USD --until WHEN --reason WHY)"


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


# --- spending and sessions ------------------------------------------------------------------------------------------------


def spend_rate(
    found: Iterable[Spending], per_hour_nusd: int, times_milli: int, least_nusd: int, history_min: int
) -> Iterable[Condition]:
    """`per_hour_nusd`, `times_milli` (thousandths): 0 = not looked at. By its own past only what has history_min hours of it and
    spends at least `least_nusd` an hour is judged."""
    for one in found:
        rate = one.nusd * HOUR_US // one.window_us
        usual = median(one.hours) if len(one.hours) >= history_min else 0
        bounds = [(per_hour_nusd, "")] if per_hour_nusd else []
        if times_milli and usual:
            bounds.append((max(usual * times_milli // 1000, least_nusd), "usual"))
        if not bounds:
            continue
        bound, why = min(bounds)
        holds: Holds = "on" if rate > bound else "off" if rate * 10 < bound * 8 else "between"
        yield Condition(_subject(one.kind, one.name), holds, _rate_told(one, rate, bound, usual if why else 0))


def _rate_told(one: Spending, rate: int, bound: int, usual: int) -> Told:
    who = _capital(name_text(one.kind, one.name))
    verb = "cost" if not one.kind else "spends"
    if usual:
        title = f"{who} {verb} {dollars(rate)} an hour, {rate * 10 // usual / 10:g} times as much as usual ({dollars(usual)})"
    else:
        title = f"{who} {verb} {dollars(rate)} an hour, more than {dollars(bound)}"
    facts = [("Spent", f"{dollars(one.nusd)} in the last {span_text(one.window_us)}"), ("Bound", f"{dollars(bound)} an hour")]
    if usual:
        facts.append(("Usual", f"{dollars(usual)} (median of {len(one.hours)} hours with spending in the last four weeks)"))
    look = f" --{one.kind} {_quoted(one.name)}" if one.kind else ""
    advice = f"See what it is: gw usage --by session --since 1h{look}. To bound it: a [[limit]] with usd, or a [[budget]]."
    return Told(title, tuple(facts), advice, f"{who} {verb} {dollars(rate)} an hour again")


def unusual_session(found: Iterable[Session], times_milli: int, least_nusd: int, history_min: int) -> Iterable[Condition]:
    """On where a session has cost more than each of: the third quartile of the account's other sessions and FENCE times their
    interquartile range; `times_milli` thousandths of their median; `least_nusd`. Its level counts doublings beyond that."""
    for one in found:
        if len(one.earlier) < history_min:
            continue
        low, middle, high = (quantile(one.earlier, part, 4) for part in (1, 2, 3))
        bound = max(high + FENCE * (high - low), middle * times_milli // 1000, least_nusd, 1)
        level = (one.nusd // bound).bit_length() if one.nusd > bound else 0
        told = _session_told(one, middle, high)
        yield Condition(f"session:{one.session}:{_subject(one.kind, one.name)}", "on" if level else "off", told, level)


def _session_told(one: Session, middle: int, high: int) -> Told:
    who = name_text(one.kind, one.name)
    times = f", {one.nusd * 10 // middle / 10:g} times the usual" if middle else ""
    title = f"A session of {who} has cost {dollars(one.nusd)}{times}"
    facts = (
        ("Session", one.session),
        ("Cost so far", f"{dollars(one.nusd)} in {one.calls:,} calls"),
        (
            "Usual",
            f"half of the {len(one.earlier)} sessions before cost at most {dollars(middle)}, three quarters {dollars(high)}",
        ),
        ("Last call", moment_text(one.last_us)),
    )
    advice = "See what it does: gw logs --session " + one.session[:13] + '. A [[budget]] with session = "*" stops such a session.'
    return Told(title, facts, advice, f"The session of {who} that had cost {dollars(one.nusd)} rests")


# --- health ---------------------------------------------------------------------------------------------------------------


def error_rate(found: Iterable[Errors], share_milli: int, calls_min: int) -> Iterable[Condition]:
    for one in found:
        if one.calls < calls_min:
            holds: Holds = "between" if one.calls and one.failed * 2000 > one.calls * share_milli else "off"
        else:
            over, half = one.failed * 1000 > one.calls * share_milli, one.failed * 2000 < one.calls * share_milli
            holds = "on" if over else "off" if half else "between"
        who = _capital(name_text(one.kind, one.name))
        counted = f"{one.failed:,} of {one.calls:,} in {span_text(one.window_us)}"
        share = percent(one.failed, one.calls)
        title = f"{who}: {share} of calls fail ({counted})" if one.kind else f"{share} of all calls fail ({counted})"
        facts = [("Failed", f"{one.failed:,} of {one.calls:,} calls in the last {span_text(one.window_us)}")]
        facts.append(("Bound", percent(share_milli, 1000)))
        if one.worst:
            facts.append(("Mostly", one.worst))
        look = f" --{one.kind} {_quoted(one.name)}" if one.kind else ""
        advice = (
            f"See them: gw logs --outcome upstream_error{look}. What the provider says of its own state: status.anthropic.com."
        )
        yield Condition(_subject(one.kind, one.name), holds, Told(title, tuple(facts), advice, f"{who}: calls fail no more"))


def unpriced_model(found: Iterable[Unpriced], now_us: int) -> Iterable[Condition]:
    for one in found:
        title = f"{_capital(name_text('model', one.model))} has no price: {_calls(one.calls)} as $0"
        facts = (("First seen", moment_text(one.first_us)), ("Last seen", moment_text(one.last_us)), ("Calls", f"{one.calls:,}"))
        advice = (
            "Give it one under [[pricing.override]], or set [pricing] sync_url; then gw reprice corrects what is in the ledger."
        )
        holds: Holds = "on" if one.last_us > now_us - DAY_US else "off"
        yield Condition(
            f"model:{one.model}", holds, Told(title, facts, advice, f'No calls of model "{one.model}" without a price any more')
        )


def accounting_drift(drift_nusd: int, before_nusd: int, bound_nusd: int, corrected: int) -> Condition:
    """`drift_nusd`: what the keeper had to correct in all; `before_nusd`: the same at the look before."""
    grown = max(drift_nusd - before_nusd, 0)
    title = f"Budgets and the ledger differed by {dollars(grown)}; the keeper has corrected the budgets"
    facts = (("Corrected now", dollars(grown)), ("Since the keeper's start", f"{dollars(drift_nusd)} in {corrected:,} cells"))
    advice = (
        "Calls and money are safe: the ledger counts. The keeper's log names the budgets; please report it if it comes again."
    )
    return Condition(
        "accounting", "on" if grown > bound_nusd else "off", Told(title, facts, advice, "Budgets and the ledger agree again")
    )


def database_lag(behind_us: int, behind_bytes: int, bound_us: int, problem: str) -> Condition:
    """`problem`: why the store takes no rows; "" if it does."""
    holds: Holds = "on" if behind_us > bound_us else "off" if behind_us * 2 < bound_us and not problem else "between"
    why = "the database takes no rows" if problem else "calls wait in the journals"
    title = f"The ledger is {span_text(behind_us)} behind: {why}"
    facts = [
        ("Oldest call that waits", f"{span_text(behind_us)} old"),
        ("Waiting", f"{behind_bytes / 1e6:,.1f} MB in the journals"),
    ]
    if problem:
        facts.append(("The database says", problem))
    advice = "No call is lost or delayed: the journals keep them. Mend the database, and see that the state directory has room."
    return Condition("database", holds, Told(title, tuple(facts), advice, "The ledger has caught up"))


def _calls(count: int) -> str:
    return "1 call in the last day counts" if count == 1 else f"{count:,} calls in the last day count"


def _subject(kind: str, name: str) -> str:
    return f"{kind}:{name}" if kind else "all"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
