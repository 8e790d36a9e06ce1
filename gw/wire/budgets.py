"""What gw says about budgets and limits: refusals, the event that ends a stream, headers on answers.

The refusal of a spent budget has the shape that Claude Code was measured to stop at, with one request and our line shown:
429, `billing_error`, `x-should-retry: false` and, for its native gateway mode, `overage-disabled-reason`. Never with
`representative-claim` or `overage-status`: with these it would write a line of its own. One line of message is all that a
developer sees, so it says whose budget, how much of what, until when, whom to ask, and the call's id.

Amounts err on the safe side: spent and left are rounded down, what a call needs is rounded up, a limit is exact. Names may be
a client's own words (model, project, session); they are made printable and bounded, and no header but `x-gw-budget-warning`
holds any.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from gw._fast import amount_text
from gw.domain.budget import BASIS
from gw.domain.limit import NUSD_PER_UNIT, Limit
from gw.domain.scope import Scope
from gw.domain.standing import Standing
from gw.domain.text import printable
from gw.domain.window import describe, next_reset_text
from gw.errors import Refusal
from gw.wire.refusals import ADMINISTRATOR, error_event

Headers = list[tuple[bytes, bytes]]

NAME_MAX = 80
CONTACT_MAX = 160
WARNINGS_MAX = 3  # budgets named in one warning
US_PER_S = 1_000_000
NS_PER_S = 1_000_000_000
NUSD_DECIMALS = 9
NUSD_PER_USD = 10**9
PERCENT_MAX = 1_000_000  # of a limit that is next to nothing
FULL_HUNDREDTHS = 99  # utilisation is said in hundredths, and is less than 1 in an answer
DAY_US = 86_400 * US_PER_S
PERIODS = ((b"daily", DAY_US), (b"weekly", 7 * DAY_US), (b"monthly", 30 * DAY_US))  # all that Claude Code knows
OWN_SCOPES = ("key", "session")  # one developer's; all others are shared
SPANS = (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))

UNIFIED = b"anthropic-ratelimit-unified-"
REMAINING = b"x-gw-budget-remaining-usd"
STATUS, RESET = UNIFIED + b"status", UNIFIED + b"reset"
CLAIM = (UNIFIED + b"representative-claim", b"overage")
OVERAGE_STATUS, OVERAGE_RESET = UNIFIED + b"overage-status", UNIFIED + b"overage-reset"
UTILIZATION, SURPASSED = UNIFIED + b"overage-utilization", UNIFIED + b"overage-surpassed-threshold"
REJECTED = (STATUS, b"rejected")
PERIOD = UNIFIED + b"overage-period"
SPENT = (UNIFIED + b"overage-disabled-reason", b"org_spend_cap_reached")
UNREADABLE = (UNIFIED + b"overage-disabled-reason", b"fetch_error")
SHARED = (UNIFIED + b"overage-scope", b"group_pool")


# --- refusals ---------------------------------------------------------------------------------------------------------


def budget_refusal(standing: Standing, call_id: str, now_us: int, needed_nusd: int = 0) -> Refusal:
    """A hard budget is spent, or what is left of it can never hold the `needed_nusd` of this call.

    retry-after is the time to the reset. A budget for good has neither that nor a reset to name: only a person can help.
    What is not used up is not said to be: the client stops all the same, and shows the true bar (measured).
    """
    headers = [REJECTED]
    retry_after_s = 0
    if standing.end_us:
        retry_after_s = max(_up(standing.end_us - now_us, US_PER_S), 1)
        reset = b"%d" % reset_s(standing)
        headers += [(RESET, reset), (OVERAGE_RESET, reset)]
    headers += [*_used(standing, threshold(standing)), (PERIOD, period(standing)), SPENT]
    if is_shared(standing.budget.scope):
        headers.append(SHARED)
    message = spent_text(standing, call_id, needed_nusd)
    return Refusal("budget_exceeded", message, retry_after_s=retry_after_s, headers=headers, rule=standing.budget.id)


def reserved_refusal(standing: Standing, call_id: str) -> Refusal:
    """The budget is not spent, but all of it is set aside for calls that run: soon some of that comes back."""
    message = (
        f"Budget for {name_of(standing)} is set aside for calls that run: {_shares(standing)} · "
        f"try again when one of them has ended (ref {call_id})"
    )
    return Refusal("budget_reserved", message, rule=standing.budget.id)


def unreadable_refusal(call_id: str, rule: str = "") -> Refusal:
    """A call under a hard budget whose spending cannot be read, or whose cost cannot be known."""
    message = f"Spending under a budget of this call cannot be read, so it is not made · tell {ADMINISTRATOR} (ref {call_id})"
    return Refusal("budget_unreadable", message, headers=[UNREADABLE], rule=rule)


def rate_refusal(limit: Limit, account: str, wait_ns: int, call_id: str) -> Refusal:
    """`wait_ns`: until the bucket would let such a call pass, if nobody else takes from it."""
    wait_s = max(_up(wait_ns, NS_PER_S), 1)
    message = f"{_limit_name(limit, account)}: {rate_text(limit)} · clears in {span_text(wait_s)} (ref {call_id})"
    return Refusal("rate_limited", message, retry_after_s=wait_s, rule=limit.id)


def parallel_refusal(limit: Limit, account: str, call_id: str) -> Refusal:
    calls = "1 call runs" if limit.amount == 1 else f"{limit.amount} calls run"
    more = f"{_limit_name(limit, account)}: {calls} already · try again when one has ended (ref {call_id})"
    return Refusal("too_many_parallel", more, rule=limit.id)


def too_costly_refusal(key_name: str, needed_nusd: int, max_nusd: int, call_id: str, contact: str = "") -> Refusal:
    """More than the `max_cost_usd` of the key."""
    bound = dollars(max_nusd, decimals_of(max_nusd))
    cost = dollars(needed_nusd, decimals_of(max_nusd), up=True)
    return Refusal(
        "request_too_costly",
        f'This call could cost {cost}; the virtual key "{_plain(key_name)}" may spend {bound} on one call · '
        f"send less, choose a cheaper model with /model, or ask {_whom(contact)} for more (ref {call_id})",
    )


def max_tokens_refusal(key_name: str, asked: int, tokens_max: int, call_id: str, contact: str = "") -> Refusal:
    """More than the `max_tokens` of the key."""
    return Refusal(
        "max_tokens_exceeded",
        f'This call asks for up to {asked} output tokens; the virtual key "{_plain(key_name)}" may ask for {tokens_max} · '
        f"set CLAUDE_CODE_MAX_OUTPUT_TOKENS={tokens_max}, or ask {_whom(contact)} for more (ref {call_id})",
    )


def busy_refusal(call_id: str) -> Refusal:
    """No slot is free to hold what this call may spend."""
    return Refusal("gateway_busy", f"This gateway runs as many calls as it can hold to budgets · try again (ref {call_id})")


def stop_event(standing: Standing, call_id: str, *, at_boundary: bool, needed_nusd: int = 0) -> bytes:
    """The `event: error` that ends a stream which its budget no longer pays for. In the middle of an event it closes that
    one first; a content block must have been closed before, or Claude Code asks for the whole turn again."""
    return error_event("billing_error", spent_text(standing, call_id, needed_nusd, running=True), at_boundary=at_boundary)


# --- headers of answers -----------------------------------------------------------------------------------------------


def success_headers(standings: Iterable[Standing], *, native: bool = True) -> Headers:
    """For an answer with status 200: what is left of the tightest budget, soft ones that are overspent and, `native`, what
    Claude Code's gateway mode warns by. Shadow budgets are never spoken of; without another there are no headers.

    `native` takes the place of the upstream's own `anthropic-ratelimit-*`: only where those stay behind.
    """
    binding = binding_of(standings)
    if not binding:
        return []
    tightest = min(binding, key=_remaining)
    headers = [remaining_header(tightest.remaining_nusd), *_resets(tightest)]
    overspent = [one for one in binding if one.budget.mode == "soft" and one.settled_nusd >= one.limit_nusd]
    if overspent:
        words = "; ".join(f"{name_of(one)}: {_spent_of(one)}" for one in overspent[:WARNINGS_MAX])
        headers.append((b"x-gw-budget-warning", words.encode("ascii", "replace")))
    return headers + _native(fullest(binding)) if native else headers


def remaining_header(nusd: int) -> tuple[bytes, bytes]:
    """What is left of the tightest budget."""
    return REMAINING, amount_text(nusd, NUSD_DECIMALS)


def steady_headers(tightest: Standing, full: Standing, spent: int, *, native: bool) -> Headers:
    """What `success_headers` has beside `remaining_header` as long as no budget has anything to warn of: the same until another
    `spent` percent of the fullest are spent."""
    seen = replace(full, settled_nusd=-(-spent * full.limit_nusd // 100))
    return [*_resets(tightest), *_native(seen)] if native else _resets(tightest)


def _resets(standing: Standing) -> Headers:
    return [(b"x-gw-budget-reset", b"%d" % reset_s(standing))] if standing.end_us else []


def _native(standing: Standing) -> Headers:
    """Shown by the client from a threshold and three quarters of the limit on; "resets ..." only with a reset (measured)."""
    passed = threshold(standing)
    status = b"allowed_warning" if passed else b"allowed"
    headers = [(STATUS, status), CLAIM, (OVERAGE_STATUS, status), *_used(standing, passed, allowed=True)]
    if standing.end_us:
        reset = b"%d" % reset_s(standing)
        headers += [(RESET, reset), (OVERAGE_RESET, reset)]
    return headers


def _used(standing: Standing, passed: int, *, allowed: bool = False) -> Headers:
    """Which part of the limit is spent, and the warning that this has passed. Below 1 where calls are still allowed."""
    if standing.settled_nusd >= standing.limit_nusd and not allowed:
        part = b"1"
    else:
        part = b"0.%02d" % min(percent(standing), FULL_HUNDREDTHS)
    return [(UTILIZATION, part), (SURPASSED, fraction_text(passed).encode())] if passed else [(UTILIZATION, part)]


def binding_of(standings: Iterable[Standing]) -> list[Standing]:
    """Without those of shadow budgets, which only record."""
    return [one for one in standings if one.budget.mode != "shadow"]


def fullest(standings: Iterable[Standing]) -> Standing:
    """Of which the greatest part is spent."""
    return sorted(standings, key=part_spent)[-1]  # of equals the last, as in a dict that is filled in this order


def part_spent(standing: Standing) -> tuple[int, int]:
    """Orders by the part that is spent; of equals by the lesser rest."""
    if not standing.limit_nusd:
        return BASIS * BASIS, 0
    return standing.settled_nusd * BASIS * BASIS // standing.limit_nusd, -standing.remaining_nusd


def percent(standing: Standing) -> int:
    """How much of the limit is spent, rounded down; beyond 100 if it is overspent. Nothing to spend is spent."""
    return min(100 * standing.settled_nusd // standing.limit_nusd, PERCENT_MAX) if standing.limit_nusd else 100


def threshold(standing: Standing) -> int:
    """The greatest of the budget's warnings that is spent, in basis points; 0: none. A spent limit is one, said or not."""
    limit, part = standing.limit_nusd, standing.settled_nusd * BASIS
    if part >= limit * BASIS:
        return BASIS
    passed = 0
    for at in standing.budget.warn_at:
        if part < limit * at:
            break
        passed = at
    return passed


