"""Events are the same events wherever the stream is cut, and their stamps are read with them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gw.loadgen.events import Events, stamp

STREAM = (
    b'event: message_start\ndata: {"a":1}\n\n'
    b'event: content_block_delta\ndata: {"text":"' + stamp(12) + b' hello"}\n\n'
    b'event: content_block_delta\ndata: {"text":"' + stamp(999_999_999_999_999) + b'"}\n\n'
    b"event: message_stop\ndata: {}\n\n"
)
STAMPS = [12, 999_999_999_999_999]


def read(*parts: bytes) -> tuple[list[int], Events]:
    events = Events()
    return [int(one) for part in parts for one in events.feed(part)], events


def test_at_every_split_point():
    for at in range(len(STREAM) + 1):
        stamps, events = read(STREAM[:at], STREAM[at:])
        assert (stamps, events.count, events.ended, events.error) == (STAMPS, 4, True, False), at


@given(st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted))
def test_in_any_pieces(cuts: list[int]):
    bounds = [0, *cuts, len(STREAM)]
    stamps, events = read(*(STREAM[low:high] for low, high in pairwise(bounds)))
    assert (stamps, events.count, events.ended) == (STAMPS, 4, True)


def test_an_event_counts_when_its_end_has_come():
    stamps, events = read(STREAM[:-1])
    assert (len(stamps), events.count, events.ended) == (2, 3, False)


def test_an_error_event_is_seen():
    assert read(b"event: error\ndata: {}\n\n")[1].error


def test_a_stamp_has_one_length_for_every_moment():
    assert len(stamp(0)) == len(stamp(10**19 - 1)) == 21
