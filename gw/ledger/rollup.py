"""Keeps the rollups exact: in the transaction that writes rows or adjustments, what they add is added.

Rows are first summed in Python (`Gathered`), so that a batch touches each row of a rollup once. Then `adding` says what the
database is to be told, step by step, and learns the numbers of paths and sessions on the way; whoever holds the connection
performs the steps: gw.ledger.sqlite and gw.ledger.postgres_store for the keeper, `perform` for a plain connection.

Two processes may add at once (the keeper rows, a repricing adjustments). What they add commutes, and they touch rows in one order
(tables as in TABLES, rows by their keys), so that in Postgres they wait for each other and never in a circle.
"""

from collections.abc import Generator, Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from msgspec import Struct, field

from gw.ledger.rollup_shape import (
    ACCOUNT,
    AGENT,
    AMOUNTS,
    CAPPED,
    DAY_US,
    DIMENSIONS,
    ENDED,
    HOUR_US,
    HOURS_PER_DAY,
    LEVELS,
    MEASURES,
    OF_SESSION,
    PARENT,
    STARTED,
    Path,
    Sums,
    adjusting,
    path_of,
    paths_of,
    session_of,
    sums_of,
    unpacked,
)
from gw.ledger.store import Connection, Row
from gw.ledger.sums import HALF_BITS

KNOWN_MAX = 50_000  # paths, and sessions, whose numbers are remembered
NAMES_MAX = 500  # of one statement
OWED = ("list_pusd", "billed_pusd")  # of a session
_OWED = [MEASURES.index(f"{name[:-5]}_high") for name in OWED]

Session = tuple[str, ...]  # its id and whose it is: one id may come from several accounts
Agent = tuple[Session, str, Path]


class Table(NamedTuple):
    """A rollup. A row that is there is added to; `set_once` stays as it was."""

    name: str
    key: tuple[str, ...]
    set_once: tuple[str, ...]
    added: tuple[str, ...]
    capped: tuple[str, ...] = ()
    span: tuple[str, ...] = ()  # first_us, last_us, last_day

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.set_once, *self.added, *self.capped, *self.span)


PATH = Table("usage_path", ("digest",), ("level", *DIMENSIONS), ())
HOUR = Table("usage_hour", ("level", "at", "path_id"), (), MEASURES)
DAY = Table("usage_day", ("level", "at", "path_id"), (), MEASURES)
SPAN = ("first_us", "last_us")
SESSION = Table("usage_session", ("digest",), ("session_id", *ACCOUNT), OF_SESSION, OWED, (*SPAN, "last_day"))
AGENT_PATH = Table("usage_agent", ("session", "agent_id", "path_id"), ("parent_agent_id",), OF_SESSION, OWED, SPAN)
TABLES = (PATH, SESSION, AGENT_PATH, HOUR, DAY)


def addition(table: Table) -> str:
    """How a row that is offered (`excluded`) is added to the one that is there: the end of an INSERT."""
    name = table.name
    sets = [f"{one} = {name}.{one} + excluded.{one}" for one in table.added]
    sets += [
        f"{one} = CASE WHEN {name}.{one} > {CAPPED} THEN {name}.{one} ELSE {name}.{one} + excluded.{one} END"
        for one in table.capped
    ]
    for one in table.span:
        further = f"excluded.{one} {'<' if one == 'first_us' else '>'} {name}.{one}"
        sets.append(f"{one} = CASE WHEN {further} THEN excluded.{one} ELSE {name}.{one} END")
    return f"ON CONFLICT ({', '.join(table.key)}) DO {'UPDATE SET ' + ', '.join(sets) if sets else 'NOTHING'}"


class Ask(NamedTuple):
    """A query whose rows are wanted."""

    query: str
    values: Sequence[Any]


class Put(NamedTuple):
    """Rows to be added to a table, in the order of its columns and sorted by its key."""

    table: Table
    rows: Sequence[Sequence[Any]]


Steps = Generator[Ask | Put, Any, None]  # an Ask is answered with its rows


class Known(Struct):
    """Numbers that are in the database for good: whoever rolls back forgets them all."""

    paths: dict[Path, tuple[int, ...]] = field(default_factory=dict)  # at the level `full` -> numbers at each of LEVELS
    sessions: dict[Session, tuple[str, int]] = field(default_factory=dict)  # -> digest, number

    def bounded(self) -> None:
        if len(self.paths) > KNOWN_MAX:
            self.paths.clear()
        if len(self.sessions) > KNOWN_MAX:
            self.sessions.clear()


