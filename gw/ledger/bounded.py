"""Reading the ledger for no longer than a given time, so that one question cannot hold up those behind it."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from gw import clock
from gw.ledger.store import Connection, StoreError

STEPS = 20_000  # of SQLite's machine between two looks at the clock: about a millisecond
CACHE_KIB = 32_768
CANCELLED = "57014"  # Postgres: the statement took longer than it was allowed to
NS_PER_MS = 1_000_000


class Readable(Protocol):
    """Of a `Database`, all that reading takes."""

    def reading(self) -> AbstractContextManager[Connection | None]: ...


class TooSlow(StoreError):
    """It was not answered in time."""


@contextmanager
def bounded(database: Readable, seconds: float) -> Iterator[Connection | None]:
    """As its `reading`. Raises TooSlow: in SQLite when all statements together take longer, in Postgres when one does."""
    end_ns = clock.mono_ns() + int(seconds * 1e9)
    try:
        with database.reading() as db:
            if isinstance(db, sqlite3.Connection):
                db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                db.set_progress_handler(lambda: clock.mono_ns() > end_ns, STEPS)
            elif db is not None:
                db.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
            yield db
    except StoreError as error:
        cause = error.__cause__
        interrupted = isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
        if interrupted or getattr(cause, "sqlstate", None) == CANCELLED:
            raise TooSlow(f"no answer within {seconds:g} s") from error
        raise
