"""One price book of the embedded data for all tests."""

from datetime import UTC, datetime

import pytest

from gw.domain.usage import Reading
from gw.pricing.book import PriceBook
from gw.pricing.catalog import decode
from gw.pricing.source import SNAPSHOT, read_data


def us(text: str) -> int:
    """`"2026-11-20"` or `"2026-11-20T12:00"` -> UTC microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW = us("2026-11-20T12:00")
MILLION = 10**6


def price(book, usage, *, model="claude-opus-5-5", provider="anthropic", region="", at_us=NOW, reading=None, **more):
    reading = Reading(usage=usage, started=True, content_empty=False, **(reading or {}))
    return book.price(provider=provider, upstream="up", region=region, model=model, reading=reading, at_us=at_us, **more)


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.load()


@pytest.fixture(scope="session")
def catalog():
    return decode(*read_data(SNAPSHOT))
