"""Addresses of ledgers."""

import sys
from pathlib import Path

import pytest

from gw.ledger import database
from gw.ledger.database import database_of, path_of
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import StoreError


@pytest.fixture(autouse=True)
def forgotten() -> None:
    database_of.cache_clear()


def test_addresses_of_files() -> None:
    assert path_of("sqlite:///gw.db") == Path("gw.db") and path_of("sqlite:////var/gw.db") == Path("/var/gw.db")
    for wrong in ("gw.db", "sqlite:///", "sqlite://gw.db", "mysql://h/gw"):
        with pytest.raises(ValueError, match="not the address of a ledger"):
            database_of(wrong)


def test_one_address_is_one_database() -> None:
    first = database_of("sqlite:////var/gw.db")
    assert isinstance(first, SqliteDatabase) and first.path == Path("/var/gw.db") and first.name == "/var/gw.db"
    assert database_of("sqlite:////var/gw.db") is first


def test_without_its_driver_postgres_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gw.ledger.postgres", None)
    with pytest.raises(StoreError, match=r"pip install 'gw\[postgres\]'"):
        database_of("postgresql:///gw")


def test_no_address_means_postgres_to_one_and_sqlite_to_another() -> None:
    assert all(scheme.endswith("://") for scheme in database.POSTGRES)
