"""The ledger in Postgres: the same tables, the same SQL, by psycopg.

Why psycopg 3: reports, sums and definitions are plain functions over a connection that looks like sqlite3's, which asyncpg has
not; it speaks COPY; and what it takes is libpq's own: several hosts, TLS, password files, services, with libpq's own words.

A connection that has done its work is kept for the next use; one that died meanwhile is noticed at its first statement, and
another takes its place. Where nobody answers, that is remembered for a moment, so that a request does not wait for what the one
before it has waited for.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict

from gw import clock
from gw.ledger import migrate, rollup, rollup_fold
from gw.ledger.glob import regex_of
from gw.ledger.store import Cursor, Dialect, StoreError, Unreachable

if TYPE_CHECKING:
    from gw.ledger.postgres_store import PostgresStore

VERSION_MIN = 15
CONNECT_S = 3
IDLE_MAX = 4  # connections kept
REFUSED_NS = 1_000_000_000  # for so long nobody asks again where nobody answered
# What the address may say otherwise. A peer that is gone without a word is given up after 20 s, by both sides.
DEFAULTS = {
    "connect_timeout": str(CONNECT_S),
    "application_name": "gw",
    "client_encoding": "UTF8",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "20000",
}
# By milliseconds. A commit is the only copy of its rows once their journal segment is gone: whatever the server's default, it
# must not be answered before it is safe on the server's disk.
SESSION = """
SET TIME ZONE 'UTC';
SET lock_timeout = 2000;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2; SET tcp_user_timeout = 20000;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""
# Advisory locks, each with the schema as its second half, so that two ledgers may share a database.
MIGRATING, CHANGING, WRITING, AHEAD = 0x67770001, 0x67770002, 0x67770003, 0x67770004
SCHEMA = "hashtext(current_schema())"


