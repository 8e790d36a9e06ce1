"""Where contenders meet: they are started on one upstream, measured in interleaved rounds, and stopped.

Each round measures every contender once, the upstream directly first, so that what changes on the machine from minute to minute
changes for all. What a contender adds is its latency less the upstream's in the same round. A round in which the generator
was late is repeated at once, twice at most; if it stays late it is kept, with the reason, and its times count for nothing.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.load import contenders
from bench.load.contender import Contender, ContenderFailed, cores
from bench.load.contenders import GatewayContender
from bench.load.results import Ledger, Measured, Round, Scenario, Target, is_time
from bench.load.upstreams import Answering, Playing, Upstream
from gw.loadgen.histogram import Histogram

ADDED = ("p50_us", "p99_us", "ttfb_p50_us", "ttfb_p99_us")
TRIES, SMOKE_TRIES = 3, 1
PEERS = ("litellm", "portkey")


@dataclass(frozen=True)
class Options:
    """What a run is to do. `seconds`: of one round; 0: as the scenario says."""

    scenarios: tuple[str, ...]
    rounds: int
    seconds: float = 0.0
    soak_s: float = 600.0
    smoke: bool = False
    names: tuple[str, ...] = contenders.NAMES


@dataclass
class Once:
    """One measurement of one contender. `note`: why its times count for nothing; `failures`: what failed, in words."""

    figures: dict[str, float]
    histograms: dict[str, Histogram] = field(default_factory=dict)
    note: str = ""
    failures: str = ""


Measure = Callable[[Contender], Once]


class Ground:
    """The contenders on one upstream, ready inside. `playing`: the upstream that plays streams, else the one that answers."""

    def __init__(self, options: Options, results: "Collected", *, playing: bool, workers: int = 1) -> None:
        self.options = options
        self.results = results
        self.runs = 0
        self._playing = playing
        self._workers = workers
        self._exits = ExitStack()

    def __enter__(self) -> "Ground":
        with ExitStack() as exits:
            self.folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
            if self._playing or "nginx" in contenders.absent(("nginx",)):
                self.upstream: Upstream = Playing()
            else:
                self.upstream = Answering(self.folder)
            exits.enter_context(self.upstream)
            self.direct = contenders.direct(self.upstream.port)
            self.contenders = [self.direct]
            for name in contenders.available(self.options.names):
                if contender := self._start(name, exits):
                    self.contenders.append(contender)
            self._exits = exits.pop_all()
        self.results.versions.update(contenders.versions(self.contenders))
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _start(self, name: str, exits: ExitStack) -> Contender | None:
        """A peer that does not start is left out, with the reason; anything else that does not is an error."""
        folder = self.folder / name
        folder.mkdir()
        try:
            if name == "gw" and self._workers > 1:
                return exits.enter_context(contenders.gateway(folder, self.upstream.port, self._workers))
            made = contenders.make(name, folder, self.upstream.port)
            return exits.enter_context(made) if made else None
        except ContenderFailed as error:
            if name not in PEERS:
                raise
            self.results.absent[name] = str(error).strip()
            return None

    @property
    def gateway(self) -> GatewayContender | None:
        return next((one for one in self.contenders if isinstance(one, GatewayContender)), None)

    def run_name(self, scenario: str, contender: Contender) -> str:
        """The beginning of the session ids of one run: no other run has it."""
        self.runs += 1
        return f"{scenario}-{contender.name}-{os.getpid()}-{self.runs:04d}".replace(".", "-").replace(" ", "-")

    def measure(
        self,
        name: str,
        what: str,
        once: Measure,
        *,
        seconds: float,
        rounds: int = 0,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
    ) -> None:
        """Interleaved rounds of all contenders, or of `only` these; the result stands in `results` under this name."""
        chosen = [one for one in self.contenders if (not only or one.name in only) and one.name not in without]
        kept: dict[str, list[Once]] = {one.name: [] for one in chosen}
        for number in range(rounds or self.options.rounds):
            say(f"{name}, round {number + 1}: ", end="")
            for contender in chosen:
                say(f"{contender.name} ", end="")
                made = self._until_on_time(contender, once)
                if contender is not self.direct and kept.get("direct"):
                    made.figures.update(added(made, kept["direct"][-1]))
                if made.failures:
                    self.results.notes.append(f"{name}, {contender.name}: {made.failures}")
                kept[contender.name].append(made)
            say("")
        measured = {one: summary(found) for one, found in kept.items()}
        self.results.scenarios[name] = Scenario(what, seconds, measured)

    def _until_on_time(self, contender: Contender, once: Measure) -> Once:
        for _ in range(SMOKE_TRIES if self.options.smoke else TRIES):
            for one in self.contenders:  # whoever still works off the last run would take the cores of this one
                one.settle()
            made = once(contender)
            if not made.note:
                break
            say("(late) ", end="")
        return made


@dataclass
class Collected:
    """What becomes the file of results."""

    scenarios: dict[str, Scenario] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    ledger: list[Ledger] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    units: dict[str, float] = field(default_factory=dict)  # figures of parts: what no scenario has
    targets: list[Target] = field(default_factory=list)

    def median(self, scenario: str, contender: str, figure: str) -> float | None:
        """None if it was not measured."""
        found = self.scenarios.get(scenario)
        measured = found.contenders.get(contender) if found else None
        return measured.median.get(figure) if measured else None

    def sum(self, scenario: str, contender: str, figure: str) -> float | None:
        """Over all rounds, those too that do not count."""
        found = self.scenarios.get(scenario)
        measured = found.contenders.get(contender) if found else None
        return sum(one.figures.get(figure, 0) for one in measured.rounds) if measured else None


def added(made: Once, direct: Once) -> dict[str, float]:
    if made.note or direct.note:
        return {}
    both = [key for key in ADDED if key in made.figures and key in direct.figures]
    return {f"added_{key}": made.figures[key] - direct.figures[key] for key in both}


def summary(found: Sequence[Once]) -> Measured:
    """Medians and merged histograms over the rounds that count; the rounds themselves, all of them."""
    good = [one for one in found if not one.note]
    values: dict[str, list[float]] = {}
    for one in found:
        for key, value in one.figures.items():
            if not one.note or not is_time(key):
                values.setdefault(key, []).append(value)
    median = {key: round(statistics.median(those), 3) for key, those in sorted(values.items())}
    merged: dict[str, Histogram] = {}
    for one in good:
        for key, histogram in one.histograms.items():
            merged.setdefault(key, Histogram()).merge(histogram)
    rounds = [Round({key: round(value, 3) for key, value in one.figures.items()}, one.note) for one in found]
    return Measured(rounds, median, {key: histogram.recorded() for key, histogram in merged.items()})


def on_load_core(work: Callable[[], Coroutine[Any, Any, Any]], *, punctual: bool = True) -> Any:
    """Runs a coroutine of the generator on uvloop, bound to the load's core; `punctual`: ahead of all else that runs there."""
    with beside_the_load(punctual=punctual), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


@contextmanager
def beside_the_load(*, punctual: bool) -> Iterator[None]:
    """This thread on the load's core, where it may with real-time priority; afterwards as it was.

    A generator that sleeps most of the time takes little from the upstream beside it, but must be awake when a request is due,
    on a machine that others use, too: at a load of 8 on 2 cores that is the difference between 5 ms of lateness (p99) and 0.1.
    One that is never idle (a closed loop) would take everything: it runs as everybody does.
    """
    mine, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
    os.sched_setaffinity(0, {cores()[1]})
    try:
        if punctual:
            with suppress(PermissionError):  # then it has to be on time without
                os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        yield
    finally:
        os.sched_setaffinity(0, mine)
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, os.sched_param(0))


def say(text: str, end: str = "\n") -> None:
    """Progress, for who waits: on stderr, so that stdout is the tables alone."""
    sys.stderr.write(text + end)
    sys.stderr.flush()
