"""What the ledger says that budgets have used: the sums that their cells must show.

A call counts in the window that holds the instant at which it was charged (of rows from before there were budgets: at which
it began), for each budget that it falls under by the columns of its row. What it counts is its cost rounded up to nano-USD;
for budgets that reserve the worst, the most that it may have cost, where its cost is not the provider's last word.

The time line is cut at the bounds of all windows asked for, and each piece is read once, grouped by the columns that these
budgets look at: so a row is read once, however many budgets it counts in, and Python sees groups only. Of whole days and hours
that are summed up already (gw.ledger.charged_sum) the sums are read, and rows for what is left at the bounds and what came since.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from gw.domain.budget import Budget, cell_key
from gw.domain.budget_book import BudgetBook
from gw.domain.money import PUSD_PER_NUSD
from gw.domain.scope import CallPath
from gw.ledger import charged_sum
from gw.ledger.adjust import SUMS_OF_ADJUSTMENTS
from gw.ledger.charged import AT, COLUMN_OF, PATH_COLUMNS, SUMS, WORST
from gw.ledger.earlier import SUMS_OF_EARLIER
from gw.ledger.rollup_shape import DAY_US, HOUR_US
from gw.ledger.store import COLUMNS, Connection, Database, Dialect, Row
from gw.ledger.sums import whole
from gw.ledger.usage_sql import EVER_US, Stretch, cut

SESSION_IDLE_US = 30 * 86_400_000_000  # a session without a call for so long begins anew, should it come back
SESSIONS_MAX = 16_384  # that are remembered at a start, the latest first
NAMES_MAX = 500  # of one statement

_path_of = itemgetter(*(COLUMNS.index(column) for column in PATH_COLUMNS))
RULES = COLUMNS.index("rules_us")
_CHARGED, _STARTED = COLUMNS.index("charged_us"), COLUMNS.index("started_us")
_BILLED, _AT_MOST = COLUMNS.index("billed_pusd"), COLUMNS.index("at_most_nusd")


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


class _View(NamedTuple):
    """Of one moment."""

    db: Connection
    dialect: Dialect
    adjusted: int | None  # adjustments up to this number; None: all
    summed: int  # rows up to this number are in the sums

    def by_index(self, name: str) -> str:
        return self.dialect.by_index.format(name)


class _Source(NamedTuple):
    """`SELECT {figures} FROM {table} WHERE {at} in the piece AND {conditions}`."""

    figures: str
    table: str
    at: str
    start_us: int
    end_us: int
    conditions: Sequence[str] = ()


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


class Together:
    """Rows of one path, admitted by the rules of one instant: what they mean as one. Changed in place."""

    __slots__ = ("cost_nusd", "first_us", "last_us", "path", "rows", "rules_us", "worst_nusd")

    def __init__(self, path: CallPath, rules_us: int, at_us: int) -> None:
        self.path = path
        self.rules_us = rules_us
        self.first_us = self.last_us = at_us
        self.cost_nusd = self.worst_nusd = 0
        self.rows: list[Row] = []

    @property
    def charge(self) -> Charge:
        """At the latest of their instants."""
        return Charge(self.path, self.last_us, self.cost_nusd, self.worst_nusd)


def together(rows: Iterable[Row]) -> list[Together]:
    """Those that cost something: a batch has many rows of few paths, and each path has its budgets."""
    found: dict[tuple[tuple[str, ...], int], Together] = {}
    for row in rows:
        cost, at_most = -(-row[_BILLED] // PUSD_PER_NUSD), row[_AT_MOST]
        if cost <= 0 and at_most <= 0:
            continue
        at_us = row[_CHARGED] if row[_CHARGED] > 0 else row[_STARTED]
        path = _path_of(row)
        one = found.get((path, row[RULES]))
        if one is None:
            one = found[path, row[RULES]] = Together(CallPath._make(path), row[RULES], at_us)
        elif at_us > one.last_us:
            one.last_us = at_us
        elif at_us < one.first_us:
            one.first_us = at_us
        one.cost_nusd += cost if cost > 0 else 0
        one.worst_nusd += max(cost, at_most)
        one.rows.append(row)
    return list(found.values())


def charges_of(ledger: Database, call_ids: Sequence[str]) -> dict[str, Charge]:
    """By call id, of those that are in the ledger. Raises StoreError."""
    found: dict[str, Charge] = {}
    with ledger.reading() as db:
        for names in _portions(call_ids) if db is not None else ():
            assert db is not None
            query = f"SELECT {', '.join(COLUMNS)} FROM call WHERE call_id IN ({_marks(names)})"  # noqa: S608 - our own words
            found |= {row[0]: charge_of(row) for row in db.execute(query, names)}
    return found


def spent(
    ledger: Database,
    spans: Iterable[Span],
    *,
    sessions: Sequence[str] | None = None,
    now_us: int = 0,
    adjusted: int | None = None,
) -> dict[int, Spent]:
    """By cell key. Of budgets of sessions: of these sessions, or, without any named, of the latest SESSIONS_MAX that had a call
    within SESSION_IDLE_US before `now_us`. `adjusted`: with adjustments up to this number, else with all. Raises StoreError."""
    spans = list(spans)
    found: dict[int, Spent] = {}
    with ledger.reading() as db:
        if db is None:
            return found
        ((summed,),) = db.execute(charged_sum.MARK)
        view = _View(db, ledger.dialect, adjusted, summed)
        _add(found, view, [span for span in spans if span.budget.scope.kind != "session"])
        of_sessions = [span for span in spans if span.budget.scope.kind == "session"]
        if of_sessions:
            for names in _portions(_latest_sessions(view, now_us) if sessions is None else sessions):
                _add(found, view, of_sessions, names)
    return found


def accounts_of(ledger: Database, budget: Budget, start_us: int, end_us: int, now_us: int) -> list[Spent]:
    """The accounts that have used something of this budget in this window, the thriftiest last. Raises StoreError."""
    found = spent(ledger, [Span(budget, start_us, end_us)], now_us=now_us)
    return sorted(found.values(), key=lambda one: (-one.nusd, one.account))


def _latest_sessions(view: _View, now_us: int) -> list[str]:
    since_us = now_us - SESSION_IDLE_US
    query = (
        f"SELECT session_id FROM (SELECT session_id, {AT} AS at_us FROM {_since(view)} AND {AT} >= ? AND {WORST} > 0 "  # noqa: S608 - our own words
        f"UNION ALL SELECT session_id, last_us FROM charged_sum WHERE unit = {charged_sum.OF_SESSION} "
        f"AND at_us >= {since_us - DAY_US} AND last_us >= ? "
        "UNION ALL SELECT session_id, last_us FROM spent_earlier WHERE last_us >= ? "
        "UNION ALL SELECT session_id, charged_us FROM adjustment WHERE charged_us >= ?) AS spent "
        "WHERE session_id <> '' GROUP BY session_id ORDER BY MAX(at_us) DESC LIMIT ?"
    )
    return [session for (session,) in view.db.execute(query, (*[since_us] * 4, SESSIONS_MAX))]


def _since(view: _View) -> str:
    """Rows that are not summed up yet."""
    return f"call {view.by_index('call_seq') if view.summed else ''} WHERE seq > {view.summed}"


def _add(found: dict[int, Spent], view: _View, spans: Sequence[Span], sessions: Sequence[str] = ()) -> None:
    """Adds what each account has used in each of the spans. `sessions`: only these."""
    for start_us, end_us, covering in _pieces(spans):
        of_budget = {span.budget.id: span for span in covering}
        book = BudgetBook(span.budget for span in covering)
        for path, cost, worst, last_us in _groups(view, start_us, end_us, book.budgets, sessions):
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
    view: _View, start_us: int, end_us: int, budgets: Iterable[Budget], sessions: Sequence[str]
) -> Iterator[tuple[CallPath, int, int, int]]:
    """(path, cost, worst, latest) of what differs in what these budgets look at; the rest of the path is left out. One path may
    come several times: of rows, of their sums, of rows that are gone, and of what repricing added to any."""
    fields = [name for name in CallPath._fields if name in _looked_at(budgets)]
    columns = ", ".join(COLUMN_OF[name] for name in fields)
    for source in _sources(view, start_us, end_us, of_sessions=bool(sessions)):
        where = [*source.conditions]
        where += [f"{source.at} >= {source.start_us}"] if source.start_us else []
        where += [f"{source.at} < {source.end_us}"] if source.end_us else []
        where += [f"session_id IN ({_marks(sessions)})"] if sessions else []
        query = f"SELECT {source.figures}, {columns} FROM {source.table} WHERE {' AND '.join(where)} GROUP BY {columns}"  # noqa: S608 - our own words and integers
        for high, low, worst_high, worst_low, last_us, *values in view.db.execute(query, tuple(sessions)):
            path = CallPath(**dict(zip(fields, values, strict=True)))
            yield path, whole(high, low), whole(worst_high, worst_low), last_us


def _sources(view: _View, start_us: int, end_us: int, *, of_sessions: bool) -> Iterator[_Source]:
    """All that together holds what was used from one instant (0: ever) to another (0: for good)."""
    known = "TRUE" if view.adjusted is None else f"seq <= {view.adjusted}"
    yield _Source(f"{SUMS_OF_EARLIER}, MAX(last_us)", "spent_earlier", "at_us", start_us, end_us, ["TRUE"])
    yield _Source(f"{SUMS_OF_ADJUSTMENTS}, MAX(charged_us)", "adjustment", "charged_us", start_us, end_us, [known])
    rows = f"{SUMS}, MAX({AT})"
    if not view.summed:
        # Most of the table: by an index SQLite takes twice as long (measured).
        table = "call" if start_us or of_sessions else f"call {view.dialect.whole_table}"
        yield _Source(rows, table, AT, start_us, end_us, [f"{WORST} > 0"])
        return
    yield _Source(rows, f"call {view.by_index('call_seq')}", AT, start_us, end_us, [f"seq > {view.summed}", f"{WORST} > 0"])
    pieces = cut([Stretch(0, start_us or -EVER_US, end_us or EVER_US)])
    by_hours = [Stretch(charged_sum.HOURLY, first * HOUR_US, last * HOUR_US) for _, first, last in pieces.hours]
    daily = charged_sum.OF_SESSION if of_sessions else charged_sum.DAILY
    by_days = [Stretch(daily, first * DAY_US, last * DAY_US) for _, first, last in pieces.days]
    for unit, from_us, until_us in by_days if of_sessions else by_days + by_hours:
        yield _Source(f"{charged_sum.SUMS_OF_SUMS}, MAX(last_us)", "charged_sum", "at_us", from_us, until_us, [f"unit = {unit}"])
    table = "call" if of_sessions else f"call {view.by_index('call_charged')}"
    for _, from_us, until_us in pieces.rest + by_hours if of_sessions else pieces.rest:
        yield _Source(rows, table, AT, from_us, until_us, [f"seq <= {view.summed}", f"{WORST} > 0"])


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
