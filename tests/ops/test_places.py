"""What processes tell each other of places: entries have one place each, whoever makes them, and none is mistaken for another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gw.domain.place_entry import DOWN, OPEN, SHORT
from gw.ops.places import NAME_BYTES, PLACES_MAX, Places, places_bytes
from gw.ops.state import StateFile


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    made = StateFile(tmp_path / "state.mm", create=True)
    yield made
    made.close()


def another(state: StateFile) -> Places:
    """As another process would see it."""
    memory = memoryview(state.map)[-places_bytes() :]
    return Places(memory, state.fd, len(state.map) - places_bytes())


def test_what_one_writes_the_other_reads_whoever_came_first(state: StateFile) -> None:
    ours, theirs = state.places, another(state)
    for upstream, credential in (("a", ""), ("a", "b"), ("ab", ""), ("a\u00fc", "x")):
        first, second = ours.entry(upstream, credential), theirs.entry(upstream, credential)
        assert first is not None and second is not None and first is ours.entry(upstream, credential)
        first[OPEN], second[SHORT] = 7, 9
        assert (second[OPEN], first[SHORT], first[DOWN]) == (7, 9, 0)
    assert theirs.entry("later", "") is not None
    assert [(upstream, credential) for upstream, credential, _ in ours.all()] == [
        ("a", ""), ("a", "b"), ("ab", ""), ("a\u00fc", "x"), ("later", "")
    ]  # fmt: skip


def test_what_has_no_room_has_no_entry(state: StateFile) -> None:
    places = state.places
    assert places.entry("x" * NAME_BYTES, "") is None
    assert all(places.entry(str(number), "") is not None for number in range(PLACES_MAX))
    assert places.entry("one more", "") is None and another(state).entry("one more", "") is None
    assert places.entry("7", "") is not None
