"""The same test on both databases: the fixture `database` is an empty ledger in each of them, one after the other."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from gw.ledger.database import database_of
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from tests.support.postgres import Cluster

if TYPE_CHECKING:
    from gw.ledger.postgres import PostgresDatabase

TEMPLATE = "gw_template"
_numbers = count()


class Server:
    """The cluster of this run; a database of its own for whoever asks."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.cluster.start()
        self._command(f"CREATE DATABASE {TEMPLATE}")
        made = database_of(self.cluster.url(TEMPLATE))
        made.prepare()
        made.close()

    def fresh(self, *, template: str = TEMPLATE) -> str:
        """The address of a new database, with the tables in it."""
        name = f"t{next(_numbers)}"
        self._command(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.cluster.url(name)

    def drop(self, url: str) -> None:
        self._command(f"DROP DATABASE {url.partition(':///')[2].partition('?')[0]} WITH (FORCE)")

    def _command(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.cluster.remove()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server that may be killed."""
    found = Cluster()
    found.start()
    yield found
    found.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Nothing in it; of SQLite there is not even a file."""
    if request.param == "sqlite":
        yield SqliteDatabase(tmp_path / "gw.db")
        return
    yield from on_server(request.getfixturevalue("server"))


def on_server(server: Server) -> Iterator[Database]:
    url = server.fresh()
    made = database_of(url)
    yield made
    made.close()
    server.drop(url)


def query(database: Database, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Rows as they are now; none if there is no ledger yet."""
    with database.reading() as db:
        return [] if db is None else db.execute(statement, values).fetchall()


def address_of(database: Database) -> str:
    """As the configuration has it."""
    return f"sqlite:///{database.path}" if isinstance(database, SqliteDatabase) else cast("PostgresDatabase", database).url
