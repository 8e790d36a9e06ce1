"""The published table of Claude prices, row by row: all five classes, fast cards and the long-prompt tier."""

from decimal import Decimal

import pytest

from gw.domain.usage import Reading, Usage

from .conftest import NOW, us

TABLE = [
    # models, input / output, 5m / 1h write, read
    ("claude-fable-5-2 claude-mythos-5-2", "8/40", "10/16", "0.20"),
    ("claude-fable-5-1 claude-mythos-5-1", "10/50", "12.5/20", "0.25"),
    ("claude-fable-5 claude-mythos-5", "10/50", "12.5/20", "1.00"),
    ("claude-opus-5-5", "4/20", "5/8", "0.20"),
    ("claude-opus-5 claude-opus-4-8", "5/25", "6.25/10", "0.50"),
    ("claude-opus-4-7 claude-opus-4-6 claude-opus-4-5 claude-opus-4-5-20251101", "5/25", "6.25/10", "0.50"),
    ("claude-opus-4-1 claude-opus-4-1-20250805 claude-opus-4 claude-opus-4-20250514", "15/75", "18.75/30", "1.50"),
    ("claude-3-opus-20240229", "15/75", "18.75/30", "1.50"),
    ("claude-sonnet-5-5", "2/10", "2.5/4", "0.10"),
    ("claude-sonnet-5", "2/10", "2.5/4", "0.20"),
    ("claude-sonnet-4-6 claude-sonnet-4-5 claude-sonnet-4-5-20250929 claude-sonnet-4-20250514", "3/15", "3.75/6", "0.30"),
    ("claude-sonnet-4 claude-3-7-sonnet-20250219 claude-3-5-sonnet-20241022", "3/15", "3.75/6", "0.30"),
    ("claude-haiku-5-5", "0.10/0.50", "0.125/0.20", "0.01"),
    ("claude-haiku-4-5 claude-haiku-4-5-20251001", "1/5", "1.25/2", "0.10"),
    ("claude-3-5-haiku-20241022", "0.80/4", "1/1.60", "0.08"),
    ("claude-3-haiku-20240307", "0.25/1.25", "0.30/0.50", "0.03"),
]
ROWS = [(model, in_out, writes, read) for models, in_out, writes, read in TABLE for model in models.split()]
FAST = [
    ("claude-fable-5-2", "16/80", "20/32", "0.40"),
    ("claude-mythos-5-2", "16/80", "20/32", "0.40"),
    ("claude-opus-5-5", "8/40", "10/16", "0.40"),
    ("claude-opus-5", "10/50", "12.5/20", "1.00"),
    ("claude-opus-4-8", "10/50", "12.5/20", "1.00"),
]


def rates_seen(book, model, at_us=NOW, *, tokens=1000, **usage):
    """USD per million tokens of each class, measured by pricing tokens of that class alone."""
    seen = []
    for name in ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read"):
        reading = Reading(usage=Usage(**{f"{name}_tokens": tokens}, **usage))
        priced = book.price(provider="anthropic", upstream="a", region="", model=model, reading=reading, at_us=at_us)
        assert priced.flags == ()
        assert priced.list_pusd == priced.billed_pusd == getattr(priced, f"{name}_pusd")
        seen.append(Decimal(priced.billed_pusd) / tokens / 1_000_000)
    return seen


def printed(in_out, writes, read):
    return [Decimal(text) for text in (*in_out.split("/"), *writes.split("/"), read)]


@pytest.mark.parametrize(("model", "in_out", "writes", "read"), ROWS, ids=[row[0] for row in ROWS])
def test_row_of_the_table_has_its_five_rates(book, model, in_out, writes, read):
    assert rates_seen(book, model) == printed(in_out, writes, read)


@pytest.mark.parametrize(("model", "in_out", "writes", "read"), FAST, ids=[row[0] for row in FAST])
def test_fast_card_has_its_five_rates(book, model, in_out, writes, read):
    assert rates_seen(book, model, speed="fast") == printed(in_out, writes, read)


def test_haiku_5_5_above_100000_prompt_tokens_costs_five_times_as_much(book):
    def cost(**usage):
        reading = Reading(usage=Usage(**usage))
        return book.price(
            provider="anthropic", upstream="a", region="", model="claude-haiku-5-5", reading=reading, at_us=NOW
        ).billed_pusd

    assert cost(input_tokens=100_000, output_tokens=10**6) == 100_000 * 100_000 + 500_000 * 10**6
    assert cost(input_tokens=100_001) == 100_001 * 500_000
    assert cost(cache_read_tokens=100_001) == 100_001 * 50_000
    assert cost(cache_write_5m_tokens=100_001) == 100_001 * 625_000
    assert cost(cache_write_1h_tokens=100_001) == 100_001 * 1_000_000
    assert cost(input_tokens=1, cache_read_tokens=100_000, output_tokens=7) == 500_000 + 100_000 * 50_000 + 7 * 2_500_000


@pytest.mark.parametrize("row", [row for row in ROWS if row[0] != "claude-haiku-5-5"], ids=lambda row: row[0])
def test_all_others_are_flat_at_any_length(book, row):
    assert rates_seen(book, row[0], tokens=1_000_000) == printed(*row[1:])


def test_sonnet_5_5_reads_cost_twice_as_much_until_2026_10_06(book):
    before, after = us("2026-10-06T23:59"), us("2026-10-07")
    assert rates_seen(book, "claude-sonnet-5-5", before)[4] == Decimal("0.20")
    assert rates_seen(book, "claude-sonnet-5-5", after)[4] == Decimal("0.10")
    assert rates_seen(book, "claude-sonnet-5-5", before)[:4] == rates_seen(book, "claude-sonnet-5-5", after)[:4]


def test_4_6_had_a_long_prompt_tier_until_2026_03_12(book):
    before, after = us("2026-03-12T23:59"), us("2026-03-13")
    assert rates_seen(book, "claude-opus-4-6", before, tokens=200_001)[0] == Decimal(10)
    assert rates_seen(book, "claude-opus-4-6", after, tokens=200_001)[0] == Decimal(5)
    assert rates_seen(book, "claude-sonnet-4-6", before, tokens=200_001)[0] == Decimal(6)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_batch_halves_every_class_of_every_model(book, row):
    seen = rates_seen(book, row[0], service_tier="batch")
    assert seen == [rate / 2 for rate in printed(*row[1:])]
