"""Calls as OTLP metrics: sums and histograms of the GenAI conventions, and what they cost.

Cumulative: sums since this process began (`start_time_unix_nano` says when, so a new beginning is seen for what it is). Delta:
sums since the export before. At most SERIES_MAX series of each metric; what would be one more is added up under
`otel.metric.overflow`, as the SDK does, so that totals stay right whatever clients call their models.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from gw.domain.call import CallRecord
from gw.telemetry.attributes import Attribute, Naming, error_of, failed, lasted_s, read_tokens, usd_value, waited_s
from gw.telemetry.otlp import NS_PER_US, SCOPE, key_value, resource_of

SERIES_MAX = 2000
OVERFLOW: tuple[Attribute, ...] = (("otel.metric.overflow", True),)
# The boundaries that the conventions ask for.
TOKENS_BOUNDS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
DURATION_BOUNDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKEN_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

Attributes = tuple[Attribute, ...]


class Histogram:
    """By attributes: count, sum, and how many fell into each bucket (above the bound before, up to and with its own)."""

    def __init__(self, name: str, unit: str, description: str, bounds: Sequence[float]) -> None:
        self.name, self.unit, self.description, self.bounds = name, unit, description, bounds
        self.series: dict[Attributes, tuple[list[int], list[float]]] = {}

    def record(self, attributes: Attributes, value: float) -> None:
        counts, total = self.series.get(attributes) or self._new(attributes)
        counts[bisect_left(self.bounds, value)] += 1
        total[0] += value

    def _new(self, attributes: Attributes) -> tuple[list[int], list[float]]:
        if len(self.series) >= SERIES_MAX:
            attributes = OVERFLOW
        return self.series.setdefault(attributes, ([0] * (len(self.bounds) + 1), [0.0]))

    def write(self, metric: Metric, temporality: AggregationTemporality.ValueType, start_ns: int, at_ns: int) -> None:
        metric.histogram.aggregation_temporality = temporality
        for attributes, (counts, total) in self.series.items():
            metric.histogram.data_points.add(
                attributes=[key_value(*one) for one in attributes],
                start_time_unix_nano=start_ns,
                time_unix_nano=at_ns,
                count=sum(counts),
                sum=total[0],
                bucket_counts=counts,
                explicit_bounds=self.bounds,
            )


class Total:
    """By attributes: a sum of whole numbers that only grows; `money`: in pico-USD, told in USD."""

    def __init__(self, name: str, unit: str, description: str, *, money: bool = False) -> None:
        self.name, self.unit, self.description, self.money = name, unit, description, money
        self.series: dict[Attributes, int] = {}

    def add(self, attributes: Attributes, amount: int) -> None:
        if attributes not in self.series and len(self.series) >= SERIES_MAX:
            attributes = OVERFLOW
        self.series[attributes] = self.series.get(attributes, 0) + amount

    def write(self, metric: Metric, temporality: AggregationTemporality.ValueType, start_ns: int, at_ns: int) -> None:
        metric.sum.aggregation_temporality = temporality
        metric.sum.is_monotonic = True
        for attributes, amount in self.series.items():
            point = metric.sum.data_points.add(
                attributes=[key_value(*one) for one in attributes], start_time_unix_nano=start_ns, time_unix_nano=at_ns
            )
            if self.money:
                point.as_double = usd_value(amount)
            else:
                point.as_int = amount


class Metrics:
    """Everything counted since `start_us`."""

    def __init__(self, naming: Naming, resource: Iterable[Attribute], now_us: int, *, delta: bool) -> None:
        self._naming = naming
        self._resource = resource_of(resource)
        self._delta = delta
        self._begin(now_us)

    def _begin(self, now_us: int) -> None:
        self.start_us = now_us
        self.tokens = Histogram("gen_ai.client.token.usage", "{token}", "Tokens read and written per call.", TOKENS_BOUNDS)
        self.duration = Histogram("gen_ai.client.operation.duration", "s", "How long a call took.", DURATION_BOUNDS)
        self.first_token = Histogram(
            "gen_ai.server.time_to_first_token", "s", "From a call's beginning to its first token.", FIRST_TOKEN_BOUNDS
        )
        self.cost = Total("gw.cost", "USD", "What calls cost, as billed.", money=True)
        self.list_cost = Total("gw.cost.list", "USD", "What calls cost, at list prices.", money=True)
        self.by_class = Total("gw.tokens", "{token}", "Tokens by the class in which they are billed.")
        self.calls = Total("gw.calls", "{call}", "Calls by how they ended.")

    def add(self, records: Iterable[CallRecord]) -> None:
        for record in records:
            self._add(record)

    def _add(self, record: CallRecord) -> None:
        common = self._naming.of_metrics(record)
        self.calls.add((*common, ("gw.outcome", record.outcome)), 1)
        wrong: Attributes = (("error.type", error_of(record)),) if failed(record) else ()
        self.duration.record((*common, *wrong), lasted_s(record))
        if record.endpoint != "messages" or record.usage_source == "none":
            return
        if record.first_token_us and not wrong:
            self.first_token.record(common, waited_s(record))
        self.tokens.record((*common, ("gen_ai.token.type", "input")), read_tokens(record))
        self.tokens.record((*common, ("gen_ai.token.type", "output")), record.output_tokens)
        self.cost.add(common, record.billed_pusd)
        self.list_cost.add(common, record.list_pusd)
        for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
            if count := getattr(record, f"{name}_tokens"):
                self.by_class.add((*common, ("gw.token.class", name)), count)

    def request(self, now_us: int) -> bytes:
        """ExportMetricsServiceRequest; b"" while there is nothing to tell."""
        message = ExportMetricsServiceRequest()
        scope = message.resource_metrics.add(resource=self._resource).scope_metrics.add(scope=SCOPE)
        temporality = (
            AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
            if self._delta
            else AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        )
        start_ns, at_ns = self.start_us * NS_PER_US, max(now_us, self.start_us + 1) * NS_PER_US
        for one in (self.tokens, self.duration, self.first_token, self.cost, self.list_cost, self.by_class, self.calls):
            if one.series:
                metric = scope.metrics.add(name=one.name, unit=one.unit, description=one.description)
                one.write(metric, temporality, start_ns, at_ns)
        return message.SerializeToString() if scope.metrics else b""

    def taken(self, now_us: int) -> None:
        """What was told is told; deltas begin anew."""
        if self._delta:
            self._begin(max(now_us, self.start_us + 1))
