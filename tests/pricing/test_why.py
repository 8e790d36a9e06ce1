"""Why a call cost what it did: the lines add up to what the book billed, and an old version is not guessed at."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from gw.domain.call import CallRecord
from gw.domain.money import pusd_from_usd
from gw.domain.usage import Reading, Usage
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override
from gw.pricing.why import why
from tests.ledger.records import NOON_US, record

NEGOTIATED = Override(name="deal", upstream="anthropic", model="claude-opus-4-1*", multiplier="0.85")
MODELS = ("claude-opus-5-5", "claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805", "claude-haiku-4-5-20251001")
USAGES: list[dict[str, Any]] = [
    {"input_tokens": 1200, "output_tokens": 340, "cache_read_tokens": 48_000, "cache_write_5m_tokens": 7},
    {"input_tokens": 3, "output_tokens": 1, "cache_write_1h_tokens": 99, "web_search_requests": 2},
    {"input_tokens": 250_000, "output_tokens": 1},
    {"input_tokens": 10, "output_tokens": 10, "inference_geo": "us"},
    {"input_tokens": 10, "output_tokens": 10, "speed": "fast"},
    {},
]


def priced(book: PriceBook, model: str, usage: dict[str, Any]) -> CallRecord:
    """The row of such a call."""
    reading = Reading(usage=Usage(**usage), started=True, model=model, content_empty=False)
    found = book.price(provider="anthropic", upstream="anthropic", region="", model=model, reading=reading, at_us=NOON_US)
    amounts = {name: getattr(found, name) for name in ("list_pusd", "billed_pusd", "price_version")}
    flags = ",".join(found.flags)
    return record("c", requested_model=model, served_model=model, started_us=NOON_US, usage_flags=flags, **usage, **amounts)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("usage", USAGES, ids=range(len(USAGES)))
def test_the_lines_add_up_to_what_was_billed(model: str, usage: dict[str, Any]) -> None:
    book = PriceBook.load(overrides=[NEGOTIATED])
    row = priced(book, model, usage)
    found = why(book, row, "anthropic", "")
    assert found.known and found.agrees and found.total_pusd == row.billed_pusd, found
    assert abs(sum(Decimal(part.amount_usd) for part in found.parts) * 10**12 - row.billed_pusd) < 1
    for part in found.parts:
        assert Decimal(part.rate_usd) * part.count * Decimal(part.factor) == Decimal(part.amount_usd)
    names = {one.name for one in found.multipliers}
    assert ("negotiated" in names) == ("opus-4-1" in model) and bool(found.override) == ("opus-4-1" in model)
    assert found.source.startswith("genai-prices-") and "+overlay-" in found.source and found.card.startswith("anthropic/")


def test_a_version_that_is_gone_is_said_not_guessed() -> None:
    row = priced(PriceBook.load(overrides=[NEGOTIATED]), "claude-opus-4-1-20250805", USAGES[0])
    found = why(PriceBook.load(), row, "anthropic", "")
    assert not found.known and "not in force any more" in found.said and found.override.startswith("deal:") and not found.parts
    assert not why(PriceBook.load(overrides=[NEGOTIATED]), row, "", "").known, "its upstream is gone"


SAID = [
    ({"usage_source": "none", "price_version": ""}, "nothing was billed"),
    ({"price_version": "unpriced"}, "no price"),
    ({"usage_flags": "provider_charge"}, "the provider named the charge"),
    ({"usage_flags": "refusal_free"}, "refused before any content"),
    ({"iterations": "[not json"}, "cannot be read"),
]


@pytest.mark.parametrize(("changes", "said"), SAID, ids=[said for _, said in SAID])
def test_what_has_no_rates_says_why(changes: dict[str, Any], said: str) -> None:
    book = PriceBook.load()
    found = why(book, replace(priced(book, MODELS[0], USAGES[0]), **changes), "anthropic", "")
    assert not found.known and said in found.said


def test_compaction_is_a_line_of_its_own() -> None:
    book = PriceBook.load()
    row = priced(book, MODELS[0], USAGES[0])
    found = why(book, replace(row, iterations='[["compaction","",500,20,0,0,0,0]]'), "anthropic", "")
    assert [part.count for part in found.parts if part.extra] == [500, 20] and not found.agrees
    assert pusd_from_usd(found.parts[0].amount_usd) == pusd_from_usd(found.parts[0].rate_usd) * found.parts[0].count
