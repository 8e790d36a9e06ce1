"""What a worker knows of the places where calls may go: it decides, keeps count, and remembers where sessions are warm.

Health, the purse of retries and the sessions' places outlive a snapshot; router, patience and credentials are the snapshot's.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from gw import clock
from gw._fast import Limit, told_by, weigh
from gw.admit.gate import Blocked
from gw.demand import Demand
from gw.deployment import Deployment, Keyed
from gw.domain.account import Account
from gw.domain.estimate import tokens_of
from gw.errors import Refusal
from gw.governor import path_of
from gw.room import Room
from gw.routes import credentials_of, health_of, patience_of, router_of
from gw.routing.affinity import TTL_1H_NS, TTL_5M_NS
from gw.routing.asked import Asked, Candidate, Warm, kind_of, with_credentials
from gw.routing.decision import Decision
from gw.routing.features import words_of
from gw.routing.health import ORDERS_MAX, Course, Spot, Turn, key_of
from gw.routing.ratelimit import Headers, seen, speaks
from gw.routing.retry import Purse
from gw.routing.routes import MEMORY_MAX, Router
from gw.routing.verdict import PASS, Verdict
from gw.settle import Call
from gw.snapshot import Snapshot
from gw.wire.headers import text_of

if TYPE_CHECKING:
    from gw.worker import Worker

US_PER_MINUTE = 60_000_000
NS_PER_S = 1_000_000_000
NO_LIMIT = 10**12  # a minute
NOT_FAILED = Verdict("pass", "refused")
Number = int  # compiled, a C integer: ways.pxd
Deployments = dict[str, Deployment]


class Way:
    """A candidate, with all that it names. `model`: as it goes upstream; `behind`: whose price it has there. `plain`: Claude's
    words are the upstream's. `spot`: what is known of how it is doing there."""

    __slots__ = (
        "_asked", "_query", "behind", "candidate", "deployment", "id", "keyed", "model", "places_max", "plain", "room", "spot",
    )  # fmt: skip

    def __init__(self, candidate: Candidate, deployment: Deployment, room: Room, spot: Spot) -> None:
        self.candidate = candidate
        self.id = candidate.id
        self.deployment = deployment
        self.room = room
        self.spot = spot
        self.places_max: int = deployment.target.connections_max
        accounts = deployment.accounts
        self.keyed: Keyed = next((one for one in accounts if one.name == candidate.credential), accounts[0])
        self.model = deployment.model_sent(candidate.model)
        self.behind = deployment.place.model_behind(self.model)
        self.plain = deployment.rules.dialect(deployment.place, self.model, "messages", "anthropic") == "anthropic"
        self._query = b""
        self._asked: tuple[bytes, bytes] | None = None

    def asked_for(self, demand: Demand) -> tuple[bytes, bytes]:
        """(method, path) of a message in Claude's words. Clients of one kind all send the same query."""
        known = self._asked
        if known is None or demand.query != self._query:
            rules, place, query = self.deployment.rules, self.deployment.place, demand.upstream_query
            known = self._asked = rules.request_line(place, "anthropic", "messages", self.model, False, query)
            self._query = demand.query
        return known


class Stay:
    """Of a session and what it asked for last: the name of its cache, and the course of its calls while nothing is amiss."""

    __slots__ = ("account", "course", "key", "model")

    def __init__(self, account: Account, model: str, key: str) -> None:
        self.account = account
        self.model = model
        self.key = key
        self.course: Course | None = None


class Warmth(NamedTuple):
    """A session's prompt cache, as its last answer told."""

    deployment: str
    model: str
    tokens: int
    ttl: int  # minutes
    until_us: int


