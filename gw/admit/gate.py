"""Room 5: may this call be made? Rate limits first, then what it will cost is set aside in every budget on its path, or none.

The shared state decides, so any number of workers agree; nothing here waits, and nothing enters the kernel. Which cells and
buckets a path has is compiled once per set of rules and window, and found again by one lookup in a dict.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from gw._fast.bucket import Buckets, Limits
from gw._fast.bucket import Limit as Bucket
from gw._fast.cells import HARD, NOT_FREE, SHADOW, SOFT, STALE, TAKEN, UNITS, Cells, Path, Slot
from gw.admit.hold import Hold
from gw.domain.budget import BASIS, Budget, cell_key, effective_limit_nusd, limit_changes_us
from gw.domain.budget_book import PathRules
from gw.domain.limit import Limit, bucket_key, usd_units
from gw.domain.standing import Standing
from gw.domain.window import bounds

COMPILED_MAX = 16_384
FOR_EVER_US = 1 << 62
TRIES = 8  # of one hold, while other calls change what is left
PART = 10  # a tenth of a budget: what must be left of it for a call to be let in that may need more

Number = int  # compiled, a C integer: gate.pxd
Amount = int  # of any size

KIND_OF = {"hard": HARD, "soft": SOFT, "shadow": SHADOW}
Entry = tuple[int, int, int, int]  # key, limit and kind of a cell, and what may be settled there before there is more to say
Headers = list[tuple[bytes, bytes]]
Why = Literal["spent", "reserved", "parallel", "rate", "full", "unreadable"]


class Charge(NamedTuple):
    """One budget of a compiled path: its window and limit as they are now."""

    budget: Budget
    account: str
    limit_nusd: int
    start_us: int
    end_us: int  # 0: never


class Parallel(NamedTuple):
    limit: Limit
    account: str


class Rate:
    __slots__ = ("account", "bucket", "kind", "limit")

    def __init__(self, limit: Limit, account: str, bucket: Bucket) -> None:
        self.limit = limit
        self.account = account
        self.bucket = bucket
        self.kind = limit.kind


class Blocked(Exception):
    """A call that may not be made now. `standing` of the budget, or `limit` and `account`, say by what."""

    def __init__(
        self,
        why: Why,
        *,
        standing: Standing | None = None,
        limit: Limit | None = None,
        account: str = "",
        wait_ns: int = 0,
        cell: int = -1,
        needed_nusd: int = 0,
    ) -> None:
        super().__init__(why)
        self.why = why
        self.standing = standing
        self.limit = limit
        self.account = account
        self.wait_ns = wait_ns
        self.cell = cell  # the one to wait for, if "reserved"
        self.needed_nusd = needed_nusd

    @property
    def rule(self) -> str:
        """Id of the budget or limit."""
        if self.standing is not None:
            return self.standing.budget.id
        return self.limit.id if self.limit is not None else ""


class Half:
    """The cells of the budgets that reserve alike, with what each item stands for."""

    __slots__ = ("items", "path")

    def __init__(self, cells: Cells, items: Sequence["Charge | Parallel"], entries: Sequence[Entry] = ()) -> None:
        """`entries`: as the cells are to know the items, if not as they are."""
        self.items = tuple(items)
        self.path = Path(cells, entries or [_entry(one) for one in items])


class CompiledPath:
    """What one set of rules means from `since_us` until `until_us`."""

    __slots__ = (
        "debts", "halves", "request_rates", "requests", "said", "said_last", "said_words", "shades", "since_us", "typical",
        "until_us", "worst",
    )  # fmt: skip

    def __init__(self, rules: PathRules, cells: Cells, buckets: Buckets, at_us: int) -> None:
        charges = [_charge(budget, account, at_us) for budget, account in rules.budgets]
        parallel = [Parallel(limit, account) for limit, account in rules.limits if limit.kind == "parallel"]
        typical: list[Charge | Parallel] = [one for one in charges if one.budget.reserve == "typical"]
        worst: list[Charge | Parallel] = [one for one in charges if one.budget.reserve == "worst"]
        (worst if worst and not typical else typical).extend(parallel)
        self._split(Half(cells, typical) if typical else None, Half(cells, worst) if worst else None)
        rates = [Rate(limit, account, _bucket(buckets, limit, account)) for limit, account in rules.limits if limit.per_ns]
        self.request_rates = tuple(rate for rate in rates if rate.limit.kind == "requests")
        self.requests = Limits([rate.bucket for rate in self.request_rates]) if self.request_rates else None
        self.debts = tuple(rate for rate in rates if rate.limit.kind != "requests")
        self.since_us = max((one.start_us for one in charges), default=0)
        ends = [one.end_us for one in charges if one.end_us]
        ends += [at for budget, _ in rules.budgets if (at := limit_changes_us(budget, at_us))]
        self.until_us = min(ends, default=FOR_EVER_US)

    def _split(self, typical: Half | None, worst: Half | None) -> None:
        self.typical = typical
        self.worst = worst
        self.halves = tuple(half for half in (typical, worst) if half is not None)
        self.shades = any(
            isinstance(item, Charge) and item.budget.mode == "shadow" for half in self.halves for item in half.items
        )
        # What answers have said of it before (gw.governor), and the last of them.
        self.said: dict[int, Headers] = {}
        self.said_words = -1
        self.said_last: Headers = []

    def with_halves(self, typical: Half | None, worst: Half | None) -> "CompiledPath":
        """The same with other limits."""
        other = CompiledPath.__new__(CompiledPath)
        other.debts, other.request_rates, other.requests = self.debts, self.request_rates, self.requests
        other.since_us, other.until_us = self.since_us, self.until_us
        other._split(typical, worst)
        other.shades = self.shades or other.shades
        return other


class Gate:
    """One per worker."""

    def __init__(self, cells: Cells, buckets: Buckets) -> None:
        self.cells = cells
        self._buckets = buckets
        self._compiled: dict[PathRules, CompiledPath] = {}
        self._slots: dict[int, Slot] = {}

    def forget(self) -> None:
        """The rules have been replaced."""
        self._compiled.clear()

    def slot(self, ordinal: Number) -> Slot:
        found = self._slots.get(ordinal)
        if found is None:
            found = self._slots[ordinal] = self.cells.slot(ordinal)
        return found

    def compiled(self, rules: PathRules, at_us: Number) -> CompiledPath:
        """Raises Blocked("unreadable") if the shared state has no room for what it names."""
        found: CompiledPath | None = self._compiled.get(rules)
        # Before: of two calls, the one that began first may come second, and its window is the one it began in.
        if found is None or not found.since_us <= at_us < found.until_us:
            return self.compile(rules, at_us)
        return found

    def compile(self, rules: PathRules, at_us: int) -> CompiledPath:
        """Anew. Raises Blocked("unreadable")."""
        try:
            made = CompiledPath(rules, self.cells, self._buckets, at_us)
        except OverflowError as error:
            raise Blocked("unreadable") from error
        if len(self._compiled) >= COMPILED_MAX:
            self._compiled.clear()
        self._compiled[rules] = made
        return made

    def take_rates(self, path: CompiledPath, now_ns: Number) -> None:
        """One request from each bucket of requests, and no debt beyond the burst in the others; or nothing. Raises Blocked."""
        for rate in path.debts:
            wait_ns = rate.bucket.check(now_ns)
            if wait_ns:
                raise Blocked("rate", limit=rate.limit, account=rate.account, wait_ns=wait_ns)
        if path.requests is None:
            return
        refused = path.requests.take_all(1, now_ns)
        if refused is not None:
            rate = path.request_rates[refused[0]]
            raise Blocked("rate", limit=rate.limit, account=rate.account, wait_ns=refused[1])

    def give_rates(self, path: CompiledPath) -> None:
        if path.requests is not None:
            path.requests.give_all(1)

    def hold(self, path: CompiledPath, typical: Number, worst: Number, slots: Sequence[int], at_us: Number) -> Hold:
        """`slots`: ordinals, the typical half's first, the worst's last. Amounts: nano-USD. Raises Blocked, with nothing held."""
        strict: Slot | None = None
        if path.worst is not None:
            strict = self.slot(slots[-1])
            self._hold(strict, path.worst, worst, at_us)
        loose: Slot | None = None
        if path.typical is not None:
            loose = self.slot(slots[0])
            try:
                self._hold(loose, path.typical, typical, at_us)
            except (Blocked, Stale, NotFree):
                if strict is not None:
                    strict.void()
                raise
        return Hold(path, loose, strict)

    def _hold(self, slot: Slot, half: Half, amount: Number, at_us: Number) -> None:
        wanted = amount
        for _ in range(TRIES):
            refused = slot.hold(half.path, wanted)
            if refused == TAKEN:
                return
            if refused == STALE:
                raise Stale
            if refused == NOT_FREE:
                raise NotFree
            item = half.items[refused]
            cell = half.path.indices[refused]
            if isinstance(item, Parallel):
                raise Blocked("parallel", limit=item.limit, account=item.account)
            wanted = self._part(item, cell, amount, wanted)
        assert isinstance(item, Charge)
        raise Blocked("reserved", standing=self._standing(item, cell), cell=cell, needed_nusd=amount)

    def _part(self, charge: Charge, cell: int, amount: int, wanted: int) -> int:
        """What to try instead of `wanted`, which this budget has refused. Raises Blocked if there is nothing to try.

        A budget that is spent refuses for good. One that is only set aside lets the call wait, and in `typical` takes it on
        for what is left, as long as that is a good part of the budget: the next call then finds nothing left and waits, so
        at any moment there is one at most whose cost may pass the limit.
        """
        standing = self._standing(charge, cell)
        limit, settled = charge.limit_nusd, standing.settled_nusd
        room = limit - standing.used_nusd
        if settled >= limit or amount > limit or (charge.budget.reserve == "worst" and settled + amount > limit):
            raise Blocked("spent", standing=standing, needed_nusd=amount)
        if charge.budget.reserve == "typical":
            if settled + amount > limit and settled * PART >= limit * (PART - 1):
                raise Blocked("spent", standing=standing, needed_nusd=amount)
            if room * PART >= limit:
                return min(room, wanted)
        elif room >= wanted:
            return wanted
        raise Blocked("reserved", standing=standing, cell=cell, needed_nusd=amount)

    def relimit(self, hold: Hold, rules: PathRules, charged_us: int) -> None:
        """The rules have been replaced while the call runs: from now on their limits count for what it is charged to. A budget
        that is no more refuses nothing. Raises Blocked if the new rules cannot be read."""
        try:
            new = CompiledPath(rules, self.cells, self._buckets, charged_us)
        except OverflowError as error:
            raise Blocked("unreadable") from error
        charges = {cell: item for half in new.halves for item, cell in zip(half.items, half.path.indices, strict=True)}
        path = hold.path
        hold.path = path.with_halves(
            self._relimited(hold.typical, path.typical, charges), self._relimited(hold.worst, path.worst, charges)
        )

    def _relimited(self, slot: Slot | None, half: Half | None, now: dict[int, Charge | Parallel]) -> Half | None:
        if slot is None or half is None:
            return None
        items, entries = [], []
        for item, cell in zip(half.items, half.path.indices, strict=True):
            found = now.get(cell)
            items.append(found or item)
            entries.append(_entry(found) if found is not None else (self.cells.key(cell), -1, SOFT, -1))
        fresh = Half(self.cells, items, entries)
        slot.relimit(fresh.path)
        return fresh

    def standings(self, path: CompiledPath) -> list[Standing]:
        """Of every budget on the path."""
        found = []
        for half in path.halves:
            for at, item in enumerate(half.items):
                if isinstance(item, Charge):
                    found.append(self.standing(half, at))
        return found

    def standing(self, half: Half, at: int) -> Standing:
        """Of the budget that is this item."""
        item = half.items[at]
        assert isinstance(item, Charge), "calls that run at once are no amount"
        return self._standing(item, half.path.indices[at])

    def extend(self, hold: Hold, extra: int) -> Blocked | None:
        """Sets aside so much more where the call's expected cost is; None: done. STALE cells are of windows long over."""
        slot, half = hold.typical, hold.path.typical
        if slot is None or half is None:
            return None
        refused = slot.extend(extra)
        if refused < 0:
            return None
        item, cell = half.items[refused], half.path.indices[refused]
        assert isinstance(item, Charge), "calls that run at once are no amount"
        return Blocked("reserved", standing=self._standing(item, cell), cell=cell, needed_nusd=extra)

    def _standing(self, charge: Charge, cell: int) -> Standing:
        cells = self.cells
        return Standing(
            charge.budget,
            charge.account,
            charge.limit_nusd,
            cells.settled(cell),
            cells.used(cell),
            cells.overrun(cell),
            charge.start_us,
            charge.end_us,
        )


