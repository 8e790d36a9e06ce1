"""Keeps the rollups exact: in the transaction that writes rows or adjustments, what they add is added.

Rows are first summed by themselves (`Gathered`), so that a batch touches each row of a rollup once. Then `adding` says what the
database is to be told, step by step, and learns the numbers of paths and sessions on the way; whoever holds the connection
performs the steps: gw.ledger.sqlite and gw.ledger.postgres_store for the keeper, `perform` for a plain connection.

Two processes may add at once (the keeper rows, a repricing adjustments). What they add commutes, and they touch rows in one order
(tables as in TABLES, rows by their keys), so that in Postgres they wait for each other and never in a circle.
"""

from collections.abc import Generator, Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from msgspec import Struct, field

from gw._fast import Gathered as Gathering
from gw._fast import Run, Sums, rows_at, rows_of, spread
from gw.ledger.rollup_shape import (
    ACCOUNT,
    AMOUNTS,
    CAPPED,
    DAY_US,
    DIMENSIONS,
    HOURS_PER_DAY,
    LAYOUT,
    LEVELS,
    MEASURES,
    OF_SESSION,
    Path,
    paths_of,
)
from gw.ledger.store import Connection, Row

KNOWN_MAX = 50_000  # paths, and sessions, whose numbers are remembered
NAMES_MAX = 500  # of one statement
OWED = ("list_pusd", "billed_pusd")  # of a session
MOST = CAPPED >> 1  # of either, and of its opposite, in one transaction
assert AMOUNTS[: len(OWED)] == OWED

Session = tuple[str, ...]  # its id and whose it is: one id may come from several accounts


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
    rows: list[tuple[Any, ...]]


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


class Gathered(Gathering):
    """Rows and adjustments, summed: gw._fast.sums, by what gw.ledger.rollup_shape says."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(LAYOUT)


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
    by_hour = gathered.hours()
    if not by_hour:
        return
    known.bounded()
    yield from _number_paths({path for paths in by_hour.values() for path in paths}, known.paths)
    if runs := gathered.runs():
        yield from _sessions(gathered.sessions(), known.sessions)
        yield Put(AGENT_PATH, sorted(_agents(runs, known)))
    hours = {at: spread(paths, known.paths, len(LEVELS)) for at, paths in by_hour.items()}
    rows = {at: _shown(levels, at) for at, levels in hours.items()}
    yield Put(HOUR, _in_order(rows))
    yield Put(DAY, _in_order(_days(hours, rows)))


def _number_paths(paths: Iterable[Path], known: dict[Path, tuple[int, ...]]) -> Steps:
    missing = [path for path in paths if path not in known]
    if not missing:
        return
    rows: dict[str, tuple[Any, ...]] = {}
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


def _sessions(runs: dict[Session, Run], known: dict[Session, tuple[str, int]]) -> Steps:
    digests = {session: known[session][0] if session in known else digest_of(*session) for session in runs}
    rows = ((digests[session], *session, *run.totals(MOST), run.last_us // DAY_US) for session, run in runs.items())
    yield Put(SESSION, sorted(rows))
    missing = {digests[session]: session for session in runs if session not in known}
    numbers: dict[str, int] = {}
    yield from _ask("usage_session", list(missing), numbers)
    known.update((session, (digest, numbers[digest])) for digest, session in missing.items())


def _agents(runs: Iterable[Run], known: Known) -> Iterable[tuple[Any, ...]]:
    """Rows of AGENT_PATH."""
    for run in runs:
        yield (known.sessions[run.session][1], run.agent, known.paths[run.path][-1], run.parent, *run.totals(MOST))


Cells = dict[int, Sums]  # by the number of the path
Shown = list[list[tuple[int, ...]]]  # for each of LEVELS, rows of HOUR or DAY


def _shown(levels: Iterable[Cells], at: int) -> Shown:
    return [rows_of(cells, level.number, at) for level, cells in zip(LEVELS, levels, strict=True)]


def _days(hours: dict[int, list[Cells]], shown: dict[int, Shown]) -> dict[int, Shown]:
    """As a rule all hours of a batch are one, and its sums are the day's."""
    days: dict[int, list[int]] = {}
    for at in hours:
        days.setdefault(at // HOURS_PER_DAY, []).append(at)
    found: dict[int, Shown] = {}
    for day, parts in days.items():
        if len(parts) == 1:
            found[day] = [rows_at(rows, day) for rows in shown[parts[0]]]
        else:
            found[day] = _shown(map(_sum, zip(*(hours[at] for at in parts), strict=True)), day)
    return found


def _sum(parts: Iterable[Cells]) -> Cells:
    whole: Cells = {}
    for cells in parts:
        for number, sums in cells.items():
            if number in whole:
                whole[number].add(sums)
            else:
                whole[number] = sums.copy()
    return whole


def _in_order(shown: dict[int, Shown]) -> list[tuple[int, ...]]:
    """By level, time and path."""
    return [row for index in _BY_NUMBER for at in sorted(shown) for row in shown[at][index]]


_BY_NUMBER = sorted(range(len(LEVELS)), key=lambda index: LEVELS[index].number)


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
