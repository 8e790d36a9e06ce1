"""What a call of the ledger costs by the prices in force: of its row alone, by the code that priced it.

A row says all that prices look at: tokens by class, iterations, tier, speed, data residency, searches, the models, when and for
whom. Whether a refusal had any content stands in its flags, as does a charge that the provider itself has named, which stays.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from gw.config.model import Config, Upstream
from gw.domain.call import CallRecord
from gw.domain.price import Priced
from gw.domain.usage import Iteration, Reading, Usage
from gw.prices import book_of
from gw.pricing.book import UNPRICED, PriceBook
from gw.pricing.sync import best_file

NO_PRICE = "its model has no price"
NO_USAGE = "what it used is not known"
NO_UPSTREAM = "its upstream is no longer configured"

_iterations = msgspec.json.Decoder(tuple[Iteration, ...])


class Place(NamedTuple):
    """What decides about prices of an upstream, besides its name."""

    provider: str
    region: str


class Pricer:
    """One price book, and the upstreams that are configured now."""

    def __init__(self, book: PriceBook, upstreams: Iterable[Upstream]) -> None:
        self._book = book
        self._places: Mapping[str, Place] = {one.name: Place(one.provider, one.region) for one in upstreams}

    def price(self, record: CallRecord) -> Priced | str:
        """Its price, or why there is none; then what it has cost stays."""
        flags = record.usage_flags.split(",")
        place = self._places.get(record.upstream)
        if place is None:
            return NO_UPSTREAM
        if "settle_failed" in flags:
            return NO_USAGE
        try:
            reading = reading_of(record)
        except msgspec.MsgspecError:
            return NO_USAGE
        priced = self._book.price(
            provider=place.provider,
            upstream=record.upstream,
            region=place.region,
            model=record.requested_model,
            reading=reading,
            at_us=record.started_us,
            key=record.key_name,
            team=record.team,
            exact_pusd=record.list_pusd if "provider_charge" in flags else None,
        )
        return NO_PRICE if priced.price_version == UNPRICED else priced


def pricer_of(config: Config) -> Pricer:
    """By the prices in force: those that were fetched last, or built in, under the overrides of the configuration. Raises
    ValueError, OSError."""
    return Pricer(book_of(config.pricing, best_file(Path(config.server.state_dir))), config.upstream)


def reading_of(record: CallRecord) -> Reading:
    """What was billed, as the tap had read it. Raises msgspec.MsgspecError."""
    usage = Usage(
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cache_read_tokens=record.cache_read_tokens,
        cache_write_5m_tokens=record.cache_write_5m_tokens,
        cache_write_1h_tokens=record.cache_write_1h_tokens,
        thinking_tokens=record.thinking_tokens,
        web_search_requests=record.web_search_requests,
        web_fetch_requests=record.web_fetch_requests,
        code_execution_requests=record.code_execution_requests,
        service_tier=record.service_tier,
        speed=record.speed,
        inference_geo=record.inference_geo,
        iterations=_iterations.decode(record.iterations) if record.iterations else (),
    )
    return Reading(
        usage=usage,
        started=True,
        finished=True,
        final_usage=True,
        model=record.served_model,
        stop_reason=record.stop_reason,
        content_empty="refusal_free" in record.usage_flags.split(","),
    )
