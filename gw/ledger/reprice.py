"""History priced anew: rows of the ledger a page at a time, and what each page adds to the table of adjustments.

A page is one transaction: what its calls have cost so far is read, and what differs is written, into the rollups too, while
nobody else can reprice. So it may be broken off anywhere and begun again, twice is once, and a gateway may run beside it.
"""

from collections.abc import Callable, Iterable, Sequence
from threading import Event
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import astuple

from gw.domain.call import CallRecord
from gw.domain.price import Priced
from gw.ledger import rollup
from gw.ledger.adjust import Adjustment, Cost, adjustment_to, append, costs_of
from gw.ledger.store import COLUMNS, Connection, Database, Dialect

PAGE = 500  # rows of one transaction: some 100 ms, for which the keeper waits in SQLite
PAUSE_S = 0.05  # from one to the next: SQLite gives its lock to whoever asks first, and the keeper must get it, too

Price = Callable[[CallRecord], Priced | str]  # a text: why there is none


class Wanted(Struct, frozen=True, kw_only=True):
    """Calls that ended in [since, until); "" is any. `model`: a glob of the requested or the served one."""

    since_us: int
    until_us: int
    model: str = ""
    upstream: str = ""
    key: str = ""  # name or public id
    team: str = ""


class Repriced(NamedTuple):
    record: CallRecord
    before: Cost
    priced: Priced | str
    adjustment: Adjustment | None


class Order(Struct, frozen=True):
    """How it is to be done."""

    wanted: Wanted
    price: Price
    at_us: int
    actor: str
    reason: str
    dry: bool = False  # nothing is written


def reprice(database: Database, order: Order, tell: Callable[[list[Repriced]], None]) -> None:
    """`tell` hears of each page once it is kept, the calls of both that changed and that did not. Raises StoreError."""
    after = (0, "")
    while True:
        with database.reading() if order.dry else database.changing() as db:
            if db is None:
                return
            records = page(db, database.dialect, order.wanted, after)
            found = _priced(db, records, order)
            if not order.dry:
                changed = [(one.record, one.adjustment) for one in found if one.adjustment is not None]
                append(db, [adjustment for _, adjustment in changed])
                rollup.adjust(db, [(astuple(record), adjustment.amounts) for record, adjustment in changed])
        tell(found)
        if len(records) < PAGE:
            return
        if not order.dry:
            Event().wait(PAUSE_S)
        after = (records[-1].ended_us, records[-1].call_id)


def page(db: Connection, dialect: Dialect, wanted: Wanted, after: tuple[int, str]) -> list[CallRecord]:
    """The next calls that were billed, in the order of their ends. `after`: the last one of the page before."""
    where = ["endpoint = 'messages'", "usage_source <> 'none'", "ended_us >= ?", "ended_us < ?"]
    values: list[str | int] = [max(wanted.since_us, after[0]), wanted.until_us]
    where.append("(ended_us > ? OR call_id > ?)")  # not one comparison of pairs: SQLite would take no index for it
    values += after
    if wanted.model:
        where.append(f"(served_model {dialect.glob} OR requested_model {dialect.glob})")
        values += [dialect.pattern(wanted.model)] * 2
    if wanted.key:
        where.append("(key_name = ? OR key_id = ?)")
        values += [wanted.key] * 2
    for name in ("upstream", "team"):
        if value := getattr(wanted, name):
            where.append(f"{name} = ?")
            values.append(value)
    order = f"ORDER BY ended_us, call_id LIMIT {PAGE}"
    query = f"SELECT {', '.join(COLUMNS)} FROM call WHERE {' AND '.join(where)} {order}"  # noqa: S608 - our own words
    return [_record(row) for row in db.execute(query, values)]


def _priced(db: Connection, records: Sequence[CallRecord], order: Order) -> list[Repriced]:
    costs = costs_of(db, records)
    found = []
    for record in records:
        cost, priced = costs[record.call_id], order.price(record)
        adjustment = None
        if not isinstance(priced, str):
            adjustment = adjustment_to(record, cost, priced, at_us=order.at_us, actor=order.actor, reason=order.reason)
        found.append(Repriced(record, cost, priced, adjustment))
    return found


def _record(row: Iterable[str | int]) -> CallRecord:
    named = dict(zip(COLUMNS, row, strict=True))
    named["stream"] = bool(named["stream"])
    return CallRecord(**named)  # type: ignore[arg-type]  # the table's columns are the record's fields
