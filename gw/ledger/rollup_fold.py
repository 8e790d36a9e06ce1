"""Calls that were in the ledger before there were rollups are added to them when it is opened next.

Some thousand rows at a time, each portion one transaction with the mark of how far it has come (`meta.rollup_from`, up to
`rollup_until`, both set by migration 0006): whoever is killed goes on from there, and each row is added once. Rows that come
meanwhile have higher numbers, and are added by the transaction that writes them.
"""

from gw.ledger.rollup import Known, adding, gathered_of, perform
from gw.ledger.sequence import rows_between
from gw.ledger.store import Connection

ROWS_MAX = 10_000  # at a time: some 30 MB
_MARKS = "SELECT name, value FROM meta WHERE name IN ('rollup_from', 'rollup_until')"
_MOVE = "UPDATE meta SET value = ? WHERE name = 'rollup_from'"
_DONE = "DELETE FROM meta WHERE name IN ('rollup_from', 'rollup_until')"


def is_due(connection: Connection) -> bool:
    """Whether there are rows that are not added yet."""
    return bool(connection.execute(_MARKS).fetchall())


def fold(connection: Connection, known: Known) -> bool:
    """The next portion, in a transaction of the caller's in which nobody else does this. Whether there is more to do."""
    marks = dict(connection.execute(_MARKS).fetchall())
    if not marks:
        return False
    rows = rows_between(connection, marks["rollup_from"], marks["rollup_until"], ROWS_MAX)
    perform(connection, adding(gathered_of(row for _, row in rows), known))
    if len(rows) < ROWS_MAX:
        connection.execute(_DONE)
        return False
    connection.execute(_MOVE, (rows[-1][0],))
    return True
