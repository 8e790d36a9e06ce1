from gw._fast.counters import Counters

class Laps:
    """A stopwatch with 8 sums, running from its making on. Raises IndexError for another part."""

    since_ns: int
    """When it was last pressed, or made: of the monotonic clock."""

    def __init__(self) -> None: ...
    def lap(self, part: int) -> None:
        """The time since the last lap, or the last `skip`, was this part's."""

    def skip(self) -> None:
        """The time since was nobody's: the call has waited."""

    def __getitem__(self, part: int) -> int:
        """Nanoseconds of a part so far."""

    def record(self, counters: Counters, at: int, bounds_ns: tuple[int, ...], governed: int) -> None:
        """Adds to two histograms and 8 sums that stand at `at`: of all parts, of the first `governed`, and each alone.
        A histogram is a count per bound, one beyond, and a sum; all in nanoseconds."""
