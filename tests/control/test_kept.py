"""What open pages ask for is made seldom enough, never for somebody else, and never from an answer that failed."""

import pytest

from gw import clock
from gw.control.http_answer import Answer
from gw.control.kept import ASKED_NS, KEPT_NS_MAX, PART, Kept

TOOK_NS = 1_000_000


class Maker:
    """Takes TOOK_NS, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, self.now_ns = 0, 1
        monkeypatch.setattr(clock, "mono_ns", lambda: self.now_ns)

    def __call__(self) -> Answer:
        self.made += 1
        self.now_ns += TOOK_NS
        return Answer(200, str(self.made).encode())


def test_ten_pages_that_ask_all_the_time_take_one_part_of_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, make = Kept(), Maker(monkeypatch)
    for _ in range(PART * 100):
        kept.of("overview", make)
        make.now_ns += TOOK_NS // 10
    assert 9 <= make.made <= 10


def test_several_questions_take_no_more_together(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, make = Kept(), Maker(monkeypatch)
    for _ in range(PART * 100):
        for question in "abcd":
            kept.of(question, make)
        make.now_ns += TOOK_NS // 10
    assert make.made * TOOK_NS <= make.now_ns // PART + 4 * TOOK_NS


def test_who_asks_something_else_gets_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, make = Kept(), Maker(monkeypatch)
    assert kept.of(("overview", "a"), make).body == b"1" and kept.of(("overview", "b"), make).body == b"2"
    assert kept.of(("overview", "a"), make).body == b"1"


def test_a_failure_is_not_kept_and_no_answer_for_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, make = Kept(), Maker(monkeypatch)

    def slow() -> Answer:
        make.now_ns += KEPT_NS_MAX
        return make()

    with pytest.raises(ZeroDivisionError):
        kept.of("overview", lambda: Answer(1 // 0))
    assert kept.of("overview", slow).body == b"1"
    make.now_ns += KEPT_NS_MAX - 1
    assert kept.of("overview", make).body == b"1"
    make.now_ns += 1
    assert kept.of("overview", make).body == b"2"
    make.now_ns += ASKED_NS
    kept.of("other", make)
    assert list(kept._ones) == ["other"]
