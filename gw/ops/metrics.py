"""Metrics that workers count: one place derives them from the finished call, one sums them over all workers.

Each worker adds to its own counters in the state file (single writer, no lock, ~50 ns a word); gw/ops/metrics_page.py makes the
page of their sums, so any worker answers for all. The layout is the literal list below: names are stable, positions are not.
"""

import json
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gw import __version__, clock
from gw._fast import Counters, Laps
from gw.domain.call import Endpoint, Outcome
from gw.domain.money import PUSD_PER_USD
from gw.domain.settled import Settled
from gw.errors import REFUSALS
from gw.ops.state import Own, StateFile, Word

ENDPOINTS: tuple[str, ...] = get_args(Endpoint)
OUTCOMES: tuple[str, ...] = get_args(Outcome)
SLUGS = (*REFUSALS, "other")
TOKEN_CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
SOURCES = ("exact", "observed", "estimated", "none")
BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000)

# gw's own time for a call, by what it does; the first are governance: what a plain proxy would not do.
PARTS = ("auth", "peek", "plan", "admit", "settle", "record", "relay")
AUTH, PEEK, PLAN, ADMIT, SETTLE, RECORD, RELAY = range(len(PARTS))
GOVERNANCE = RELAY
LAPS = 8  # sums that Laps keeps
OVERHEAD_NS = tuple(
    int(us * 1000) for us in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 250, 500, 1_000, 10_000)
)

Word64 = int  # compiled, a C integer: metrics.pxd

COST_MAX = 1 << 60  # a call of more than a million USD is a provider's garbage, which must not overflow a counter

CALLS = 0  # [endpoint][outcome]
REFUSED = CALLS + len(ENDPOINTS) * len(OUTCOMES)  # [slug]
TOKENS = REFUSED + len(SLUGS)  # [class]
SOURCE = TOKENS + len(TOKEN_CLASSES)  # [source]
LIST_NUSD = SOURCE + len(SOURCES)  # nano-USD: int64 pico-USD would overflow at 9.2 million USD
BILLED_NUSD = LIST_NUSD + 1
UNPRICED = BILLED_NUSD + 1
RETRIES = UNPRICED + 1
DURATION = RETRIES + 1  # [bucket] + sum of ms
FIRST_TOKEN = DURATION + len(BUCKETS_MS) + 2
OVERHEAD = FIRST_TOKEN + len(BUCKETS_MS) + 2  # as Laps.record has it: of all parts, of governance, and a sum for each part
COUNTERS = OVERHEAD + 2 * (len(OVERHEAD_NS) + 2) + LAPS

_CALL_AT = {
    (endpoint, outcome): CALLS + e * len(OUTCOMES) + o
    for e, endpoint in enumerate(ENDPOINTS)
    for o, outcome in enumerate(OUTCOMES)
}
_OUTCOMES_AT = {endpoint: {outcome: _CALL_AT[endpoint, outcome] for outcome in OUTCOMES} for endpoint in ENDPOINTS}
_SLUG_AT = {slug: REFUSED + at for at, slug in enumerate(SLUGS)}
_SOURCE_AT = {source: SOURCE + at for at, source in enumerate(SOURCES)}


