"""Answers that open pages ask for every few seconds, kept for a while: however many dashboards stand open, and however much the
ledger holds, making them takes no more than a known part of one thread, which shares its core with the calls."""

from collections.abc import Callable, Hashable
from threading import Lock

from gw import clock
from gw.control.http_answer import Answer

PART = 100  # of the time that they are asked in, one part may go into making them
KEPT_NS_MAX = 30_000_000_000  # no page is further behind
ASKED_NS = 60_000_000_000  # what nobody has asked for since is forgotten
KEPT_MAX = 100


class _One:
    __slots__ = ("answer", "asked_ns", "made_ns", "took_ns")

    def __init__(self, answer: Answer, made_ns: int, took_ns: int) -> None:
        self.answer, self.made_ns, self.took_ns, self.asked_ns = answer, made_ns, took_ns, made_ns


class Kept:
    """One per worker. Safe for threads; two that ask the same at once may both make it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ones: dict[Hashable, _One] = {}

    def of(self, question: Hashable, make: Callable[[], Answer]) -> Answer:
        """`question` says all that the answer depends on, who asks included. What `make` raises is not kept."""
        begun_ns = clock.mono_ns()
        with self._lock:
            known = self._ones.get(question)
            if known is not None:
                known.asked_ns = begun_ns
                # Of several questions each is asked anew the less often.
                kept_ns = min(known.took_ns * PART * len(self._ones), KEPT_NS_MAX)
                if begun_ns - known.made_ns < kept_ns:
                    return known.answer
        answer = make()
        made_ns = clock.mono_ns()
        with self._lock:
            self._ones = {name: one for name, one in self._ones.items() if made_ns - one.asked_ns < ASKED_NS}
            if len(self._ones) >= KEPT_MAX:
                self._ones.clear()
            self._ones[question] = _One(answer, made_ns, made_ns - begun_ns)
        return answer
