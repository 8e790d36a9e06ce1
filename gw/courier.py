"""The courier: the one process for what is slow or leads out of the house: exports, alerts, telemetry, the content store.

It reads what the keeper has written and keeps its place there by itself; calls, budgets and the ledger never wait for it, and
nothing is lost while it is away. What it does are *duties*: coroutines that run until they are cancelled, begun anew when their
part of the configuration changes or, after a pause, when they fail; and *errands*: single pieces of work that somebody asked for
by a row of the table `errand`.
"""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gw import clock
from gw.config.load import ConfigError
from gw.config.model import Config
from gw.domain.stored import Stored
from gw.ledger.errand import Errand, finish, give_back, take
from gw.ledger.store import Database, StoreError
from gw.ops.courier_status import STATUS_FILE, CourierStatus, DutyStatus
from gw.ops.process import release_signals
from gw.ops.state import StateFile, Word
from gw.snapshot import Published, config_of, read

LOCK_FILE = "courier.lock"
LOOK_S = 0.25  # between two looks at what is in force and at the errands
STATUS_EVERY_NS = 1_000_000_000
PAUSE_S = (1.0, 60.0)  # first and longest, before a duty that failed is begun again
STEADY_NS = 60_000_000_000  # a duty that ran so long has recovered: its next pause is the first again
STOP_S = 10.0  # for duties to bring to an end what they are at
ERRANDS_MAX = 4  # at a time

_log = logging.getLogger("gw.courier")


class CourierBusy(Exception):
    """Another courier works on this state directory."""


class Desk:
    """What duties work with. `config` and `stored` are what is in force now; a duty whose `settings` hold all that it needs of
    them need not look here."""

    def __init__(self, state_dir: Path, state: StateFile, database: Database, published: Published) -> None:
        self.state_dir = state_dir
        self.state = state
        self.database = database
        self.adopt(published)

    def adopt(self, published: Published) -> None:
        """Raises ConfigError."""
        self.config: Config = config_of(published)
        self.published = published

    @property
    def stored(self) -> Stored:
        """What the database defines: keys, teams, budgets."""
        return self.published.stored


class Duty(NamedTuple):
    """`settings`: what it was made of; while that stays equal it runs on over changes of the rest of the configuration."""

    name: str
    settings: Any
    run: Callable[[Desk], Awaitable[None]]  # until it is cancelled; StoreError and OSError are expected of it, others are bugs
    pressing: bool = True  # a gateway without any such duty starts its courier only after a while


Appoint = Callable[[Config], Iterable[Duty]]
Performer = Callable[[Desk, Errand], Awaitable[dict[str, Any]]]  # the answer, as JSON; ErrandFailed says why there is none


class ErrandFailed(Exception):
    """It could not be done; the message is for whoever asked."""


