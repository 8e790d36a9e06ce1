"""Sums of an hour or a day by everything that the rollups keep, page by page."""

from typing import Any

from gw.domain.exported import USAGE
from gw.export.errors import ExportError
from gw.export.job import HOUR_US
from gw.export.parts import Read
from gw.export.sources import PAGE_ROWS, Pages
from gw.ledger.rollup_shape import AMOUNTS, COUNTS, DIMENSIONS, FULL
from gw.ledger.store import Database
from gw.ledger.sums import whole

# While the rollups take in the calls of an older gw: from which of them on, and up to which.
_BEHIND = "SELECT name, value FROM meta WHERE name IN ('rollup_from', 'rollup_until')"
_SHOWN = [column.source for column in USAGE[2:]]
_COUNTED = [name for name in _SHOWN if name in COUNTS]
_SUMMED = [name for name in _SHOWN if name in AMOUNTS]
_WHO = [name for name in _SHOWN if name in DIMENSIONS]
assert [*_WHO, *_COUNTED, *_SUMMED] == _SHOWN, "every column of usage is one of the rollups"


def sums(database: Database, start_us: int, end_us: int, bucket_us: int) -> Pages:
    """Of the buckets in [start, end). Raises ExportError while the rollups are not whole."""
    table = "usage_hour" if bucket_us == HOUR_US else "usage_day"
    halves = [f"r.{name[:-5]}_{half}" for name in _SUMMED for half in ("high", "low")]
    columns = ", ".join([*(f"p.{name}" for name in _WHO), *(f"r.{name}" for name in _COUNTED), *halves])
    query = (
        f"SELECT r.at, r.path_id, {columns} FROM {table} r JOIN usage_path p ON p.id = r.path_id "  # noqa: S608 - our own names
        "WHERE r.level = ? AND (r.at, r.path_id) > (?, ?) AND r.at < ? ORDER BY r.at, r.path_id LIMIT ?"
    )
    after, until, number = (start_us // bucket_us, -1), end_us // bucket_us, 0
    while True:
        with database.reading() as db:
            assert db is not None, "there is a run, so there is a ledger"
            behind = dict(db.execute(_BEHIND).fetchall())
            rows = db.execute(query, (FULL.number, *after, until, PAGE_ROWS)).fetchall()
        if behind.get("rollup_from", 0) < behind.get("rollup_until", 0):
            raise ExportError("the rollups still take in calls of an earlier version")
        if rows:
            yield [Read(at, row[0] * bucket_us, _shown(row, bucket_us)) for at, row in enumerate(rows, number)]
        if len(rows) < PAGE_ROWS:
            return
        after, number = (rows[-1][0], rows[-1][1]), number + len(rows)


def _shown(row: tuple[Any, ...], bucket_us: int) -> tuple[Any, ...]:
    """As USAGE has it."""
    plain = 2 + len(_WHO) + len(_COUNTED)
    amounts = map(whole, row[plain::2], row[plain + 1 :: 2])
    return (row[0] * bucket_us, (row[0] + 1) * bucket_us, *row[2:plain], *amounts)
