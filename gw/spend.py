"""What the cells of budgets must show: the ledger's sums, kept up to date row by row.

A call that is admitted by rules that have a budget is held and settled in its cell by its worker. All else that counts is
added here from the ledger: everything before the start (`begin`), everything before a budget came into force (`seed`), and
rows that come later of calls which began by other rules (`moved`). Never both, whatever order they come in, because `seed`
and `moved` take turns with the commits: a row is either in the sum that seeds a cell or told afterwards, and its `rules_us`
says whether its own hold has counted it (gw.domain.tenure).

What repricing adds to earlier calls (gw.ledger.adjust) is in the cells up to the number `adjusted`, and in all sums up to the
same; `adjust` goes on from there. So an adjustment is counted once, wherever a cell or a sum is made anew meanwhile.

A sum is kept for each cell of a window that is loaded; one that is not yet (a window that has just begun, a late row of an old
one) is read from the ledger whole when its first row is told. `gw.upkeep` compares the sums with the cells.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence

from gw import clock
from gw._fast import Cells
from gw.domain.budget import Budget, cell_key
from gw.domain.budget_book import BudgetBook
from gw.domain.scope import CallPath
from gw.domain.tenure import Tenures, budget_key, was_in_force
from gw.domain.window import bounds
from gw.ledger import adjust
from gw.ledger.spending import Charge, Span, Spent, Together, charge_of, spent, together
from gw.ledger.store import Database, Row, StoreError
from gw.snapshot import Snapshot

log = logging.getLogger("gw.spend")

KEPT_US = 3_600_000_000  # a window's cell is kept so long beyond its end, for calls that began in it
WINDOWS_MAX = 128  # of one budget that are looked back at
PATHS_MAX = 16_384
ADJUSTMENTS_MAX = 500  # at one look

Place = tuple[int, int, int]  # `budget_key`, and a window: its start and end


class Sum:
    """What the ledger says of one cell. Changed in place."""

    __slots__ = ("account", "anew", "budget", "gone", "key", "last_us", "nusd", "span")

    def __init__(self, budget: int, one: Spent, *, anew: bool) -> None:
        self.budget = budget  # its `budget_key`
        self.span = one.span
        self.account = one.account
        self.key = cell_key(one.span.budget, one.account, one.span.start_us)
        self.nusd = one.nusd
        self.last_us = one.last_us
        self.anew = anew  # its cell may have been begun anew, or count by another rule until now: it need not be right
        self.gone = False  # the budget is no longer in force


class Spending:
    """One in the supervisor, before the first worker, and one in each keeper. `sums` is by cell key."""

    def __init__(self, cells: Cells, ledger: Database) -> None:
        self.cells = cells
        self.sums: dict[int, Sum] = {}
        self.adjusted = 0  # adjustments up to this number are in cells and sums; the next keeper is to be told
        self._ledger = ledger
        self._known: dict[tuple[int, str, int], Sum] = {}  # by budget, account, start of the window
        self._loaded: set[tuple[int, int]] = set()  # budget, start of the window: all of its accounts are known
        self._missing: set[Place] = set()
        self._strangers: set[tuple[Place, str]] = set()  # sessions that were not among those remembered
        self._recounted: set[int] = set()  # budgets that count otherwise than their cells did so far
        self._book = BudgetBook()
        self._budgets: dict[int, Budget] = {}
        self._tenures: Tenures = {}
        self._charged: dict[CallPath, tuple[tuple[int, Budget, str], ...]] = {}
        self._windows: dict[int, tuple[int, int]] = {}  # the one asked for last

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """In force."""
        return self._book.budgets

    # --- when rules change ------------------------------------------------------------------------------------------------

    def begin(self, snapshot: Snapshot) -> None:
        """At the start of a run, before any worker: fills the cells. Raises StoreError."""
        self._take_over(snapshot)
        self.adjusted = self._adjusted()
        lost = 0
        for one in self._load(self._places(self._budgets, clock.wall_us())):
            index = self.cells.find(one.key)
            if index < 0:
                lost += 1
            else:
                self.cells.load(index, one.nusd)
        if lost:
            log.error("the shared state is full: %d accounts begin as if they had spent nothing", lost)

    def adopt(self, snapshot: Snapshot) -> None:
        """By a keeper, of what is in force already: the cells are as they are."""
        self._take_over(snapshot)
        self.doubt()
        self.catch_up()

    def seed(self, snapshot: Snapshot) -> None:
        """Before the snapshot is announced: brings the cells of budgets that come into force with it to the ledger's sums.
        Raises StoreError; then try again, with this snapshot or another."""
        self._take_over(snapshot)
        fresh = [key for key in self._budgets if self._tenures[key][-1] == snapshot.published_us]
        for key in fresh:
            self._unload(key)
        for one in self._load(self._places(fresh, clock.wall_us())):
            index = self.cells.find(one.key)
            if index < 0:
                name = one.span.budget.scope.text(one.account)
                log.error("the shared state is full: %s begins as if it had spent nothing", name)
            elif one.nusd != self.cells.settled(index):
                self.cells.charge(index, one.nusd - self.cells.settled(index))

    def _take_over(self, snapshot: Snapshot) -> None:
        before = self._budgets
        self._book, self._tenures = snapshot.budget_book, snapshot.published.tenures
        self._budgets = {budget_key(budget): budget for budget in self._book.budgets}
        for key, budget in before.items():
            if key not in self._budgets:
                self._unload(key)
            elif budget.reserve != self._budgets[key].reserve:  # it may count some calls otherwise
                self._unload(key)
                self._missing |= self._places([key], clock.wall_us())
                self._recounted.add(key)
        self._charged.clear()
        self._windows.clear()

    def _unload(self, key: int) -> None:
        """What is known of this budget is no longer kept up to date, if only for now."""
        for place in [place for place in self._known if place[0] == key]:
            self._known.pop(place).gone = True
        self._loaded = {place for place in self._loaded if place[0] != key}
        self._missing = {place for place in self._missing if place[0] != key}
        self._strangers = {one for one in self._strangers if one[0][0] != key}

    # --- when rows come ---------------------------------------------------------------------------------------------------

    def moved(self, rows: Sequence[Row], duplicates: int) -> None:
        """These rows have just been committed; `duplicates` of them were there before."""
        if not self._budgets:
            return
        if duplicates:  # and nobody knows which
            self.doubt()
            return
        for one in together(rows):
            self._add(one)
        self.catch_up()

    def _add(self, these: Together) -> None:
        whole = these.charge
        for key, budget, account in self._charged.get(whole.path) or self._look_up(whole.path):
            start_us, end_us = self._window(key, budget, whole.at_us)
            charges = [whole] if start_us <= these.first_us else map(charge_of, these.rows)  # else a window has begun among them
            for charge in charges:
                start_us, end_us = self._window(key, budget, charge.at_us)
                self._count((key, start_us, end_us), budget, account, charge)
                if not was_in_force(self._tenures.get(key, ()), these.rules_us):
                    self._charge(budget, account, start_us, end_us, charge.counted_nusd(budget))

    def _count(self, place: Place, budget: Budget, account: str, charge: Charge) -> None:
        """Into the sum of this account, or into the list of those that are to be read."""
        key, start_us, end_us = place
        known = self._known.get((key, account, start_us))
        if known is not None:
            known.nusd += charge.counted_nusd(budget)
            known.last_us = max(known.last_us, charge.at_us)
        elif budget.scope.kind == "session":
            self._strangers.add((place, account))
        elif (key, start_us) in self._loaded:
            self._enter(key, Spent(Span(budget, start_us, end_us), account, charge.counted_nusd(budget), charge.at_us))
        else:
            self._missing.add(place)

    def adjust(self) -> bool:
        """What repricing has added since: into the sums, and into the cells, for no worker knows of it. Some at a time; whether
        there was any. Raises StoreError."""
        with self._ledger.reading() as db:
            found = adjust.adjustments_after(db, self.adjusted, ADJUSTMENTS_MAX) if db is not None else []
        for one in found:
            charge = Charge(one.path, one.charged_us, one.cost_nusd, one.worst_nusd)
            for key, budget, account in self._charged.get(charge.path) or self._look_up(charge.path):
                start_us, end_us = self._window(key, budget, charge.at_us)
                self._count((key, start_us, end_us), budget, account, charge)
                index = self.cells.lookup(cell_key(budget, account, start_us))
                if index >= 0:  # a cell that is made later is made of the sum
                    self.cells.charge(index, charge.counted_nusd(budget))
        if found:
            self.adjusted = found[-1].seq
            self.catch_up()
        return bool(found)

    def _adjusted(self) -> int:
        with self._ledger.reading() as db:
            return adjust.highest(db) if db is not None else 0

    def _look_up(self, path: CallPath) -> tuple[tuple[int, Budget, str], ...]:
        if len(self._charged) >= PATHS_MAX:
            self._charged.clear()
        found = tuple((budget_key(budget), budget, account) for budget, account in self._book.for_path(path).budgets)
        self._charged[path] = found
        return found

    def _window(self, key: int, budget: Budget, at_us: int) -> tuple[int, int]:
        found = self._windows.get(key)
        if found is None or not (found[0] <= at_us < found[1] or found == (0, 0)):
            found = self._windows[key] = bounds(budget.window, at_us)
        return found

    def _charge(self, budget: Budget, account: str, start_us: int, end_us: int, amount: int) -> None:
        """Where nobody asks any more, or not yet (the clock was set back), nothing is entered: what was spent is when its window
        begins (gw.upkeep)."""
        key, now_us = cell_key(budget, account, start_us), clock.wall_us()
        asked = start_us <= now_us and not 0 < end_us <= now_us
        index = self.cells.find(key) if asked else self.cells.lookup(key)
        if index >= 0:
            self.cells.charge(index, amount)
        elif asked:
            log.error("the shared state is full: a call of %s is not charged there", budget.scope.text(account))

    # --- sums -------------------------------------------------------------------------------------------------------------

    def doubt(self) -> None:
        """All sums are to be read anew: of the windows of now and of those that ended not long ago."""
        self.sums.clear()
        self._known.clear()
        self._loaded.clear()
        self._strangers.clear()
        self._missing = self._places(self._budgets, clock.wall_us(), KEPT_US)

    def follow(self, now_us: int) -> None:
        """Sees to it that the sums of the windows of now are there: they have just begun, or the clock was set back."""
        for key, budget in self._budgets.items():
            start_us, end_us = self._window(key, budget, now_us)
            if (key, start_us) not in self._loaded:
                self._missing.add((key, start_us, end_us))
        self.catch_up()

    def catch_up(self) -> None:
        """Reads the sums that are missing; while the ledger cannot be read, it is tried again at the next row or look."""
        if not (self._missing or self._strangers):
            return
        try:
            self._load(self._missing)
            self._missing.clear()
            self._load({place for place, _ in self._strangers}, sorted({session for _, session in self._strangers}))
            self._strangers.clear()
        except StoreError as error:
            log.error("the ledger's sums cannot be read now: %s", error)

    def _load(self, places: Iterable[Place], sessions: list[str] | None = None) -> list[Sum]:
        """Answers those that were not known. `sessions`: only these. Raises StoreError."""
        key_of = {Span(self._budgets[key], start_us, end_us): key for key, start_us, end_us in places}
        if not key_of:
            return []
        found = spent(self._ledger, key_of, sessions=sessions, now_us=clock.wall_us(), adjusted=self.adjusted)
        self._loaded |= {(key, span.start_us) for span, key in key_of.items()}
        news = [one for one in found.values() if (key_of[one.span], one.account, one.span.start_us) not in self._known]
        recounted = self._recounted & set(key_of.values())
        self._recounted -= recounted
        anew = set(self._budgets) if sessions is not None else recounted
        # A window that ended before the budget came into force, or came back: what was repriced until then is not in its cell.
        begun_anew = {span for span, key in key_of.items() if key in anew or 0 < span.end_us <= self._tenures[key][-1]}
        return [self._enter(key_of[one.span], one, anew=one.span in begun_anew) for one in news]

    def _places(self, keys: Iterable[int], now_us: int, back_us: int = 0) -> set[Place]:
        """Of each of these budgets the window of now, and those before it that ended within `back_us`."""
        return {(key, *window) for key in keys for window in _windows(self._budgets[key], now_us, back_us)}

    def _enter(self, key: int, one: Spent, *, anew: bool = False) -> Sum:
        entered = Sum(key, one, anew=anew)
        self.sums[entered.key] = self._known[key, one.account, one.span.start_us] = entered
        return entered

    def forget(self, one: Sum) -> None:
        """Its cell is gone. Should its window be that of now once more, it is read from the ledger again; a session, when it has
        a row."""
        del self.sums[one.key]
        if not one.gone:
            del self._known[one.budget, one.account, one.span.start_us]
            if one.span.budget.scope.kind != "session":
                self._loaded.discard((one.budget, one.span.start_us))


def _windows(budget: Budget, now_us: int, back_us: int) -> Iterator[tuple[int, int]]:
    start_us, end_us = bounds(budget.window, now_us)
    yield start_us, end_us
    for _ in range(WINDOWS_MAX if end_us else 0):
        if start_us < now_us - back_us:
            return
        start_us, end_us = bounds(budget.window, start_us - 1)
        yield start_us, end_us
