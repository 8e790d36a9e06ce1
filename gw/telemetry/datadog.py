"""Calls for Datadog: spans of its LLM Observability (HTTP API of its documentation, as of 2026), and what its Agent counts
(DogStatsD).

A span of the kind `llm` per call: `metrics` holds tokens and costs, `meta.metadata` the model and what gw knows besides,
`tags` who it was for. Datadog estimates costs itself where none are given; gw's are given, in USD, so its figures are the
ledger's. Spans older than a day are not taken there: those are counted as refused.
"""

import asyncio
import logging
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from gw import __version__, clock
from gw.config.telemetry_model import Datadog
from gw.domain.call import CallRecord
from gw.ledger.store import Database
from gw.telemetry.attributes import (
    IDENTITIES,
    US_PER_S,
    Attribute,
    Naming,
    Place,
    error_of,
    failed,
    lasted_s,
    operation_of,
    read_tokens,
    usd_value,
    waited_s,
    written_tokens,
)
from gw.telemetry.feed import Feed
from gw.telemetry.post import Post, revealed, shown
from gw.telemetry.sampling import sampled, span_of, trace_of

SPANS_CURSOR, STATSD_CURSOR = "datadog", "datadog-statsd"
PATH = "/api/intake/llm-obs/v1/trace/spans"
JSON = {"content-type": "application/json"}
SPANS_MAX = 250  # of a request: it must stay below 5 MB
OLDEST_US = 24 * 3600 * US_PER_S
NO_PARENT = "undefined"
NS_PER_US = 1000
DATAGRAM_BYTES = 1432  # what goes through any network in one piece; a Unix socket takes more
STATSD_ROWS = 1000
# Tags of metrics, which are few; spans carry all that may be told.
METRIC_TAGS = ("key", "team", "customer", "project")
PROVIDERS = {"aws.bedrock": "bedrock", "gcp.vertex_ai": "google", "gcp.gemini": "google", "azure.ai.openai": "azure_openai"}

_log = logging.getLogger("gw.telemetry")


class Settings(NamedTuple):
    datadog: Datadog
    places: Mapping[str, Place]


