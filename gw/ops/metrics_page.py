"""The page of /metrics: what workers count in shared memory, what the keeper says of itself, and what it counts of the ledger.

Any worker answers for all. A page is made in a thread, a family at a time with a pause after each, so that calls never wait for
it longer than for one family (some 0.5 ms). What workers count is of the moment; what the keeper publishes, most of the page, is
made into text once for each publication, which is once a second; and all who ask while a page is made share the next one.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics_of
from prometheus_client.registry import Collector

from gw import __version__, clock
from gw.ops import metrics_lines
from gw.ops.metrics import StateCollector, read_status
from gw.ops.metrics_published import FILE, read_published
from gw.ops.state import Own, StateFile, Word

Pause = Callable[[], object]

KEEPER_FILE = "keeper.json"
PAUSE_S = 0.0001
NUSD_PER_USD = 10**9
US_PER_S = 1_000_000
NS_PER_S = 1_000_000_000
OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_VERSION = "1.0.0"
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4.encode()
CONTENT_TYPE_OPENMETRICS = f"{OPENMETRICS}; version={OPENMETRICS_VERSION}; charset=utf-8".encode()
END_OF_OPENMETRICS = "# EOF\n"

# What the keeper's status says, under the name that it has there.
_OF_KEEPER = {
    "pid": "Process id of the keeper",
    "written_us": "When the keeper last said how it is, microseconds since 1970",
    "database_ok": "1 while the database takes rows",
    "behind_us": "Age of the oldest finished call that the database did not take, in microseconds",
    "behind_bytes": "Bytes of the journals that are not in the ledger yet",
    "rows": "Rows written by this keeper",
    "duplicates": "Rows offered again, and left as they were",
    "damaged": "Damaged stretches of journals that were passed over",
    "rejected": "Frames of journals that could not be stored",
    "lost": "Calls of dead workers that were settled as observed",
    "foreign": "Journals of a newer version, left alone",
    "left_out": "Definitions of the database that are not in force",
    "left_out_hard_budgets": "Hard budgets among them",
    "cells_checked": "Times that a budget's cell was compared with the ledger and right",
    "cells_corrected": "Cells of budgets that were wrong, and were put right",
    "cells_drift_nusd": "By how much they were wrong, in nano-USD, without signs",
    "cells_forgotten": "Cells of windows that are over",
    "holds_reaped": "Holds of dead workers that were ended",
}
_TEXT_OF_OTHERS = "From the keeper's status"


class Page:
    """One in each worker."""

    def __init__(self, state: StateFile, state_dir: Path) -> None:
        self._state = state
        self._state_dir = state_dir
        self._making = asyncio.Lock()
        self._made: dict[bool, tuple[int, bytes]] = {}  # by whether it is OpenMetrics: since when, and the page
        self._ledger = LedgerText(state_dir)

    async def answer(self, accept: str) -> tuple[bytes, bytes]:
        """(content type, page), in the form that the Accept header asks for."""
        openmetrics, asked_ns = wants_openmetrics(accept), clock.mono_ns()
        async with self._making:
            begun_ns, page = self._made.get(openmetrics, (-1, b""))
            if begun_ns < asked_ns:
                begun_ns = clock.mono_ns()
                page = await asyncio.to_thread(self._make, openmetrics=openmetrics)
                self._made[openmetrics] = begun_ns, page
        return (CONTENT_TYPE_OPENMETRICS if openmetrics else CONTENT_TYPE), page


    def _make(self, *, openmetrics: bool) -> bytes:
        return exposition(self._state, self._state_dir, self._ledger, openmetrics=openmetrics, pause=_pause)


class LedgerText:
    """The families of what was published last, as text."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE
        self._made: dict[bool, tuple[tuple[int, ...], str]] = {}

    def text(self, *, openmetrics: bool, pause: Pause) -> str:
        try:
            found = self._path.stat()
        except OSError:
            return ""
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        before, text = self._made.get(openmetrics, ((), ""))
        if before != stamp:
            published = read_published(self._path.parent)
            pause()
            parts = []
            for part in metrics_lines.families(published, openmetrics=openmetrics) if published is not None else ():
                parts.append(part)
                pause()
            text = "".join(parts)
            self._made[openmetrics] = stamp, text
        return text


def wants_openmetrics(accept: str) -> bool:
    """Of the form that every Prometheus of these days understands; a scraper that asks for none gets the plain one."""
    for part in accept.split(","):
        kind, *parameters = (one.strip() for one in part.split(";"))
        if kind.lower() == OPENMETRICS:
            said = dict(one.partition("=")[::2] for one in parameters)
            return said.get("q", "1") not in ("0", "0.0") and said.get("version", OPENMETRICS_VERSION) in ("1.0.0", "0.0.1")
    return False


