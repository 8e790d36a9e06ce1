"""Where conversations are kept: beside a ledger in SQLite in a file of their own, so that the keeper never waits for them; in
Postgres in tables beside the ledger's, made when they are first needed."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from os import O_CLOEXEC, O_CREAT, O_RDWR, close, open
from pathlib import Path
from typing import Any, Protocol

from gw.ledger import migrate
from gw.ledger.database import POSTGRES, path_of
from gw.ledger.migrate import Schema
from gw.ledger.sqlite import CHANGE_TIMEOUT_S, reading
from gw.ledger.store import Connection, StoreError

FILE = "content.db"
SQLITE = Schema(migrate.DIRECTORY / "content_sqlite", migrate.statements, migrate.SQLITE.columns, "TEXT", "INTEGER")
PAGE_SIZE = 4096

Index = Iterable[tuple[int, str]]  # (id of the call, its words with one blank between two)


class ContentDatabase(Protocol):
    """As `gw.ledger.store.Database`; the index of words is asked in each database's own way."""

    @property
    def name(self) -> str: ...

    def prepare(self) -> None:
        """Makes what is missing. Raises StoreError."""
        ...

    def reading(self) -> AbstractContextManager[Connection | None]:
        """None: nothing has ever been kept."""
        ...

    def changing(self) -> AbstractContextManager[Connection]:
        """One transaction, one after the other: whoever adds blocks or removes them."""
        ...

    def index(self, db: Connection, texts: Index) -> None: ...
    def forget(self, db: Connection, texts: Index) -> None: ...
    def forget_all(self, db: Connection) -> None: ...
    def shrink(self) -> None:
        """What was deleted leaves the disk, as far as the database lets it."""
        ...

    def found(self, terms: list[tuple[list[str], bool]]) -> tuple[str, str]:
        """A condition on `content_call.id` and its one value: calls with all of these terms. A term is words that follow each
        other, and whether the last of them is only a beginning; words hold letters and digits alone."""
        ...

    def bytes_used(self, db: Connection) -> int:
        """On the disk, indexes included."""
        ...


class ContentFile:
    """In one SQLite file. What is deleted there is overwritten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = False

    @property
    def name(self) -> str:
        return str(self.path.absolute())

    def prepare(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            close(open(self.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
            with self._connected() as db:
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
                db.execute("PRAGMA journal_mode = WAL")
                migrate.migrate(db, SQLITE)
        except OSError as error:
            raise StoreError(f"{self.path.name}: {error}") from error
        self._made = True

    def reading(self) -> AbstractContextManager[Connection | None]:
        return reading(self.path)

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        if not self._made or not self.path.exists():
            self.prepare()
        with self._connected() as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def shrink(self) -> None:
        """Gives free pages back, and empties the log, so that what was deleted is nowhere in the file's neighbourhood."""
        with self._connected() as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA incremental_vacuum").fetchall()
            with suppress(sqlite3.OperationalError):  # somebody reads: another time
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def index(self, db: Connection, texts: Index) -> None:
        db.executemany("INSERT INTO content_index (rowid, words) VALUES (?, ?)", texts)

    def forget(self, db: Connection, texts: Index) -> None:
        db.executemany("INSERT INTO content_index (content_index, rowid, words) VALUES ('delete', ?, ?)", texts)

    def forget_all(self, db: Connection) -> None:
        db.execute("INSERT INTO content_index (content_index) VALUES ('delete-all')")

    def found(self, terms: list[tuple[list[str], bool]]) -> tuple[str, str]:
        query = " AND ".join(f'"{" ".join(words)}"{"*" if prefix else ""}' for words, prefix in terms)
        return "id IN (SELECT rowid FROM content_index WHERE content_index MATCH ?)", query

    def bytes_used(self, db: Connection) -> int:
        ((pages,),) = db.execute("PRAGMA page_count").fetchall()
        ((free,),) = db.execute("PRAGMA freelist_count").fetchall()
        ((size,),) = db.execute("PRAGMA page_size").fetchall()
        return int((pages - free) * size)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path, timeout=CHANGE_TIMEOUT_S, isolation_level=None)
            try:
                yield db
            finally:
                db.close()  # rolls back what was not committed
        except sqlite3.Error as error:
            raise StoreError(f"{self.path.name}: {error}") from error


@cache
def content_database(address: str) -> ContentDatabase:
    """Of the ledger's address. Raises StoreError where the driver is missing."""
    if address.startswith(POSTGRES):
        try:
            from gw.ledger.postgres_content import PostgresContent  # noqa: PLC0415 - an extra, and nobody else is to load it
        except ImportError as error:
            raise StoreError(f"Postgres needs a driver ({error}): pip install 'gw[postgres]'") from error
        return PostgresContent(address)
    return ContentFile(path_of(address).with_name(FILE))


def numbered(db: Connection, name: str) -> int:
    """A counter or mark; 0 if it was never set."""
    found: Any = db.execute("SELECT value FROM content_meta WHERE name = ?", (name,)).fetchone()
    return int(found[0]) if found else 0


def mark(db: Connection, name: str, value: int) -> None:
    db.execute(
        "INSERT INTO content_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def count(db: Connection, name: str, more: int) -> None:
    db.execute(
        "INSERT INTO content_meta (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = content_meta.value + excluded.value",
        (name, more),
    )
