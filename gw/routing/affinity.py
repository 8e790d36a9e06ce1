"""Where a session's prompt cache is. Pure; one per worker; times are nanoseconds of one clock, given as arguments.

A prompt cache lives at one model of one upstream, under one credential. So a session stays where it is, and leaves only when
that place fails or must be left alone; and it goes back to its first place as soon as that is well again, as long as its cache
there still lives. Two workers agree on where a new session goes without telling each other: the place is a weighted rendezvous
hash of the session's id, which moves only the sessions of a place that comes or goes.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import inf, log
from typing import Any

from gw.routing.asked import Candidate

Id = tuple[str, str]  # deployment and credential
Ns = int  # compiled, a C integer: affinity.pxd
TTL_5M_NS, TTL_1H_NS = 300_000_000_000, 3_600_000_000_000
_HASHES = float(1 << 64)


class Home:
    """Where a session has its cache: `first` until `first_ns`, and where it is now, `last`, until `last_ns`. `newer`, `older`:
    the homes of the sessions used after it and before it; None once it is forgotten."""

    __slots__ = ("first", "first_ns", "last", "last_ns", "newer", "older", "session")

    def __init__(self, session: str, place: Id, until_ns: Ns) -> None:
        self.session = session
        self.first = self.last = place
        self.first_ns = self.last_ns = until_ns
        self.newer: Any = None
        self.older: Any = None

    def is_nowhere_but(self, place: Id, now_ns: Ns) -> bool:
        """No other place has its cache warm; this one may."""
        at_first = now_ns < self.first_ns
        if now_ns < self.last_ns and not _same(self.last, self.first):
            return not at_first and _same(self.last, place)
        return not at_first or _same(self.first, place)


def _same(one: Id, other: Id) -> bool:
    """Almost always it is the same object."""
    return one is other or one == other


class Affinity:
    """Bounded: the sessions that were used longest ago are forgotten first, and then go by their hash again."""

    def __init__(self, sessions_max: int = 20_000) -> None:
        self._max = sessions_max
        self._homes: dict[str, Home] = {}
        self._ends = Home("", ("", ""), 0)  # of the ring: its `newer` is the oldest, its `older` the newest
        self._ends.newer = self._ends.older = self._ends

    def __len__(self) -> int:
        return len(self._homes)

    def home(self, session: str) -> Home | None:
        """None: it has no cache that is known of."""
        return self._homes.get(session)

    def preferred(self, session: str, now_ns: Ns) -> tuple[Id, ...]:
        """Its warm places, the best first: the first one, and where it went meanwhile. `session`: gw.routing.health.key_of."""
        home = self._homes.get(session)
        if home is None:
            return ()
        first = (home.first,) if now_ns < home.first_ns else ()
        return (*first, home.last) if home.last != home.first and now_ns < home.last_ns else first

    def note(self, session: str, place: Id, now_ns: Ns, ttl_ns: Ns = TTL_5M_NS) -> None:
        """A call of it has been answered there, and has warmed the cache for `ttl_ns` from now."""
        until_ns = now_ns + ttl_ns
        home = self._homes.get(session)
        if home is None:
            home = self._homes[session] = Home(session, place, until_ns)
            self._last(home)
            if len(self._homes) > self._max:
                self.forget(self._ends.newer.session)
            return
        if now_ns >= home.first_ns or _same(place, home.first):
            home.first, home.first_ns = place, until_ns  # its first place again, or nothing is left there
        home.last, home.last_ns = place, until_ns
        if home.newer is not self._ends:
            _leave(home)
            self._last(home)

    def forget(self, session: str) -> None:
        home = self._homes.pop(session, None)
        if home is not None:
            _leave(home)
            home.newer = home.older = None

    def _last(self, home: Home) -> None:
        """Into the ring, as the newest."""
        before = self._ends.older
        home.older, home.newer = before, self._ends
        before.newer = self._ends.older = home


def _leave(home: Home) -> None:
    """Out of the ring: its neighbours become each other's."""
    older, newer = home.older, home.newer
    older.newer, newer.older = newer, older


def ranked(candidates: Sequence[Candidate], session: str) -> list[Candidate]:
    """By weighted rendezvous hash, the best first: each candidate is first for its part of all sessions, whoever asks."""
    if len(candidates) < 2:
        return list(candidates)
    return sorted(candidates, key=lambda one: _distance(one, session))


def _distance(one: Candidate, session: str) -> float:
    """-ln(u) / weight, with u in (0, 1) from a hash: exponential at the rate `weight`, so the least of several is each one's with
    odds of its part of all weights. At weight 0 it is the last."""
    if not one.weight:
        return inf
    text = f"{session}\0{one.deployment}\0{one.credential}\0{one.model}".encode("utf-8", "replace")
    hashed = int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
    return -log((hashed + 1) / (_HASHES + 1)) / one.weight
