"""Latencies counted in log-linear buckets: exact counts, a known error, a few kilobytes for any number of values.

Values are whole nanoseconds >= 0. Below 2^SUB_BITS each value has a bucket of its own; above, every power of two is cut into
2^SUB_BITS buckets of equal width, so a bucket is never wider than 1/128 of its values. Count, sum, least and greatest are exact.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

SUB_BITS = 7
_SUBS = 1 << SUB_BITS
NS_MAX = (1 << 50) - 1  # thirteen days: what is beyond counts as that
_SIZE = (50 - SUB_BITS + 1) << SUB_BITS


class Recorded(Struct, frozen=True, forbid_unknown_fields=True):
    """A histogram as it stands in a file. All values in nanoseconds; `buckets`: (index, count), ascending, counts > 0."""

    count: int
    sum: int
    least: int
    greatest: int
    buckets: tuple[tuple[int, int], ...]
    sub_bits: int = SUB_BITS


def index_of(value: int) -> int:
    """The bucket of a value in 0..NS_MAX."""
    shift = value.bit_length() - SUB_BITS - 1
    if shift <= 0:
        return value
    return (shift << SUB_BITS) + (value >> shift)


def bounds_of(index: int) -> tuple[int, int]:
    """The least and the greatest value of a bucket."""
    shift = (index >> SUB_BITS) - 1
    if shift <= 0:
        return index, index
    low = (index - (shift << SUB_BITS)) << shift
    return low, low + (1 << shift) - 1


class Histogram:
    """Counts of values. One writer; reading while it is written sees some state between two values."""

    __slots__ = ("_counts", "count", "greatest", "least", "sum")

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._counts = [0] * _SIZE
        self.count = 0
        self.sum = 0
        self.least = NS_MAX
        self.greatest = 0
        for value in values:
            self.add(value)

    def add(self, value: int) -> None:
        """One value; below 0 counts as 0, beyond NS_MAX as NS_MAX."""
        if value < 0:
            value = 0
        elif value > NS_MAX:
            value = NS_MAX
        shift = value.bit_length() - SUB_BITS - 1
        self._counts[(shift << SUB_BITS) + (value >> shift) if shift > 0 else value] += 1
        self.count += 1
        self.sum += value
        self.least = min(self.least, value)
        self.greatest = max(self.greatest, value)

    def merge(self, other: "Histogram") -> None:
        """Adds all that the other has counted."""
        for index, count in other._pairs():
            self._counts[index] += count
        self.count += other.count
        self.sum += other.sum
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    def at(self, percentile: float) -> int:
        """The value that `percentile` % (0..100) of all values do not exceed, at most 1/128 above the true one, never above the
        greatest; 0 if there is none."""
        if not self.count:
            return 0
        rank = max(1, -(-self.count * percentile // 100))
        running = 0
        for index, count in self._pairs():
            running += count
            if running >= rank:
                return max(self.least, min(bounds_of(index)[1], self.greatest))
        return self.greatest

    def mean(self) -> int:
        """Rounded down; 0 if there is none."""
        return self.sum // self.count if self.count else 0

    def above(self, value: int) -> int:
        """How many values lie in buckets that are wholly above `value`."""
        after = index_of(max(0, min(value, NS_MAX))) + 1
        return sum(self._counts[after:])

    def points(self) -> Iterator[tuple[int, int]]:
        """(greatest value of a bucket, how many values are not above it): the cumulative curve, for plots."""
        running = 0
        for index, count in self._pairs():
            running += count
            yield min(bounds_of(index)[1], self.greatest), running

    def recorded(self) -> Recorded:
        least = self.least if self.count else 0
        return Recorded(self.count, self.sum, least, self.greatest, tuple(self._pairs()))

    @classmethod
    def of(cls, recorded: Recorded) -> "Histogram":
        """Raises ValueError if what was recorded cannot be a histogram of this kind."""
        made = cls()
        if recorded.sub_bits != SUB_BITS:
            raise ValueError(f"recorded with {recorded.sub_bits} bits, not {SUB_BITS}")
        for index, count in recorded.buckets:
            if not 0 <= index < _SIZE or count <= 0:
                raise ValueError(f"no bucket {index} with {count} values")
            made._counts[index] += count
        made.count = sum(count for _, count in recorded.buckets)
        if made.count != recorded.count:
            raise ValueError(f"{recorded.count} values said, {made.count} counted")
        made.sum = recorded.sum
        made.least = recorded.least if made.count else NS_MAX
        made.greatest = recorded.greatest
        return made

    def _pairs(self) -> Iterator[tuple[int, int]]:
        return ((index, count) for index, count in enumerate(self._counts) if count)
