"""Adjustments: what repricing adds to calls that are in the ledger already. Rows of `call` never change, nor do rows here: a
call has cost its row and all of its adjustments together.

They are written in transactions of `Database.changing`, which happen one after the other, so `seq` rises by the order of commits:
whoever has read up to a number goes on behind it and misses none.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gw.domain.call import CallRecord
from gw.domain.money import PUSD_PER_NUSD
from gw.domain.price import Priced
from gw.domain.scope import CallPath
from gw.ledger.charged import PATH_COLUMNS
from gw.ledger.store import Connection
from gw.ledger.sums import halves

AMOUNTS = Priced.__struct_fields__[:9]  # list, billed, and the billed split: columns of `call` and of `adjustment`
NAMES_MAX = 500  # of one statement


class Adjustment(NamedTuple):
    """One row of the table, in its order. Amounts are signed differences."""

    seq: int
    id: str  # the call's, a dot, and which of its adjustments it is, from 1
    call_id: str
    at_us: int
    actor: str
    reason: str
    old_version: str
    new_version: str
    list_pusd: int
    billed_pusd: int
    input_pusd: int
    output_pusd: int
    cache_read_pusd: int
    cache_write_5m_pusd: int
    cache_write_1h_pusd: int
    tools_pusd: int
    other_pusd: int
    ended_us: int
    charged_us: int
    customer: str
    team: str
    key_name: str
    key_id: str
    upstream: str
    requested_model: str
    project: str
    session_id: str
    cost_nusd: int
    worst_nusd: int

    @property
    def amounts(self) -> tuple[int, ...]:
        """In the order of AMOUNTS."""
        return tuple(getattr(self, name) for name in AMOUNTS)

    @property
    def path(self) -> CallPath:
        return CallPath(*(getattr(self, name) for name in PATH_COLUMNS))


COLUMNS = Adjustment._fields
SUMS_OF_ADJUSTMENTS = f"{halves('cost_nusd')}, {halves('worst_nusd')}"  # in the places of `charged.SUMS`
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM adjustment"  # noqa: S608 - our own names
_INSERT = f"INSERT INTO adjustment ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608


class Cost(NamedTuple):
    """What a call has cost so far: its row with its adjustments."""

    amounts: tuple[int, ...]  # in the order of AMOUNTS
    version: str  # by which it was priced last
    adjustments: int  # so many


def highest(db: Connection) -> int:
    """The number of the latest adjustment; 0: there is none."""
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM adjustment").fetchone()[0])


def adjustments_of(db: Connection, call_id: str) -> list[Adjustment]:
    """Of one call, oldest first."""
    return [Adjustment(*row) for row in db.execute(f"{_SELECT} WHERE call_id = ? ORDER BY seq", (call_id,))]


def adjustments_after(db: Connection, seq: int, limit: int) -> list[Adjustment]:
    """The first `limit` with a higher number, in its order."""
    return [Adjustment(*row) for row in db.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))]


def costs_of(db: Connection, records: Sequence[CallRecord]) -> dict[str, Cost]:
    """By call id."""
    found = {one.call_id: Cost(tuple(getattr(one, name) for name in AMOUNTS), one.price_version, 0) for one in records}
    ids = list(found)
    for at in range(0, len(ids), NAMES_MAX):
        names = ids[at : at + NAMES_MAX]
        marks = ", ".join("?" * len(names))
        for row in db.execute(f"{_SELECT} WHERE call_id IN ({marks}) ORDER BY seq", names):
            one = Adjustment(*row)
            before = found[one.call_id]
            amounts = tuple(map(sum, zip(before.amounts, one.amounts, strict=True)))
            found[one.call_id] = Cost(amounts, one.new_version, before.adjustments + 1)
    return found


def adjustment_to(record: CallRecord, cost: Cost, priced: Priced, *, at_us: int, actor: str, reason: str) -> Adjustment | None:
    """From what the call has cost so far to `priced`; None if that is the same. Without its number, which `append` gives."""
    after = tuple(getattr(priced, name) for name in AMOUNTS)
    if after == cost.amounts:
        return None
    billed = AMOUNTS.index("billed_pusd")
    before_nusd, after_nusd = _nusd(cost.amounts[billed]), _nusd(after[billed])
    most = record.at_most_nusd
    return Adjustment(
        seq=0,
        id=f"{record.call_id}.{cost.adjustments + 1}",
        call_id=record.call_id,
        at_us=at_us,
        actor=actor,
        reason=reason,
        old_version=cost.version,
        new_version=priced.price_version,
        **{name: new - old for name, new, old in zip(AMOUNTS, after, cost.amounts, strict=True)},
        ended_us=record.ended_us,
        charged_us=record.charged_us if record.charged_us > 0 else record.started_us,
        **{name: getattr(record, name) for name in PATH_COLUMNS},
        cost_nusd=after_nusd - before_nusd,
        worst_nusd=max(after_nusd, most) - max(before_nusd, most),
    )


def append(db: Connection, adjustments: Iterable[Adjustment]) -> list[Adjustment]:
    """As they stand there now, numbered. In a transaction of `Database.changing`."""
    numbered = [one._replace(seq=seq) for seq, one in enumerate(adjustments, highest(db) + 1)]
    if numbered:
        db.executemany(_INSERT, numbered)
    return numbered


def _nusd(pusd: int) -> int:
    """As budgets count it: rounded up."""
    return -(-max(pusd, 0) // PUSD_PER_NUSD)
