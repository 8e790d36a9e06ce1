"""What calls have used of budgets, summed up beside the ledger, so that a start need not read every call.

Rollups do not serve for it: they are by the end of calls, in pico-USD; budgets count by when a call was charged, rounded up call
by call. So there are sums of their own, by the hour, the day, and the day of a session. They are made of rows that are in the
ledger already, some thousand at a time, when the keeper has nothing else to do: the transaction that writes calls is as short as
without them. `meta.charged_seq` says up to which `seq` rows are in them, and moves in the transaction that adds them. So at every
moment

    what was used in a whole hour = its sums + its rows with a higher seq

Calls that go (gw.ledger.earlier) are taken out of the sums in the transaction in which they go.
"""

from collections.abc import Iterator

from gw.ledger.charged import AT, PATH_COLUMNS, SUMS, WORST
from gw.ledger.rollup_shape import DAY_US, HOUR_US

ROWS_MAX = 20_000  # at a time: a tenth of a second
HOURLY, DAILY, OF_SESSION = 1, 24, 0  # `unit`
MARK = "SELECT coalesce(max(value), 0) FROM meta WHERE name = 'charged_seq'"
NEXT = "SELECT min(seq) FROM call WHERE seq > ?"
_MOVE = "INSERT INTO meta (name, value) VALUES ('charged_seq', {}) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

CLEAR = "DELETE FROM charged_sum WHERE worst_high = 0 AND worst_low = 0"  # each row counts more than 0: of these none is left
_PATH = ("session_id", *(name for name in PATH_COLUMNS if name != "session_id"))
_ADDED = ("cost_high", "cost_low", "worst_high", "worst_low")
_KEY = ", ".join(("unit", "at_us", *_PATH))
_ADD = ", ".join(f"{name} = charged_sum.{name} + excluded.{name}" for name in _ADDED)
_LATEST = "last_us = CASE WHEN excluded.last_us > charged_sum.last_us THEN excluded.last_us ELSE charged_sum.last_us END"
SUMS_OF_SUMS = ", ".join(f"SUM({name})" for name in _ADDED)  # in the places of `charged.SUMS`


def adding(lowest: int, highest: int) -> Iterator[str]:
    """The statements that add rows with these numbers, both ends included, and say so. One transaction."""
    yield from _statements("call", f"seq >= {lowest} AND seq <= {highest}", SUMS)
    yield _MOVE.format(highest)


def taking_out(table: str, where: str = "TRUE") -> Iterator[str]:
    """The statements that take rows out which are about to go, as far as they are in."""
    yield from _statements(table, f"{where} AND seq <= ({MARK})", SUMS.replace("SUM(", "-SUM("))


def _statements(table: str, where: str, sums: str) -> Iterator[str]:
    names = ", ".join(_PATH)
    for unit, span_us, session, only in (
        (HOURLY, HOUR_US, "''", ""),
        (DAILY, DAY_US, "''", ""),
        (OF_SESSION, DAY_US, "session_id", "AND session_id <> ''"),
    ):
        at, path = f"({AT}) - ({AT}) % {span_us}", ", ".join((session, *_PATH[1:]))
        grouped = ", ".join((at, *(("session_id",) if only else ()), *_PATH[1:]))
        yield (
            f"INSERT INTO charged_sum (unit, at_us, {names}, {', '.join(_ADDED)}, last_us) "  # noqa: S608 - our own words
            f"SELECT {unit}, {at}, {path}, {sums}, MAX({AT}) FROM {table} WHERE {WORST} > 0 AND {where} {only} "
            f"GROUP BY {grouped} ON CONFLICT ({_KEY}) DO UPDATE SET {_ADD}, {_LATEST}"
        )
