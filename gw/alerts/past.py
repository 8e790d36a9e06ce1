"""What is usual: the hours of the last four weeks, and the sessions of an account, read from the rollups."""

from collections import defaultdict

from gw.alerts.judge import Session
from gw.alerts.meter import KEY, Touched
from gw.domain.money import PUSD_PER_NUSD
from gw.ledger.rollup_shape import ACCOUNT, HOUR_US, LEVELS
from gw.ledger.store import Connection, Database
from gw.ledger.sums import whole

WEEKS_US = 28 * 24 * HOUR_US
SESSIONS_MAX = 500  # of one account, the latest
NAMES_MAX = 400  # sessions of one statement

# Which column of a path names the account, and the shortest level that has it.
COLUMN = {
    "": "''",
    "customer": "p.customer",
    "team": "p.team",
    "key": KEY,
    "upstream": "p.upstream",
    "model": "p.requested_model",
    "project": "p.project",
}
_SESSION_COLUMN = {"": "''", "customer": "customer", "team": "team", "key": KEY}


def hours(database: Database, kind: str, now_us: int) -> dict[str, tuple[int, ...]]:
    """Account -> nano-USD of each hour with spending, without the one that runs and the one before. Raises StoreError."""
    column = COLUMN[kind]
    query = (
        f"SELECT {column} AS label, h.at, SUM(h.billed_high), SUM(h.billed_low) FROM usage_hour h "  # noqa: S608 - our own words
        f"JOIN usage_path p ON p.id = h.path_id WHERE h.level = ? AND h.at >= ? AND h.at < ? GROUP BY {column}, h.at"
    )
    this = now_us // HOUR_US
    found: dict[str, list[int]] = defaultdict(list)
    with database.reading() as db:
        for label, _, high, low in (
            db.execute(query, (_level(kind), this - WEEKS_US // HOUR_US, this - 1)) if db is not None else ()
        ):
            if nusd := whole(high, low) // PUSD_PER_NUSD:
                found[label].append(nusd)
    return {label: tuple(values) for label, values in found.items()}


def sessions(database: Database, kind: str, touched: list[Touched], now_us: int) -> list[Session]:
    """Those sessions as they are now, each with what the earlier ones of its account have cost. Kinds other than key, team and
    customer: all sessions are one account. Raises StoreError."""
    column = _SESSION_COLUMN.get(kind, "''")
    now: list[tuple[str, str, int, int, int]] = []
    with database.reading() as db:
        if db is None:
            return []
        for start in range(0, len(touched), NAMES_MAX):
            names = [one.session for one in touched[start : start + NAMES_MAX]]
            marks = ", ".join("?" * len(names))
            query = f"SELECT {column}, session_id, billed_pusd, calls, last_us FROM usage_session WHERE session_id IN ({marks})"  # noqa: S608
            now += [
                (label, one, pusd // PUSD_PER_NUSD, calls, last) for label, one, pusd, calls, last in db.execute(query, names)
            ]
        earlier = {label: _earlier(db, column, label, now_us) for label in {label for label, *_ in now}}
    return [
        Session(kind if column != "''" else "", label, one, nusd, calls, last_us, tuple(c for n, c in earlier[label] if n != one))
        for label, one, nusd, calls, last_us in now
    ]


def _earlier(db: Connection, column: str, label: str, now_us: int) -> list[tuple[str, int]]:
    """(session, nano-USD) of the latest that cost anything."""
    query = (
        f"SELECT session_id, billed_pusd FROM usage_session WHERE {column} = ? AND last_us >= ? AND billed_pusd > 0 "  # noqa: S608
        "ORDER BY last_us DESC LIMIT ?"
    )
    return [(one, pusd // PUSD_PER_NUSD) for one, pusd in db.execute(query, (label, now_us - WEEKS_US, SESSIONS_MAX))]


def _level(kind: str) -> int:
    """The first that has all it asks about."""
    wanted = {"": (), "customer": ("customer",), "team": ("team",), "key": ACCOUNT, "upstream": ("upstream",)}
    names = wanted.get(kind, ("requested_model",) if kind == "model" else ("project",))
    return next(level.number for level in LEVELS if set(names) <= set(level.dimensions))