class _Run:
    """What a session, or an agent of it by one path, adds."""

    __slots__ = ("first_us", "last_us", "parent", "sums")

    def __init__(self, sums: Sums, first_us: int, last_us: int, parent: str) -> None:
        self.sums, self.first_us, self.last_us, self.parent = sums, first_us, last_us, parent

    def add(self, sums: Sums, first_us: int, last_us: int, parent: str) -> None:
        self.sums += sums
        self.first_us, self.last_us = min(self.first_us, first_us), max(self.last_us, last_us)
        self.parent = self.parent or parent

    def values(self) -> list[int]:
        """OF_SESSION, OWED, first_us, last_us."""
        sums = unpacked(self.sums)
        owed = [min(max((sums[at] << HALF_BITS) + sums[at + 1], -CAPPED >> 1), CAPPED >> 1) for at in _OWED]
        return [*sums[: len(OF_SESSION)], *owed, self.first_us, self.last_us]


class Gathered:
    """Rows and adjustments, summed."""

    def __init__(self) -> None:
        self.hours: dict[int, dict[Path, Sums]] = {}
        self.agents: dict[Agent, _Run] = {}

    def add(self, row: Row) -> None:
        self._add(row, sums_of(row))

    def add_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.add(row)

    def adjust(self, row: Row, amounts: Sequence[int]) -> None:
        """`row`: of the call, as it stands in the ledger; `amounts`: signed differences, in the order of AMOUNTS."""
        assert len(amounts) == len(AMOUNTS)
        self._add(row, adjusting(amounts))

    def _add(self, row: Row, sums: Sums) -> None:
        path, agent = path_of(row), row[AGENT]
        hour = self.hours.setdefault(row[ENDED] // HOUR_US, {})
        hour[path] = hour.get(path, 0) + sums
        session = session_of(row)
        if session[0] or agent:
            first_us = min(row[STARTED], row[ENDED])  # where a clock was set back, a session does not end before it begins
            _run(self.agents, (session, agent, path), sums, first_us, row[ENDED], row[PARENT])

    def sessions(self) -> dict[Session, _Run]:
        found: dict[Session, _Run] = {}
        for (session, _, _), one in self.agents.items():
            _run(found, session, one.sums, one.first_us, one.last_us, "")
        return found


def _run(runs: dict[Any, _Run], key: Any, *added: Any) -> None:
    found = runs.get(key)
    if found is None:
        runs[key] = _Run(*added)
    else:
        found.add(*added)


def add(connection: Connection, rows: Iterable[Row]) -> None:
    """Rows that were written in this very transaction, each once; values in the order of gw.ledger.store.COLUMNS."""
    perform(connection, adding(gathered_of(rows), Known()))


def adjust(connection: Connection, adjustments: Iterable[tuple[Row, Sequence[int]]]) -> None:
    """(row of a call, signed differences of AMOUNTS) of adjustments that are written in this very transaction. They count in the
    hour in which the call ended."""
    gathered = Gathered()
    for row, amounts in adjustments:
        gathered.adjust(row, amounts)
    perform(connection, adding(gathered, Known()))


def perform(connection: Connection, steps: Steps) -> None:
    step = next(steps, None)
    while step is not None:
        if isinstance(step, Ask):
            step = answered(steps, connection.execute(step.query, step.values).fetchall())
        else:
            connection.executemany(INSERT[step.table.name], step.rows)
            step = next(steps, None)


def answered(steps: Steps, rows: list[Any]) -> Ask | Put | None:
    """The step after a query; None: there is none."""
    try:
        return steps.send(rows)
    except StopIteration:
        return None


def written(rows: Sequence[Row], before: int, numbers: Iterable[Any]) -> Gathered:
    """Of the rows that were offered with the numbers from `before` + 1 on, those that came to be written under these numbers."""
    there = {number for (number,) in numbers}
    return gathered_of(row for number, row in enumerate(rows, before + 1) if number in there)


def gathered_of(rows: Iterable[Row]) -> Gathered:
    gathered = Gathered()
    gathered.add_all(rows)
    return gathered


def adding(gathered: Gathered, known: Known) -> Steps:
    """What the database is to be told, in one transaction. `known` is brought up to date, and good once that is committed."""
    if not gathered.hours:
        return
    known.bounded()
    yield from _number_paths({path for hour in gathered.hours.values() for path in hour}, known.paths)
    if gathered.agents:
        yield from _sessions(gathered.sessions(), known.sessions)
        yield Put(AGENT_PATH, sorted(_agents(gathered, known)))
    hours = {at: _levels(paths, known.paths) for at, paths in gathered.hours.items()}
    cells = {at: [_unpacked(level) for level in levels] for at, levels in hours.items()}
    yield Put(HOUR, _rows(cells))
    yield Put(DAY, _rows(_days(hours, cells)))


def _number_paths(paths: Iterable[Path], known: dict[Path, tuple[int, ...]]) -> Steps:
    missing = [path for path in paths if path not in known]
    if not missing:
        return
    rows: dict[str, Sequence[Any]] = {}
    digests: dict[Path, list[str]] = {}
    for path in missing:
        digests[path] = []
        for level, at_level in zip(LEVELS, paths_of(path), strict=True):
            digest = digest_of(level.number, *at_level)
            rows[digest] = (digest, level.number, *at_level)
            digests[path].append(digest)
    yield Put(PATH, [rows[digest] for digest in sorted(rows)])
    numbers: dict[str, int] = {}
    yield from _ask("usage_path", list(rows), numbers)
    for path, names in digests.items():
        known[path] = tuple(numbers[name] for name in names)


def _ask(table: str, digests: Sequence[str], numbers: dict[str, int]) -> Steps:
    for at in range(0, len(digests), NAMES_MAX):
        names = digests[at : at + NAMES_MAX]
        marks = ", ".join("?" * len(names))
        numbers.update((yield Ask(f"SELECT digest, id FROM {table} WHERE digest IN ({marks})", names)))  # noqa: S608 - our own words


def _sessions(runs: dict[Session, _Run], known: dict[Session, tuple[str, int]]) -> Steps:
    digests = {session: known[session][0] if session in known else digest_of(*session) for session in runs}
    rows = ((digests[session], *session, *run.values(), run.last_us // DAY_US) for session, run in runs.items())
    yield Put(SESSION, sorted(rows))
    missing = {digests[session]: session for session in runs if session not in known}
    numbers: dict[str, int] = {}
    yield from _ask("usage_session", list(missing), numbers)
    known.update((session, (digest, numbers[digest])) for digest, session in missing.items())


def _agents(gathered: Gathered, known: Known) -> Iterable[tuple[Any, ...]]:
    """Rows of AGENT_PATH."""
    for (session, agent, path), run in gathered.agents.items():
        yield (known.sessions[session][1], agent, known.paths[path][-1], run.parent, *run.values())


Cells = dict[int, Sums]  # by the number of the path
Shown = dict[int, tuple[int, ...]]


def _levels(paths: dict[Path, Sums], known: dict[Path, tuple[int, ...]]) -> list[Cells]:
    """For each of LEVELS."""
    levels: list[Cells] = [{} for _ in LEVELS]
    for path, sums in paths.items():
        for level, number in zip(levels, known[path], strict=True):
            level[number] = level.get(number, 0) + sums
    return levels


def _days(hours: dict[int, list[Cells]], shown: dict[int, list[Shown]]) -> dict[int, list[Shown]]:
    """As a rule all hours of a batch are one, and its sums are the day's."""
    days: dict[int, list[int]] = {}
    for at in hours:
        days.setdefault(at // HOURS_PER_DAY, []).append(at)
    found: dict[int, list[Shown]] = {}
    for day, parts in days.items():
        if len(parts) == 1:
            found[day] = shown[parts[0]]
            continue
        levels: list[Cells] = [{} for _ in LEVELS]
        for at in parts:
            for level, cells in zip(levels, hours[at], strict=True):
                for number, sums in cells.items():
                    level[number] = level.get(number, 0) + sums
        found[day] = [_unpacked(level) for level in levels]
    return found


def _unpacked(cells: Cells) -> Shown:
    return {number: unpacked(cells[number]) for number in sorted(cells)}


def _rows(cells: dict[int, list[Shown]]) -> list[Sequence[Any]]:
    """Of HOUR or DAY, by level, time and path."""
    return [
        (level.number, at, number, *sums)
        for index, level in _IN_ORDER
        for at in sorted(cells)
        for number, sums in cells[at][index].items()
    ]


_IN_ORDER = sorted(enumerate(LEVELS), key=lambda one: one[1].number)


# Sums of the first hour that there are any of: the level of all calls has a row of each.
FIRST_HOUR = f"SELECT min(at) FROM usage_hour WHERE level = {LEVELS[0].number}"  # noqa: S608 - our own numbers
DROP_HOUR = f"DELETE FROM usage_hour WHERE level IN ({', '.join(str(level.number) for level in LEVELS)}) AND at = ?"  # noqa: S608


def digest_of(*values: Any) -> str:
    """32 hex digits, others for other values."""
    return blake2b(repr(values).encode(), digest_size=16).hexdigest()


INSERT = {
    table.name: f"INSERT INTO {table.name} ({', '.join(table.columns)}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join('?' * len(table.columns))}) {addition(table)}"
    for table in TABLES
}
