"""How each place to send to is doing, and in which order a call tries them. One per worker; times are arguments.

A place is one credential of one deployment. What is known of it are the ends of calls, and of probes where they are
configured. Each has a breaker (gw.routing.breaker), its calls in flight, the time it takes to a first byte, and what it has
said of its limits. The time is a peak EWMA: a slow answer counts at once and whole, and is forgotten by halves; so a place that
gets slow is left before its average says so.

Workers tell each other when a breaker opens and closes, and when little of a limit is left, through the places of the state file
(gw.ops.places): what one has learned the others need not learn from failures of their own. Who tries a place that has rested
says so as well, by an opening that lasts for one more cool-down. Latencies and calls in flight are each worker's own.

The order: by priority; within one, those that say that their limits are nearly used up come last; a session goes to where its
cache is warm, a new one by weighted rendezvous hash, or with by = "latency" to whoever answers soonest. A place that is to be
left alone is not in the order, unless all are: then they are tried all the same, the one that is due first before the others,
since a gateway must not make an outage longer than it is.
"""

from collections.abc import Iterable
from itertools import groupby
from math import exp, inf, log
from operator import attrgetter
from typing import Any, NamedTuple

from gw.domain.place_entry import DOWN, OPEN, SHORT, PlaceEntries, PlaceEntry
from gw.routing.affinity import TTL_5M_NS, Affinity, Home, Id, ranked
from gw.routing.asked import Candidate
from gw.routing.breaker import Breaker, Settings, State
from gw.routing.ratelimit import WHOLE, Seen
from gw.routing.verdict import PASS, Verdict

S = 1_000_000_000
HALF_LIFE_NS = 10 * S
ORDERS_MAX = 8192  # sessions whose order is remembered
UNKNOWN_NS = 1_000_000  # a place that nobody has met yet is tried before one that is known to be slow

Ordered = tuple[Candidate, ...]
Flag = bool  # compiled, a C integer: health.pxd
Ns = int  # likewise


class Turn:
    """One attempt under way; `end` or `abandon` takes it back, once. `first_byte_ns`: when its answer began, 0 before."""

    __slots__ = ("began_ns", "first_byte_ns", "place", "trial")

    def __init__(self, place: "Spot") -> None:
        self.place = place
        self.trial = False
        self.began_ns = 0
        self.first_byte_ns = 0


class Standing(NamedTuple):
    """For metrics and people."""

    id: Id
    state: State
    in_flight: int
    latency_ns: int
    open_for_ns: int
    left_permille: int  # of its tightest limit; WHOLE: nothing was said


class Spot:
    """What is known of a place."""

    __slots__ = (
        "breaker", "heard_ns", "id", "in_flight", "latency_at_ns", "latency_ns", "left_permille", "left_until_ns", "shared",
    )  # fmt: skip

    def __init__(self, of: Id, settings: Settings, entry: PlaceEntry | None) -> None:
        self.id = of
        self.breaker = Breaker(settings)
        self.shared = entry.words if entry is not None else None
        self.heard_ns = 0  # what the entry said when it was last looked at
        self.in_flight = 0
        self.latency_ns = 0  # 0: not known
        self.latency_at_ns = 0
        self.left_permille = WHOLE
        self.left_until_ns = 0


class Course:
    """The order in which a call tries its candidates. `places`: in it, where it is a session's for as long as nothing is amiss
    (`Health.holds`); () of an order that is this call's alone. `way`: what who asked has made of the first candidate."""

    __slots__ = ("candidates", "home", "order", "places", "session", "way")

    def __init__(self, candidates: Ordered, order: Ordered, places: tuple[Spot, ...] = (), session: str = "") -> None:
        self.candidates = candidates
        self.order = order
        self.places = places
        self.session = session
        self.home: Home | None = None  # where the session's cache is, once it has been looked up
        self.way: Any = None


