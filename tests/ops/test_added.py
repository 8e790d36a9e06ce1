"""What gw adds to a call is told from the counts of the histogram."""

from itertools import accumulate

import pytest

from gw.ops.added import within
from gw.ops.metrics import OVERHEAD_NS


@pytest.mark.parametrize(
    ("counts", "percent", "ns"),
    [
        ({0: 10}, 50, 500),  # half way to the first bound
        ({0: 10}, 99, 990),
        ({0: 50, 3: 50}, 50, 1000),
        ({0: 50, 3: 50}, 99, 3980),
        ({0: 1, 1: 1}, 50, 1000),
        ({len(OVERHEAD_NS): 3}, 50, 0),  # longer than the last
        ({5: 99, len(OVERHEAD_NS): 1}, 99, 6000),
    ],
)
def test_so_many_calls_take_no_longer(counts: dict[int, int], percent: int, ns: int) -> None:
    below = list(accumulate(counts.get(at, 0) for at in range(len(OVERHEAD_NS) + 1)))
    assert within(below, percent) == ns
