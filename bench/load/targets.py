"""The table of targets: each row once, from the medians of the run. And the gates of `make bench-smoke`, which are ratios alone.

A row whose scenario was not run, or never ran well, says so and is not met.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bench.load.ground import Collected
from bench.load.results import Target

Value = Callable[[Collected], float | None]
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Row:
    """`value` against `limit`: at least it if `least`, else at most it. `shown` puts the value into words."""

    what: str
    target: str
    value: Value
    limit: float
    shown: str
    least: bool = False
    how: str = ""

    def judged(self, found: Collected, *, gate: bool = False) -> Target:
        value = self.value(found)
        if value is None:
            return Target(self.what, self.target, NOT_MEASURED, 0.0, self.limit, ok=False, how=self.how, gate=False)
        ok = value >= self.limit if self.least else value <= self.limit
        return Target(self.what, self.target, self.shown.format(value), round(value, 4), self.limit, ok, self.how, gate)


def of(scenario: str, figure: str, contender: str = "gw", scale: float = 1.0) -> Value:
    def value(found: Collected) -> float | None:
        median = found.median(scenario, contender, figure)
        return None if median is None else median * scale

    return value


def ratio(scenario: str, figure: str, other: str, contender: str = "gw") -> Value:
    def value(found: Collected) -> float | None:
        mine, theirs = found.median(scenario, contender, figure), found.median(scenario, other, figure)
        return None if mine is None or not theirs else mine / theirs

    return value


def unit(name: str) -> Value:
    return lambda found: found.units.get(name)


def success(scenario: str) -> Value:
    """Share of the requests of all rounds that were answered."""

    def value(found: Collected) -> float | None:
        answered, failed = found.sum(scenario, "gw", "requests"), found.sum(scenario, "gw", "failed")
        return None if answered is None or failed is None or not answered + failed else answered / (answered + failed)

    return value


def speedup(found: Collected) -> float | None:
    one = found.median("workers", "gw", "cpu_per_request_us")
    two = found.median("workers", "gw, two workers", "cpu_per_request_us")
    return None if one is None or not two else 2 * one / two


def unequal(found: Collected) -> float | None:
    return float(sum(not one.ok for one in found.ledger)) if found.ledger else None


def overshoot(found: Collected) -> float | None:
    return float(sum(one.overshoot_nusd for one in found.ledger)) if found.ledger else None


MS = 1 / 1000
CPU_HOW = "user and system time of the worker's process over the run, all threads"
AWAKE_HOW = "for all contenders alike, as [server] keep_awake asks it (bench/load/scenarios/awake.py)"
TWO_HOW = "2 x CPU per request of one worker / CPU per request of two, at the same rate each (bench/load/scenarios/workers.py)"

ROWS = (
    Row("small, closed loop, 64 connections", ">= 9,000 requests/s", of("small.closed", "rps"), 9000, "{:,.0f} requests/s", True),
    Row("the same beside the bare proxy", ">= 0.85 x", ratio("small.closed", "rps", "bare"), 0.85, "{:.2f} x", True),
    Row("small, open loop, 5,000 requests/s: success", "100 %", success("small.open"), 1.0, "{:.4%}", True),
    Row("the same: added p50", "<= 0.5 ms", of("small.open", "added_p50_us", scale=MS), 0.5, "{:.3f} ms"),
    Row("the same: added p99", "<= 5 ms", of("small.open", "added_p99_us", scale=MS), 5, "{:.2f} ms"),
    Row("governance work per call at that load, p50", "<= 8 us", of("small.open", "governance_p50_us"), 8, "{:.1f} us"),
    Row("the same, p99", "<= 25 us", of("small.open", "governance_p99_us"), 25, "{:.1f} us"),
    Row(
        "sequential added p50 beside the bare proxy", "<= 1.25 x", ratio("small.alone", "added_p50_us", "bare"), 1.25, "{:.2f} x"
    ),
    Row("the same beside Portkey", "<= 0.2 x", ratio("small.alone", "added_p50_us", "portkey"), 0.2, "{:.3f} x"),
    Row("the same beside LiteLLM", "<= 0.04 x", ratio("small.alone", "added_p50_us", "litellm"), 0.04, "{:.4f} x"),
    Row("turn at 200/s: added time to first byte p50", "<= 0.6 ms", of("turn", "added_ttfb_p50_us", scale=MS), 0.6, "{:.2f} ms"),
    Row("the same, p99", "<= 6 ms", of("turn", "added_ttfb_p99_us", scale=MS), 6, "{:.2f} ms"),
    Row(
        "CPU per streamed event beside the bare proxy",
        "<= 1.15 x",
        ratio("streams", "cpu_per_event_us", "bare"),
        1.15,
        "{:.2f} x",
        how=CPU_HOW,
    ),
    Row("the same beside nginx", "<= 1.7 x", ratio("streams", "cpu_per_event_us", "nginx"), 1.7, "{:.2f} x", how=CPU_HOW),
    Row(
        "CPU per translated event beside one that is passed",
        "<= 2 x",
        ratio("routed.streams", "cpu_per_event_us", "gw", "gw, translated"),
        2,
        "{:.2f} x",
        how=CPU_HOW,
    ),
    Row("big, 1 MB: added p50", "<= 3 ms", of("big.1mb", "added_p50_us", scale=MS), 3, "{:.2f} ms"),
    Row("big, 1 MB: peak memory per request in flight", "<= 3 x the body", of("big.memory", "rise_per_body"), 3, "{:.2f} x"),
    Row("tap on text deltas", ">= 1 GB/s", unit("tap_gb_s"), 1, "{:.2f} GB/s", True),
    Row("tap: allocated by 20,000 events", "0 bytes", unit("tap_allocated_bytes"), 0, "{:.0f} bytes"),
    Row("peek on a body of 300 KB", ">= 2 GB/s", unit("peek_gb_s"), 2, "{:.2f} GB/s", True),
    Row("memory of a worker at 5,000 requests/s", "<= 120 MB", of("small.open", "peak_mb"), 120, "{:.0f} MB"),
    Row(
        "slope of memory over the soak",
        "0",
        of("soak", "slope_kb_per_min"),
        100,
        "{:+.0f} kB/min",
        how="least squares over the last three quarters; up to 100 kB/min is taken for none",
    ),
    Row("two workers on two cores", ">= 1.6 x one", speedup, 1.6, "{:.2f} x", True, TWO_HOW),
    Row("ledger and invoice that differ", "0 runs", unequal, 0, "{:.0f} runs", how="calls, tokens by class, and pico-USD"),
    Row("overshoot of all budgets", "0", overshoot, 0, "{:.0f} nano-USD"),
    # What depends on processors that sleep between calls, once more where they do not.
    Row("kept awake: governance, p50", "<= 8 us", of("awake.open", "governance_p50_us"), 8, "{:.1f} us", how=AWAKE_HOW),
    Row("kept awake: governance, p99", "<= 25 us", of("awake.open", "governance_p99_us"), 25, "{:.1f} us", how=AWAKE_HOW),
    Row(
        "kept awake: sequential added p50 beside the bare proxy",
        "<= 1.25 x",
        ratio("awake.alone", "added_p50_us", "bare"),
        1.25,
        "{:.2f} x",
        how=AWAKE_HOW,
    ),
    Row(
        "kept awake: the same beside Portkey",
        "<= 0.2 x",
        ratio("awake.alone", "added_p50_us", "portkey"),
        0.2,
        "{:.3f} x",
        how=AWAKE_HOW,
    ),
    Row(
        "kept awake: turn, added time to first byte p50",
        "<= 0.6 ms",
        of("awake.turn", "added_ttfb_p50_us", scale=MS),
        0.6,
        "{:.2f} ms",
        how=AWAKE_HOW,
    ),
)

# Ratios of one run, far from what is expected: they break when something is broken, not when the machine is busy.
GATES = (
    Row("small, closed loop, beside the bare proxy", ">= 0.25 x", ratio("small.closed", "rps", "bare"), 0.25, "{:.2f} x", True),
    Row("small, closed loop, beside nginx", ">= 0.04 x", ratio("small.closed", "rps", "nginx"), 0.04, "{:.3f} x", True),
    Row(
        "CPU per small request beside the bare proxy",
        "<= 4 x",
        ratio("small.closed", "cpu_per_request_us", "bare"),
        4,
        "{:.2f} x",
    ),
    Row("one connection: p50 beside the bare proxy", "<= 4 x", ratio("small.alone", "p50_us", "bare"), 4, "{:.2f} x"),
    Row("CPU per turn beside the bare proxy", "<= 3.5 x", ratio("turn", "cpu_per_request_us", "bare"), 3.5, "{:.2f} x"),
    Row("CPU per streamed event beside the bare proxy", "<= 3 x", ratio("streams", "cpu_per_event_us", "bare"), 3, "{:.2f} x"),
    Row("big, 1 MB: peak memory per request in flight", "<= 6 x the body", of("big.memory", "rise_per_body"), 6, "{:.2f} x"),
    Row("calls still running after the storm", "0", of("storm", "in_flight_after"), 0, "{:.0f}"),
    Row("ledger and invoice that differ", "0 runs", unequal, 0, "{:.0f} runs"),
    Row("overshoot of all budgets", "0", overshoot, 0, "{:.0f} nano-USD"),
)


def judge(found: Collected, *, smoke: bool) -> list[Target]:
    return [row.judged(found, gate=smoke) for row in (GATES if smoke else ROWS)]


def broken(targets: list[Target], found: Collected, *, smoke: bool) -> list[str]:
    """Why the run fails: gates that are clearly broken, requests of gw that failed, books that differ; but for the smoke, which
    runs on busy machines, also times that cannot be believed because the generator was late in every round."""
    reasons = [f"{one.what}: {one.measured}, wanted {one.target}" for one in targets if one.gate and not one.ok]
    for name, scenario in found.scenarios.items():
        mine = scenario.contenders.get("gw")
        failed = sum(one.figures.get("failed", 0) for one in mine.rounds) if mine else 0
        if failed:
            reasons.append(f"{name}: {failed:.0f} requests through gw failed")
        if mine and not smoke and all(one.note for one in mine.rounds):
            reasons.append(f"{name}: no round through gw counts: {mine.rounds[-1].note}")
    reasons += [f"{one.scenario}: the ledger is not the invoice" for one in found.ledger if not one.ok]
    return reasons


def table(targets: list[Target]) -> str:
    """Columns for a terminal."""
    rows = [("what", "target", "measured", ""), *((one.what, one.target, one.measured, verdict(one)) for one in targets)]
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def verdict(target: Target) -> str:
    if target.measured == NOT_MEASURED:
        return "-"
    return "met" if target.ok else "MISSED"
