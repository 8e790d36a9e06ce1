"""Reads how much of its limits a call on this path would find, and takes nothing: accounts without a bucket get none."""

from gw._fast import Buckets, Cells
from gw.domain.budget_book import BudgetBook
from gw.domain.fill import Fill
from gw.domain.limit import Limit, bucket_key
from gw.domain.scope import CallPath


def fills(cells: Cells, buckets: Buckets, book: BudgetBook, path: CallPath, now_ns: int) -> list[Fill]:
    """Of all limits that the path falls under, outermost first. `now_ns`: monotonic, as the buckets count."""
    return [_fill(cells, buckets, limit, account, now_ns) for limit, account in book.for_path(path).limits]


def _fill(cells: Cells, buckets: Buckets, limit: Limit, account: str, now_ns: int) -> Fill:
    key = bucket_key(limit, account)
    if limit.kind == "parallel":
        cell = cells.lookup(key)
        running = cells.used(cell) if cell >= 0 else 0
        return Fill(limit, account, max(limit.amount - running, 0))
    index = buckets.lookup(key)
    ahead_ns = max(buckets.arrival(index)[0] - now_ns, 0) if index >= 0 else 0
    taken = -(-ahead_ns * limit.amount // limit.per_ns)
    # Requests are taken one by one; all else is charged afterwards, and a call passes while no more than the burst is owed.
    free_of = limit.burst - 1 if limit.kind == "requests" else limit.burst
    wait_ns = ahead_ns - free_of * limit.per_ns // limit.amount
    return Fill(limit, account, limit.burst - taken, max(wait_ns, 0))
