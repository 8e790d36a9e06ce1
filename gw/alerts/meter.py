"""What calls have cost and how they ended, by the minute, kept up to date from the ledger by `call.seq`.

The database adds up by minute, path and session what came since the last look; here only those sums are kept, for as long as a
rule looks back. Which calls have failed: those that the upstream or gw failed, but for the client's own mistakes (4xx other than
401, 403, 408 and 429); those that gw refused are no calls to it.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from gw.alerts.judge import Errors, Session, Spending, Unpriced
from gw.domain.money import PUSD_PER_NUSD
from gw.domain.scope import CallPath
from gw.ledger.sequence import highest
from gw.ledger.store import Connection, Database
from gw.ledger.sums import count_if, halves, whole

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
SPAN_US = 6 * 3600 * 1_000_000  # the longest window of a rule
STEP = 200_000  # rows of one statement
PATHS_MAX = 20_000
KINDS = ("", "customer", "team", "key", "upstream", "model", "project")

KEY = "CASE WHEN key_name <> '' THEN key_name WHEN credential <> '' THEN 'passthrough ' || credential ELSE key_id END"
OWN_FAULT = "upstream_status >= 400 AND upstream_status < 500 AND upstream_status NOT IN (401, 403, 408, 429)"
FAILED = f"outcome IN ('upstream_error', 'timed_out', 'gw_error') AND NOT ({OWN_FAULT})"
COUNTED = "endpoint = 'messages' AND outcome <> 'refused'"
UNPRICED = "price_version = 'unpriced'"
_GROUP = f"customer, team, {KEY}, key_name, key_id, upstream, requested_model, project, session_id"
_COUNTS = ", ".join(map(count_if, (COUNTED, f"{COUNTED} AND {FAILED}", UNPRICED)))
_LOOK = (
    f"SELECT ended_us / {MINUTE_US}, {_GROUP}, CASE WHEN {FAILED} THEN error ELSE '' END, {_COUNTS}, {halves('billed_pusd')}, "  # noqa: S608
    f"MAX(ended_us) FROM call WHERE seq > ? AND seq <= ? GROUP BY ended_us / {MINUTE_US}, {_GROUP}, "
    f"CASE WHEN {FAILED} THEN error ELSE '' END"
)
_OLD_UNPRICED = (
    f"SELECT requested_model, COUNT(*), MIN(ended_us), MAX(ended_us) FROM call WHERE ended_us >= ? AND seq <= ? AND {UNPRICED} "  # noqa: S608
    "GROUP BY requested_model"
)


class Minute(Struct):
    """Sums of one minute of one account."""

    at: int  # minutes since 1970
    calls: int = 0
    failed: int = 0
    nusd: int = 0


class Touched(NamedTuple):
    """A session that had calls since the last look."""

    session: str
    path: CallPath
    nusd: int
    calls: int
    last_us: int


class Meter:
    """One per courier, of one ledger. `look` is to be called in a thread; all else is memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seq = -1
        self._minutes: dict[tuple[str, str], deque[Minute]] = {}
        self._errors: dict[tuple[str, str], Counter[tuple[int, str]]] = defaultdict(Counter)
        self._unpriced: dict[str, Unpriced] = {}
        self.paths: dict[CallPath, int] = {}  # without sessions -> when it was last seen
        self.touched: dict[str, Touched] = {}  # sessions since the last look

    def look(self, now_us: int) -> None:
        """Reads on to the end. Raises StoreError."""
        self.touched = {}
        with self._database.reading() as db:
            if db is None:
                return
            end = highest(db)
            if self._seq < 0:
                self._begin(db, end, now_us)
            while self._seq < end:
                upto = min(self._seq + STEP, end)
                for row in db.execute(_LOOK, (self._seq, upto)):
                    self._add(row, now_us)
                self._seq = upto
        self._forget(now_us)

    def _begin(self, db: Connection, end: int, now_us: int) -> None:
        """What a rule may look back on; rows of one instant come close to each other, but not in order."""
        found = db.execute("SELECT seq FROM call WHERE ended_us >= ? ORDER BY ended_us LIMIT 1", (now_us - SPAN_US,)).fetchone()
        self._seq = max(found[0] - 10_000, 0) if found is not None else end
        for model, calls, first_us, last_us in db.execute(_OLD_UNPRICED, (now_us - DAY_US, self._seq)):
            self._unpriced[model] = Unpriced(model, calls, first_us, last_us)

    def _add(self, row: tuple[object, ...], now_us: int) -> None:
        (
            at,
            customer,
            team,
            account,
            key_name,
            key_id,
            upstream,
            model,
            project,
            session,
            error,
            calls,
            failed,
            unpriced,
            *rest,
        ) = row
        high, low, last_us = rest
        nusd = -(-whole(high, low) // PUSD_PER_NUSD)  # type: ignore[arg-type]
        path = CallPath(str(customer), str(team), str(key_name), str(key_id), str(upstream), str(model), str(project))
        self.paths[path] = max(self.paths.get(path, 0), int(last_us))  # type: ignore[call-overload]
        if session and (calls or nusd):
            before = self.touched.get(str(session))
            touched = Touched(str(session), path, nusd, int(calls), int(last_us))  # type: ignore[call-overload]
            self.touched[str(session)] = _together(touched, before)
        if unpriced:
            self._note_unpriced(str(model), int(unpriced), int(last_us))  # type: ignore[call-overload]
        minute = int(at)  # type: ignore[call-overload]
        if minute * MINUTE_US < now_us - SPAN_US - MINUTE_US:
            return
        for kind, name in _accounts(path, str(account)):
            one = self._minute(kind, name, minute)
            one.calls += calls  # type: ignore[operator]
            one.failed += failed  # type: ignore[operator]
            one.nusd += nusd
            if error:
                self._errors[kind, name][minute, str(error)] += failed  # type: ignore[operator]

    def _minute(self, kind: str, name: str, at: int) -> Minute:
        """In order; a late one is put where it belongs."""
        known = self._minutes.setdefault((kind, name), deque())
        for position in range(len(known) - 1, -1, -1):
            if known[position].at == at:
                return known[position]
            if known[position].at < at:
                known.insert(position + 1, made := Minute(at))
                return made
        known.appendleft(made := Minute(at))
        return made

    def _note_unpriced(self, model: str, calls: int, last_us: int) -> None:
        known = self._unpriced.get(model)
        if known is None:
            self._unpriced[model] = Unpriced(model, calls, last_us, last_us)
        else:
            self._unpriced[model] = Unpriced(model, known.calls + calls, known.first_us, max(known.last_us, last_us))

    def _forget(self, now_us: int) -> None:
        oldest = (now_us - SPAN_US) // MINUTE_US
        for key, minutes in list(self._minutes.items()):
            while minutes and minutes[0].at < oldest:
                minutes.popleft()
            if not minutes:
                del self._minutes[key]
                self._errors.pop(key, None)
        for errors in self._errors.values():
            for at, error in [one for one in errors if one[0] < oldest]:
                del errors[at, error]
        self._unpriced = {model: one for model, one in self._unpriced.items() if one.last_us > now_us - 2 * DAY_US}
        if len(self.paths) > PATHS_MAX:
            self.paths = dict(sorted(self.paths.items(), key=lambda one: -one[1])[:PATHS_MAX])

    # --- facts ----------------------------------------------------------------------------------------------------------

    def spending(self, kind: str, window_us: int, now_us: int) -> Iterator[Spending]:
        """Its `window_us` is the time that was added up: whole minutes and the one that runs, so that a rate is right at any
        second of a minute."""
        added_up_us = now_us - _first(window_us, now_us) * MINUTE_US
        for (of, name), minutes in self._minutes.items():
            if of == kind:
                yield Spending(kind, name, sum(one.nusd for one in _within(minutes, window_us, now_us)), added_up_us)

    def errors(self, kind: str, window_us: int, now_us: int) -> Iterator[Errors]:
        for (of, name), minutes in self._minutes.items():
            if of != kind:
                continue
            within = list(_within(minutes, window_us, now_us))
            calls, failed = sum(one.calls for one in within), sum(one.failed for one in within)
            yield Errors(kind, name, calls, failed, window_us, self._worst(kind, name, window_us, now_us) if failed else "")

    def unpriced(self) -> Iterator[Unpriced]:
        yield from self._unpriced.values()

    def _worst(self, kind: str, name: str, window_us: int, now_us: int) -> str:
        since = _first(window_us, now_us)
        by_error: Counter[str] = Counter()
        for (at, error), count in self._errors[kind, name].items():
            if at >= since:
                by_error[error] += count
        return ", ".join(f"{error} ({count:,})" for error, count in by_error.most_common(3))


def _within(minutes: deque[Minute], window_us: int, now_us: int) -> Iterator[Minute]:
    since = _first(window_us, now_us)
    return (one for one in minutes if one.at >= since)


def _first(window_us: int, now_us: int) -> int:
    """The minute in which the last so long began: all of it counts."""
    return (now_us - window_us) // MINUTE_US


def _accounts(path: CallPath, account: str) -> Iterator[tuple[str, str]]:
    yield "", ""
    for kind, name in (("customer", path.customer), ("team", path.team), ("key", account), ("upstream", path.upstream)):
        if name:
            yield kind, name
    if path.model:
        yield "model", path.model
    if path.project:
        yield "project", path.project


def _together(one: Touched, before: Touched | None) -> Touched:
    if before is None:
        return one
    return Touched(one.session, one.path, before.nusd + one.nusd, before.calls + one.calls, max(before.last_us, one.last_us))


__all__ = ["KEY", "KINDS", "Meter", "Session", "Touched"]