def observe(counters: Counters, call: Settled) -> None:
    """Adds one finished call to the worker's own counters."""
    counters.add(_OUTCOMES_AT[call.endpoint][call.outcome], 1)
    if call.error:
        counters.add(_SLUG_AT.get(call.error, _SLUG_AT["other"]), 1)
    if call.endpoint != "messages":
        return
    counters.add(_SOURCE_AT[call.usage_source], 1)
    counters.add(TOKENS, call.input_tokens)
    counters.add(TOKENS + 1, call.output_tokens)
    counters.add(TOKENS + 2, call.cache_read_tokens)
    counters.add(TOKENS + 3, call.cache_write_5m_tokens)
    counters.add(TOKENS + 4, call.cache_write_1h_tokens)
    if 0 <= call.list_pusd < COST_MAX and 0 <= call.billed_pusd < COST_MAX:
        listed: Word64 = call.list_pusd
        billed: Word64 = call.billed_pusd
        counters.add(LIST_NUSD, listed // 1000)
        counters.add(BILLED_NUSD, billed // 1000)
    if call.unpriced:
        counters.add(UNPRICED, 1)
    if call.retries:
        counters.add(RETRIES, call.retries)
    _observe_time(counters, DURATION, call.ended_us - call.started_us)
    if call.first_token_us:
        _observe_time(counters, FIRST_TOKEN, call.first_token_us - call.started_us)


def _observe_time(counters: Counters, base: Word64, microseconds: Word64) -> None:
    """The wall clock may go backwards, a counter may not."""
    milliseconds = max(0, microseconds // 1000)
    at = 0
    for bound in BUCKETS_MS:
        if milliseconds <= bound:
            break
        at += 1
    counters.add(base + at, 1)
    counters.add(base + len(BUCKETS_MS) + 1, milliseconds)


def observe_overhead(counters: Counters, laps: Laps) -> None:
    """Once for each call."""
    laps.record(counters, OVERHEAD, OVERHEAD_NS, GOVERNANCE)


def timing_text(laps: Laps) -> bytes:
    """The parts so far, as `x-gw-timing` says them: in milliseconds, like a Server-Timing header."""
    return ", ".join(f"{name};dur={laps[part] / 1_000_000:.4f}" for part, name in enumerate(PARTS)).encode()


def refuse(counters: Counters, slug: str) -> None:
    """A refusal that leaves no row (unknown path, wrong method)."""
    counters.add(_SLUG_AT[slug], 1)


class StateCollector(Collector):
    """Reads the state file at each scrape."""

    def __init__(self, state: StateFile) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        total = self._state.counter_sum
        calls = CounterMetricFamily("gw_calls", "Finished calls by endpoint and outcome", labels=["endpoint", "outcome"])
        for (endpoint, outcome), at in _CALL_AT.items():
            calls.add_metric([endpoint, outcome], total(at))
        yield calls
        errors = CounterMetricFamily("gw_errors", "Calls that ended in an error, by slug", labels=["error"])
        for slug, at in _SLUG_AT.items():
            errors.add_metric([slug], total(at))
        yield errors
        tokens = CounterMetricFamily("gw_tokens", "Tokens by price class", labels=["class"])
        for at, name in enumerate(TOKEN_CLASSES):
            tokens.add_metric([name], total(TOKENS + at))
        yield tokens
        sources = CounterMetricFamily("gw_usage_source", "How the usage of messages calls is known", labels=["source"])
        for source, at in _SOURCE_AT.items():
            sources.add_metric([source], total(at))
        yield sources
        cost = CounterMetricFamily("gw_cost_usd", "Cost of finished calls, whole nano-USD per call", labels=["kind"])
        cost.add_metric(["list"], _usd(total(LIST_NUSD)))
        cost.add_metric(["billed"], _usd(total(BILLED_NUSD)))
        yield cost
        yield CounterMetricFamily("gw_unpriced_calls", "Calls of a model without a price", value=total(UNPRICED))
        yield CounterMetricFamily("gw_upstream_retries", "Upstream attempts repeated on a fresh connection", value=total(RETRIES))
        yield self._seconds("gw_call_duration_seconds", "Start of a messages call to its end", DURATION)
        yield self._seconds("gw_first_token_seconds", "Start of a messages call to its first token", FIRST_TOKEN)
        yield from self._overhead()
        yield from self._gauges()

    def _seconds(self, name: str, text: str, base: int) -> HistogramMetricFamily:
        running, buckets = 0, []
        for at, bound in enumerate(BUCKETS_MS):
            running += self._state.counter_sum(base + at)
            buckets.append((str(bound / 1000), running))
        running += self._state.counter_sum(base + len(BUCKETS_MS))
        buckets.append(("+Inf", running))
        return HistogramMetricFamily(
            name, text, buckets=buckets, sum_value=self._state.counter_sum(base + len(BUCKETS_MS) + 1) / 1000
        )

    def _overhead(self) -> Iterator[Metric]:
        """The histogram of the whole, and of governance alone."""
        text = "gw's own work per call: entry to upstream write, and upstream end to client end, without waiting"
        found = HistogramMetricFamily("gw_overhead_seconds", text, labels=["part"])
        size = len(OVERHEAD_NS) + 2
        for at, part in ((OVERHEAD, "all"), (OVERHEAD + size, "governance")):
            counts = accumulate(self._state.counter_sum(at + bucket) for bucket in range(size - 1))
            bounds = [str(bound / 1_000_000_000) for bound in OVERHEAD_NS] + ["+Inf"]
            sum_s = self._state.counter_sum(at + size - 1) / 1_000_000_000
            found.add_metric([part], list(zip(bounds, counts, strict=True)), sum_s)
        yield found
        parts = CounterMetricFamily("gw_overhead_part_seconds", "Of that, by what gw does", labels=["part"])
        for nth, name in enumerate(PARTS):
            parts.add_metric([name], self._state.counter_sum(OVERHEAD + 2 * size + nth) / 1_000_000_000)
        yield parts

    def _gauges(self) -> Iterator[Metric]:
        state = self._state
        yield GaugeMetricFamily("gw_in_flight", "Calls running now", value=state.sum_own(Own.IN_FLIGHT))
        yield GaugeMetricFamily("gw_workers", "Workers alive", value=len(state.live_blocks()))
        yield GaugeMetricFamily("gw_draining", "1 while the gateway is stopping", value=int(bool(state.words[Word.DRAINING])))
        yield GaugeMetricFamily(
            "gw_snapshot_version", "Version of the configuration in force", value=state.words[Word.SNAPSHOT_VERSION]
        )
        yield GaugeMetricFamily(
            "gw_uptime_seconds",
            "Since the start of the gateway",
            value=(clock.wall_us() - state.words[Word.STARTED_US]) // 1_000_000,
        )
        build = GaugeMetricFamily("gw_build", "Version of gw", labels=["version"])
        build.add_metric([__version__], 1)
        yield build


def read_status(path: Path) -> dict[str, object]:
    """The keeper's status file; empty if there is none yet."""
    try:
        status = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def _usd(nusd: int) -> float:
    """For the Prometheus page only, whose numbers are floats by definition."""
    return nusd / (PUSD_PER_USD // 1000)