@contextmanager
def sole_courier(state_dir: Path) -> Iterator[None]:
    """Two would send everything twice. Raises CourierBusy."""
    with (state_dir / LOCK_FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourierBusy(f"another courier works on {state_dir}") from None
        yield


class Running:
    """One duty, from its beginning for these settings on: runs it, and begins it again when it fails."""

    def __init__(self, duty: Duty, desk: Desk) -> None:
        self.duty = duty
        self.status = DutyStatus("running", clock.wall_us())
        self.task = asyncio.create_task(self._run(desk), name=f"duty-{duty.name}")

    async def _run(self, desk: Desk) -> None:
        pause_s, failures = PAUSE_S[0], 0
        while True:
            begun_ns = clock.mono_ns()
            try:
                await self.duty.run(desk)
            except (StoreError, OSError) as error:
                _log.warning("%s: %s; trying again", self.duty.name, error)
                problem = str(error) or type(error).__name__
            except Exception as error:  # noqa: BLE001 - supervises foreign code: the other duties go on
                _log.exception("%s failed", self.duty.name)
                problem = f"{type(error).__name__}: {error}"
            else:
                self.status = DutyStatus("done", clock.wall_us(), failures)
                return
            failures += 1
            pause_s = PAUSE_S[0] if clock.mono_ns() - begun_ns > STEADY_NS else min(pause_s * 2, PAUSE_S[1])
            self.status = DutyStatus("paused", clock.wall_us(), failures, problem)
            await asyncio.sleep(pause_s)
            self.status = DutyStatus("running", clock.wall_us(), failures, problem)


class Courier:
    """One run over one state directory. `errands`: who performs which kind."""

    def __init__(self, desk: Desk, appoint: Iterable[Appoint], errands: Mapping[str, Performer]) -> None:
        self._desk = desk
        self._appoint = tuple(appoint)
        self._performers = errands
        self._running: dict[str, Running] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._seen = desk.published.version
        self._complaint = ""
        self._status_at_ns = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises CourierBusy."""
        with sole_courier(self._desk.state_dir):
            await self._settle_left()
            self._heed()
            try:
                while not stop.is_set():
                    self._look()
                    await self._take_errands()
                    self._tell()
                    await _sleep_until(stop, LOOK_S)
            finally:
                await self._end()

    def _look(self) -> None:
        """A new snapshot or nothing."""
        version = self._desk.state.words[Word.SNAPSHOT_VERSION]
        if version == self._seen:
            return
        self._seen = version
        try:
            self._desk.adopt(read(self._desk.state_dir))
        except (ConfigError, OSError, ValueError) as error:
            _log.error("the published snapshot cannot be read, the one before stays: %s", error)
            return
        self._heed()

    def _heed(self) -> None:
        wanted = {duty.name: duty for appoint in self._appoint for duty in appoint(self._desk.config)}
        for name, running in list(self._running.items()):
            if name not in wanted or wanted[name].settings != running.duty.settings:
                running.task.cancel()
                del self._running[name]
        for name, duty in wanted.items():
            if name not in self._running:
                _log.info("%s begins", name)
                self._running[name] = Running(duty, self._desk)

    async def _settle_left(self) -> None:
        """Errands that the courier before had taken are there for taking again."""
        try:
            await asyncio.to_thread(give_back, self._desk.database)
        except StoreError as error:
            _log.warning("errands cannot be read now: %s", error)

    async def _take_errands(self) -> None:
        if not self._performers or len(self._errands) >= ERRANDS_MAX:
            return
        try:
            errands = await asyncio.to_thread(
                take, self._desk.database, tuple(self._performers), ERRANDS_MAX - len(self._errands), clock.wall_us()
            )
        except StoreError as error:
            if str(error) != self._complaint:
                _log.warning("errands cannot be read now: %s", error)
            self._complaint = str(error)
            return
        self._complaint = ""
        for errand in errands:
            task = asyncio.create_task(self._perform(errand), name=f"errand-{errand.id}")
            self._errands.add(task)
            task.add_done_callback(self._errands.discard)

    async def _perform(self, errand: Errand) -> None:
        try:
            answer, outcome = await self._performers[errand.kind](self._desk, errand), "done"
        except (ErrandFailed, StoreError, OSError) as error:
            answer, outcome = {"error": str(error)}, "failed"
        except Exception as error:  # noqa: BLE001 - supervises foreign code: the other duties go on
            _log.exception("errand %s (%s %s) failed", errand.id, errand.kind, errand.name)
            answer, outcome = {"error": f"{type(error).__name__}: {error}"}, "failed"
        try:
            await asyncio.to_thread(finish, self._desk.database, errand.id, outcome, answer, clock.wall_us())
        except StoreError as error:
            _log.error("what became of errand %s cannot be written: %s", errand.id, error)

    def _tell(self, *, at_once: bool = False) -> None:
        now_ns = clock.mono_ns()
        if now_ns < self._status_at_ns and not at_once:
            return
        self._status_at_ns = now_ns + STATUS_EVERY_NS
        status = CourierStatus(os.getpid(), clock.wall_us(), {name: one.status for name, one in self._running.items()})
        partial = self._desk.state_dir / f".{STATUS_FILE}.partial"
        try:
            partial.write_bytes(msgspec.json.encode(status) + b"\n")
            partial.replace(self._desk.state_dir / STATUS_FILE)
        except OSError as error:
            _log.error("cannot write the courier's status: %s", error)

    async def _end(self) -> None:
        tasks = [*(one.task for one in self._running.values()), *self._errands]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        self._running.clear()
        self._tell(at_once=True)


async def run(courier: Courier) -> None:
    """Until SIGTERM or SIGINT. Raises CourierBusy."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    release_signals()
    await courier.run(stop)


async def _sleep_until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
