"""What one session of one caller has cost so far, from the ledger; calls that ended within the last 100 ms may be missing."""

from typing import NamedTuple

from gw.ledger.reports import IS_CALL
from gw.ledger.store import Database
from gw.ledger.sums import count_if, halves, whole


class SessionSum(NamedTuple):
    calls: int  # of `messages`
    billed_pusd: int


def session_cost(
    database: Database, session_id: str, *, key_name: str = "", key_id: str = "", credential: str = ""
) -> SessionSum:
    """Only what this caller has spent in it: by its key's name, which outlives a rotation, else the key's id, else the digest
    of its own credential. Raises StoreError."""
    whose, value = ("key_name", key_name) if key_name else ("key_id", key_id) if key_id else ("credential", credential)
    sums = f"{count_if(IS_CALL)}, {halves('billed_pusd')}"
    query = f"SELECT {sums} FROM call WHERE session_id = ? AND {whose} = ?"  # noqa: S608 - our own words
    with database.reading() as db:
        if db is None:
            return SessionSum(0, 0)
        calls, high, low = db.execute(query, (session_id, value)).fetchone()
        return SessionSum(calls, whole(high, low))
