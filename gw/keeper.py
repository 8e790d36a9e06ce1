"""The keeper: the one process that writes the ledger.

Its loop moves journals into the store and backs off while the store does not take rows; beside it run the hooks it was
given (publishing key changes, and the like). It ends on SIGTERM or SIGINT, after reading the journals to their end.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from msgspec import Struct

from gw import clock
from gw.domain.call import CallRecord
from gw.domain.stored import LeftOut
from gw.ledger.frames import SegmentHeader
from gw.ledger.mover import Follower, KeeperBusy, Moved, Mover, SettleLost, sole_mover
from gw.ledger.status import KeeperStatus, write_status
from gw.ledger.store import Database, Store, StoreError
from gw.ops.process import release_signals
from gw.retain import PAUSE_NS, Retention

IDLE_S = 0.05  # how often the journals are looked at, unless there is much to do
FULL = 8  # a batch of this part of its rows was much; what is less waits for company: a commit costs as much as a hundred rows
BACKOFF_S = (0.1, 5.0)  # first and longest wait while the store does not take rows
CLAIM_NS = 1_000_000_000
HOOK_EVERY_S = 0.25
STATUS_EVERY_NS = 1_000_000_000
SUM_UP_NS = 5_000_000_000  # what budgets have used is summed up so often: so much less is to be read at the next start
SUM_UP_BUSY_NS = 60_000_000_000  # likewise, while there is a backlog
DRAIN_S = 10.0  # longest try to empty the journals at the end; what is left waits for the next keeper

State = Literal["running", "waiting", "draining", "stopped"]
Hook = Callable[[], Awaitable[None]]

_log = logging.getLogger("gw.keeper")


def settle_unobserved(record: CallRecord, _slot: int, _header: SegmentHeader) -> CallRecord:
    """Where nothing observed the call: the record stands as it was opened."""
    return record


class KeeperSettings(Struct, frozen=True):
    """What the keeper needs to know. The hooks are called every 250 ms, one after the other, between two commits: the ledger
    waits for them."""

    state_dir: Path
    database: Database
    settle_lost: SettleLost = settle_unobserved
    follower: Follower | None = None
    on_tick: tuple[Hook, ...] = ()
    counts: Callable[[], Mapping[str, int]] = dict  # asked for the status, whose fields they are
    config_problem: Callable[[], str] = str  # asked for the status; "" for none
    left_out: Callable[[], tuple[LeftOut, ...]] = tuple  # likewise
    rows_max: int = 8000  # a backlog is written in fewer, larger transactions: rollups are then touched once for more rows
    retention_months: int = 0
    hourly_months: int = 0


class Keeper:
    """One run over one state directory."""

    def __init__(self, settings: KeeperSettings, store: Store) -> None:
        self._settings = settings
        self._mover = Mover(settings.state_dir, store, settings.settle_lost, settings.follower, rows_max=settings.rows_max)
        self._retention = Retention(settings.retention_months)
        self._hourly = Retention(settings.hourly_months)
        self._state: State = "running"
        self._error = ""
        self._status_at_ns = 0
        self._sum_up_ns = clock.mono_ns() + SUM_UP_NS

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, then to the end of the journals. Raises KeeperBusy."""
        with ExitStack() as held:
            await self._claim(held)
            hooks = asyncio.create_task(self._run_hooks(), name="keeper-hooks")
            try:
                await self._loop(stop)
                await self._drain()
            finally:
                hooks.cancel()
                await asyncio.wait([hooks])
                await self._mover.close()
                self._tell("stopped", at_once=True)

    async def _claim(self, held: ExitStack) -> None:
        """A report may hold the lock for a moment, to read in what a stopped gateway left; another keeper holds it for good."""
        deadline_ns = clock.mono_ns() + CLAIM_NS
        while True:
            try:
                held.enter_context(sole_mover(self._settings.state_dir))
            except KeeperBusy:
                if clock.mono_ns() >= deadline_ns:
                    raise
                await asyncio.sleep(BACKOFF_S[0])
            else:
                return

    async def _loop(self, stop: asyncio.Event) -> None:
        wait_s = BACKOFF_S[0]
        while not stop.is_set():
            began_ns = clock.mono_ns()
            try:
                busy = await self._mover.move()
                await self._retire()
                full = busy * FULL >= self._settings.rows_max
                await self._sum_up(busy=full)
            except (StoreError, OSError) as error:
                self._failed(error)
                await _sleep_until(stop, wait_s)
                wait_s = min(wait_s * 2, BACKOFF_S[1])
                continue
            wait_s = BACKOFF_S[0]
            self._recovered()
            self._tell("running")
            if not full:
                await _sleep_until(stop, max(IDLE_S - (clock.mono_ns() - began_ns) / 1e9, 0.0))

    async def _retire(self) -> None:
        if before_us := self._retention.due():
            self._retention.done(more=await self._mover.retire(before_us))
        if before_us := self._hourly.due():
            self._hourly.done(more=await self._mover.drop_hours(before_us))

    async def _sum_up(self, *, busy: bool) -> None:
        if clock.mono_ns() >= self._sum_up_ns + (SUM_UP_BUSY_NS - SUM_UP_NS if busy else 0):
            more = await self._mover.sum_up()
            self._sum_up_ns = clock.mono_ns() + (PAUSE_NS if more else SUM_UP_NS)

    async def _drain(self) -> None:
        self._tell("draining", at_once=True)
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._mover.drain()
        except (StoreError, OSError, TimeoutError) as error:  # TimeoutError is an OSError; named because it is meant
            _log.warning("ended with journals not empty (%s); the next start goes on from there", error or "out of time")
            self._error = str(error)
        else:
            self._error = ""

    async def _run_hooks(self) -> None:
        """All between the same two commits: with a backlog each would wait for one."""
        while True:
            try:
                async with self._mover.told():
                    for hook in self._settings.on_tick:
                        await _supervised(hook)
            except Exception:  # noqa: BLE001 - supervises foreign code: the ledger goes on without the follower
                _log.exception("the rows that are in the ledger could not be told")
            await asyncio.sleep(HOOK_EVERY_S)

    def _failed(self, error: Exception) -> None:
        if self._state != "waiting" or str(error) != self._error:
            _log.error("the ledger does not take rows: %s; the journals keep them", error)
        self._error = str(error)
        self._tell("waiting", at_once=self._state != "waiting")

    def _recovered(self) -> None:
        if self._state == "waiting":
            _log.warning("the ledger takes rows again")
            self._error = ""

    def _tell(self, state: State, *, at_once: bool = False) -> None:
        """Writes the status file, at most once a second unless the state has changed."""
        changed = state != self._state
        self._state = state
        now_ns = clock.mono_ns()
        if not (at_once or changed) and now_ns < self._status_at_ns:
            return
        self._status_at_ns = now_ns + STATUS_EVERY_NS
        moved, since_us, now_us = self._mover.moved, self._mover.waiting_since_us, clock.wall_us()
        left_out = self._settings.left_out()
        status = KeeperStatus(
            pid=os.getpid(),
            state=state,
            written_us=now_us,
            database_ok=int(state != "waiting"),
            behind_us=max(0, now_us - since_us) if since_us else 0,
            behind_bytes=self._mover.behind_bytes(),
            rows=moved.rows,
            duplicates=moved.duplicates,
            damaged=moved.damaged,
            rejected=moved.rejected,
            lost=moved.lost,
            foreign=self._mover.foreign,
            error=self._error,
            left_out=len(left_out),
            left_out_hard_budgets=sum(one.opens for one in left_out),
            config_problem=self._settings.config_problem(),
            **self._settings.counts(),
        )
        try:
            write_status(self._settings.state_dir, status)
        except OSError as error:
            _log.error("cannot write the keeper's status: %s", error)


async def run(settings: KeeperSettings) -> None:
    """Runs the keeper until SIGTERM or SIGINT. Raises KeeperBusy if another one runs on this state directory."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    release_signals()
    await Keeper(settings, settings.database.store()).run(stop)


async def flush_all(state_dir: Path, store: Store, settle_lost: SettleLost | None = None) -> Moved:
    """Moves into the ledger what the journals of a stopped gateway still hold. Without `settle_lost`, open calls wait.

    Raises KeeperBusy while a keeper runs (it does the same within a blink), StoreError and OSError.
    """
    with sole_mover(state_dir):
        mover = Mover(state_dir, store, settle_lost)
        try:
            await mover.drain()
        finally:
            await mover.close()
        return mover.moved


async def _supervised(hook: Hook) -> None:
    try:
        await hook()
    except Exception:  # noqa: BLE001 - supervises foreign code: the ledger goes on without the hook
        _log.exception("hook %s failed", getattr(hook, "__qualname__", hook))


async def _sleep_until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