class Encoder:
    """Calls as what Datadog takes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        datadog = settings.datadog
        self.naming = Naming(settings.places, datadog.identities)
        self.tags = [f"{name}:{value}" for name, value in revealed(datadog.tags).items()]

    def spans(self, records: Iterable[CallRecord]) -> list[dict[str, Any]]:
        """Of `messages` alone; those that are sampled."""
        share = self._settings.datadog.sample
        return [self.span(one) for one in records if one.endpoint == "messages" and sampled(one, share)]

    def request(self, spans: Sequence[dict[str, Any]]) -> bytes:
        tags = [f"service:{self._settings.datadog.ml_app}", f"version:{__version__}", *self.tags]
        attributes = {"ml_app": self._settings.datadog.ml_app, "tags": tags, "spans": spans}
        return orjson.dumps({"data": {"type": "span", "attributes": attributes}})

    def span(self, record: CallRecord) -> dict[str, Any]:
        metrics: dict[str, float] = {}
        if record.usage_source != "none":
            metrics |= _tokens(record) | _costs(record)
        if record.first_token_us and record.stream:
            metrics["time_to_first_token"] = waited_s(record)
        span: dict[str, Any] = {
            "name": f"{operation_of(record)} {record.requested_model}".rstrip(),
            "span_id": span_of(record),
            "trace_id": trace_of(record),
            "parent_id": record.parent_span_id or NO_PARENT,
            "start_ns": record.started_us * NS_PER_US,
            "duration": max(record.ended_us - record.started_us, 0) * NS_PER_US,
            "status": "error" if failed(record) else "ok",
            "meta": self._meta(record),
            "metrics": metrics,
            "tags": [f"{name}:{value}" for name, value in self._who(record)] + [f"outcome:{record.outcome}"],
        }
        if self.naming.allows("session") and record.session_id:
            span["session_id"] = record.session_id
        return span

    def _meta(self, record: CallRecord) -> dict[str, Any]:
        said = [(key, value) for key, value in self.naming.attributes(record) if isinstance(value, str | int | float)]
        metadata = {key: value for key, value in said if key.startswith("gw.")}
        metadata |= {
            "model_name": record.served_model or record.requested_model,
            "model_provider": self._provider(record),
            "stream": bool(record.stream),
        }
        if record.stop_reason:
            metadata["stop_reason"] = record.stop_reason
        meta: dict[str, Any] = {"kind": "llm", "metadata": metadata}
        if failed(record):
            meta["error"] = {"type": error_of(record), "message": f"{record.outcome} {record.status}"}
        return meta

    def _provider(self, record: CallRecord) -> str:
        provider = self.naming.place(record).provider
        return PROVIDERS.get(provider, provider)

    def _who(self, record: CallRecord, names: Iterable[str] = IDENTITIES) -> list[Attribute]:
        """(identity, value) of those that may be told."""
        found = []
        for name in names:
            value = getattr(record, str(IDENTITIES[name][0][1]))
            if value and self.naming.allows(name):
                found.append((name, value))
        return found

    def lines(self, records: Iterable[CallRecord]) -> list[bytes]:
        """DogStatsD: counts are summed over the records, times are a distribution each."""
        counts: dict[tuple[str, str], float] = {}
        times: list[bytes] = []
        for record in records:
            tags = [
                *self.tags,
                f"operation:{operation_of(record)}",
                f"model:{record.served_model or record.requested_model}",
                f"provider:{self._provider(record)}",
                *(f"{name}:{value}" for name, value in self._who(record, METRIC_TAGS)),
            ]
            common = ",".join(map(_tag, tags))
            ended = f"{common},{_tag(f'outcome:{record.outcome}')}"
            for name, tag, amount in _counts(record, common, ended):
                counts[name, tag] = counts.get((name, tag), 0) + amount
            times.append(f"gw.call.duration:{lasted_s(record):.6f}|d|#{ended}".encode())
            if record.first_token_us and not failed(record):
                times.append(f"gw.call.time_to_first_token:{waited_s(record):.6f}|d|#{common}".encode())
        return [f"{name}:{amount:.12g}|c|#{tag}".encode() for (name, tag), amount in counts.items()] + times


def _tokens(record: CallRecord) -> dict[str, float]:
    read = read_tokens(record)
    return {
        "input_tokens": read,
        "non_cached_input_tokens": record.input_tokens,
        "cache_read_input_tokens": record.cache_read_tokens,
        "cache_write_input_tokens": written_tokens(record),
        "output_tokens": record.output_tokens,
        "reasoning_output_tokens": record.thinking_tokens,
        "total_tokens": read + record.output_tokens,
    }


def _costs(record: CallRecord) -> dict[str, float]:
    """In USD. What is neither read nor written (tools, rounding) stands in the total alone."""
    written = record.cache_write_5m_pusd + record.cache_write_1h_pusd
    read = record.input_pusd + record.cache_read_pusd + written
    return {
        "input_cost": usd_value(read),
        "non_cached_input_cost": usd_value(record.input_pusd),
        "cache_read_input_cost": usd_value(record.cache_read_pusd),
        "cache_write_input_cost": usd_value(written),
        "output_cost": usd_value(record.output_pusd),
        "total_cost": usd_value(record.billed_pusd),
    }


def _counts(record: CallRecord, common: str, ended: str) -> Iterable[tuple[str, str, float]]:
    """(metric, tags, amount)."""
    yield "gw.calls", ended, 1
    if failed(record):
        yield "gw.errors", f"{common},{_tag(f'error:{error_of(record)}')}", 1
    if record.usage_source == "none":
        return
    for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
        if count := getattr(record, f"{name}_tokens"):
            yield "gw.tokens", f"{common},class:{name}", count
    yield "gw.cost", common, usd_value(record.billed_pusd)


def _tag(text: str) -> str:
    """Nothing in it may end a tag or a line."""
    return "".join("_" if char in ",|#\n\r" else char for char in text)[:200]


def datagrams(lines: Iterable[bytes], size: int = DATAGRAM_BYTES) -> list[bytes]:
    """As many lines in each as go in."""
    found: list[bytes] = []
    for line in lines:
        if found and len(found[-1]) + 1 + len(line) <= size:
            found[-1] += b"\n" + line
        else:
            found.append(line)
    return found


async def tell_spans(settings: Settings, database: Database) -> None:
    """Until cancelled. Raises StoreError, OSError."""
    datadog = settings.datadog
    if datadog.api_key.missing:
        raise OSError(f"[datadog] api_key: {datadog.api_key.reason}")
    encoder = Encoder(settings)
    url = (datadog.url or f"https://api.{datadog.site}") + PATH
    post = Post({"dd-api-key": datadog.api_key.reveal()}, timeout_s=datadog.timeout_s, ca_file=datadog.ca_file)

    async def deliver(records: list[CallRecord]) -> int:
        young_us = clock.wall_us() - OLDEST_US
        spans = await asyncio.to_thread(encoder.spans, [one for one in records if one.started_us >= young_us])
        refused = sum(1 for one in records if one.started_us < young_us)
        for at in range(0, len(spans), SPANS_MAX):
            some = spans[at : at + SPANS_MAX]
            answer = await post.send(url, encoder.request(some), JSON)
            if not answer.taken:
                _log.error("Datadog refuses spans, they are passed over: %s", shown(answer))
                refused += len(some)
        return refused

    try:
        await Feed(database, SPANS_CURSOR).run(deliver, datadog.interval_s)
    finally:
        await post.close()


async def tell_statsd(settings: Settings, database: Database) -> None:
    """Until cancelled. Raises StoreError, OSError: by a Unix socket it is heard whether an Agent is there, by UDP it mostly is
    not."""
    datadog = settings.datadog
    encoder = Encoder(settings)

    def deliver_now(records: list[CallRecord]) -> None:
        with _agent(datadog) as agent:
            for datagram in datagrams(encoder.lines(records)):
                agent.send(datagram)

    async def deliver(records: list[CallRecord]) -> int:
        await asyncio.to_thread(deliver_now, records)
        return 0

    await Feed(database, STATSD_CURSOR, STATSD_ROWS).run(deliver, datadog.interval_s)


def _agent(datadog: Datadog) -> socket.socket:
    """Raises OSError."""
    if datadog.statsd_socket:
        agent = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address: Any = datadog.statsd_socket
    else:
        found = socket.getaddrinfo(datadog.statsd_host, datadog.statsd_port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        agent = socket.socket(family, kind, protocol)
    try:
        agent.settimeout(datadog.timeout_s)
        agent.connect(address)
    except OSError:
        agent.close()
        raise
    return agent
