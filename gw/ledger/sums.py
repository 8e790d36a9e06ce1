"""Sums of money in SQL that are exact in both databases.

SQLite's SUM is an int64, which pico-USD fill at 9.2 million dollars, so each amount is added up in two halves of 31 and 33 bits
and put together in Python. That holds for 2**32 rows. In Postgres each half is a NUMERIC, which never ends.
"""

HALF_BITS = 31


def halves(amount: str) -> str:
    """Two columns of a SELECT: the sums of both halves of an expression that is an int64. `whole` puts them together."""
    return f"SUM({amount} >> {HALF_BITS}), SUM({amount} & {2**HALF_BITS - 1})"


def whole(high: int | None, low: int | None) -> int:
    """The exact sum; of no rows (NULL) 0."""
    return ((high or 0) << HALF_BITS) + (low or 0)


def count_if(condition: str) -> str:
    return f"COUNT(*) FILTER (WHERE {condition})"
