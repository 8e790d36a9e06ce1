"""One worker: what its calls share (snapshot, pool, journal, block of the state file) and its timers."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from gw import clock
from gw._fast import numbered
from gw.config.load import ConfigError
from gw.content.spool import DIRECTORY, ContentSpool
from gw.domain.call import Endpoint, Outcome
from gw.errors import Refusal
from gw.governor import Governor
from gw.ledger.journal import JournalError, JournalWriter
from gw.ops.awake import Awake
from gw.ops.metrics import RECORD, SETTLE, observe, observe_overhead
from gw.ops.pace import Pace
from gw.ops.process import collect_seldom, die_with_supervisor, orphaned, release_signals
from gw.ops.state import STATE_FILE, Own, StateFile, Word
from gw.settle import Call, opened, settled, unpriced
from gw.snapshot import Snapshot, read
from gw.upstream.pool import Pool
from gw.watch import Watch

if TYPE_CHECKING:
    from gw.ways import Ways

log = logging.getLogger("gw.worker")

# What asyncio.current_task looks in, but for its two frames of Python: every call asks.
_tasks: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = getattr(asyncio.tasks, "_current_tasks", {})

TICK_S = 0.1  # how soon a worker sees a new snapshot, a drain, or a client that left
LAST_WORD_NS = 1_000_000_000  # after the drain's deadline: for clients to take the event that tells them
OVERDUE_EVERY_NS = 10_000_000_000
DRAIN_S = 0.005  # for how long frames of the journal may wait for company: some ten calls of a busy worker


SIGNALS_AFTER_S = 0.1
IN_FLIGHT, DRAINING = int(Own.IN_FLIGHT), int(Word.DRAINING)


class Worker:
    """Born in the ASGI lifespan of one process. `start` and `stop` bracket its life."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.state = StateFile(state_dir / STATE_FILE)
        self.block = self.state.claim_block()
        self._own = self.block.own
        self._shared = self.block.shared
        self._loop = asyncio.get_running_loop()
        self.boot = f"{os.getpid() & 0xFFFF:04x}{os.urandom(2).hex()}"
        self.name = f"{self.block.index}-{self.boot}"
        self.snapshot = Snapshot(read(state_dir))
        journal = self.snapshot.config.journal
        self.journal = JournalWriter(
            state_dir / "journal",
            self.name,
            fsync=journal.fsync,
            segment_bytes_max=journal.segment_bytes_max,
            fsync_interval_ms=journal.fsync_interval_ms,
            on_waiting=self._drain_soon,
        )
        self.pool = Pool()
        self.content = ContentSpool(state_dir / DIRECTORY, self.name)
        self.governor = Governor(self)
        self._ways: Ways | None = None
        self.running: dict[Call, asyncio.Task[None]] = {}
        self._serial = 0
        self._id_prefix = self._prefix()
        self._failed_version = 0
        self._overdue_ns = 0
        self._seen: dict[Call, tuple[bool, int]] = {}  # since when looks at the running calls have found this one (un)sent
        self._ticker: asyncio.TimerHandle | None = None
        self._pace = Pace()
        self._awake = Awake()

    def start(self) -> None:
        # Without its supervisor a worker must not go on, not even to drain: the next start needs its port, and settles its calls.
        die_with_supervisor(signal.SIGKILL)
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the supervisor's: it drains first
        # The server hears a SIGTERM only once it serves, which begins when this returns; one that came before waits till then.
        loop.call_later(SIGNALS_AFTER_S, release_signals)
        self.block.set(Own.SNAPSHOT_VERSION, self.snapshot.version)
        collect_seldom()
        self._tick()

    async def stop(self) -> None:
        """The server has let the last call go: close what is left."""
        if self._ticker is not None:
            self._ticker.cancel()
        await self._stop_running()
        await self.pool.close()
        self.content.close()
        try:
            self.journal.close()
        except JournalError as error:
            log.critical("the last records may not be on the disk: %s", error)
        self.block.release()

    def _prefix(self) -> str:
        return f"gw_{clock.wall_us() // 1000:012x}{self.boot}"

    def call_id(self) -> str:
        """Ordered by time (to the tick) and serial, unique by boot and serial: gw_<ms, 12 hex><boot, 8 hex><serial, 8 hex>."""
        self._serial += 1
        return numbered(self._id_prefix, self._serial)

    @property
    def ways(self) -> "Ways":
        """Made when the first call needs it: where there is one upstream and nothing to decide, none does."""
        if self._ways is None:
            from gw.ways import Ways  # noqa: PLC0415

            self._ways = Ways(self)
        return self._ways

    def begin(self, endpoint: Endpoint) -> Call:
        call = Call(self.call_id(), endpoint, self.snapshot, self.name)
        task = _tasks.get(self._loop) or asyncio.current_task()
        assert task is not None
        self.running[call] = task
        self._own.add(IN_FLIGHT, 1)
        return call

    def end(self, call: Call) -> None:
        del self.running[call]
        if call.watch is not None:
            call.watch.close()
        self.block.give_slot(call.slot)
        self.block.give_slot(call.second_slot)
        if call.account.stores_content:
            self.content.end(call.call_id)
        if call.metered:
            observe_overhead(self.block.counters, call.laps)
        self._own.add(IN_FLIGHT, -1)

    def again(self, call: Call) -> None:
        """It is settled: what comes of it now is another attempt, in a row of its own."""
        self.block.give_slot(call.slot)
        self.block.give_slot(call.second_slot)
        if call.account.stores_content:
            self.content.end(call.call_id)
        call.attempt_of = call.attempt_of or call.call_id
        call.call_id = self.call_id()
        call.started_us = clock.wall_us()
        call.first_byte_us = call.first_token_us = call.charged_us = 0
        call.hold = call.tap = call.found = call.reading = call.weight = call.terms = call.record = None
        call.who = call.who_columns = call.charge_pusd = None
        call.slot = call.second_slot = -1
        call.budget = call.shadowed = call.upstream_request_id = call.served_model = ""
        call.status = call.upstream_status = call.response_bytes = 0
        call.sent = call.billed = False

    @property
    def draining(self) -> bool:
        return bool(self.state.words[Word.DRAINING])

    def open(self, call: Call) -> None:
        """Before the first byte goes upstream: if this process dies now, the keeper settles the call. Raises Refusal."""
        try:
            opened(call, self.journal.frame)
            self.journal.open_frame()
        except JournalError as error:
            self._unhealthy(error)
            raise cannot_record() from error

    def settle(self, call: Call, outcome: Outcome, error: str) -> None:
        """Exactly once per call, without an await: price, record, count. A second settlement changes nothing."""
        if call.record is not None:
            return
        laps, hold = call.laps, call.hold
        laps.skip()
        if hold is not None:
            self.governor.before_record(call, hold)
        try:
            call.record = settled(call, self.journal.frame, outcome, error)
        except Exception:  # a bug in pricing must not cost the record
            log.exception("call %s could not be priced", call.call_id)
            call.record = unpriced(call, self.journal.frame, outcome, error)
        laps.lap(SETTLE)
        try:
            self.journal.append_frame()
        except JournalError as failure:  # the journal keeps the record in memory until the disk takes it
            self._unhealthy(failure)
        laps.lap(RECORD)
        if hold is not None:
            self.governor.settle(call, hold, call.record)
        laps.lap(SETTLE)
        observe(self.block.counters, call.record)
        laps.lap(RECORD)

    def _drain_soon(self) -> None:
        self._loop.call_later(DRAIN_S, self._drain)

    def _drain(self) -> None:
        try:
            self.journal.drain()
        except JournalError as error:
            self._unhealthy(error)

    def _unhealthy(self, error: JournalError) -> None:
        if self.state.words[self.block.base + Own.JOURNAL_HEALTHY]:
            log.critical("no new calls are taken, records wait in memory: %s", error)
            self.block.set(Own.JOURNAL_HEALTHY, 0)

    def must_take(self) -> None:
        """Raises Refusal if this worker takes no new calls."""
        if self._shared[DRAINING]:
            raise Refusal("draining", "This gateway is restarting. Try again.")
        if not self.journal.healthy and not self.journal.recover():
            raise cannot_record()

    def _tick(self) -> None:
        if orphaned():  # where the kernel does not see to it
            os.kill(os.getpid(), signal.SIGKILL)
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)  # first: a bug below must not end the ticking
        now = clock.mono_ns()
        self._id_prefix = self._prefix()
        words = self.state.words
        self.block.set(Own.HEARTBEAT_NS, now)
        if words[Word.SNAPSHOT_VERSION] not in (self.snapshot.version, self._failed_version):
            self._swap(words[Word.SNAPSHOT_VERSION])
        try:
            self.journal.check()
        except JournalError as error:
            self._unhealthy(error)
        if not words[self.block.base + Own.JOURNAL_HEALTHY] and self.journal.recover():
            log.warning("the journal can be written again")
            self.block.set(Own.JOURNAL_HEALTHY, 1)
        if words[Word.DRAINING] and now >= words[Word.DRAIN_DEADLINE_NS]:
            self._cancel_running(again=now >= words[Word.DRAIN_DEADLINE_NS] + LAST_WORD_NS)
        if now >= self._overdue_ns:
            self._overdue_ns = now + OVERDUE_EVERY_NS
            self._leave_overdue(now)
        self._watch_running()
        share = self._pace.look(len(self.running))
        self._awake.look(share, wanted=self.snapshot.config.server.keep_awake)

    def _watch_running(self) -> None:
        """From a call's second tick on: most are over by then, and to watch one costs as much as half of it."""
        for call, task in self.running.items():
            if call.receive is not None and call.watch is None:
                if call.ticked:
                    call.watch = Watch(call, call.receive, task)
                call.ticked = True

    def _swap(self, version: int) -> None:
        """A new snapshot or nothing."""
        try:
            new = Snapshot(read(self.state_dir), before=self.snapshot)
        except (ConfigError, ValueError, OSError) as error:
            self._failed_version = version
            log.error("snapshot %d was refused, %d stays in force: %s", version, self.snapshot.version, error)
            return
        before, self.snapshot = self.snapshot, new
        self.governor.replaced()
        if self._ways is not None:
            self._ways.replaced(before)
        self.block.set(Own.SNAPSHOT_VERSION, new.version)

    def _cancel_running(self, *, again: bool) -> None:
        """Not those that are settled: only their last bytes are still on their way. `again`: them too, and those that were
        told before and still try to say so to a client that takes no bytes."""
        for call, task in self.running.items():
            if again or not (call.stopping or call.record is not None):
                call.stopping = True
                task.cancel()

    def _leave_overdue(self, now_ns: int) -> None:
        """A client that neither sends nor takes bytes could hold its call beyond all timeouts, which are the upstream's."""
        before = self._seen
        self._seen = {}
        for call in self.running:
            sent, since_ns = before.get(call, (call.sent, now_ns))
            self._seen[call] = (call.sent, since_ns if sent == call.sent else now_ns)
        for call, (_, since_ns) in self._seen.items():
            if now_ns - since_ns > call.longest_ns:
                call.client_gone = True
                self.running[call].cancel()

    async def _stop_running(self) -> None:
        self._cancel_running(again=True)
        if self.running:
            await asyncio.wait(list(self.running.values()), timeout=5)


def cannot_record() -> Refusal:
    return Refusal(
        "journal_unavailable",
        "This gateway cannot record calls at the moment, so it takes none. Tell your gateway administrator.",
    )
