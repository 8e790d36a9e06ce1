"""What is known together of a place where calls go (one credential of one upstream): words of an entry that all processes share.

When each of three reasons to leave the place alone is over (monotonic ns, 0: there is none), and what the last probe found.

    OPEN    its breaker has opened, or it has asked to be left alone (retry-after): by the worker that saw it
    SHORT   little of its rate limit is left: by the worker that was told
    DOWN    it does not answer probes: by the keeper
"""

from typing import Protocol

OPEN, SHORT, DOWN, PROBED_US, PROBE_US, PROBES_FAILED = range(6)


class PlaceEntry(Protocol):
    @property
    def words(self) -> memoryview:
        """Of int64."""
        ...


class PlaceEntries(Protocol):
    def entry(self, upstream: str, credential: str) -> PlaceEntry | None:
        """None: there is no room for it."""
        ...
