"""What a run of the bench leaves behind: the shape of bench/results/*.json, and what each figure in it means.

One file holds one run. A scenario is measured in interleaved rounds: each contender once, then each again. Only ratios and
differences within one file mean anything; absolute figures drift with the machine.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from gw.loadgen.histogram import Recorded

BUCKETS = re.compile(rb'"buckets": \[[\d\s,\[\]]*\]')  # of a histogram: on one line
PARTS = ("auth", "peek", "plan", "admit", "settle", "record", "relay")  # of gw's own work, as /metrics names them
# Figure -> (unit, what it is). Every key of `Round` is one of these.
FIGURES: dict[str, tuple[str, str]] = {
    "rps": ("requests/s", "answered requests per second of the run"),
    "requests": ("", "requests answered with 200 and a whole body"),
    "failed": ("", "requests that were not"),
    "p50_us": ("us", "median latency; open loop: from the moment the request was due"),
    "p90_us": ("us", "90 % of all latencies are not above this"),
    "p99_us": ("us", "99 % of all latencies are not above this"),
    "p999_us": ("us", "99.9 % of all latencies are not above this"),
    "max_us": ("us", "the greatest latency"),
    "late_p50_us": ("us", "median of how long after it was due the generator sent a request"),
    "late_p99_us": ("us", "99 % of the requests were not sent later than this after they were due"),
    "due": ("", "requests the schedule held"),
    "added_p50_us": ("us", "median latency less the upstream's own in the same round"),
    "added_p99_us": ("us", "p99 less the upstream's own in the same round"),
    "ttfb_p50_us": ("us", "first byte of the answer's body, from the moment the request was due, median"),
    "ttfb_p99_us": ("us", "the same, 99 %"),
    "added_ttfb_p50_us": ("us", "ttfb_p50_us less the upstream's own in the same round"),
    "added_ttfb_p99_us": ("us", "ttfb_p99_us less the upstream's own in the same round"),
    "delay_p50_us": ("us", "from an event's leaving the upstream to its arrival at the client, median"),
    "delay_p99_us": ("us", "the same, 99 %"),
    "events": ("", "events that arrived at the client"),
    "cpu_s": ("s", "user and system time of the contender's worker processes, all threads, over the run"),
    "cpu_per_request_us": ("us", "cpu_s per answered request"),
    "cpu_per_event_us": ("us", "cpu_s per event that arrived"),
    "rss_mb": ("MB", "greatest resident set of one worker at the end of the run, 1 MB = 10^6 bytes"),
    "peak_mb": ("MB", "greatest resident set of one worker over the run (VmHWM, reset at its start)"),
    "rise_mb": ("MB", "peak_mb less the resident set at the start of the run"),
    "rise_per_body": ("x body", "rise_mb per request in flight, as a multiple of the body"),
    "slope_kb_per_min": ("kB/min", "least-squares slope of the resident set over the run, its first quarter left out"),
    "governance_p50_us": ("us", "gw's own work per call as /metrics of the gateway has it (gw_overhead_seconds), median"),
    "governance_p99_us": ("us", "the same, 99 %"),
    "overhead_p50_us": ("us", "all that gw itself does for a call (gw_overhead_seconds, part all), waiting left out, median"),
    "overhead_p99_us": ("us", "the same, 99 %"),
    **{f"part_{part}_us": ("us", f"of that: {part}, mean per call") for part in PARTS},
    "events_per_s": ("events/s", "events that arrived per second of the window"),
    "in_flight_after": ("", "calls the gateway still counted as running after all clients had left"),
    "files_left": ("", "descriptors of the largest worker, after all clients had left, above those before they came"),
    "aborted": ("", "requests the client broke off in mid-flight"),
    "open_connections": ("", "connections held open by the client"),
}


def is_time(figure: str) -> bool:
    """Whether a generator that is late makes this figure wrong: what clients see, not what servers use or count."""
    return figure.endswith("_us") and not figure.startswith(("cpu_", "governance_", "overhead_", "part_", "late_"))


class Round(Struct, frozen=True, forbid_unknown_fields=True):
    """One contender, measured once."""

    figures: dict[str, float]
    note: str = ""  # why its times do not count (the generator was late); empty: they do

    @property
    def good(self) -> bool:
        return not self.note


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """One contender in one scenario. `median`: of each figure, times over the good rounds alone. `histograms`: over these; keys
    `latency`, `lateness` and, for streams, `first_byte`, `event_delay`; all in nanoseconds."""

    rounds: list[Round]
    median: dict[str, float]
    histograms: dict[str, Recorded] = field(default_factory=dict)


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """One load on all contenders, in the order in which they were measured. The upstream directly is called `direct`."""

    what: str  # one sentence with all that is needed to repeat it
    seconds: float  # of one round
    contenders: dict[str, Measured]


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the table of targets. `target` and `measured` as they are shown; `value` against `limit` decides."""

    what: str
    target: str
    measured: str
    value: float
    limit: float
    ok: bool
    how: str = ""  # how it was measured, if the scenario does not say it
    gate: bool = False  # whether `make bench-smoke` fails by it


class Ledger(Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's books against the upstream's, after one scenario, when the keeper had emptied the journals.

    Sums over all calls; tokens by class; `overshoot_nusd`: by how much any budget was passed.
    """

    scenario: str
    ledger_calls: int
    invoice_calls: int
    ledger_pusd: str  # decimal: larger than JSON's exact integers
    invoice_pusd: str
    ledger_tokens: dict[str, int]
    invoice_tokens: dict[str, int]
    budgets: int
    overshoot_nusd: int

    @property
    def ok(self) -> bool:
        same = self.ledger_calls == self.invoice_calls and self.ledger_pusd == self.invoice_pusd
        return same and self.ledger_tokens == self.invoice_tokens and not self.overshoot_nusd


class Results(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole run. `machine`: name of a property -> its value, as text. `notes`: what a reader must know of this run."""

    started: str  # UTC, 2026-01-31T23:59:59Z
    machine: dict[str, str]
    versions: dict[str, str]  # contender or tool -> version
    scenarios: dict[str, Scenario]
    targets: list[Target]
    ledger: list[Ledger]
    notes: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)  # contender that could not be measured -> why


def to_json(results: Results) -> bytes:
    text = msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n"
    return BUCKETS.sub(lambda found: re.sub(rb"\s+", b"", found[0]), text)


def from_json(data: bytes) -> Results:
    """Raises msgspec.DecodeError, or msgspec.ValidationError for what is no such file."""
    return msgspec.json.decode(data, type=Results)


def write(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_json(results))


def unknown(figures: Mapping[str, float]) -> list[str]:
    """Figures that nobody has defined."""
    return sorted(figures.keys() - FIGURES.keys())
