"""What rows of the ledger add up to for /metrics, told apart by who called what (gw.ops.metrics_tally counts them).

Five tables of sums, each with a bounded number of places: what comes when a table is full is counted under "other".

    paths     labels as configured                      calls by endpoint and outcome, tokens, cost, calls that read the cache
    services  upstream, model                           histograms of time, retries, calls without a price
    errors    labels without the model, outcome, slug   calls
    failures  upstream, slug, again or elsewhere        attempts that failed there, and where the request went then
    dialects  upstream, the client's dialect            calls to messages

A model is named once an upstream has taken a call for it: clients may ask for anything, and refusals must not fill the tables.
A session is never a label.
"""

from typing import NamedTuple, get_args

from msgspec import Struct, field

from gw.domain.call import Endpoint, Outcome
from gw.domain.labels import DEFAULT_LABELS

OTHER = "other"
SERVICES_OF_SERIES = 20  # a service has some sixty samples where a path has some eight: so many fewer are kept
US_PER_S = 1_000_000

ENDPOINTS: tuple[str, ...] = get_args(Endpoint)
OUTCOMES: tuple[str, ...] = get_args(Outcome)
TOKEN_CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class Timing(NamedTuple):
    """A histogram of a service. `bounds_us`: upper ones, inclusive; above them is one more bucket, then the sum in us."""

    name: str
    text: str
    bounds_us: tuple[int, ...]


def _us(*seconds: str) -> tuple[int, ...]:
    return tuple(int(float(one) * US_PER_S) for one in seconds)


_ANSWER = _us("0.05", "0.1", "0.25", "0.5", "1", "2", "4", "8", "15", "30", "60", "120")
TIMINGS = (
    Timing(
        "gw_ledger_call_duration_seconds",
        "Start of a messages call to its end",
        _us("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "120", "300", "600", "1800"),
    ),
    Timing("gw_ledger_first_byte_seconds", "Start of a messages call to the first byte of the upstream's answer", _ANSWER),
    Timing("gw_ledger_first_token_seconds", "Start of a messages call to its first token", _ANSWER),
    Timing(
        "gw_ledger_token_gap_seconds",
        "Mean time between two output tokens of a completed stream",
        _us("0.001", "0.0025", "0.005", "0.01", "0.02", "0.03", "0.05", "0.075", "0.1", "0.25", "0.5", "1"),
    ),
)
DURATION, FIRST_BYTE, FIRST_TOKEN, GAP = range(len(TIMINGS))

# Figures of a path
CALLS = 0  # [endpoint][outcome]
TOKENS = CALLS + len(ENDPOINTS) * len(OUTCOMES)  # [class]
LIST = TOKENS + len(TOKEN_CLASSES)  # whole USD, then pico-USD: their product does not fit 64 bits
BILLED = LIST + 2
HITS = BILLED + 2
PATH_FIGURES = HITS + 1

# Figures of a service
TIMES = [sum(len(one.bounds_us) + 2 for one in TIMINGS[:at]) for at in range(len(TIMINGS) + 1)]
RETRIES = TIMES[-1]
UNPRICED = RETRIES + 1
SERVICE_FIGURES = UNPRICED + 1

Labels = tuple[str, ...]


class Adjusted(Struct):
    """What repricing has added to history since the gateway began; whole USD and pico-USD in each pair, up and down apart."""

    calls: int = 0
    list_up: list[int] = field(default_factory=lambda: [0, 0])
    list_down: list[int] = field(default_factory=lambda: [0, 0])
    billed_up: list[int] = field(default_factory=lambda: [0, 0])
    billed_down: list[int] = field(default_factory=lambda: [0, 0])


class Counted(Struct):
    """All sums as they are kept between two keepers and read by workers. Rows up to `seq` are in them."""

    started_us: int  # of this run of the gateway
    seq: int = 0
    adjusted_seq: int = 0  # adjustments up to this number are
    labels: Labels = DEFAULT_LABELS
    series_max: int = 1000
    paths: list[tuple[Labels, list[int]]] = field(default_factory=list)
    services: list[tuple[Labels, list[int]]] = field(default_factory=list)
    errors: list[tuple[Labels, int]] = field(default_factory=list)
    adjusted: Adjusted = field(default_factory=Adjusted)
    failures: list[tuple[Labels, int]] = field(default_factory=list)
    dialects: list[tuple[Labels, list[int]]] = field(default_factory=list)
