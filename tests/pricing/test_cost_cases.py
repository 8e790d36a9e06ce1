"""Every published or invoiced example is priced to the pico-dollar."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from gw.domain.usage import Reading
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override, PartialRates
from gw.providers.usage_dialects import merged, usage_from

CASES = json.loads((Path(__file__).parent / "cost_cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case_costs_exactly_what_the_provider_charges(case):
    flags = case["flags"]
    raw = case["usage"]
    if "message_start" in raw:
        raw = merged(raw["message_start"], raw["message_deltas"])
    usage, exact_pusd = usage_from(case["provider"], flags.get("api", ""), raw)
    reading = Reading(
        usage=usage,
        started=True,
        finished=True,
        final_usage=True,
        model=flags.get("response_model", case["model"]),
        stop_reason=flags.get("stop_reason", "end_turn"),
        content_empty=flags.get("content_empty", False),
    )
    rates = flags.get("rate_override")
    overrides = [Override(name="given", model=case["model"], rates=PartialRates(**rates))] if rates else []
    priced = PriceBook.load(overrides=overrides).price(
        provider=case["provider"],
        upstream=case["provider"],
        region=flags.get("region", ""),
        model=case["model"],
        reading=reading,
        at_us=int(datetime.fromisoformat(flags["at"]).timestamp()) * 1_000_000,
        batch=flags.get("batch", False),
        exact_pusd=exact_pusd,
    )
    assert priced.billed_pusd == int(case["expected_pico_usd"])
    assert "unpriced" not in priced.flags
    if not rates:
        assert priced.list_pusd == priced.billed_pusd
