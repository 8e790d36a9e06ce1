"""The histogram: every value counted, percentiles within one part in 128, merging and files without loss."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.loadgen.histogram import NS_MAX, SUB_BITS, Histogram, Recorded, bounds_of, index_of

VALUES = st.integers(0, NS_MAX) | st.integers(0, 1 << (SUB_BITS + 3)) | st.integers(0, 50).map(lambda bit: (1 << bit) - 1)
LISTS = st.lists(VALUES, max_size=60)


@given(VALUES)
def test_a_value_lies_within_the_bounds_of_its_bucket_and_they_are_close(value: int):
    low, high = bounds_of(index_of(value))
    assert low <= value <= high
    assert (high - low) << SUB_BITS <= low


@given(VALUES)
def test_buckets_follow_each_other_without_a_gap(value: int):
    index = index_of(value)
    assert bounds_of(index + 1)[0] == bounds_of(index)[1] + 1
    assert index_of(bounds_of(index)[1] + 1) == index + 1


@given(LISTS)
def test_count_sum_least_and_greatest_are_exact(values: list[int]):
    made = Histogram(values)
    assert (made.count, made.sum, made.greatest) == (len(values), sum(values), max(values, default=0))
    assert made.recorded().least == min(values, default=0)
    assert made.mean() == (sum(values) // len(values) if values else 0)


@given(st.lists(VALUES, min_size=1, max_size=60), st.sampled_from([0, 1, 25, 50, 90, 99, 99.9, 100]))
def test_a_percentile_is_never_below_the_true_one_and_at_most_a_128th_above(values: list[int], percentile: float):
    rank = max(1, -(-len(values) * percentile // 100))
    true = sorted(values)[int(rank) - 1]
    assert true <= Histogram(values).at(percentile) <= true + (true >> SUB_BITS)


@given(LISTS, LISTS)
def test_merged_is_the_same_as_counted_together(first: list[int], second: list[int]):
    merged = Histogram(first)
    merged.merge(Histogram(second))
    assert merged.recorded() == Histogram(first + second).recorded()


@given(LISTS)
def test_what_a_file_says_is_what_was_counted(values: list[int]):
    made = Histogram(values)
    file = msgspec.json.encode(made.recorded())
    read = Histogram.of(msgspec.json.decode(file, type=Recorded))
    assert read.recorded() == made.recorded()
    assert [read.at(percentile) for percentile in (0, 50, 99, 100)] == [made.at(percentile) for percentile in (0, 50, 99, 100)]
    read.add(7)
    assert read.count == len(values) + 1 and read.recorded().least == min([*values, 7])


@given(LISTS, VALUES)
def test_above_counts_only_what_is_above_and_misses_only_the_values_bucket(values: list[int], bound: int):
    found = Histogram(values).above(bound)
    assert sum(value > bounds_of(index_of(bound))[1] for value in values) == found <= sum(value > bound for value in values)


@given(LISTS)
def test_the_points_rise_to_the_whole(values: list[int]):
    points = list(Histogram(values).points())
    assert points == sorted(points) and all(count == sum(value <= at for value in values) for at, count in points)
    assert not values or points[-1] == (max(values), len(values))


def test_values_out_of_range_count_as_the_nearest():
    made = Histogram([-5, NS_MAX + 1])
    assert (made.count, made.least, made.greatest) == (2, 0, NS_MAX)


def test_nothing_counted_is_zero_everywhere():
    made = Histogram()
    assert (made.at(50), made.mean(), made.above(0), list(made.points())) == (0, 0, 0, [])


@pytest.mark.parametrize(
    "wrong",
    [
        Recorded(1, 1, 1, 1, ((1, 1),), sub_bits=SUB_BITS + 1),
        Recorded(2, 1, 1, 1, ((1, 1),)),
        Recorded(0, 0, 0, 0, ((1, 0),)),
        Recorded(1, 1, 1, 1, ((-1, 1),)),
        Recorded(1, 1, 1, 1, ((1 << 20, 1),)),
    ],
    ids=["other bits", "count", "empty bucket", "negative bucket", "no such bucket"],
)
def test_a_file_that_cannot_be_is_refused(wrong: Recorded):
    with pytest.raises(ValueError):
        Histogram.of(wrong)
