"""What one session of one caller has cost so far, from the ledger; calls that ended within the last 100 ms may be missing."""

from pathlib import Path
from typing import NamedTuple

from gw.ledger.reports import HALF_BITS
from gw.ledger.sqlite import reading


class SessionSum(NamedTuple):
    calls: int  # of `messages`
    billed_pusd: int


def session_cost(path: Path, session_id: str, *, key_name: str = "", key_id: str = "", credential: str = "") -> SessionSum:
    """Only what this caller has spent in it: by its key's name, which outlives a rotation, else the key's id, else the digest
    of its own credential. Raises StoreError."""
    whose, value = ("key_name", key_name) if key_name else ("key_id", key_id) if key_id else ("credential", credential)
    query = (
        f"SELECT SUM(endpoint = 'messages'), SUM(billed_pusd >> {HALF_BITS}), SUM(billed_pusd & {2**HALF_BITS - 1}) "  # noqa: S608 - our own words
        f"FROM call WHERE session_id = ? AND {whose} = ?"
    )
    with reading(path) as db:
        row = db.execute(query, (session_id, value)).fetchone() if db is not None else None
    calls, high, low = (figure or 0 for figure in row or (0, 0, 0))
    return SessionSum(calls, (high << HALF_BITS) + low)
