"""An address becomes a database: `sqlite:///gw.db`, or `postgresql://gw@db.example.com/gw` with the extra `gw[postgres]`."""

from functools import cache
from pathlib import Path

from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database, StoreError

POSTGRES = ("postgresql://", "postgres://")


@cache
def database_of(url: str) -> Database:
    """One per process and address, for it may keep connections. Raises ValueError for an address of neither kind, StoreError
    for one that libpq does not understand, or where the driver is missing."""
    if url.startswith(POSTGRES):
        try:
            from gw.ledger.postgres import PostgresDatabase  # noqa: PLC0415 - an extra, and nobody else is to load it
        except ImportError as error:
            raise StoreError(f"Postgres needs a driver ({error}): pip install 'gw[postgres]'") from error
        return PostgresDatabase(url)
    return SqliteDatabase(path_of(url))


def path_of(url: str) -> Path:
    """`sqlite:///gw.db` -> gw.db, `sqlite:////var/gw.db` -> /var/gw.db. Raises ValueError for any other scheme."""
    scheme, found, path = url.partition(":///")
    if scheme != "sqlite" or not found or not path:
        raise ValueError(f"not the address of a ledger: {url!r}; write sqlite:///FILE or postgresql://HOST/NAME")
    return Path(path)
