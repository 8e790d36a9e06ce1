"""Random usages against a slow oracle in fractions, written from the printed price table and the printed rules alone."""

from fractions import Fraction as F

from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain.usage import Iteration, Reading, Usage
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override, PartialRates

from .conftest import NOW

# input, output, read, 5m write, 1h write; USD per million tokens
STANDARD = {
    "claude-fable-5-2": "8 40 0.20 10 16",
    "claude-opus-5-5": "4 20 0.20 5 8",
    "claude-opus-4-6": "5 25 0.50 6.25 10",
    "claude-sonnet-4-5": "3 15 0.30 3.75 6",
    "claude-haiku-5-5": "0.10 0.50 0.01 0.125 0.20",
    "claude-3-haiku-20240307": "0.25 1.25 0.03 0.30 0.50",
}
LONG = {"claude-haiku-5-5": "0.50 2.50 0.05 0.625 1.00"}
FAST = {"claude-fable-5-2": "16 80 0.40 20 32", "claude-opus-5-5": "8 40 0.40 10 16"}
GEO = {"claude-fable-5-2", "claude-opus-5-5", "claude-opus-4-6", "claude-haiku-5-5"}
REGIONAL = GEO | {"claude-sonnet-4-5"}
MODELS = sorted(STANDARD)
NAMES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def card(text):
    return [F(rate) for rate in text.split()]


def oracle(model, usage, *, region, batch, multiplier, own_rates, list_price):
    """Exact pico-USD as a fraction."""
    geo = usage.inference_geo == "us" and not region
    batch = batch or usage.service_tier == "batch"

    def tokens_cost(name, counts, *, executor):
        rates = card(STANDARD[name])
        if name in LONG and counts[0] + counts[2] + counts[3] + counts[4] > 100_000:
            rates = card(LONG[name])
        fast = executor and usage.speed == "fast" and name in FAST and not batch
        if fast:
            rates = card(FAST[name])
        if region and name in REGIONAL:
            rates = [rate * F("1.1") for rate in rates]
        if not list_price and own_rates and not fast:
            rates = [F(own_rates[key]) if key in own_rates else rate for key, rate in zip(NAMES, rates, strict=True)]
        total = sum((F(count) * rate for count, rate in zip(counts, rates, strict=True)), F(0)) * 10**6
        if geo and name in GEO:
            total *= F("1.1")
        if batch:
            total /= 2
        return total if list_price or not multiplier else total * F(multiplier)

    top = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )

    def split(entry):
        rest = entry.cache_write_tokens - entry.cache_write_5m_tokens - entry.cache_write_1h_tokens
        all_1h = top[4] > 0 and top[3] == 0
        return (
            entry.input_tokens,
            entry.output_tokens,
            entry.cache_read_tokens,
            entry.cache_write_5m_tokens + (0 if all_1h else rest),
            entry.cache_write_1h_tokens + (rest if all_1h else 0),
        )

    messages = [split(entry) for entry in usage.iterations if entry.type == "message"]
    if messages and tuple(map(sum, zip(*messages, strict=True))) == top:
        total = sum(tokens_cost(model, counts, executor=True) for counts in messages)
    else:
        total = tokens_cost(model, top, executor=True)
    for entry in usage.iterations:
        if entry.type == "compaction":
            total += tokens_cost(model, split(entry), executor=True)
        elif entry.type == "advisor_message":
            total += tokens_cost(entry.model, split(entry), executor=False)
    return total + usage.web_search_requests * F("0.01") * 10**12


counts = st.one_of(st.integers(0, 200), st.integers(0, 300_000))


@st.composite
def iterations(draw, kind):
    writes = draw(counts)
    write_1h = draw(st.integers(0, writes))
    write_5m = writes - write_1h
    if kind != "message" and draw(st.booleans()):
        write_5m = write_1h = 0  # the response gave a total only
    model = draw(st.sampled_from(MODELS)) if kind == "advisor_message" else ""
    return Iteration(kind, model, draw(counts), draw(counts), draw(counts), writes, write_5m, write_1h)


@st.composite
def usages(draw):
    messages = draw(st.lists(iterations("message"), max_size=3))
    extras = draw(st.lists(st.one_of(iterations("compaction"), iterations("advisor_message")), max_size=2))
    if messages and draw(st.booleans()):
        names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
        top = {name: sum(getattr(entry, name) for entry in messages) for name in names}
    else:
        messages = []
        top = {f"{name}_tokens": draw(counts) for name in NAMES}
    return Usage(
        **top,
        web_search_requests=draw(st.integers(0, 3)),
        inference_geo=draw(st.sampled_from(["", "us", "global", "not_available"])),
        speed=draw(st.sampled_from(["", "standard", "fast"])),
        service_tier=draw(st.sampled_from(["", "standard", "batch", "priority"])),
        iterations=tuple(draw(st.permutations([*messages, *extras]))),
    )


OWN = [None, {"input": "1.234567"}, {"output": "7.7", "cache_read": "0.000001", "cache_write_5m": "0", "cache_write_1h": "9"}]
MULTIPLIERS = [None, "0.85", "1.1", "0.333333333", "0.000000001", "17"]
BOOKS = {
    (m, o): PriceBook.load(
        overrides=[Override(name="deal", multiplier=MULTIPLIERS[m], rates=PartialRates(**OWN[o]) if OWN[o] is not None else None)]
        if m or o
        else []
    )
    for m in range(len(MULTIPLIERS))
    for o in range(len(OWN))
    if not (m and o)
}
parts_of = (
    "input_pusd",
    "output_pusd",
    "cache_read_pusd",
    "cache_write_5m_pusd",
    "cache_write_1h_pusd",
    "tools_pusd",
    "other_pusd",
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(MODELS), usages(), st.booleans(), st.booleans(), st.sampled_from(sorted(BOOKS)))
def test_any_usage_costs_what_the_oracle_says(model, usage, regional, batch, terms):
    multiplier, own_rates = MULTIPLIERS[terms[0]], OWN[terms[1]]
    provider, region = ("vertex", "us-east5") if regional else ("anthropic", "")
    priced = BOOKS[terms].price(
        provider=provider, upstream="u", region=region, model=model, reading=Reading(usage=usage), at_us=NOW, batch=batch
    )
    more = {"region": region, "batch": batch, "multiplier": multiplier, "own_rates": own_rates}
    assert priced.list_pusd == round(oracle(model, usage, list_price=True, **more))
    assert priced.billed_pusd == round(oracle(model, usage, list_price=False, **more))
    parts = [getattr(priced, name) for name in parts_of]
    assert sum(parts) == priced.billed_pusd
    assert min(parts) >= 0


@given(st.sampled_from(MODELS), usages(), st.sampled_from(NAMES), st.integers(1, 1000), st.sampled_from(sorted(BOOKS)))
def test_more_tokens_never_cost_less(model, usage, name, more, terms):
    def billed(one):
        reading = Reading(usage=one)
        return BOOKS[terms].price(provider="anthropic", upstream="u", region="", model=model, reading=reading, at_us=NOW)

    flat = {field: getattr(usage, field) for field in usage.__struct_fields__ if field != "iterations"}
    grown = {**flat, f"{name}_tokens": flat[f"{name}_tokens"] + more}
    before, after = billed(Usage(**flat)), billed(Usage(**grown))
    assert after.list_pusd >= before.list_pusd
    assert after.billed_pusd >= before.billed_pusd
