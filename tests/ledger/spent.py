"""A slow second opinion on what budgets have used: every row against every budget, one by one."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from msgspec.structs import astuple

from gw.domain.budget import Budget, cell_key
from gw.domain.call import CallRecord
from gw.domain.scope import CallPath
from gw.domain.window import bounds
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import COLUMNS, Connection, Database
from tests.ledger.records import record

_NAMES = (*COLUMNS, "seq")
_INSERT = f"INSERT INTO call ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"


def charged(call_id: str, at_us: int, nusd: int, path: CallPath = CallPath(), **changes: object) -> CallRecord:
    """A call that cost so much, charged then."""
    names = path._asdict()
    names["requested_model"], names["session_id"] = names.pop("model"), names.pop("session")
    values = {"started_us": at_us, "ended_us": at_us, "charged_us": at_us, "rules_us": 1, "billed_pusd": nusd * 1000, **names}
    return record(call_id, **(values | changes))


def insert(database: Database, records: Iterable[CallRecord]) -> None:
    """Into a ledger that is there; in Postgres the months must be, too (`one_month`)."""
    with writing(database) as db:
        (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM call").fetchone()
        db.executemany(_INSERT, [(*astuple(one), seq + number) for number, one in enumerate(records, 1)])


def empty(database: Database) -> None:
    with writing(database) as db:
        for table in ("call", "charged_sum", "meta"):
            db.execute(f"DELETE FROM {table}")
        if isinstance(database, SqliteDatabase):
            db.execute("DROP TRIGGER IF EXISTS adjustment_is_never_deleted")
        else:
            db.execute("ALTER TABLE adjustment DISABLE TRIGGER USER")
        db.execute("DELETE FROM adjustment")


@contextmanager
def writing(database: Database) -> Iterator[Connection]:
    """A transaction that need not survive anything: of SQLite without what makes it safe, which takes most of the time."""
    if not isinstance(database, SqliteDatabase):
        with database.changing() as db:
            yield db
        return
    with closing(sqlite3.connect(database.path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        yield db
        db.commit()


def one_month(database: Database) -> None:
    """Whenever calls began, Postgres keeps them in one partition."""
    if not isinstance(database, SqliteDatabase):
        with database.changing() as db:
            db.execute("CREATE TABLE call_whenever PARTITION OF call DEFAULT")


def path_of(one: CallRecord) -> CallPath:
    return CallPath(
        one.customer, one.team, one.key_name, one.key_id, one.upstream, one.requested_model, one.project, one.session_id
    )


def counted(budget: Budget, one: CallRecord) -> int:
    nusd = one.billed_pusd // 1000 + bool(one.billed_pusd % 1000)
    return max(nusd, one.at_most_nusd) if budget.reserve == "worst" else nusd


def oracle(budgets: Iterable[Budget], windows_of_us: Iterable[int], records: Iterable[CallRecord]) -> dict[int, int]:
    """Cell key -> nano-USD, of the windows that hold one of these instants; without those that have used nothing."""
    wanted = {(budget.id, bounds(budget.window, at_us)) for budget in budgets for at_us in windows_of_us}
    found: dict[int, int] = {}
    for one in records:
        at_us = one.charged_us or one.started_us
        for budget in budgets:
            account = budget.scope.account(path_of(one))
            window = bounds(budget.window, at_us)
            if account and (budget.id, window) in wanted and counted(budget, one):
                key = cell_key(budget, account, window[0])
                found[key] = found.get(key, 0) + counted(budget, one)
    return found
