"""Conversations in Postgres: tables beside the ledger's, on connections of their own kind of change."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from gw.ledger import migrate
from gw.ledger.content import Index
from gw.ledger.migrate import Schema
from gw.ledger.postgres import SCHEMA, PostgresDatabase, Session, translated
from gw.ledger.store import Connection

KEEPING = 0x67770009  # advisory lock, beside those of gw.ledger.postgres: whoever adds or removes content
MIGRATIONS = Schema(
    migrate.DIRECTORY / "content_postgres",
    lambda script: (script,),
    "SELECT attname FROM pg_attribute WHERE FALSE",  # no table of these follows CallRecord
    migrate.POSTGRES.text,
    migrate.POSTGRES.integer,
)
POSITION_MAX = 16_383  # of a word in a tsvector
_RELATIONS = ("content_block", "content_call", "content_words", "content_index")


class PostgresContent(PostgresDatabase):
    """`gw.ledger.content.ContentDatabase`."""

    def prepare(self) -> None:
        with self._lent() as connection, _told(), connection.transaction():
            connection.execute("SET LOCAL lock_timeout = 60000")
            connection.execute(f"SELECT pg_advisory_xact_lock({KEEPING}, {SCHEMA})")
            migrate.apply(Session(connection), MIGRATIONS)
        self._made = True

    @contextmanager
    def reading(self) -> Iterator[Session | None]:
        with self._lent("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection, _told():
            if not self._made:
                self._made = connection.execute("SELECT to_regclass('content_meta')").fetchone() != (None,)
            yield Session(connection) if self._made else None
            connection.execute("ROLLBACK")

    @contextmanager
    def changing(self) -> Iterator[Session]:
        if not self._made:
            self.prepare()
        with self._lent("BEGIN") as connection, _told():
            connection.execute("SET LOCAL lock_timeout = 60000")
            connection.execute(f"SELECT pg_advisory_xact_lock({KEEPING}, {SCHEMA})")
            yield Session(connection)
            connection.execute("COMMIT")

    def index(self, db: Connection, texts: Index) -> None:
        rows = ((id_, vector(text)) for id_, text in texts)
        db.executemany("INSERT INTO content_index (id, words) VALUES (?, ?::tsvector)", rows)

    def forget(self, db: Connection, texts: Index) -> None:
        db.executemany("DELETE FROM content_index WHERE id = ?", ((id_,) for id_, _ in texts))

    def forget_all(self, db: Connection) -> None:
        db.execute("DELETE FROM content_index")

    def shrink(self) -> None:
        """Autovacuum does."""

    def found(self, terms: list[tuple[list[str], bool]]) -> tuple[str, str]:
        phrases = []
        for words, prefix in terms:
            quoted = [f"'{word}'" for word in words]
            phrases.append(" <-> ".join([*quoted[:-1], quoted[-1] + (":*" if prefix else "")]))
        return "id IN (SELECT id FROM content_index WHERE words @@ ?::tsquery)", " & ".join(f"({one})" for one in phrases)

    def bytes_used(self, db: Connection) -> int:
        total = 0
        for name in _RELATIONS:
            ((size,),) = db.execute("SELECT pg_total_relation_size(?::regclass)::bigint", (name,)).fetchall()
            total += int(size)
        return total


def vector(text: str) -> str:
    """The words with their places, as Postgres writes a tsvector: no parser of its own, so both databases find the same."""
    places: dict[str, list[str]] = {}
    for position, word in enumerate(text.split(), 1):
        known = places.setdefault(word, [])
        if len(known) < 255:
            known.append(str(min(position, POSITION_MAX)))
    return " ".join(f"'{word}':{','.join(these)}" for word, these in places.items())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error


