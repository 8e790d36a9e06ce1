"""What chargeback reads: sums of a month by account from the rollups, what repricing has added, and what leaves a doubt.

A month holds the calls that ended in it (UTC). Rollups have adjustments in the hour in which their call ended; here they are told
apart again, for finance wants to see what was corrected. Money is pico-USD, of any size.
"""

from typing import NamedTuple

from gw.chargeback.month import DAY_US
from gw.ledger.bounded import bounded
from gw.ledger.rollup_shape import FULL, LEVELS
from gw.ledger.store import Connection, Database
from gw.ledger.sums import halves, whole

CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "tools", "other")
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
COUNTS = ("calls", "failed", "unpriced", "observed", "estimated", "thinking_tokens", *TOKENS)
MONEY = ("list", "billed", *CLASSES)
WHO = ("customer", "team", "project", "key_name", "key_id", "credential")
MODELS_MAX = 12
READ_S = 30.0
_MODEL = "CASE WHEN p.served_model <> '' THEN p.served_model ELSE p.requested_model END"
_ALL = next(level for level in LEVELS if not level.dimensions)
_BEHIND = "SELECT name, value FROM meta WHERE name IN ('rollup_from', 'rollup_until')"


class Sums(NamedTuple):
    """Of any calls: counts by COUNTS, pico-USD by MONEY, adjustments included; and of the billed amount what they are."""

    counts: tuple[int, ...] = (0,) * len(COUNTS)
    money: tuple[int, ...] = (0,) * len(MONEY)
    adjusted: int = 0

    def __add__(self, other: object) -> "Sums":
        assert isinstance(other, Sums)
        return Sums(
            tuple(map(int.__add__, self.counts, other.counts)),
            tuple(map(int.__add__, self.money, other.money)),
            self.adjusted + other.adjusted,
        )

    def count(self, name: str) -> int:
        return self.counts[COUNTS.index(name)]

    def pusd(self, name: str) -> int:
        return self.money[MONEY.index(name)]


class Who(NamedTuple):
    customer: str
    team: str
    project: str
    key_name: str
    key_id: str
    credential: str


class Figures(NamedTuple):
    """One span of time, whole days."""

    lines: dict[Who, Sums]
    models: list[tuple[str, Sums]]  # dearest first, MODELS_MAX at the most, the rest as ""
    days: list[int]  # billed pico-USD of each day
    unpriced: list[tuple[str, int]]  # models without a price, and how many calls
    adjusted_later: int  # pico-USD of adjustments that were made after the span
    behind: bool  # the rollups still take in calls of an earlier version


def read(database: Database, start_us: int, end_us: int) -> Figures:
    """Of [start, end), whole days (UTC), in one view of the ledger. Raises StoreError, TooSlow among them."""
    span = start_us // DAY_US, end_us // DAY_US
    with bounded(database, READ_S) as db:
        if db is None:
            return Figures({}, [], [0] * (span[1] - span[0]), [], 0, behind=False)
        adjusted = _adjusted(db, start_us, end_us)
        lines = {Who(*who): sums._replace(adjusted=adjusted.pop(Who(*who), 0)) for who, sums in _grouped(db, WHO, span)}
        for who, amount in adjusted.items():  # of an account whose calls cost nothing else
            lines[who] = Sums(adjusted=amount)
        behind = dict(db.execute(_BEHIND).fetchall())
        return Figures(
            lines,
            _models(db, span),
            _days(db, span),
            _unpriced(db, span),
            _adjusted_later(db, start_us, end_us),
            behind.get("rollup_from", 0) < behind.get("rollup_until", 0),
        )


def _grouped(db: Connection, by: tuple[str, ...], span: tuple[int, int]) -> list[tuple[tuple[str, ...], Sums]]:
    """Sums by these dimensions, of whatever cost something or was a call."""
    names = [_MODEL if name == "model" else f"p.{name}" for name in by]
    counts = [f"SUM(r.{name})" for name in COUNTS]
    money = [f"SUM(r.{name}_{half})" for name in MONEY for half in ("high", "low")]
    query = (
        f"SELECT {', '.join([*names, *counts, *money])} FROM usage_day r JOIN usage_path p ON p.id = r.path_id "  # noqa: S608
        f"WHERE r.level = ? AND r.at >= ? AND r.at < ? GROUP BY {', '.join(map(str, range(1, len(by) + 1)))}"
    )
    found = []
    for row in db.execute(query, (FULL.number, *span)):
        at = len(by) + len(counts)
        amounts = tuple(map(whole, row[at::2], row[at + 1 :: 2]))
        sums = Sums(tuple(int(count) for count in row[len(by) : at]), amounts)
        if sums.count("calls") or any(sums.money) or any(sums.counts):
            found.append((tuple(row[: len(by)]), sums))
    return found


def _models(db: Connection, span: tuple[int, int]) -> list[tuple[str, Sums]]:
    models = [(name or "(no model)", sums) for (name,), sums in _grouped(db, ("model",), span)]
    models.sort(key=lambda one: (-one[1].pusd("billed"), one[0]))
    rest = [sums for _, sums in models[MODELS_MAX:]]
    return models[:MODELS_MAX] + ([("", sum(rest, Sums()))] if rest else [])


def _days(db: Connection, span: tuple[int, int]) -> list[int]:
    query = "SELECT at, billed_high, billed_low FROM usage_day WHERE level = ? AND at >= ? AND at < ?"
    billed = {at: whole(high, low) for at, high, low in db.execute(query, (_ALL.number, *span))}
    return [billed.get(day, 0) for day in range(*span)]


def _unpriced(db: Connection, span: tuple[int, int]) -> list[tuple[str, int]]:
    query = (
        f"SELECT {_MODEL} AS model, SUM(r.unpriced) FROM usage_day r JOIN usage_path p ON p.id = r.path_id "  # noqa: S608
        "WHERE r.level = ? AND r.at >= ? AND r.at < ? AND r.unpriced > 0 GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return [(model or "(no model)", int(count)) for model, count in db.execute(query, (FULL.number, *span))]


def _adjusted(db: Connection, start_us: int, end_us: int) -> dict[Who, int]:
    """An adjustment does not say whose credential it was; its call does, while it is kept."""
    names = ", ".join(f"a.{name}" for name in WHO[:-1])
    query = (
        f"SELECT {names}, COALESCE(c.credential, '') AS credential, {halves('a.billed_pusd')} "  # noqa: S608 - our own names
        "FROM adjustment a LEFT JOIN call c ON c.call_id = a.call_id "
        "WHERE a.ended_us >= ? AND a.ended_us < ? GROUP BY 1, 2, 3, 4, 5, 6"
    )
    return {Who(*row[:6]): whole(row[6], row[7]) for row in db.execute(query, (start_us, end_us))}


def _adjusted_later(db: Connection, start_us: int, end_us: int) -> int:
    query = f"SELECT {halves('billed_pusd')} FROM adjustment WHERE ended_us >= ? AND ended_us < ? AND at_us >= ?"  # noqa: S608
    return whole(*db.execute(query, (start_us, end_us, end_us)).fetchone())
