"""When calls of the ledger have been kept for long enough. Pure, but for the clocks."""

from gw import clock
from gw.ledger.months import begin_us, month_of

STEADY_NS = 600_000_000_000  # the wall clock must have been of one mind for so long: what goes by mistake does not come back
EVERY_NS = 60_000_000_000  # from one look to the next
PAUSE_NS = 200_000_000  # between two portions of what goes, so that new calls come in between


class Retention:
    """`months`: whole ones that are kept besides the running one, by UTC; 0: all."""

    def __init__(self, months: int) -> None:
        self._months = months
        self._before_us = 0
        self._due_ns = 0

    def due(self) -> int:
        """Calls that began before this are to go now (microseconds since 1970); 0: nothing is to be done."""
        now_ns = clock.mono_ns()
        if not self._months or now_ns < self._due_ns:
            return 0
        before_us = begin_us(month_of(clock.wall_us()) - self._months)
        if before_us != self._before_us:
            self._before_us, self._due_ns = before_us, now_ns + STEADY_NS
            return 0
        return before_us

    def done(self, *, more: bool) -> None:
        """What was due has been done, or, with `more`, a part of it."""
        self._due_ns = clock.mono_ns() + (PAUSE_NS if more else EVERY_NS)
