"""When a run may be believed: the generator's lateness beside what it measured."""

import pytest

from gw.loadgen.found import Found, why_late
from gw.loadgen.histogram import Histogram

US, MS = 1000, 1_000_000


@pytest.mark.parametrize(
    ("late", "latency", "believed"),
    [
        ([20 * US] * 100, [300 * US] * 100, True),  # what a wake-up costs
        ([20 * US] * 98 + [2 * MS] * 2, [300 * US] * 98 + [5 * MS] * 2, False),  # p99 late by two fifths
        ([20 * US] * 98 + [2 * MS] * 2, [300 * US] * 98 + [30 * MS] * 2, True),  # the gateway is slower by far
        ([20 * US] * 99 + [900 * MS], [300 * US] * 100, True),  # one of a hundred
        ([90 * US] * 100, [300 * US] * 100, True),
        ([150 * US] * 100, [300 * US] * 100, False),  # half of all that was measured
        ([150 * US] * 100, [3 * MS] * 100, True),
        ([], [], True),
    ],
)
def test_lateness_is_judged_beside_the_latency(late: list[int], latency: list[int], believed: bool):
    assert (why_late(Histogram(late), Histogram(latency)) == "") is believed


def test_the_reason_has_both_figures():
    why = why_late(Histogram([5 * MS] * 10), Histogram([10 * MS] * 10))
    assert why.startswith("the generator was late: p99 5.0") and "of a latency of 10." in why


def test_merging_adds_everything():
    one, other = Found("a"), Found("b")
    for found, count in ((one, 1), (other, 2)):
        found.answered, found.events, found.bytes = count, count, count
        found.failed["timeout"] += count
        for histogram in (found.latency, found.first_byte, found.delay):
            histogram.add(count)
    one.merge(other)
    assert (one.answered, one.events, one.bytes, one.failures) == (3, 3, 3, 3)
    assert one.latency.sum == one.first_byte.sum == one.delay.sum == 3