class Stale(Exception):
    """A cell of the path has been forgotten: compile it again."""


class NotFree(Exception):
    """What a dead process left in this slot is not yet settled: take another."""


def charge_debts(
    path: CompiledPath, inputs: Number, outputs: Number, cost_nusd: Amount, now_ns: Number
) -> None:
    """What is known only after the call: tokens and money."""
    for rate in path.debts:
        if rate.kind == "tokens":
            units = inputs + outputs
        elif rate.kind == "usd":
            units = usd_units(cost_nusd)
        else:
            units = inputs if rate.kind == "input_tokens" else outputs
        if units:
            rate.bucket.debt(units, now_ns)


def shadowed(hold: Hold) -> str:
    """Names of the shadow budgets that would have refused the call, comma-separated."""
    names = []
    for slot, half in ((hold.typical, hold.path.typical), (hold.worst, hold.path.worst)):
        if slot is not None and half is not None and slot.shadowed:
            bits = slot.shadowed
            names += [one.budget.id for at, one in enumerate(half.items) if bits >> at & 1 and isinstance(one, Charge)]
    return ",".join(names)


def _charge(budget: Budget, account: str, at_us: int) -> Charge:
    start_us, end_us = bounds(budget.window, at_us)
    return Charge(budget, account, effective_limit_nusd(budget, at_us), start_us, end_us)


def _entry(one: Charge | Parallel) -> Entry:
    if isinstance(one, Parallel):
        return bucket_key(one.limit, one.account), one.limit.amount, UNITS, -1
    warn_at = -(-one.limit_nusd * one.budget.warn_at[0] // BASIS) - 1 if one.budget.warn_at else -1
    return cell_key(one.budget, one.account, one.start_us), one.limit_nusd, KIND_OF[one.budget.mode], warn_at


def _bucket(buckets: Buckets, limit: Limit, account: str) -> Bucket:
    return Bucket(buckets, bucket_key(limit, account), limit.amount, limit.per_ns, limit.burst)
