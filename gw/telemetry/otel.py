"""The duties of `[otel]`: spans and events of every call, and metrics, to one collector, each with a cursor of its own."""

import asyncio
import logging
from collections.abc import Mapping
from typing import NamedTuple

from gw import __version__, clock
from gw.config.telemetry_model import Otel
from gw.domain.call import CallRecord
from gw.ledger.store import Database
from gw.telemetry.attributes import Attribute, Naming, Place
from gw.telemetry.feed import Feed
from gw.telemetry.otlp import Encoder
from gw.telemetry.otlp_metrics import Metrics
from gw.telemetry.post import Answer, Post, revealed, shown
from gw.telemetry.protobuf import Malformed, Partial, partial_of

PROTOBUF = {"content-type": "application/x-protobuf"}
CALLS_CURSOR, METRICS_CURSOR = "otel", "otel-metrics"
METRIC_ROWS = 5000

_log = logging.getLogger("gw.telemetry")


class Settings(NamedTuple):
    """All that the duties are made of."""

    otel: Otel
    places: Mapping[str, Place]
    instance: str  # the resource attribute service.instance.id


class Collector:
    """Where it all goes."""

    def __init__(self, otel: Otel) -> None:
        self._endpoint = otel.endpoint
        self.post = Post(revealed(otel.headers), timeout_s=otel.timeout_s, ca_file=otel.ca_file, compress=otel.gzip)

    async def send(self, signal: str, body: bytes, count: int) -> int:
        """How many of them were refused for good. Raises Unavailable."""
        answer = await self.post.send(f"{self._endpoint}/v1/{signal}", body, PROTOBUF)
        if not answer.taken:
            _log.error("the collector refuses %s, they are passed over: %s", signal, shown(answer))
            return count
        try:
            partial = partial_of(signal, answer.body)
        except Malformed:  # some answer with a text; taken it is all the same
            return 0
        if partial != Partial():
            said = shown(Answer(answer.status, partial.said.encode()))
            _log.warning("the collector took all but %d %s: %s", partial.refused, signal, said)
        return partial.refused


def resource_of(settings: Settings) -> list[Attribute]:
    found: dict[str, Attribute] = {
        "service.name": ("service.name", settings.otel.service_name),
        "service.version": ("service.version", __version__),
        "service.instance.id": ("service.instance.id", settings.instance),
    }
    found |= {name: (name, value) for name, value in revealed(settings.otel.resource).items()}
    return list(found.values())


async def tell_calls(settings: Settings, database: Database) -> None:
    """Until cancelled. Raises StoreError, OSError."""
    otel = settings.otel
    naming = Naming(settings.places, otel.identities)
    encoder = Encoder(naming, resource_of(settings), otel.sample, traces=otel.traces, logs=otel.logs)
    collector = Collector(otel)

    async def deliver(records: list[CallRecord]) -> int:
        parcel = await asyncio.to_thread(encoder.parcel, records)
        refused = await collector.send("traces", parcel.spans, parcel.span_count) if parcel.spans else 0
        return refused + (await collector.send("logs", parcel.events, len(records)) if parcel.events else 0)

    try:
        await Feed(database, CALLS_CURSOR).run(deliver, otel.interval_s)
    finally:
        await collector.post.close()


class MetricsTeller:
    """What it has counted outlives a failure to send it, so that nothing is counted twice for it; one per settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics: Metrics | None = None
        self._feed: Feed | None = None

    async def run(self, database: Database) -> None:
        """Until cancelled. Raises StoreError, OSError."""
        otel = self._settings.otel
        if self._feed is None or self._metrics is None:
            feed = Feed(database, METRICS_CURSOR, METRIC_ROWS)
            await feed.begin()
            naming = Naming(self._settings.places, otel.identities)
            delta = otel.temporality == "delta"
            self._feed, self._metrics = feed, Metrics(naming, resource_of(self._settings), clock.wall_us(), delta=delta)
        collector = Collector(otel)
        try:
            while True:
                await self._tell(self._feed, self._metrics, collector)
                await asyncio.sleep(otel.metrics_interval_s)
        finally:
            await collector.post.close()

    async def _tell(self, feed: Feed, metrics: Metrics, collector: Collector) -> None:
        while True:
            records = await feed.read()
            await asyncio.to_thread(metrics.add, records)
            if len(records) < METRIC_ROWS:
                break
        now_us = clock.wall_us()
        if body := metrics.request(now_us):
            refused = await collector.send("metrics", body, 1)
            metrics.taken(now_us)
            await feed.taken(refused)
