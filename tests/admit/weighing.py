"""What the tests of the estimate share: one price book, tariffs by model, weights by field."""

from datetime import UTC, datetime
from typing import Any

from gw._fast import Weight
from gw.domain.tariff import Tariff
from gw.pricing.book import PriceBook

NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1_000_000
BOOK = PriceBook.load()
EMPTY = Weight(**dict.fromkeys(Weight._fields, 0))._replace(output_cap=-1)


def tariff(model: str, provider: str = "anthropic", region: str = "", *, book: PriceBook = BOOK, at_us: int = NOW) -> Tariff:
    found = book.tariff(book.terms(provider, provider, region, model, "", "", at_us))
    assert found is not None
    return found


def weight(**fields: Any) -> Weight:
    return EMPTY._replace(**fields)