class Ways:
    """One per worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._warm: OrderedDict[tuple[str, str], Warmth] = OrderedDict()
        self._rooms: dict[str, Room] = {}  # by upstream
        snapshot = worker.snapshot
        self.health = health_of(snapshot.config, worker.state.places)
        self._set(snapshot)
        self.purse = Purse(self.patience, clock.mono_ns())

    def replaced(self, before: Snapshot) -> None:
        """A new snapshot is in force."""
        snapshot = self._worker.snapshot
        if snapshot.config.routing != before.config.routing:
            affinity = self.health.affinity
            self.health = health_of(snapshot.config, self._worker.state.places)
            self.health.affinity = affinity
            self.purse = Purse(patience_of(snapshot.config), clock.mono_ns())
        self._set(snapshot)

    def _set(self, snapshot: Snapshot) -> None:
        config = snapshot.config
        self.patience = patience_of(config)
        self.attempts_max: int = self.patience.attempts_max  # of one call
        self._credentials = credentials_of(config)
        self.deployments = {one.name: one for one in snapshot.deployments}
        self._ways: dict[Candidate, Way] = {}
        self._stays: dict[str, Stay] = {}  # by session
        self._several: dict[tuple[Candidate, ...], tuple[Candidate, ...]] = {}  # candidates, once per credential
        self._router: Router = router_of(config, snapshot.deployments, snapshot.rates)
        self._limits = {
            (one.name, keyed.name): limits
            for one in snapshot.deployments
            for keyed in one.accounts
            if (limits := self._limits_of(one, keyed))
        }
        self._sessions_max = config.routing.affinity_sessions
        self.health.keep((one.name, keyed.name) for one in snapshot.deployments for keyed in one.accounts)

    def _limits_of(self, deployment: Deployment, keyed: Keyed) -> tuple[Limit, ...]:
        """(of requests, of tokens), shared by all workers; () without any."""
        if not (keyed.requests_per_min or keyed.tokens_per_min):
            return ()
        found = []
        for kind, amount in (("requests", keyed.requests_per_min), ("tokens", keyed.tokens_per_min)):
            text = f"credential\0{deployment.name}\0{keyed.name}\0{kind}".encode()
            key = int.from_bytes(blake2b(text, digest_size=8).digest(), "little") | 1
            units = amount or NO_LIMIT
            found.append(Limit(self._worker.state.buckets, key, units, 60 * NS_PER_S, units))
        return tuple(found)

    # --- where to -------------------------------------------------------------------------------------------------------------

    def decide(self, call: Call, demand: Demand) -> Decision:
        """Raises Refusal."""
        known = self._router.settled(call.account, demand.model or None, call.own_credential)
        if known is not None:
            call.route = known.reason
            return known
        decision = self._router.decide(call.account, self._asked(call, demand))
        demand.max_tokens, demand.effort = decision.max_tokens, decision.effort
        if decision.tags:
            said = call.values.get(b"x-gw-tags", b"").decode("latin-1")
            tags = ",".join(filter(None, (said, *decision.tags))).encode("latin-1", "replace")
            call.values = {**call.values, b"x-gw-tags": tags}  # others' calls share what their headers told
            call.told = told_by(call.values)
        shadow = [f"shadow:{one}" for one in decision.shadowed]
        others = [f"rule:{name}" for name in decision.rules if f"rule:{name}" not in decision.reason]
        call.route = " ".join(filter(None, (decision.reason, *others, *shadow)))
        return decision

    def order(self, call: Call, demand: Demand, decision: Decision) -> Course:
        """All that may be tried, in their order. Under the client's own credential there is one."""
        candidates = decision.candidates
        if call.own_credential:
            return Course(candidates[:1], candidates[:1])
        if self._credentials:
            candidates = self._each(candidates)
        if self._limits:
            candidates = self._open(candidates)
        now_ns = call.laps.since_ns
        if not call.session_id:
            return self.health.course(candidates, now_ns, "", decision.by)
        stay = self._stay(call, demand)
        demand.session = stay.key
        course = stay.course
        same = course is not None and course.candidates is candidates and decision.by == "weight"
        if course is not None and same and self.health.holds(course, now_ns):
            return course
        course = self.health.course(candidates, now_ns, stay.key, decision.by)
        if course.places:
            stay.course = course
        return course

    def _stay(self, call: Call, demand: Demand) -> Stay:
        """Each account has its own sessions, and each model that a session asks for is a prompt cache of its own."""
        known = self._stays.get(call.session_id)
        if known is None or known.account is not call.account or known.model != demand.model:
            if len(self._stays) >= ORDERS_MAX:
                self._stays.clear()
            who = call.account.key_id or call.account.credential
            known = Stay(call.account, demand.model, key_of(f"{who}:{call.session_id}", demand.model))
            self._stays[call.session_id] = known
        return known

    def _each(self, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        found = self._several.get(candidates)
        if found is None:
            found = with_credentials(candidates, self._credentials)
            if len(self._several) >= MEMORY_MAX:  # clients choose the names of models
                self._several.clear()
            self._several[candidates] = found
        return found

    def _open(self, several: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """Those whose credential has not used up what is configured of its own limits. Raises Refusal if none is left."""
        now_ns = clock.mono_ns()
        waits = [_wait_ns(self._limits.get(each.id, ()), now_ns) for each in several]
        found = tuple(each for each, wait_ns in zip(several, waits, strict=True) if not wait_ns)
        if not found:
            wait_s = max(-(-min(waits) // NS_PER_S), 1)
            raise Refusal("upstream_saturated", "All credentials for this model have used up their limits.", retry_after_s=wait_s)
        return found

    def count(self, way: Way, tokens: Number = 0) -> None:
        """A request to the credential, or what an answer has used there."""
        if not self._limits:
            return
        for limit, units in zip(self._limits.get(way.id, ()), (0 if tokens else 1, tokens), strict=False):
            if units:
                limit.debt(units, clock.mono_ns())

    def first(self, course: Course, deployments: Deployments) -> Way:
        """As `way`, of its first candidate; what an order has that is kept is kept with it."""
        if deployments is not self.deployments or not course.places:
            return self.way(course.order[0], deployments)
        way: Way | None = course.way
        if way is None:
            way = course.way = self.way(course.order[0], deployments)
        return way

    def way(self, candidate: Candidate, deployments: Deployments) -> Way:
        """`deployments`: those of when the call's candidates were chosen; meanwhile they may be gone from the configuration."""
        if deployments is not self.deployments:
            return self._way(candidate, deployments)
        known = self._ways.get(candidate)
        if known is None:
            if len(self._ways) >= MEMORY_MAX:
                self._ways.clear()
            known = self._ways[candidate] = self._way(candidate, deployments)
        return known

    def _way(self, candidate: Candidate, deployments: Deployments) -> Way:
        name = candidate.deployment
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(name)
        return Way(candidate, deployments[name], room, self.health.spot(candidate.id))

    def _asked(self, call: Call, demand: Demand) -> Asked:
        wants, values = self._router.wants, call.values
        model = demand.model or None
        agent = text_of(values.get(b"x-claude-code-agent-id", b""))
        stream = call.peek.stream if call.peek is not None else False
        prompt = tools = images = 0
        cap = call.peek.max_tokens if call.peek is not None else -1
        if "weight" in wants and demand.weighed:
            weight = call.peek.weight if call.peek is not None else None
            weight = weigh(demand.weighed) if weight is None else weight
            prompt = tokens_of(weight.text_bytes, demand.model)
            tools, images, cap = weight.tools, weight.images, weight.output_cap
        asked = Asked(
            model=model,
            now_us=call.started_us,
            kind=kind_of(agent, text_of(values.get(b"x-claude-code-request-class", b"")), tools=tools, max_tokens=cap),
            agent=agent,
            project=text_of(values.get(b"x-gw-project", b"")),
            session=call.session_id,
            stream=stream,
            prompt_tokens=prompt,
            max_tokens=cap,
            tools=tools,
            images=images,
            own_login=call.own_credential,
        )
        if "headers" in wants:
            asked = replace(asked, headers={name: demand.header(name) for name in self._router.names})
        if "words" in wants and demand.plain:
            asked = replace(asked, words=words_of(demand.plain))
        if "session" in wants and call.session_id:
            asked = replace(asked, warm=self._warmth(call, demand))
        if "budgets" in wants:
            asked = replace(asked, budgets=self._used(call))
        return asked

    def _used(self, call: Call) -> dict[str, int]:
        """Percent that is spent or set aside of each budget on the call's path; "" has the fullest."""
        rules = call.snapshot.budget_book.for_path(path_of(call))
        call.who = call.who_columns = None  # it is not yet known which upstream it is
        try:
            path = self._worker.governor.gate.compiled(rules, call.started_us)
        except Blocked:
            return {}
        used = {
            one.budget.id: one.used_nusd * 100 // one.limit_nusd if one.limit_nusd else 100
            for one in self._worker.governor.gate.standings(path)
        }
        return {**used, "": max(used.values(), default=0)}

    # --- sessions ---------------------------------------------------------------------------------------------------------------

    def warmed(self, call: Call, way: Way) -> None:
        """The client has its answer: what of its prompt is in the provider's cache now."""
        record = call.record
        if record is None:
            return
        if self._limits:
            inputs = record.input_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens  # reads count nowhere
            self.count(way, inputs + record.output_tokens)
        if not call.session_id:
            return
        tokens = record.cache_read_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens
        if not tokens:
            return
        ttl = 60 if record.cache_write_1h_tokens else 5
        until_us = clock.wall_us() + ttl * US_PER_MINUTE
        key = (call.account.key_id or call.account.credential, call.session_id)
        self._warm[key] = Warmth(way.deployment.name, way.candidate.model, tokens, ttl, until_us)
        self._warm.move_to_end(key)
        if len(self._warm) > self._sessions_max:
            self._warm.popitem(last=False)

    def _warmth(self, call: Call, demand: Demand) -> Warm | None:
        found = self._warm.get((call.account.key_id or call.account.credential, call.session_id))
        if found is None or found.until_us <= call.started_us:
            return None
        return Warm(found.deployment, found.model, found.tokens, found.ttl)

    # --- how it went ------------------------------------------------------------------------------------------------------------

    def heard(self, turn: Turn, status: Number, headers: Headers, now_ns: Number) -> None:
        """An answer has begun, and may say something of limits."""
        turn.first_byte_ns = now_ns
        if turn.trial and status < 400:
            self.health.answers(turn, now_ns)
        if speaks(headers):
            wall_us = clock.wall_us()
            self.health.told(turn.place.id, seen(headers, wall_us), clock.mono_ns(), wall_us)

    def ended(self, call: Call, demand: Demand, turn: Turn, verdict: Verdict) -> None:
        """An attempt has, and says something of its place."""
        first_byte_ns = max(turn.first_byte_ns - turn.began_ns, 0) if turn.first_byte_ns else 0
        ttl_ns = TTL_1H_NS if call.peek is not None and call.peek.ttl == 60 else TTL_5M_NS
        if verdict is PASS:  # then its record has been written
            self.health.end(turn, verdict, call.laps.since_ns, 0.0, first_byte_ns, demand.session, ttl_ns)
        else:
            retry_after_s = verdict.retry_after_s
            self.health.end(turn, verdict, clock.mono_ns(), retry_after_s, first_byte_ns, demand.session, ttl_ns)


def verdict_of(call: Call) -> Verdict:
    """Of an attempt that has answered the client, well or badly."""
    record = call.record
    if record is not None and record.outcome == "completed" and 200 <= call.status < 300:
        return PASS
    if call.status >= 500 or (record is not None and record.outcome in ("upstream_error", "timed_out")):
        return Verdict("pass", "answered_badly", failed=call.status >= 500 or call.status == 200)
    return PASS if 200 <= call.status < 300 else NOT_FAILED


def _wait_ns(limits: tuple[Limit, ...], now_ns: int) -> int:
    """Until there is room for one more request, and tokens are no longer owed. Takes nothing."""
    if not limits:
        return 0
    requests, tokens = limits
    wait_ns = requests.take(1, now_ns)
    if not wait_ns:
        requests.give(1)
    return max(wait_ns, tokens.check(now_ns))