class PostgresDatabase:
    """`gw.ledger.store.Database` in a Postgres database, in the first schema of the connection's search path."""

    dialect = Dialect(whole_table="", glob="~ ?", pattern=regex_of)

    def __init__(self, url: str) -> None:
        self.url = url
        self._parameters = parameters_of(url)
        self._lock = Lock()
        self._idle: list[psycopg.Connection] = []
        self._pid = os.getpid()
        self._refused: tuple[int, str] = (0, "")  # until when, and in what words
        self._made = False  # the tables are there

    @property
    def name(self) -> str:
        return name_of(self._parameters)

    @property
    def parameters(self) -> dict[str, Any]:
        """For a connection of another kind."""
        return dict(self._parameters)

    def is_new(self) -> bool:
        return False  # whoever made the database knows that it is there

    def prepare(self) -> None:
        """Raises StoreError, also for a server that is too old or keeps text in another encoding than UTF-8."""
        with self._lent() as connection, _translated(), connection.transaction():
            _check(connection)
            connection.execute("SET LOCAL lock_timeout = 60000")  # whoever migrates now is soon done
            connection.execute(f"SELECT pg_advisory_xact_lock({MIGRATING}, {SCHEMA})")
            migrate.apply(Session(connection), migrate.POSTGRES)
            more = rollup_fold.is_due(Session(connection))
        self._fold(more=more)
        self._made = True

    def _fold(self, *, more: bool) -> None:
        """What an older ledger holds, into its rollups."""
        known = rollup.Known()
        while more:
            with self._lent() as connection, _translated(), connection.transaction():
                connection.execute("SET LOCAL lock_timeout = 60000")
                connection.execute(f"SELECT pg_advisory_xact_lock({MIGRATING}, {SCHEMA})")
                more = rollup_fold.fold(Session(connection), known)

    def store(self) -> "PostgresStore":
        from gw.ledger.postgres_store import PostgresStore  # noqa: PLC0415 - it needs this file

        return PostgresStore(self)

    @contextmanager
    def reading(self) -> Iterator["Session | None"]:
        with self._lent("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection, _translated():
            if not self._made:
                self._made = connection.execute("SELECT to_regclass('schema_migration')").fetchone() != (None,)
            yield Session(connection) if self._made else None
            connection.execute("ROLLBACK")

    @contextmanager
    def changing(self) -> Iterator["Session"]:
        """One after the other; calls are written beside it."""
        if not self._made:
            self.prepare()
        with self._lent("BEGIN") as connection, _translated():
            connection.execute(f"SELECT pg_advisory_xact_lock({CHANGING}, {SCHEMA})")
            yield Session(connection)
            connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        if self._pid == os.getpid():  # a forked child leaves its parent's connections alone
            for connection in idle:
                with suppress(psycopg.Error):
                    connection.close()

    # --- connections --------------------------------------------------------------------------------------------------

    @contextmanager
    def _lent(self, begin: str = "SELECT 1") -> Iterator[psycopg.Connection]:
        """A connection on which `begin` was said. It goes back if it is at rest in the end, else it is closed."""
        connection = self._take(begin)
        try:
            yield connection
        except BaseException:
            with suppress(psycopg.Error):
                connection.rollback()
            raise
        finally:
            self._put(connection)

    def _take(self, begin: str) -> psycopg.Connection:
        while (kept := self._kept()) is not None:
            try:
                kept.execute(begin)
            except psycopg.Error:  # it died while nobody used it, and the others did so too, as a rule
                kept.close()
                continue
            return kept
        connection = self._connect()
        with _translated():
            connection.execute(begin)
        return connection

    def _kept(self) -> psycopg.Connection | None:
        with self._lock:
            if self._pid != os.getpid():  # forked: what stands there is the parent's
                self._idle, self._pid = [], os.getpid()
            return self._idle.pop() if self._idle else None

    def _put(self, connection: psycopg.Connection) -> None:
        if not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            with self._lock:
                if len(self._idle) < IDLE_MAX:
                    self._idle.append(connection)
                    return
        with suppress(psycopg.Error):
            connection.close()

    def _connect(self) -> psycopg.Connection:
        until_ns, words = self._refused
        if clock.mono_ns() < until_ns:
            raise Unreachable(words)
        try:
            connection = psycopg.connect(**self._parameters, autocommit=True)
        except psycopg.Error as error:
            refusal = unreachable(error)
            self._refused = clock.mono_ns() + REFUSED_NS, str(refusal)
            raise refusal from error
        with _translated():
            connection.adapters.register_loader("numeric", WholeNumber)
            connection.execute(SESSION)
        return connection


class Session:
    """A connection of psycopg's under the words of `gw.ledger.store.Connection`."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Cursor:
        if not values:
            return self._connection.execute(query.encode())
        return self._connection.execute(placeholders(query), values)

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> object:
        self._connection.cursor().executemany(placeholders(query), rows)
        return None


class WholeNumber(Loader):
    """Sums are NUMERIC, and integers: whoever selects another NUMERIC gets a ValueError."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


@lru_cache(maxsize=256)
def placeholders(query: str) -> bytes:
    """`?` -> `%s`. Bytes, for psycopg takes text only if it is a literal; these queries are put together from our own words."""
    return query.replace("%", "%%").replace("?", "%s").encode()


def parameters_of(url: str) -> dict[str, Any]:
    """What libpq is told: the address, and DEFAULTS where it is silent. Raises StoreError, without libpq's own words: they quote
    what may be a part of a password."""
    try:
        return {**DEFAULTS, **conninfo_to_dict(url)}
    except psycopg.Error:
        raise StoreError("[storage] url is no address that libpq understands: are special characters written as %XX?") from None


def name_of(parameters: dict[str, Any]) -> str:
    """`postgresql://gw@db.example.com:5432/gw`: what a log may say."""
    user = f"{parameters['user']}@" if parameters.get("user") else ""
    port = f":{parameters['port']}" if parameters.get("port") else ""
    return f"postgresql://{user}{parameters.get('host') or ''}{port}/{parameters.get('dbname') or ''}"


def unreachable(error: Exception) -> Unreachable:
    return Unreachable(f"Postgres: {one_line(error)}")


def translated(error: psycopg.Error) -> StoreError:
    """An error of a connection that was there. Its end, or the server's, says that nobody answers; all else is about what was
    asked."""
    gone = isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08")[:2] in ("08", "57", "53")
    return (Unreachable if gone else StoreError)(f"Postgres: {one_line(error)}")


def one_line(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip()) or type(error).__name__


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error


def _check(connection: psycopg.Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(f"Postgres: the database keeps text in {encoding}; make one with ENCODING 'UTF8'")
    version = connection.info.server_version // 10_000
    if version < VERSION_MIN:
        raise StoreError(f"Postgres: version {version} is too old; it must be {VERSION_MIN} or newer")
