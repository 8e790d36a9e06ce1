"""The state of exports in the database: runs, the files they have made, and the periods that are due.

A run is planned in one transaction with its range; from then on it exists until it is done, whoever is killed. What it makes is
written here before it is written there, so that a file of an attempt that came to nothing can be found again and deleted.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from gw.export.parts import Part, added, totals_text
from gw.ledger.audit import GW, AuditRow, append
from gw.ledger.cursor import move_cursor_in
from gw.ledger.store import Connection, Database

RUNS_SHOWN = 100
KEPT_US = 400 * 86_400_000_000  # finished runs before that are forgotten, with their files' names; the files stay


class Run(Struct, frozen=True):
    """One run; the columns of export_run."""

    id: int
    export: str
    what: str
    chain: bool
    low: int
    high: int
    revision: int
    touched: int
    status: str
    reason: str
    asked_by: str
    target: str
    attempts: int
    error: str
    planned_us: int
    begun_us: int
    ended_us: int
    rows_count: int
    bytes_count: int
    objects_count: int
    totals: str
    manifest: str


class Stored(Struct, frozen=True):
    """A file that may lie at a target."""

    path: str
    target: str
    state: str
    rows_count: int
    bytes_count: int
    sha256: str


COLUMNS = Run.__struct_fields__
_RUN = f"SELECT {', '.join(COLUMNS)} FROM export_run"  # noqa: S608 - our own names
_PUT = f"INSERT INTO export_run ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_OBJECTS = "SELECT path, target, state, rows_count, bytes_count, sha256 FROM export_object"
_NOTE = (
    "INSERT INTO export_object (run_id, path, target, state, rows_count, bytes_count, sha256, first_number, last_number) "
    "VALUES (?, ?, ?, 'made', ?, ?, ?, ?, ?) ON CONFLICT (run_id, target, path) DO UPDATE SET state = 'made'"
)
_PERIODS = "SELECT start_us, touched, revision FROM export_period WHERE export = ? AND what = ? AND length_us = ?"
_TOUCH = (
    "INSERT INTO export_period (export, what, length_us, start_us, touched, exported, revision) VALUES (?, ?, ?, ?, 1, 0, 0) "
    "ON CONFLICT (export, what, length_us, start_us) DO UPDATE SET touched = export_period.touched + 1"
)


def unfinished(db: Connection, export: str) -> Run | None:
    """The oldest run that is not done: the next to be worked on."""
    row = db.execute(f"{_RUN} WHERE export = ? AND status <> 'done' ORDER BY id LIMIT 1", (export,)).fetchone()
    return _run(row) if row is not None else None


def chain_end(db: Connection, export: str, what: str) -> int:
    """The last number that a run covers; -1: there was none yet."""
    query = "SELECT MAX(high) FROM export_run WHERE export = ? AND what = ? AND chain = 1"
    found = db.execute(query, (export, what)).fetchone()[0]
    return -1 if found is None else int(found)


def plan(db: Connection, **known: Any) -> Run:
    """In a transaction of the caller's (`Database.changing`), in which nobody else plans."""
    (last,) = db.execute("SELECT MAX(id) FROM export_run").fetchone()
    blank: dict[str, Any] = {name: 0 for name in COLUMNS} | {"totals": "{}", "error": "", "manifest": "", "asked_by": ""}
    run = Run(**(blank | {"id": (last or 0) + 1, "status": "planned", "chain": False} | known))
    db.execute(_PUT, [int(value) if isinstance(value, bool) else value for value in asdict(run).values()])
    return run


def begin(database: Database, run: Run, target: str, now_us: int) -> Run:
    """An attempt. Raises StoreError, as all below."""
    with database.changing() as db:
        db.execute(
            "UPDATE export_run SET status = 'running', attempts = attempts + 1, begun_us = ?, target = ? WHERE id = ?",
            (now_us, target, run.id),
        )
    return msgspec.structs.replace(run, status="running", attempts=run.attempts + 1, begun_us=now_us, target=target)


def fail(database: Database, run: Run, error: str, now_us: int) -> None:
    with database.changing() as db:
        values = (error[:1000], now_us, run.id)
        db.execute("UPDATE export_run SET status = 'failed', error = ?, ended_us = ? WHERE id = ?", values)


def give_up(db: Connection, run: Run, why: str, now_us: int) -> None:
    """It will not be gone on with; its range is as if it had never been planned. In a transaction of the caller's."""
    values = (why, now_us, run.id)
    db.execute("UPDATE export_run SET status = 'done', chain = 0, revision = 0, error = ?, ended_us = ? WHERE id = ?", values)


def note(database: Database, run: Run, part: Part) -> None:
    """The file is about to be written there."""
    with database.changing() as db:
        values = (run.id, part.name, run.target, part.rows, part.size, part.sha256, part.first, part.last)
        db.execute(_NOTE, values)


def mark(database: Database, run_id: int, target: str, path: str, state: str) -> None:
    with database.changing() as db:
        values = (state, run_id, target, path)
        db.execute("UPDATE export_object SET state = ? WHERE run_id = ? AND target = ? AND path = ?", values)


def objects(database: Database, run_id: int) -> list[Stored]:
    """All that a run has ever noted."""
    with database.reading() as db:
        assert db is not None, "there is a run, so there is a ledger"
        return [Stored(*row) for row in db.execute(f"{_OBJECTS} WHERE run_id = ? ORDER BY path", (run_id,))]