def fraction_text(basis_points: int) -> str:
    """8000 -> "0.8"."""
    whole, part = divmod(basis_points, BASIS)
    return f"{whole}.{part:04d}".rstrip("0").rstrip(".")


def reset_s(standing: Standing) -> int:
    """Unix seconds from which on the window is over."""
    return _up(standing.end_us, US_PER_S)


def period(standing: Standing) -> bytes:
    """The nearest of the periods that Claude Code knows; for good is nearest to the longest."""
    if not standing.end_us:
        return PERIODS[-1][0]
    length_us = standing.end_us - standing.start_us
    return min(PERIODS, key=lambda one: abs(one[1] - length_us))[0]


def is_shared(scope: Scope) -> bool:
    """Whether more than one developer spends from each account: an own key's budget need not be told from one's own."""
    return scope.kind not in OWN_SCOPES or (scope.kind == "key" and scope.is_pattern and not scope.each)


def _remaining(standing: Standing) -> int:
    return standing.remaining_nusd


# --- words ------------------------------------------------------------------------------------------------------------


def spent_text(standing: Standing, call_id: str, needed_nusd: int = 0, *, running: bool = False) -> str:
    """One line: `Budget exceeded for team "platform": $10.02 of $10.00 (daily) · resets Nov 22 00:00 UTC · ask ... (ref gw_x)`.

    If the limit is not reached it says why this call is refused all the same, or, `running`, ended.
    """
    name, limit, settled = name_of(standing), standing.limit_nusd, standing.settled_nusd
    if settled >= limit:
        what = f"Budget exceeded for {name}: {_spent_of(standing)}"
    elif running:
        what = f"Budget used up for {name}: {_shares(standing) if standing.reserved_nusd else _spent_of(standing)}"
    else:
        places = decimals_of(limit)
        may = "may cost up to" if standing.budget.reserve == "worst" else "will probably cost"
        cost = f" and this call {may} {dollars(needed_nusd, places, up=True)}" if needed_nusd else ""
        left = f"{dollars(limit - settled, places)} of {dollars(limit, places)} left ({describe(standing.budget.window)})"
        what = f"Budget too small for {name}: {left}{cost}"
    reset = f" · resets {next_reset_text(standing.end_us, standing.budget.window.time_zone)}" if standing.end_us else ""
    anew = "start a new session, or " if standing.budget.scope.kind == "session" else ""
    return f"{what}{reset} · {anew}ask {_whom(standing.budget.contact)} for more (ref {call_id})"