class Health:
    def __init__(
        self,
        settings: Settings = Settings(),  # noqa: B008 - immutable
        affinity: Affinity | None = None,
        half_life_ns: int = HALF_LIFE_NS,
        avoid_below_permille: int = 50,
        places: PlaceEntries | None = None,
    ) -> None:
        """`places`: what the workers of this host tell each other."""
        self.affinity = Affinity() if affinity is None else affinity
        self._settings = settings
        self._decay = log(2) / half_life_ns
        self._avoid = avoid_below_permille
        self._shared = places
        self._places: dict[Id, Spot] = {}
        self._serial = 0
        self._orders: dict[str, Course] = {}  # by session

    def pick(self, candidates: Ordered, now_ns: Ns, session: str = "", by: str = "weight") -> Ordered:
        """In the order in which to try them. `session`: `key_of`, or "" for a call without one."""
        return self.course(candidates, now_ns, session, by).order

    def course(self, candidates: Ordered, now_ns: Ns, session: str, by: str) -> Course:
        """The same, and what may be remembered of it."""
        if len(candidates) < 2:
            return Course(candidates, candidates)
        known = self._orders.get(session) if session and by == "weight" else None
        same = known is not None and (known.candidates is candidates or known.candidates == candidates)
        if known is not None and same and self.holds(known, now_ns):
            return known
        order = self._order(candidates, now_ns, session, by)
        if session and by == "weight" and not same and len(order) == len(candidates):
            self._remember(session, candidates)
        return Course(candidates, order)

    def _order(self, candidates: Ordered, now_ns: Ns, session: str, by: str) -> Ordered:
        ready = [one for one in candidates if self._due_ns(self.spot(one.id), now_ns) <= now_ns]
        if not ready:
            return tuple(sorted(candidates, key=lambda one: (self._due_ns(self.spot(one.id), now_ns), one.priority)))
        warm = self.affinity.preferred(session, now_ns) if session else ()
        order: list[Candidate] = []
        for _, group in groupby(sorted(ready, key=attrgetter("priority")), key=attrgetter("priority")):
            order += self._ordered(list(group), now_ns, session, warm, by)
        return tuple(order)

    def _remember(self, session: str, candidates: Ordered) -> None:
        if len(self._orders) >= ORDERS_MAX:
            self._orders.clear()
        usual: list[Candidate] = []
        for _, group in groupby(sorted(candidates, key=attrgetter("priority")), key=attrgetter("priority")):
            usual += ranked(list(group), session.partition(BETWEEN)[0])
        self._orders[session] = Course(candidates, tuple(usual), tuple(self.spot(one.id) for one in usual), session)

    def holds(self, course: Course, now_ns: Ns) -> bool:
        """Of a session's: nothing is to be left alone, no limit is nearly used up, and its cache is where its hash sends it."""
        for place in course.places:
            if self._due_ns(place, now_ns) > now_ns or self._is_short(place, now_ns):
                return False
        home = course.home
        if home is None or home.newer is None:  # not looked up yet, or forgotten since
            home = course.home = self.affinity.home(course.session)
        place = course.places[0]
        return home is None or home.is_nowhere_but(place.id, now_ns)

    def begin(self, place: Id, now_ns: Ns) -> Turn:
        return self.begin_at(self.spot(place), now_ns)

    def begin_at(self, place: Spot, now_ns: Ns) -> Turn:
        place.in_flight += 1
        turn = Turn(place)
        turn.began_ns = now_ns
        turn.trial = place.breaker.begin(now_ns)
        if turn.trial:
            _tell(place, now_ns + self._settings.cooldown_ns)
        return turn

    def end(  # noqa: PLR0917 - compiled, it is a C function
        self,
        turn: Turn,
        verdict: Verdict,
        now_ns: Ns,
        retry_after_s: float = 0.0,
        first_byte_ns: Ns = 0,
        session: str = "",
        ttl_ns: Ns = TTL_5M_NS,
    ) -> None:
        """`first_byte_ns`: how long it took to the first byte, 0 if none came. `session`, `ttl_ns`: whose cache an answer has
        warmed, and for how long; "" for none."""
        place = turn.place
        place.in_flight = max(place.in_flight - 1, 0)
        if first_byte_ns > 0:
            self._observe(place, first_byte_ns, now_ns)
        breaker = place.breaker
        state, until_ns = breaker.state, breaker.until_ns
        if verdict is PASS:  # of almost every call
            breaker.end(now_ns, False, turn.trial)
            if session:
                self.affinity.note(session, place.id, now_ns, ttl_ns)
        else:
            self._judge(turn, verdict, now_ns, retry_after_s)
        if breaker.state != state or breaker.until_ns != until_ns:
            _tell(place, breaker.until_ns if breaker.state == "open" else 0)

    def _judge(self, turn: Turn, verdict: Verdict, now_ns: Ns, retry_after_s: float) -> None:
        breaker = turn.place.breaker
        rest_ns = int(max(verdict.rest_s, retry_after_s) * S)
        if verdict.why == "throttled" or verdict.alarm:
            breaker.abandon(turn.trial)
            breaker.rest(now_ns, rest_ns or self._settings.cooldown_ns)
        elif verdict.why == "saturated":
            breaker.abandon(turn.trial)
        else:
            breaker.end(now_ns, verdict.failed, turn.trial, rest_ns)

    def answers(self, turn: Turn, now_ns: Ns) -> None:
        """Its answer has begun."""
        if turn.trial:
            turn.place.breaker.answers(now_ns)

    def abandon(self, turn: Turn) -> None:
        """It ended without saying anything of its place: the client left, or gw is going down."""
        place = turn.place
        place.in_flight = max(place.in_flight - 1, 0)
        place.breaker.abandon(turn.trial)

    def told(self, place: Id, seen: Seen, now_ns: Ns, now_us: int) -> None:
        """What an answer of it said of its limits."""
        if seen.left is not None:
            known = self.spot(place)
            known.left_permille = seen.left.permille
            known.left_until_ns = now_ns + (seen.left.until_us - now_us) * 1_000
            short = known.left_until_ns if known.left_permille < self._avoid else 0
            shared = known.shared
            if shared is not None and (short or shared[SHORT]):
                shared[SHORT] = short

    def keep(self, places: Iterable[Id]) -> None:
        """A new configuration: what is not in it is forgotten, unless calls are under way there."""
        wanted = set(places)
        self._places = {one: place for one, place in self._places.items() if one in wanted or place.in_flight}
        self._orders.clear()

    def standing(self, place: Id, now_ns: Ns) -> Standing:
        known = self.spot(place)
        breaker = known.breaker
        breaker.allows(now_ns)
        left = known.left_permille if now_ns < known.left_until_ns else WHOLE
        open_for = max(breaker.until_ns - now_ns, 0) if breaker.state == "open" else 0
        return Standing(place, breaker.state, known.in_flight, self._latency(known, now_ns), open_for, left)

    def spot(self, place: Id) -> Spot:
        known = self._places.get(place)
        if known is None:
            shared = self._shared.entry(*place) if self._shared is not None else None
            known = self._places[place] = Spot(place, self._settings, shared)
        return known

    def _due_ns(self, place: Spot, now_ns: Ns) -> int:
        """When it may be sent to: not after now, if it may."""
        breaker, shared, down_ns = place.breaker, place.shared, 0
        if shared is not None:
            down_ns = shared[DOWN]
            heard_ns = shared[OPEN]
            if heard_ns != place.heard_ns:
                place.heard_ns = heard_ns
                breaker.hear(now_ns, heard_ns)
        if breaker.allows(now_ns):
            return down_ns
        return max(breaker.until_ns, down_ns, now_ns + 1)

    def _ordered(self, group: list[Candidate], now_ns: Ns, session: str, warm: tuple[Id, ...], by: str) -> list[Candidate]:
        if len(group) < 2:
            return group
        if session and by != "latency":
            order = ranked(group, session.partition(BETWEEN)[0])
        else:
            self._serial += 1
            order = ranked(group, str(self._serial))
        if by == "latency":
            order.sort(key=lambda one: self._cost(one, now_ns))  # stable: equals stay shared by weight
        order.sort(key=lambda one: self._is_short(self.spot(one.id), now_ns))
        if warm:
            order.sort(key=lambda one: warm.index(one.id) if one.id in warm else len(warm))
        return order

    def _cost(self, one: Candidate, now_ns: Ns) -> float:
        """How long one more call would wait there, for its weight."""
        if not one.weight:
            return inf
        place = self.spot(one.id)
        return (self._latency(place, now_ns) or UNKNOWN_NS) * (place.in_flight + 1) / one.weight

    def _is_short(self, place: Spot, now_ns: Ns) -> bool:
        shared = place.shared
        if shared is not None:
            return now_ns < shared[SHORT]
        return place.left_permille < self._avoid and now_ns < place.left_until_ns

    def _latency(self, place: Spot, now_ns: Ns) -> int:
        return int(place.latency_ns * exp(-self._decay * max(now_ns - place.latency_at_ns, 0)))

    def _observe(self, place: Spot, took_ns: Ns, now_ns: Ns) -> None:
        kept = exp(-self._decay * max(now_ns - place.latency_at_ns, 0))
        mean = int(place.latency_ns * kept + took_ns * (1 - kept)) if place.latency_ns else took_ns
        place.latency_ns = max(took_ns, mean)
        place.latency_at_ns = now_ns


def _tell(place: Spot, until_ns: Ns) -> None:
    """The other workers, when its breaker is open until then, or closed again (0): unless one of them knows better."""
    shared = place.shared
    if shared is not None:
        known_ns = shared[OPEN]
        if until_ns > known_ns or (not until_ns and known_ns == place.heard_ns):
            shared[OPEN] = place.heard_ns = until_ns


BETWEEN = "\0"


def key_of(session: str, model: str) -> str:
    """Each model that a session asks for has a cache of its own, and may be served elsewhere; "" without a session."""
    return f"{session}{BETWEEN}{model}" if session else ""
