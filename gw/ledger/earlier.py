"""Calls go when they have been kept for long enough; what they have used of budgets stays, in rows of its own.

A budget's window may reach back further than the ledger (a lifetime does), and its cell is made from the ledger at each start:
without those rows it would be as good as new. They hold what decides about budgets, by the quarter of an hour. So a window that
begins elsewhere than at a quarter counts some calls that are gone in the window before.
"""

from gw.ledger.charged import AT, PATH_COLUMNS, SUMS, WORST

QUARTER_US = 900_000_000

_PATH = ", ".join(PATH_COLUMNS)
SUMS_OF_EARLIER = "SUM(cost_high), SUM(cost_low), SUM(worst_high), SUM(worst_low)"  # in the places of `charged.SUMS`


def keeping(table: str, where: str = "TRUE") -> str:
    """The statement that writes down what the calls of a table have used; they go in the same transaction."""
    quarter = f"({AT}) - ({AT}) % {QUARTER_US}"
    return (
        f"INSERT INTO spent_earlier (at_us, {_PATH}, cost_high, cost_low, worst_high, worst_low, last_us) "  # noqa: S608 - our own words
        f"SELECT {quarter}, {_PATH}, {SUMS}, MAX({AT}) FROM {table} WHERE {WORST} > 0 AND {where} GROUP BY {quarter}, {_PATH}"
    )