def name_of(standing: Standing) -> str:
    """`team "platform"`, fit for one line of any terminal."""
    return scope_name(standing.budget.scope, standing.account)


def scope_name(scope: Scope, account: str) -> str:
    return scope.text(_plain(account))


def dollars(nusd: int, decimals: int, *, up: bool = False) -> str:
    """ "$10.02": rounded down, or up, to so many decimals (2 .. 9)."""
    step: int = 10 ** (NUSD_DECIMALS - decimals)
    steps = _up(nusd, step) if up else nusd // step
    whole, part = divmod(steps, 10**decimals)
    return f"${whole}.{part:0{decimals}d}"


def decimals_of(limit_nusd: int) -> int:
    """Decimals that show such a limit exactly, and of a limit under a dollar at least two more digits than zeros: 2 .. 9."""
    part = f"{limit_nusd % NUSD_PER_USD:09d}".rstrip("0")
    small = 0 < limit_nusd < NUSD_PER_USD
    zeros = len(part) - len(part.lstrip("0"))
    return min(max(len(part), 3 + zeros if small else 2), NUSD_DECIMALS)


def rate_text(limit: Limit) -> str:
    """ "60 requests per minute, at most 120 at once"."""
    if limit.kind == "parallel":
        return f"at most {limit.amount} at once"
    unit = "" if limit.kind == "usd" else f" {limit.kind.replace('_', ' ')}"
    amount, burst = units_text(limit, limit.amount), units_text(limit, limit.burst)
    return f"{amount}{unit} per {_per_text(limit.per_ns)}" + (f", at most {burst} at once" if limit.burst != limit.amount else "")


