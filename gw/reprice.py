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
from gw.prices import book_of
from gw.pricing.book import UNPRICED, PriceBook
from gw.pricing.reading import reading_of
from gw.pricing.sync import best_file

NO_PRICE = "its model has no price"
NO_USAGE = "what it used is not known"
NO_UPSTREAM = "its upstream is no longer configured"


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
            model=record.sent_model or record.requested_model,
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
