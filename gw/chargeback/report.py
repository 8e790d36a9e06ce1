"""The report of a month: groups within groups, each with its sums, its share and what it was the month before. Pure, but for one
reading of the ledger.

Sums are exact. What is shown to people is in cents, and each column adds up at every level: the total is rounded once, and what
the parts' own rounding leaves goes, a cent each, to those that had most left of a cent (`apportioned`).
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from gw.chargeback.figures import Figures, Sums, Who, read
from gw.chargeback.month import DAY_US, Month
from gw.domain.money import round_half_even
from gw.ledger.store import Database

BY = ("customer", "team", "project", "key")
DEFAULT_BY = ("customer", "team", "key")
PUSD_PER_CENT = 10**10
NO_SUMS = Sums()


class Cents(Struct, frozen=True):
    """What is shown of a group; `billed` is `charges` and `adjusted` together."""

    list: int
    charges: int
    adjusted: int
    billed: int


class Group(Struct, frozen=True, kw_only=True):
    """An account, or all of them. `parts`: what it is made of, dearest first; none at the innermost level."""

    level: str  # one of BY; "" for the whole
    name: str  # as in the ledger; "" for calls without one
    key_id: str = ""  # of a key: two may have had one name
    credential: str = ""  # of a caller without a key: the digest of its own
    sums: Sums
    before: Sums  # of the month before
    cents: Cents
    before_cents: int
    parts: tuple["Group", ...] = ()

    @property
    def label(self) -> str:
        """For people."""
        if self.level == "key" and not self.name:
            return f"own credential {self.credential}" if self.credential else self.key_id or "(no key)"
        return self.name or (f"(no {self.level})" if self.level else "All")


class Report(Struct, frozen=True, kw_only=True):
    month: Month
    by: tuple[str, ...]
    whole: Group
    figures: Figures
    before: Figures
    until_us: int  # end of what is in it: of the month, or of today while it runs
    before_until_us: int  # likewise, of what it is compared with
    made_us: int

    @property
    def running(self) -> bool:
        return self.until_us < self.month.end_us or self.made_us < self.month.end_us


def parse_by(text: str) -> tuple[str, ...]:
    """`customer,team`. Raises ValueError."""
    by = tuple(part.strip() for part in text.split(","))
    for part in by:
        if part not in BY:
            raise ValueError(f'"{part[:40]}" is not one of {", ".join(BY)}')
    if len(set(by)) != len(by):
        raise ValueError("names one of them twice")
    return by


def report(database: Database, month: Month, by: Sequence[str], now_us: int) -> Report:
    """Raises StoreError. A month that runs is compared with as many days of the month before."""
    tomorrow_us = now_us - now_us % DAY_US + DAY_US
    until_us = min(month.end_us, max(tomorrow_us, month.start_us))
    span_us = until_us - month.start_us
    before_until_us = month.before.end_us if until_us == month.end_us else min(month.before.start_us + span_us, month.start_us)
    figures = read(database, month.start_us, until_us)
    before = read(database, month.before.start_us, before_until_us)
    return Report(
        month=month,
        by=tuple(by),
        whole=grouped(figures.lines, before.lines, tuple(by)),
        figures=figures,
        before=before,
        until_us=until_us,
        before_until_us=before_until_us,
        made_us=now_us,
    )


def grouped(lines: dict[Who, Sums], before: dict[Who, Sums], by: tuple[str, ...]) -> Group:
    """The tree of what either month has."""
    bare = _tree("", Who("", "", "", "", "", ""), {who: (sums, before.get(who, NO_SUMS)) for who, sums in lines.items()}
                 | {who: (NO_SUMS, sums) for who, sums in before.items() if who not in lines}, by)
    cents = Cents(
        list=_rounded(bare.sums.pusd("list")),
        charges=_rounded(bare.sums.pusd("billed")) - _rounded(bare.sums.adjusted),
        adjusted=_rounded(bare.sums.adjusted),
        billed=_rounded(bare.sums.pusd("billed")),
    )
    return _in_cents(bare, cents, _rounded(bare.before.pusd("billed")))


Pairs = dict[Who, tuple[Sums, Sums]]
_PARTS: dict[str, Callable[[Who], Who]] = {
    "customer": lambda who: Who(who.customer, "", "", "", "", ""),
    "team": lambda who: Who("", who.team, "", "", "", ""),
    "project": lambda who: Who("", "", who.project, "", "", ""),
    "key": lambda who: Who("", "", "", who.key_name, who.key_id, who.credential),
}


def _tree(level: str, who: Who, pairs: Pairs, by: tuple[str, ...]) -> Group:
    """Without cents, which come from outside inwards."""
    parts: list[Group] = []
    if by:
        inner: dict[Who, Pairs] = {}
        for one, pair in pairs.items():
            inner.setdefault(_PARTS[by[0]](one), {})[one] = pair
        parts = [_tree(by[0], part, found, by[1:]) for part, found in inner.items()]
        parts.sort(key=lambda part: (-part.sums.pusd("billed"), -part.sums.pusd("list"), -part.sums.count("calls"), part.label))
    return Group(
        level=level,
        name={"customer": who.customer, "team": who.team, "project": who.project, "key": who.key_name}.get(level, ""),
        key_id=who.key_id,
        credential=who.credential,
        sums=sum((now for now, _ in pairs.values()), NO_SUMS),
        before=sum((then for _, then in pairs.values()), NO_SUMS),
        cents=Cents(0, 0, 0, 0),
        before_cents=0,
        parts=tuple(parts),
    )


def _in_cents(group: Group, cents: Cents, before_cents: int) -> Group:
    listed = apportioned([part.sums.pusd("list") for part in group.parts], cents.list)
    billed = apportioned([part.sums.pusd("billed") for part in group.parts], cents.billed)
    adjusted = apportioned([part.sums.adjusted for part in group.parts], cents.adjusted)
    before = apportioned([part.before.pusd("billed") for part in group.parts], before_cents)
    parts = tuple(
        _in_cents(part, Cents(one, two - three, three, two), four)
        for part, one, two, three, four in zip(group.parts, listed, billed, adjusted, before, strict=True)
    )
    return Group(
        level=group.level,
        name=group.name,
        key_id=group.key_id,
        credential=group.credential,
        sums=group.sums,
        before=group.before,
        cents=cents,
        before_cents=before_cents,
        parts=parts,
    )


def apportioned(amounts: Sequence[int], cents: int) -> list[int]:
    """Pico-USD as whole cents that add up to `cents`, which is their sum rounded up or down. None is moved by a cent or more."""
    if not amounts:
        return []
    floors = [amount // PUSD_PER_CENT for amount in amounts]
    missing = cents - sum(floors)
    assert 0 <= missing <= len(amounts), "the sum of cents is not that of the amounts"
    by_rest = sorted(range(len(amounts)), key=lambda at: (-(amounts[at] % PUSD_PER_CENT), at))
    for at in by_rest[:missing]:
        floors[at] += 1
    return floors


def _rounded(pusd: int) -> int:
    return round_half_even(pusd, PUSD_PER_CENT)


def walk(group: Group, path: tuple[Group, ...] = ()) -> list[tuple[Group, ...]]:
    """Every group below as the path that leads to it, its own end included, in order."""
    found: list[tuple[Group, ...]] = []
    for part in group.parts:
        here = (*path, part)
        found.append(here)
        found += walk(part, here)
    return found
