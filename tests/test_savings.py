"""What routing has saved, by hand: at Opus 5.5 and Haiku 5.5 of the built-in prices."""

from pathlib import Path
from typing import Any

import pytest

from gw.config.load import parse
from gw.domain.call import CallRecord
from gw.prices import book_of
from gw.reprice import Pricer
from gw.savings import kept_warm, reason_of, savings
from tests.ledger.records import NOON_US, record

OPUS, HAIKU, MINUTE = "claude-opus-5-5", "claude-haiku-5-5", 60_000_000
UPSTREAMS = ["anthropic", "other"]


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    config = parse('[[upstream]]\nname = "anthropic"\n[[upstream]]\nname = "other"\n', "c", Path("/base"), {}).config
    return Pricer(book_of(config.pricing, None), config.upstream)


def call(nth: int, sent: str = "", **values: Any) -> CallRecord:
    begun = NOON_US + nth * MINUTE
    asked: dict[str, Any] = {"requested_model": OPUS, "served_model": sent or OPUS, "session_id": "s", "price_version": "x"}
    if sent:
        asked |= {"sent_model": sent, "route": "rule:night shift shadow:ban: deny"}
    return record(f"c{nth}", started_us=begun, ended_us=begun + 1_000_000, **{**asked, **values})


def usd(millionths: int) -> int:
    return millionths * 1_000_000


def test_a_cold_call_saves_the_difference_of_the_prices(pricer: Pricer) -> None:
    """1,000 in and 500 out: 4,000 + 10,000 micro-USD with Opus, 100 + 250 with Haiku."""
    (found,) = savings([[call(0, HAIKU, input_tokens=1_000, output_tokens=500, billed_pusd=usd(350))]], pricer.price, UPSTREAMS)
    assert (found.reason, found.calls, found.switches) == ("rule:night shift", 1, 0)
    assert (found.gross_pusd, found.loss_pusd, found.net_pusd) == (usd(13_650), 0, usd(13_650))


def test_a_switch_in_a_warm_session_loses_what_had_to_be_written_again(pricer: Pricer) -> None:
    """Opus had 50,000 in its cache. Haiku writes them (6,250 micro-USD); Opus would have written them for 250,000, or read them
    for 10,000: so 240,000 of what seems saved never was there to save."""
    first = call(0, input_tokens=0, cache_write_5m_tokens=50_000, billed_pusd=usd(250_000))
    switched = call(1, HAIKU, cache_write_5m_tokens=50_000, billed_pusd=usd(6_250))
    (found,) = savings([[first, switched]], pricer.price, UPSTREAMS)
    assert (found.switches, found.lost_tokens) == (1, 50_000)
    assert (found.gross_pusd, found.loss_pusd, found.net_pusd) == (usd(243_750), usd(240_000), usd(3_750))


def test_going_back_loses_too(pricer: Pricer) -> None:
    first = call(0, HAIKU, cache_write_5m_tokens=50_000, billed_pusd=usd(6_250))
    back = call(1, cache_write_5m_tokens=50_000, billed_pusd=usd(250_000))
    (found,) = savings([[first, back]], pricer.price, UPSTREAMS)
    assert (found.calls, found.switches, found.loss_pusd) == (1, 1, usd(240_000))
    assert found.net_pusd == usd(243_750 - 240_000)


def test_agents_have_conversations_of_their_own(pricer: Pricer) -> None:
    first = call(0, cache_write_5m_tokens=50_000, billed_pusd=usd(250_000))
    agent = call(1, HAIKU, cache_write_5m_tokens=50_000, billed_pusd=usd(6_250), agent_id="a")
    (found,) = savings([[first, agent]], pricer.price, UPSTREAMS)
    assert (found.switches, found.loss_pusd) == (0, 0)


def test_an_alias_without_a_price_is_compared_with_the_model_that_is_named(pricer: Pricer) -> None:
    rows = [[call(0, HAIKU, requested_model="auto", input_tokens=1_000, billed_pusd=usd(100))]]
    (found,) = savings(rows, pricer.price, UPSTREAMS)
    assert (found.calls, found.unpriced, found.gross_pusd) == (1, 1, 0)
    (found,) = savings(rows, pricer.price, UPSTREAMS, baseline=OPUS)
    assert (found.unpriced, found.gross_pusd) == (0, usd(3_900))


def test_a_model_that_the_upstream_does_not_sell_has_its_price_elsewhere(pricer: Pricer) -> None:
    rows = [[call(0, HAIKU, upstream="gone", input_tokens=1_000, billed_pusd=usd(100))]]
    assert savings(rows, pricer.price, UPSTREAMS)[0].gross_pusd == usd(3_900)


def test_what_is_kept_warm_is_what_was_written_first() -> None:
    one = call(0, input_tokens=100, cache_write_5m_tokens=50, cache_write_1h_tokens=20, cache_read_tokens=7)
    warm = kept_warm(one, 80)
    assert (warm.cache_write_5m_tokens, warm.cache_write_1h_tokens, warm.input_tokens, warm.cache_read_tokens) == (0, 0, 90, 87)
    assert kept_warm(one, 10**6).cache_read_tokens == 177


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        ("complexity:0.31->haiku", "complexity"),
        ("complexity:0.31->haiku kept:opus", "complexity"),
        ("rule:a b rule:c", "rule:a b"),
        ("tier:haiku complexity:0.2->haiku", "tier:haiku"),
        ("route:claude-*", "route:claude-*"),
    ],
)
def test_reasons_are_grouped_by_what_decided(route: str, reason: str) -> None:
    assert reason_of(route) == reason
