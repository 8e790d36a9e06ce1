"""How long questions about a ledger of millions of calls take: p50 and p95 of each, in one process, one after the other.

    python -m bench.ledger.queries --from sqlite:///big.db [--rounds 20] [WORD ...]

The ledger is one that `python -m bench.ledger` has made; every question ends where its calls end. With words: only questions
whose name holds one of them. A further question is a line in QUESTIONS.
"""

import argparse
import random
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from gw import clock
from gw.domain.scope import Scope as BudgetScope
from gw.domain.scope import ScopeKind
from gw.ledger import reports
from gw.ledger.burn import burned, limits_of
from gw.ledger.database import database_of
from gw.ledger.log_filter import parse
from gw.ledger.logs import SORTS, Asked, LogPage, page
from gw.ledger.rollup_shape import DAY_US, HOUR_US
from gw.ledger.sequence import highest, rows_after
from gw.ledger.store import COLUMNS, Database
from gw.ledger.usage import ALL, Scope, Wanted, answer
from gw.ledger.usage_measures import DEFAULT, MEASURES
from gw.ledger.usage_overview import overview
from gw.ledger.usage_time import Bucket, bounds_of, start_of

ROUNDS = 20
PAGE = 50  # of the dashboard
MEASURED = tuple(MEASURES[name] for name in DEFAULT)
BILLED = MEASURES["billed_usd"]
SESSION = COLUMNS.index("session_id")


class Ledger(NamedTuple):
    database: Database
    end_us: int  # midnight after its latest call


class Figure(NamedTuple):
    name: str
    p50_ms: float
    p95_ms: float


def _usage(*groups: str, days: int, bucket: Bucket = "none", zone: str = "UTC", **more: object) -> Callable[[Ledger], object]:
    def ask(ledger: Ledger) -> object:
        first = start_of("day", ledger.end_us - days * DAY_US, zone)
        wanted = Wanted(bounds_of(bucket, first, ledger.end_us, zone), groups, MEASURED, order=BILLED)._replace(**more)  # type: ignore[arg-type]
        return answer(ledger.database, ALL, wanted)

    return ask