def replaced(database: Database, run: Run) -> list[tuple[int, Stored]]:
    """The files of earlier revisions of a run's period, with the run they are of."""
    query = (
        f"SELECT run_id, {_OBJECTS.removeprefix('SELECT ')} WHERE state IN ('made', 'stored') AND run_id IN "  # noqa: S608
        "(SELECT id FROM export_run WHERE export = ? AND what = ? AND low = ? AND high = ? AND id < ? AND revision > 0)"
    )
    with database.reading() as db:
        assert db is not None, "there is a run, so there is a ledger"
        rows = db.execute(query, (run.export, run.what, run.low, run.high, run.id)).fetchall()
    return [(run_id, Stored(*row)) for run_id, *row in rows]


def finish(database: Database, run: Run, parts: Sequence[Part], manifest: str, now_us: int) -> None:
    """The run is done, and its period exported as it was when the run was planned."""
    totals = added(part.totals for part in parts)
    summed = msgspec.json.encode(totals_text(totals)).decode()
    with database.changing() as db:
        db.execute(
            "UPDATE export_run SET status = 'done', error = '', ended_us = ?, rows_count = ?, bytes_count = ?, "
            "objects_count = ?, totals = ?, manifest = ? WHERE id = ?",
            (
                now_us,
                sum(part.rows for part in parts),
                sum(part.size for part in parts),
                len(parts),
                summed,
                manifest,
                run.id,
            ),
        )
        if run.revision:
            db.execute(
                "UPDATE export_period SET exported = ?, revision = ? "
                "WHERE export = ? AND what = ? AND length_us = ? AND start_us = ?",
                (run.touched, run.revision, run.export, run.what, run.high - run.low, run.low),
            )
        if run.what != "audit" or run.asked_by:  # else each run of a schedule would make the row that the next one sends
            about = {"run": run.id, "what": run.what, "rows": sum(part.rows for part in parts), "to": run.target}
            after = msgspec.json.encode(about).decode()
            append(db, AuditRow(0, now_us, run.asked_by or GW, GW, "export", "export", run.export, "", after))
        forget(db, now_us)


def forget(db: Connection, now_us: int) -> None:
    """Old runs, but never the last of a chain, nor those of periods: what they have made may yet be replaced."""
    old = (
        "SELECT id FROM export_run WHERE status = 'done' AND revision = 0 AND ended_us < ? AND id NOT IN "
        "(SELECT MAX(id) FROM export_run GROUP BY export, what, chain)"
    )
    ids = [row[0] for row in db.execute(f"{old} LIMIT 100", (now_us - KEPT_US,)).fetchall()]
    for run_id in ids:
        db.execute("DELETE FROM export_object WHERE run_id = ?", (run_id,))
        db.execute("DELETE FROM export_run WHERE id = ?", (run_id,))


def runs(db: Connection, export: str = "", limit: int = RUNS_SHOWN, before_id: int = 0) -> list[Run]:
    """The newest first."""
    terms, values = ["TRUE"], list[Any]()
    if export:
        terms, values = [*terms, "export = ?"], [*values, export]
    if before_id:
        terms, values = [*terms, "id < ?"], [*values, before_id]
    rows = db.execute(f"{_RUN} WHERE {' AND '.join(terms)} ORDER BY id DESC LIMIT ?", (*values, limit))
    return [_run(row) for row in rows]


def run_of(db: Connection, run_id: int) -> Run | None:
    row = db.execute(f"{_RUN} WHERE id = ?", (run_id,)).fetchone()
    return _run(row) if row is not None else None


def last_planned_us(db: Connection, export: str) -> int:
    """When a run of it was last planned; 0: never."""
    return db.execute("SELECT MAX(planned_us) FROM export_run WHERE export = ?", (export,)).fetchone()[0] or 0


# --- periods --------------------------------------------------------------------------------------------------------------


class Series(NamedTuple):
    """The periods of one export."""

    export: str
    what: str
    length_us: int


class Due(NamedTuple):
    """A period that is to be exported."""

    start_us: int
    touched: int
    revision: int  # of the run before; 0: there was none


def touch(db: Connection, series: Series, starts: Iterable[int], cursor: str, seen: int) -> None:
    """Rows of these periods have come; all rows up to `seen` are looked at. In a transaction of the caller's."""
    db.executemany(_TOUCH, [(*series, start) for start in starts])
    move_cursor_in(db, cursor, seen)


def due_periods(db: Connection, series: Series, *, over_us: int, since_us: int = 0) -> list[Due]:
    """In order, those that had ended at `over_us` and have changed since they were exported."""
    query = f"{_PERIODS} AND touched > exported AND start_us <= ? AND start_us >= ? ORDER BY start_us"
    return [Due(*row) for row in db.execute(query, (*series, over_us - series.length_us, since_us))]


def periods_within(db: Connection, series: Series, low_us: int, high_us: int) -> list[Due]:
    """In order, all in which there is anything, changed or not."""
    query = f"{_PERIODS} AND start_us >= ? AND start_us + length_us <= ? ORDER BY start_us"
    return [Due(*row) for row in db.execute(query, (*series, low_us, high_us))]


def _run(row: Any) -> Run:
    values = dict(zip(COLUMNS, row, strict=True))
    values["chain"] = bool(values["chain"])
    return Run(**values)