def units_text(limit: Limit, units: int) -> str:
    """Units of a limit as people count them: "60", "$2.50"."""
    if limit.kind != "usd":
        return str(units)
    nusd = units * NUSD_PER_UNIT
    return dollars(nusd, decimals_of(nusd))


def span_text(seconds: int) -> str:
    """The two greatest units, the last one rounded up: "12 s", "2 min 5 s", "3 h 1 min", "2 d 4 h"."""
    for short, size, next_short, next_size in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            whole, rest = divmod(_up(seconds, next_size) * next_size, size)
            return f"{whole} {short} {rest // next_size} {next_short}" if rest else f"{whole} {short}"
    return f"{seconds} s"


def _per_text(per_ns: int) -> str:
    seconds = per_ns // NS_PER_S
    unit, size = next((unit, size) for unit, size in SPANS if seconds % size == 0 and seconds >= size)
    return unit if seconds == size else f"{seconds // size} {unit}s"


def _limit_name(limit: Limit, account: str) -> str:
    what = "Limit of parallel calls" if limit.kind == "parallel" else "Rate limit"
    return f'{what} "{_plain(limit.id)}" for {scope_name(limit.scope, account)}'


def _spent_of(standing: Standing) -> str:
    """ "$10.02 of $10.00 (daily)"."""
    places = decimals_of(standing.limit_nusd)
    limit = dollars(standing.limit_nusd, places)
    return f"{dollars(standing.settled_nusd, places)} of {limit} ({describe(standing.budget.window)})"


def _shares(standing: Standing) -> str:
    """ "$7.10 spent and $2.90 set aside of $10.00 (daily)"."""
    places = decimals_of(standing.limit_nusd)
    spent, aside = dollars(standing.settled_nusd, places), dollars(standing.reserved_nusd, places)
    limit = dollars(standing.limit_nusd, places)
    return f"{spent} spent and {aside} set aside of {limit} ({describe(standing.budget.window)})"


def _whom(contact: str) -> str:
    """Without a contact the one whom `refusal_answer` puts in place of the administrator."""
    return printable(contact, CONTACT_MAX) or ADMINISTRATOR


def _plain(name: str) -> str:
    """A name within quotation marks of our own."""
    text = printable(name, NAME_MAX).replace('"', "'")
    return f"{text}…" if len(name) > NAME_MAX else text


def _up(amount: int, step: int) -> int:
    """Divided and rounded up."""
    return -(-amount // step)