def exposition(
    state: StateFile, state_dir: Path, ledger: LedgerText | None = None, *, openmetrics: bool = False, pause: Pause = lambda: None
) -> bytes:
    """The whole page as of now. `pause` is called after each family."""
    parts = []
    for family in collected(state, state_dir):
        parts.append(_encoded(family, openmetrics=openmetrics))
        pause()
    parts.append((ledger or LedgerText(state_dir)).text(openmetrics=openmetrics, pause=pause))
    if openmetrics:
        parts.append(END_OF_OPENMETRICS)
    return "".join(parts).encode()


def collected(state: StateFile, state_dir: Path) -> Iterator[Metric]:
    """What has few series."""
    status = read_status(state_dir / KEEPER_FILE)
    yield from StateCollector(state).collect()
    yield from _processes(state)
    yield from _places(state)
    yield from _keeper(status)


def _processes(state: StateFile) -> Iterator[Metric]:
    build = GaugeMetricFamily("gw_build_info", "Version of gw", labels=["version"])
    build.add_metric([__version__], 1)
    yield build
    yield GaugeMetricFamily("gw_queue_calls", "Calls that wait for a budget to have room", value=state.sum_own(Own.WAITING))
    holds = sum(len(state.open_holds(block)) for block in state.live_blocks())
    yield GaugeMetricFamily("gw_open_holds", "Holds of budgets by calls that run, two of a call at most", value=holds)
    ended = max(state.words[Word.WORKERS_ENDED], 0)
    yield CounterMetricFamily("gw_worker_ends", "Workers that ended and were replaced", value=ended)
    yield GaugeMetricFamily(
        "gw_start_time_seconds", "When the gateway began, since 1970", value=state.words[Word.STARTED_US] / US_PER_S
    )


def _places(state: StateFile) -> Iterator[Metric]:
    """Where calls go by choice, or probes by configuration: nothing of a gateway that has neither."""
    labels = ["upstream", "credential"]
    text = "For how long it still is, after failures or at its wish"
    alone = GaugeMetricFamily("gw_upstream_left_alone_seconds", text, labels=labels)
    short = GaugeMetricFamily("gw_upstream_limit_short", "1 while it says that little of its rate limit is left", labels=labels)
    up = GaugeMetricFamily("gw_upstream_probe_up", "1 while it answers its probes", labels=labels)
    took = GaugeMetricFamily("gw_upstream_probe_seconds", "How long the last probe took", labels=labels)
    now_ns = clock.mono_ns()
    for upstream, credential, entry in state.places.all():
        one, names = entry.standing(now_ns), [upstream, credential]
        alone.add_metric(names, one.open_ns / NS_PER_S)
        short.add_metric(names, one.short_ns > 0)
        if one.probed_us:
            up.add_metric(names, one.probes_failed == 0)
            took.add_metric(names, one.probe_us / US_PER_S)
    yield from (family for family in (alone, short, up, took) if family.samples)


def _keeper(status: Mapping[str, object]) -> Iterator[Metric]:
    """Each number as it stands there; those that rules need once more, in base units."""
    numbers = {name: value for name, value in status.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    for name, value in numbers.items():
        yield GaugeMetricFamily(f"gw_keeper_{name}", _OF_KEEPER.get(name, _TEXT_OF_OTHERS), value=value)
    if "written_us" not in numbers:
        return
    silent_us = max(clock.wall_us() - numbers["written_us"], 0)
    yield GaugeMetricFamily("gw_keeper_silence_seconds", "Since the keeper last said how it is", value=silent_us / US_PER_S)
    yield GaugeMetricFamily("gw_database_up", "1 while the database takes rows", value=numbers.get("database_ok", 0))
    text = "Age of the oldest finished call that the database did not take"
    yield GaugeMetricFamily("gw_database_lag_seconds", text, value=numbers.get("behind_us", 0) / US_PER_S)
    backlog = numbers.get("behind_bytes", 0)
    yield GaugeMetricFamily("gw_journal_backlog_bytes", "Bytes of the journals that are not in the ledger yet", value=backlog)
    corrected, drift_usd = numbers.get("cells_corrected", 0), numbers.get("cells_drift_nusd", 0) / NUSD_PER_USD
    yield CounterMetricFamily("gw_budget_corrections", "Cells of budgets that differed from the ledger", value=corrected)
    yield CounterMetricFamily("gw_budget_drift_usd", "By how much they differed, without signs", value=drift_usd)


class _One(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def _encoded(family: Metric, *, openmetrics: bool) -> str:
    if not openmetrics:
        return generate_latest(_One(family)).decode()
    text = str(openmetrics_of.generate_latest(_One(family), version=OPENMETRICS_VERSION), "utf-8")  # type: ignore[no-untyped-call]
    return text.removesuffix(END_OF_OPENMETRICS)


def _pause() -> None:
    """Lets go of the interpreter, which otherwise is kept for 5 ms."""
    Event().wait(PAUSE_S)
