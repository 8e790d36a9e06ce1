"""Months of the ledger: where calls of one month are kept together, so that an old month can go as a whole.

A month is a number, 12 * year + month - 1, by UTC. Calls are told apart by `started_us`. What lies before EARLIEST or after
LATEST is of a clock that is wrong, and kept in two partitions of its own.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from gw.ledger.store import COLUMNS, Row

STARTED = COLUMNS.index("started_us")
EARLIEST = 12 * 2020
LATEST = 12 * 2200 - 1
EARLY, LATE = "call_early", "call_late"
_DISTINCT = """
DO $$
DECLARE
    name TEXT;
BEGIN
    FOR name IN
        SELECT indexrelid::regclass FROM pg_index WHERE indrelid = '{}'::regclass
            AND NOT indisunique AND pg_get_indexdef(indexrelid) ~ 'ended_us|charged_us|upstream_request_id'
    LOOP
        EXECUTE 'ALTER INDEX ' || name || ' SET (deduplicate_items = off)';
    END LOOP;
END
$$
"""


def begin_us(month: int) -> int:
    """UTC microseconds since 1970 at its beginning."""
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def month_of(at_us: int) -> int:
    """Held to what lies just outside of EARLIEST to LATEST."""
    if at_us < begin_us(EARLIEST):
        return EARLIEST - 1
    if at_us >= begin_us(LATEST + 1):
        return LATEST + 1
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return 12 * moment.year + moment.month - 1


def months_of(rows: Iterable[Row]) -> set[int]:
    started = sorted({row[STARTED] for row in rows})
    found: set[int] = set()
    until_us = None
    for at_us in started:
        if until_us is None or at_us >= until_us:
            month = month_of(at_us)
            found.add(month)
            until_us = bounds_of(month)[1] or at_us + 1
    return found


def bounds_of(month: int) -> tuple[int | None, int | None]:
    """[from, until) in microseconds; None where it has no such bound."""
    if month < EARLIEST:
        return None, begin_us(EARLIEST)
    if month > LATEST:
        return begin_us(LATEST + 1), None
    return begin_us(month), begin_us(month + 1)


def partition_of(month: int) -> str:
    """Name of its table."""
    if month < EARLIEST:
        return EARLY
    return LATE if month > LATEST else f"call_{month // 12}_{month % 12 + 1:02}"


def month_in(partition: str) -> int | None:
    """The inverse of `partition_of`; None for a table of another name."""
    if partition in (EARLY, LATE):
        return EARLIEST - 1 if partition == EARLY else LATEST + 1
    parts = partition.removeprefix("call_").split("_")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        return None
    month = 12 * int(parts[0]) + int(parts[1]) - 1
    return month if partition_of(month) == partition else None


def making(month: int) -> Iterator[str]:
    """The statements that make its partition. A table is made first and attached then: unlike CREATE TABLE ... PARTITION OF,
    that does not wait for those who read the ledger. Its indexes are as migration 0020 has made those before."""
    name = partition_of(month)
    low_us, high_us = bounds_of(month)
    low, high = _or(low_us, "MINVALUE"), _or(high_us, "MAXVALUE")
    yield f"CREATE TABLE {name} (LIKE call INCLUDING ALL)"
    yield _DISTINCT.format(name)
    yield f"ALTER TABLE call ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"


def _or(bound: int | None, word: str) -> str:
    return word if bound is None else str(bound)