def _read_on(ledger: Ledger) -> object:
    with ledger.database.reading() as db:
        assert db is not None
        return rows_after(db, highest(db) // 2, 1000)


def _ragged(ledger: Ledger) -> object:
    shift_us = random.randrange(HOUR_US)
    return reports.usage(ledger.database, "team", ledger.end_us - 90 * DAY_US - shift_us, ledger.end_us - shift_us)


def _sessions_calls(ledger: Ledger) -> object:
    rows = page(ledger.database, Asked(limit=1, count=False)).rows
    return page(ledger.database, Asked(wanted=parse({"session": rows[0][1][SESSION]}, ledger.end_us), limit=PAGE))


def _burned(kind: ScopeKind) -> Callable[[Ledger], object]:
    def ask(ledger: Ledger) -> object:
        scope = BudgetScope(kind, "*", each=True)
        limits = limits_of(scope, start_of("month", ledger.end_us - 1, "Europe/Berlin"), ledger.end_us)
        return burned(ledger.database, ledger.database.dialect, scope, limits)

    return ask


def _log(sort: str = "ended_at", *, falling: bool = True, second: bool = False, **filters: str) -> Callable[[Ledger], object]:
    """A page as GET /api/logs asks for it, with its count; `second`: the one behind it, by its cursor."""

    def ask(ledger: Ledger) -> object:
        query = {name.replace("__", "."): text for name, text in filters.items()}
        asked = Asked(wanted=parse(query, ledger.end_us), sort=sort, falling=falling, limit=PAGE, count=not second)
        if not second:
            return page(ledger.database, asked)
        key = (ledger.database.name, sort, *sorted(query.items()))
        if key not in _first:
            _first[key] = page(ledger.database, replace(asked, count=True))
        first = _first[key]
        if first.next is None:
            return first  # a small ledger has no second page
        return page(ledger.database, replace(asked, after=first.next, until_seq=first.until_seq))

    return ask


_first: dict[tuple[object, ...], LogPage] = {}

# Name -> what is asked, given a Ledger. Whoever adds a kind of question adds a line.
QUESTIONS: dict[str, Callable[[Ledger], object]] = {
    "usage: 90 days by team": _usage("team", days=90),
    "usage: 90 days by team, ends within an hour": _ragged,
    "usage: 90 days by team and day": _usage("team", days=90, bucket="day"),
    "usage: 90 days by team and day in Berlin": _usage("team", days=90, bucket="day", zone="Europe/Berlin"),
    "usage: 30 days by key, top 10, beside the 30 before": _usage("key", days=30, top=10, compare=True),
    "usage: 90 days by model and team": _usage("model", "team", days=90),
    "usage: 90 days by team and project (all dimensions)": _usage("team", "project", days=90),
    "usage: 90 days of one team by key": _usage("key", days=90, filters=[("team", ["team-03"])]),
    "usage: 90 days by hour": _usage(days=90, bucket="hour"),
    "overview: 30 days": lambda ledger: overview(ledger.database, ALL, "UTC", 30, ledger.end_us - 1),
    "overview: 30 days in Berlin": lambda ledger: overview(ledger.database, ALL, "Europe/Berlin", 30, ledger.end_us - 1),
    "overview: of one key": lambda ledger: overview(ledger.database, Scope("key", "dev-003"), "UTC", 30, ledger.end_us - 1),
    "gw usage --by session, 7 days": lambda ledger: reports.usage(
        ledger.database, "session", ledger.end_us - 7 * DAY_US, ledger.end_us
    ),
    "read on by seq: 1,000 rows": _read_on,
    "log: newest": _log(),
    "log: newest of 7 days": _log(since="7d"),
    "log: team, model, outcome": _log(team="team-03", model="claude-opus-5-5", outcome="completed"),
    "log: team, model, outcome that is rare": _log(team="team-03", model="claude-opus-5-5", outcome="timed_out"),
    "log: key, status, 7 days": _log(key="dev-003", status__gte="400", since="7d"),
    "log: free text, a name": _log(q="dev-12"),
    "log: free text, a model, 30 days": _log(q="haiku", since="30d"),
    "log: free text that is nowhere": _log(q="zanzibar"),
    "log: cost from 0.20 to 0.30 USD, 30 days": _log(billed_usd__gte="0.2", billed_usd__lt="0.3", since="30d"),
    "log: at least 30 s, 7 days": _log(duration_ms__gte="30000", since="7d"),
    "log: dearest of 30 days": _log("billed_usd", since="30d"),
    "log: second page": _log(second=True),
    "log: second page of team, model, outcome": _log(second=True, team="team-03", model="claude-opus-5-5", outcome="completed"),
    "log: second page of key, status, 90 days": _log(second=True, key="dev-*", status__gte="400", since="90d"),
    "log: kind of session, 7 days": _log(kind="subagent", since="7d"),
    "log: one session": _sessions_calls,
    "budgets: month by team, how it grew": _burned("team"),
    "budgets: month by key, how it grew": _burned("key"),
}
# Filters of pages, in every order and over every time: "page: by -billed_usd, 30 days, team, model, outcome".
SPANS = (1, 7, 30, 90)
OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-*"
FILTERS: dict[str, dict[str, str]] = {
    "all": {},
    "team, model, outcome": {"team": "team-03", "model": OPUS, "outcome": "completed"},
    "team, model, outcome that is rare": {"team": "team-03", "model": OPUS, "outcome": "timed_out"},
    "customer, model, streamed": {"customer": "acme", "model": OPUS, "stream": "true"},
    "key, model, status": {"key": "dev-003", "model": "claude-*", "status": "200"},
    "the cheapest model, outcome, status": {"model": HAIKU, "outcome": "completed", "status": "200"},
    "cost, within a cent": {"billed_usd__gte": "0.02", "billed_usd__lt": "0.03"},
    "cost, within a thousandth of a cent": {"billed_usd__gte": "0.02", "billed_usd__lt": "0.02001"},
    "cost, from 0.12 on": {"billed_usd__gte": "0.12"},
    "cost, team, model": {"billed_usd__gte": "0.05", "billed_usd__lt": "0.051", "team": "team-03", "model": OPUS},
    "tokens, duration, outcome": {"tokens__gte": "180000", "duration_ms__gte": "16000", "outcome": "completed"},
}
QUESTIONS |= {
    f"page: by {'-' if falling else ''}{sort}, {days} days, {name}": _log(sort, falling=falling, since=f"{days}d", **filters)
    for sort in SORTS
    for falling in ((True, False) if sort != "ended_at" else (True,))
    for days in SPANS
    for name, filters in FILTERS.items()
}


def ledger_at(url: str) -> Ledger:
    database = database_of(url)
    with database.reading() as db:
        assert db is not None, f"there is no ledger at {database.name}"
        (last,) = db.execute("SELECT MAX(at) FROM usage_day WHERE level = 1").fetchone()
    return Ledger(database, (last + 1) * DAY_US)


def measure(ledger: Ledger, name: str, rounds: int) -> Figure:
    took_ms = []
    for _ in range(rounds):
        begun_ns = clock.mono_ns()
        QUESTIONS[name](ledger)
        took_ms.append((clock.mono_ns() - begun_ns) / 1e6)
    took_ms.sort()
    return Figure(name, took_ms[rounds // 2], took_ms[min(rounds * 95 // 100, rounds - 1)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ledger.queries", description="How long questions about a ledger take.")
    parser.add_argument("--from", required=True, dest="url", metavar="URL")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("words", nargs="*", metavar="WORD")
    given = parser.parse_args()
    ledger = ledger_at(given.url)
    print(f"{'question':56} {'p50 ms':>9} {'p95 ms':>9}")
    for name in QUESTIONS:
        if not given.words or any(word in name for word in given.words):
            figure = measure(ledger, name, given.rounds)
            print(f"{figure.name:56} {figure.p50_ms:9.1f} {figure.p95_ms:9.1f}", flush=True)


if __name__ == "__main__":
    main()
