"""The most that a call can cost: nothing that an answer may report on a body is ever billed at more."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import Weight, weigh
from gw.admit.card import OUTPUT_MAX
from gw.admit.estimate import GENERATIONS_MAX, Estimator, most_pusd
from gw.admit.hold import NOTHING
from gw.domain.estimate import scale_of
from gw.domain.usage import Iteration, Reading, Usage
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override, PartialRates
from gw.providers.usage_dialects import merged, usage_from
from tests.admit.weighing import BOOK, NOW, tariff, weight

# The published table: a prompt of 200,000 tokens written for an hour, and the output that Claude Code allows.
TABLE = [
    ("claude-opus-5-5", 0, "4.16"),
    ("claude-fable-5-2", 0, "8.32"),
    ("claude-fable-5-2", 1, "16.64"),
    ("claude-sonnet-5-5", 0, "2.08"),
    ("claude-haiku-5-5", 0, "0.52"),
]


def worst_nusd(body: Weight, model: str, **where: Any) -> int:
    return Estimator().estimate(tariff(model, **where), body, model, "key", "s", "", NOW).worst_nusd


@pytest.mark.parametrize(("model", "fast", "usd"), TABLE)
def test_the_bound_is_what_the_price_list_makes_of_the_tokens(model: str, fast: int, usd: str) -> None:
    body = weight(bound_bytes=200_000, output_cap=128_000, ttl=60, geo=1, fast=fast)
    assert worst_nusd(body, model) == round(float(usd) * 1e9)


# What else is in a body -> what it adds to the bound, in micro-USD on Opus 5.5 (4 in, 5 and 8 written, 20 out per MTok).
WINDOW, OTHERS_IN, OTHERS_OUT = 1_000_000, tariff("claude-opus-5-5").others.input, tariff("claude-opus-5-5").others.output
ADDITIONS: list[tuple[str, dict[str, int], int]] = [
    ("where it runs is not said", {"geo": 0}, 1_200_000 // 10),
    ("it runs at home", {"geo": 2}, 1_200_000 // 10),
    ("marks for five minutes", {"ttl": 5}, 100_000),
    ("marks for an hour", {"ttl": 60}, 400_000),
    ("fast speed", {"fast": 1}, 1_200_000),
    ("no cap", {"output_cap": -1}, (OUTPUT_MAX - 40_000) * 20),
    ("a cap beyond the window", {"output_cap": 10**15}, (WINDOW - 40_000) * 20),
    ("a hundred blocks", {"blocks": 100}, 100 * 16 * 4),
    ("ten tools", {"tools": 10}, (1_000 + 10 * 64) * 4),
    ("a tool of the provider", {"tools": 1, "defined_tools": 1}, (1_000 + 64 + 8_000) * 4),
    ("an image", {"images": 1}, 4_784 * 4),
    ("a PDF, which may fill the window", {"documents": 1}, (WINDOW - 100_000) * 4),
    ("a reference, which may fill it too", {"references": 1}, (WINDOW - 100_000) * 4),
    ("more text than a window", {"bound_bytes": 9_000_000}, (WINDOW - 100_000) * 4),
    ("a search tool", {"server_tools": 1, "searches_cap": 8}, (GENERATIONS_MAX - 1) * WINDOW * 4 + 80_000),
    ("a compaction", {"compaction": 1}, (100_000 + OUTPUT_MAX) * 4 + OUTPUT_MAX * 20),
    ("one that runs anywhere", {"compaction": 1, "geo": 0}, 120_000 + ((100_000 + OUTPUT_MAX) * 4 + OUTPUT_MAX * 20) * 11 // 10),
    ("a fallback", {"fallbacks": 1}, (100_000 * OTHERS_IN + 40_000 * OTHERS_OUT) // 10**6),
    (
        "an advisor",
        {"server_tools": 1, "advisor_uses": 2},
        (GENERATIONS_MAX - 1) * WINDOW * 4 + 2 * (WINDOW * OTHERS_IN + OUTPUT_MAX * OTHERS_OUT) // 10**6,
    ),
]


@pytest.mark.parametrize(("more", "micro_usd"), [case[1:] for case in ADDITIONS], ids=[case[0] for case in ADDITIONS])
def test_the_bound_grows_by(more: dict[str, int], micro_usd: int) -> None:
    plain = weight(bound_bytes=100_000, output_cap=40_000, geo=1)
    assert worst_nusd(plain._replace(**more), "claude-opus-5-5") == 1_200_000_000 + micro_usd * 1_000


def test_an_old_model_has_an_old_window() -> None:
    body = weight(bound_bytes=5_000_000, output_cap=0, geo=1)
    assert worst_nusd(body, "claude-haiku-4-5") == 200_000 * 1_000
    assert worst_nusd(body, "claude-sonnet-4-6") == 1_000_000 * 3_000


def test_the_probable_cost_is_never_above_the_bound() -> None:
    of = Estimator()
    body = weight(text_bytes=10, bound_bytes=10, output_cap=1, blocks=1)
    of.learn(NOTHING, body, Usage(input_tokens=900_000, output_tokens=100_000), "claude-opus-5-5", "key", "s", "", NOW)
    found = of.estimate(tariff("claude-opus-5-5"), body, "claude-opus-5-5", "key", "s", "", NOW)
    assert found.typical_nusd == found.worst_nusd


# -- every published or invoiced example


def case_body(case: dict[str, Any], usage: Usage) -> bytes:
    """A body that can have been answered so: its text as short as the tokens allow, and nothing in it that it did not use."""
    prompts = [usage, *usage.iterations]
    longest = max(
        one.input_tokens + one.cache_read_tokens + one.cache_write_5m_tokens + one.cache_write_1h_tokens for one in prompts
    )
    kinds = [entry.type for entry in usage.iterations]
    body: dict[str, Any] = {"model": case["model"], "messages": [{"role": "user", "content": "x" * longest}]}
    body["max_tokens"] = usage.output_tokens
    if usage.cache_write_5m_tokens or usage.cache_write_1h_tokens:
        body["cache_control"] = {"type": "ephemeral", "ttl": "1h" if usage.cache_write_1h_tokens else "5m"}
    if usage.speed:
        body["speed"] = usage.speed
    if usage.web_search_requests:
        body["tools"] = [{"type": "web_search_20260318", "name": "web_search", "max_uses": usage.web_search_requests}]
    if "advisor_message" in kinds:
        body["tools"] = [{"type": "advisor_20260301", "name": "advisor", "max_uses": kinds.count("advisor_message")}]
    if "compaction" in kinds:
        body["context_management"] = {"edits": [{"type": "compact_20260112"}]}
    if "fallback_message" in kinds:
        body["fallbacks"] = [{"model": "claude-opus-4-8"}]
    return json.dumps(body).encode()


CASES = json.loads((Path(__file__).parents[1] / "pricing" / "cost_cases.json").read_text())
# A charge that the provider states as a sum says nothing of tokens.
CASES = [case for case in CASES if "cost_in_usd_ticks" not in case["usage"]]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_published_example_stays_within_the_bound_of_its_body(case: dict[str, Any]) -> None:
    flags, raw, provider, model = case["flags"], case["usage"], case["provider"], case["model"]
    if "message_start" in raw:
        raw = merged(raw["message_start"], raw["message_deltas"])
    usage, _ = usage_from(provider, flags.get("api", ""), raw)
    rates = flags.get("rate_override")
    book = PriceBook.load(overrides=[Override(name="given", model=model, rates=PartialRates(**rates))] if rates else [])
    at_us = int(datetime.fromisoformat(flags["at"]).timestamp()) * 1_000_000
    body = weigh(case_body(case, usage))
    found = most_pusd(tariff(model, provider, flags.get("region", ""), book=book, at_us=at_us), body, scale_of(model))
    assert found >= int(case["expected_pico_usd"])


# -- any usage that a body can have

MODELS = (
    ("anthropic", "", "claude-opus-5-5"),
    ("anthropic", "", "claude-haiku-5-5"),
    ("anthropic", "", "claude-haiku-4-5"),
    ("anthropic", "", "claude-fable-5-2"),
    ("vertex", "us-east5", "claude-sonnet-5-5"),
    ("bedrock", "us-east-1", "us.anthropic.claude-opus-4-6-v1"),
    ("openai", "", "gpt-5.5"),
)
BOOKS = (
    BOOK,
    PriceBook.load(overrides=[Override(name="a", multiplier="1.2345"), Override(name="b", model="*4*", multiplier="0.1")]),
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Of everything that changes the bound, some."""
    body: dict[str, Any] = {"max_tokens": draw(st.integers(0, 200_000))}
    text = draw(st.sampled_from(["x", "é", "漢", "\n", '"'])) * draw(st.integers(0, 3_000))
    content: list[Any] = [{"type": "text", "text": text}]
    for _ in range(draw(st.integers(0, 2))):
        content.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}})
    ttl = draw(st.sampled_from([None, "5m", "1h"]))
    if ttl:
        content[0]["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    body["messages"] = [{"role": "user", "content": content}]
    body["system"] = "s" * draw(st.integers(0, 500))
    for key, values in (("speed", ["standard", "fast"]), ("inference_geo", ["us", "global"]), ("container", ["c"])):
        if draw(st.booleans()):
            body[key] = draw(st.sampled_from(values))
    tools: list[dict[str, Any]] = []
    if draw(st.booleans()):
        tools.append({"type": "web_search_20250305", "name": "web_search", "max_uses": draw(st.integers(0, 5))})
    if draw(st.booleans()):
        tools.append({"type": "advisor_20260301", "name": "advisor", "max_uses": draw(st.integers(0, 3))})
    body["tools"] = tools
    if draw(st.booleans()):
        body["context_management"] = {"edits": [{"type": "compact_20260112"}]}
    if draw(st.booleans()):
        body["fallbacks"] = [{"model": "claude-opus-4-8"}, {"model": "claude-sonnet-4-6"}]
    return body


class Answer:
    """Draws a usage that the provider may report on a body."""

    def __init__(self, draw: st.DrawFn, body: dict[str, Any], model: str) -> None:
        self.draw, self.body = draw, body
        self.scale = scale_of(model)
        parts = body["messages"][0]["content"]
        self.first = len(parts[0]["text"].encode()) + len(body["system"]) + self.scale.image_max * (len(parts) - 1)
        self.first = self.scale.window if "container" in body else min(self.first, self.scale.window)
        self.ttl = parts[0].get("cache_control", {}).get("ttl")
        self.output_left = min(body["max_tokens"], self.scale.window)

    def split(self, kind: str, prompt: int, output: int, model: str = "") -> Iteration:
        """A prompt divided among the ways to bill it that the body allows."""
        cuts = sorted(self.draw(st.integers(0, prompt)) for _ in range(3))
        read, five, hour = cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]
        if self.ttl != "1h":
            five, hour = five + hour, 0
        if self.ttl is None:
            read, five = read + five, 0
        return Iteration(kind, model, prompt - read - five - hour, output, read, five + hour, five, hour)

    def generation(self, kind: str, limit: int, model: str = "") -> Iteration:
        output = self.draw(st.integers(0, self.output_left))
        self.output_left -= output
        return self.split(kind, self.draw(st.integers(limit // 2, limit)), output, model)

    def iterations(self) -> list[Iteration]:
        body, window = self.body, self.scale.window
        entries = [self.generation("message", self.first)]
        for _ in range(self.draw(st.integers(0, 10)) if body["tools"] else 0):
            entries.append(self.generation("message", window))
        if "context_management" in body:
            entries.insert(0, self.split("compaction", self.first, self.draw(st.integers(0, OUTPUT_MAX))))
        for tool in body["tools"]:
            for _ in range(tool["max_uses"] if tool["name"] == "advisor" else 0):
                output = self.draw(st.integers(0, OUTPUT_MAX))
                entries.append(self.split("advisor_message", 1_000_000, output, "claude-fable-5-2"))
        if "fallbacks" in body and self.draw(st.booleans()):
            self.output_left = body["max_tokens"]
            entries.append(self.generation("fallback_message", self.first, "claude-opus-4-8"))
        return entries

    def usage(self) -> Usage:
        entries = self.iterations()
        own = [entry for entry in entries if entry.type == "message"]
        fast = self.body.get("speed") == "fast" and self.draw(st.booleans())
        geos = ["global"] if self.body.get("inference_geo") == "global" else ["us", "global", "not_available"]
        searches = sum(tool["max_uses"] for tool in self.body["tools"] if tool["name"] == "web_search")
        return Usage(
            sum(entry.input_tokens for entry in own),
            sum(entry.output_tokens for entry in own),
            sum(entry.cache_read_tokens for entry in own),
            sum(entry.cache_write_5m_tokens for entry in own),
            sum(entry.cache_write_1h_tokens for entry in own),
            web_search_requests=searches,
            speed="fast" if fast else "standard",
            inference_geo=self.draw(st.sampled_from(geos)),
            service_tier=self.draw(st.sampled_from(["standard", "priority", ""])),
            iterations=tuple(entries) if len(entries) > 1 or self.draw(st.booleans()) else (),
        )


@settings(max_examples=400, deadline=None)
@given(data=st.data(), book=st.sampled_from(BOOKS), where=st.sampled_from(MODELS))
def test_no_answer_to_a_body_costs_more_than_its_bound(data: st.DataObject, book: PriceBook, where: tuple[str, str, str]) -> None:
    provider, region, model = where
    body = data.draw(bodies())
    usage = Answer(data.draw, body, model).usage()
    terms = book.terms(provider, provider, region, model, "", "", NOW)
    priced = book.charge(terms, Reading(usage=usage, started=True, final_usage=True, content_empty=False), NOW)
    assert provider == "openai" or "unpriced_iteration" not in priced.flags
    prices = book.tariff(terms)
    assert prices is not None
    found = Estimator().estimate(prices, weigh(json.dumps(body).encode()), model, "key", "s", "", NOW)
    assert -(-priced.billed_pusd // 1_000) <= found.worst_nusd
    assert 0 <= found.typical_nusd <= found.worst_nusd
