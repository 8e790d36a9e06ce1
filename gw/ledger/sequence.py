"""`call.seq`: the order in which rows came into the ledger, so that whoever reads it on never scans, and misses nothing.

The keeper gives each row it writes the next number, in the transaction that writes it: from what was read up to a number,
`rows_after` goes on, for no row comes later with a lower one. Numbers may be left out (of rows that were there already), and
none is given twice, for the highest is kept in `meta` beside the rows, whose retention does not touch it.
"""

from gw.ledger.store import COLUMNS, Connection, Row

HIGHEST = "call_seq"  # its name in `meta`
GIVEN = "SELECT value FROM meta WHERE name = 'call_seq'"
RAISE = (
    "INSERT INTO meta (name, value) VALUES ('call_seq', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"  # one writer
)
NEW_ROWS = "SELECT seq FROM call WHERE seq > ?"

_AFTER = f"SELECT seq, {', '.join(COLUMNS)} FROM call WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - our own field names

_BETWEEN = _AFTER.replace("seq > ?", "seq > ? AND seq <= ?")


def highest(connection: Connection) -> int:
    """The latest number given, whether or not its row is still there; 0 = none yet."""
    found = connection.execute(GIVEN).fetchone()
    return 0 if found is None else int(found[0])


def rows_after(connection: Connection, seq: int, limit: int) -> list[tuple[int, Row]]:
    """The first `limit` rows with a higher number, in its order; values in the order of COLUMNS."""
    return [(number, tuple(row)) for number, *row in connection.execute(_AFTER, (seq, limit))]


def rows_between(connection: Connection, seq: int, until: int, limit: int) -> list[tuple[int, Row]]:
    """As `rows_after`, up to the number `until`."""
    return [(number, tuple(row)) for number, *row in connection.execute(_BETWEEN, (seq, until, limit))]
