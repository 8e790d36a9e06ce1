"""One price book of the embedded data for all tests."""

from datetime import UTC, datetime

import pytest

from gw.pricing.book import PriceBook
from gw.pricing.catalog import decode
from gw.pricing.source import SNAPSHOT, read_data


def us(text: str) -> int:
    """`"2026-11-20"` or `"2026-11-20T12:00"` -> UTC microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW = us("2026-11-20T12:00")


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.load()


@pytest.fixture(scope="session")
def catalog():
    return decode(*read_data(SNAPSHOT))
