"""How long to wait before another try, and whether there may be one at all. Pure; time and chance are arguments.

Waits have full jitter: anything between nothing and a bound that doubles from try to try, so that calls that failed together do
not come back together. All retries of a worker share one purse: a fifth of its calls, and a few a minute in any case. An
upstream that fails for everybody so gets at most a fifth more calls, not four times as many. Going on to another place is a
retry, too, but for the first time free: the place that failed gets nothing of it.
"""

from collections.abc import Callable
from typing import NamedTuple

from gw.routing.verdict import Verdict

S = 1_000_000_000
MINUTE_NS = 60 * S
WHOLE = 100  # the purse counts in hundredths of a retry
PURSE_CALLS = 50  # of so many calls it keeps what was not spent

Chance = Callable[[], float]  # in [0, 1), as random.random


class Patience(NamedTuple):
    """Of [routing]."""

    attempts_max: int = 4
    base_ns: int = 250_000_000
    cap_ns: int = 8 * S
    percent: int = 20
    floor: int = 30  # retries a minute


class Step(NamedTuple):
    """What to do next. `stop`: the last answer is the client's. Else `place`: which of those left, after `wait_ns`."""

    stop: bool
    wait_ns: int = 0
    again: bool = False  # at the same place


STOP = Step(True)
HOPELESS = frozenset({"tls", "saturated"})  # a certificate stays as it is; for a place in the line there is the queue


class Purse:
    """Retries that a worker may spend: a token bucket, filled by calls and, slowly, by time."""

    __slots__ = ("_at_ns", "_hundredths", "_most", "_patience", "_percent")

    def __init__(self, patience: Patience, now_ns: int) -> None:
        self._patience = patience
        self._percent = patience.percent
        self._most = patience.percent * PURSE_CALLS + patience.floor * WHOLE
        self._hundredths = patience.floor * WHOLE
        self._at_ns = now_ns

    def call(self) -> None:
        """One has begun: its part goes in."""
        self._hundredths = min(self._hundredths + self._percent, self._most)

    def take(self, now_ns: int) -> bool:
        self._refill(now_ns)
        if self._hundredths < WHOLE:
            return False
        self._hundredths -= WHOLE
        return True

    def _refill(self, now_ns: int) -> None:
        """Only up to the floor: what calls have not earned is not saved up."""
        rate = self._patience.floor * WHOLE
        if rate:
            grown = max(now_ns - self._at_ns, 0) * rate // MINUTE_NS
            if grown:
                self._at_ns += grown * MINUTE_NS // rate
                if self._hundredths < rate:
                    self._hundredths = min(self._hundredths + grown, rate)
        else:
            self._at_ns = now_ns


def wait_ns(patience: Patience, attempt: int, chance: float) -> int:
    """Before the try that follows the `attempt`-th (from 1) at one place."""
    most = min(patience.base_ns << min(attempt - 1, 40), patience.cap_ns)
    return int(most * chance)


def next_step(  # noqa: PLR0917 - all that decides, in the order in which it is known
    patience: Patience, purse: Purse, verdict: Verdict, tried: int, at_place: int, others: int, now_ns: int, chance: Chance
) -> Step:
    """After the `tried`-th attempt of the call, the `at_place`-th at its place; `others`: places not yet tried. Takes from the
    purse what it allows.

    A failover without another place is a retry where that may help: a place that was throttled or broke may do better later, a
    credential that was refused may not. No wait is longer than the cap: who asks for more than that gets its answer passed on.
    """
    if verdict.verb in ("pass", "refuse") or tried >= patience.attempts_max:
        return STOP
    asked_ns = int(verdict.retry_after_s * S)
    again = verdict.verb == "retry" or not (others or verdict.alarm or verdict.larger or verdict.why in HOPELESS)
    if again and asked_ns <= patience.cap_ns and purse.take(now_ns):
        return Step(False, max(wait_ns(patience, at_place, chance()), asked_ns), again=True)
    if others and (tried == 1 or purse.take(now_ns)):
        return Step(False)
    return STOP
