"""What the ledger says that budgets have used: the sums that their cells must show.

A call counts in the window that holds the instant at which it was charged (of rows from before there were budgets: at which
it began), for each budget that it falls under by the columns of its row. What it counts is its cost rounded up to nano-USD;
for budgets that reserve the worst, the most that it may have cost, where its cost is not the provider's last word.

The time line is cut at the bounds of all windows asked for, and each piece is read once, grouped by the columns that these
budgets look at: so a row is read once, however many budgets it counts in, and Python sees groups only.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from gw.domain.budget import Budget, cell_key
from gw.domain.budget_book import BudgetBook
from gw.domain.money import PUSD_PER_NUSD
from gw.domain.scope import CallPath
from gw.ledger.sqlite import reading
from gw.ledger.store import COLUMNS, Row

SESSION_IDLE_US = 30 * 86_400_000_000  # a session without a call for so long begins anew, should it come back
SESSIONS_MAX = 16_384  # that are remembered at a start, the latest first
NAMES_MAX = 500  # of one statement

_AT = "CASE WHEN charged_us > 0 THEN charged_us ELSE started_us END"  # as indexed by migration 0003
_COST = f"(max(billed_pusd, 0) / {PUSD_PER_NUSD} + (max(billed_pusd, 0) % {PUSD_PER_NUSD} > 0))"
_WORST = f"max({_COST}, at_most_nusd)"
_PATH_COLUMNS = ("customer", "team", "key_name", "key_id", "upstream", "requested_model", "project", "session_id")
_COLUMN_OF = dict(zip(CallPath._fields, _PATH_COLUMNS, strict=True))
_path_of = itemgetter(*(COLUMNS.index(column) for column in _PATH_COLUMNS))
RULES = COLUMNS.index("rules_us")
_CHARGED, _STARTED = COLUMNS.index("charged_us"), COLUMNS.index("started_us")
_BILLED, _AT_MOST = COLUMNS.index("billed_pusd"), COLUMNS.index("at_most_nusd")
_HALF_BITS = 31  # SQLite's SUM is an int64: each amount is added up in two halves
_SUMS = ", ".join(f"SUM({one} >> {_HALF_BITS}), SUM({one} & {2**_HALF_BITS - 1})" for one in (_COST, _WORST))


class Span(NamedTuple):
    """One window of one budget; both bounds are 0 if it never ends."""

    budget: Budget
    start_us: int
    end_us: int


class Spent(NamedTuple):
    """What one account has used of one budget in one window. `last_us`: when its latest call that cost something was charged."""

    span: Span
    account: str
    nusd: int
    last_us: int


class Charge(NamedTuple):
    """What a row of the ledger means for budgets."""

    path: CallPath
    at_us: int
    cost_nusd: int
    worst_nusd: int

    def counted_nusd(self, budget: Budget) -> int:
        return self.worst_nusd if budget.reserve == "worst" else self.cost_nusd


def charge_of(row: Row) -> Charge:
    """`row`: as it is offered to the store, in the order of COLUMNS."""
    cost = -(-max(row[_BILLED], 0) // PUSD_PER_NUSD)
    at_us = row[_CHARGED] if row[_CHARGED] > 0 else row[_STARTED]
    return Charge(CallPath._make(_path_of(row)), at_us, cost, max(cost, row[_AT_MOST]))


def charges_of(ledger: Path, call_ids: Sequence[str]) -> dict[str, Charge]:
    """By call id, of those that are in the ledger. Raises StoreError."""
    found: dict[str, Charge] = {}
    with reading(ledger) as db:
        for names in _portions(call_ids) if db is not None else ():
            assert db is not None
            query = f"SELECT {', '.join(COLUMNS)} FROM call WHERE call_id IN ({_marks(names)})"  # noqa: S608 - our own words
            found |= {row[0]: charge_of(row) for row in db.execute(query, names)}
    return found


def spent(ledger: Path, spans: Iterable[Span], *, sessions: Sequence[str] | None = None, now_us: int = 0) -> dict[int, Spent]:
    """By cell key. Of budgets of sessions: of these sessions, or, without any named, of the latest SESSIONS_MAX that had a call
    within SESSION_IDLE_US before `now_us`. Raises StoreError."""
    spans = list(spans)
    found: dict[int, Spent] = {}
    with reading(ledger) as db:
        if db is None:
            return found
        db.execute("BEGIN")  # one view of the ledger for all statements
        _add(found, db, [span for span in spans if span.budget.scope.kind != "session"])
        of_sessions = [span for span in spans if span.budget.scope.kind == "session"]
        if of_sessions:
            for names in _portions(_latest_sessions(db, now_us) if sessions is None else sessions):
                _add(found, db, of_sessions, names)
    return found


def accounts_of(ledger: Path, budget: Budget, start_us: int, end_us: int, now_us: int) -> list[Spent]:
    """The accounts that have used something of this budget in this window, the thriftiest last. Raises StoreError."""
    found = spent(ledger, [Span(budget, start_us, end_us)], now_us=now_us)
    return sorted(found.values(), key=lambda one: (-one.nusd, one.account))


def _latest_sessions(db: sqlite3.Connection, now_us: int) -> list[str]:
    query = (
        f"SELECT session_id FROM call WHERE {_AT} >= ? AND session_id <> '' AND {_WORST} > 0 "  # noqa: S608 - our own words
        f"GROUP BY session_id ORDER BY MAX({_AT}) DESC LIMIT ?"
    )
    return [session for (session,) in db.execute(query, (now_us - SESSION_IDLE_US, SESSIONS_MAX))]


def _add(found: dict[int, Spent], db: sqlite3.Connection, spans: Sequence[Span], sessions: Sequence[str] = ()) -> None:
    """Adds what each account has used in each of the spans. `sessions`: only these."""
    for start_us, end_us, covering in _pieces(spans):
        of_budget = {span.budget.id: span for span in covering}
        book = BudgetBook(span.budget for span in covering)
        for path, cost, worst, last_us in _groups(db, start_us, end_us, book.budgets, sessions):
            for budget, account in book.for_path(path).budgets:
                span = of_budget[budget.id]
                amount = worst if budget.reserve == "worst" else cost
                if amount:
                    key = cell_key(budget, account, span.start_us)
                    before = found.get(key, Spent(span, account, 0, 0))
                    found[key] = Spent(span, account, before.nusd + amount, max(before.last_us, last_us))


def _pieces(spans: Sequence[Span]) -> Iterator[tuple[int, int, list[Span]]]:
    """(start, end, the spans that hold it) of each piece of time between two bounds; an end of 0: for good. No two spans of one
    budget share a piece, for windows do not overlap."""
    bounds = sorted({0, *(bound for span in spans for bound in span[1:])})
    for start_us, end_us in pairwise([*bounds, 0]):
        covering = [span for span in spans if span.start_us <= start_us and (not span.end_us or 0 < end_us <= span.end_us)]
        if covering:
            yield start_us, end_us, covering


def _groups(
    db: sqlite3.Connection, start_us: int, end_us: int, budgets: Iterable[Budget], sessions: Sequence[str]
) -> Iterator[tuple[CallPath, int, int, int]]:
    """(path, cost, worst, latest) of the rows that differ in what these budgets look at; the rest of the path is left out."""
    fields = [name for name in CallPath._fields if name in _looked_at(budgets)]
    columns = ", ".join(_COLUMN_OF[name] for name in fields)
    where = [f"{_WORST} > 0"]
    where += [f"{_AT} >= {start_us}"] if start_us else []
    where += [f"{_AT} < {end_us}"] if end_us else []
    where += [f"session_id IN ({_marks(sessions)})"] if sessions else []
    whole = "" if start_us or sessions else "NOT INDEXED"  # most of the table: by an index it takes twice as long (measured)
    query = (
        f"SELECT {_SUMS}, MAX({_AT}), {columns} FROM call {whole} "  # noqa: S608 - our own words and integers
        f"WHERE {' AND '.join(where)} GROUP BY {columns}"
    )
    for high, low, worst_high, worst_low, last_us, *values in db.execute(query, tuple(sessions)):
        path = CallPath(**dict(zip(fields, values, strict=True)))
        yield path, (high << _HALF_BITS) + low, (worst_high << _HALF_BITS) + worst_low, last_us


def _looked_at(budgets: Iterable[Budget]) -> set[str]:
    """Fields of the path that decide about these budgets."""
    found: set[str] = set()
    for budget in budgets:
        kinds = {budget.scope.kind, *(["key"] if budget.scope.key else [])}
        found |= kinds - {"key"} | ({"key_name", "key_id"} if "key" in kinds else set())
    return found


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(names), NAMES_MAX):
        yield names[at : at + NAMES_MAX]


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))
