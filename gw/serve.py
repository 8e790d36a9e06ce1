"""`gw serve`: the supervisor. Prepares the state directory, then keeps N workers, a keeper and, once there is anything for it
to do, a courier alive until told to stop.

Granian's process server spawns the workers; its loop is replaced by one that restarts whatever dies (with back-off),
drains before stopping, and forwards SIGHUP to the keeper, who reloads. The supervisor itself serves nothing.
All children are forked by its main thread and end with it (gw.ops.process).
"""

import fcntl
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from gw import clock
from gw.attendant import Attendant
from gw.config.load import ConfigError
from gw.config.model import Config
from gw.ledger.mover import KeeperBusy
from gw.ledger.store import StoreError
from gw.ops.process import SUPERVISOR, signals_held
from gw.ops.state import Own, StateFile, Word
from gw.startup import await_last_run, begin

log = logging.getLogger("gw.serve")

APP = "gw.app:app"
POLL_S = 0.1
QUICK_DEATH_NS = 2_000_000_000  # a worker that lives less than this may be failing to start
QUICK_DEATHS_MAX = 10  # in a row, before any worker has come up: then starting is given up
RESPAWN_PAUSE_NS = (50_000_000, 1_000_000_000)  # first and longest, by the number of quick deaths in a row
HUNG_POLLS = 300  # looks at a worker's standing timer (30 s, not counting time in which the whole gateway was suspended)
STOP_GRACE_S = 5  # after the drain deadline, for calls to be closed and recorded
NS_PER_S = 1_000_000_000


class StartError(Exception):
    """The gateway cannot start; the message says what to do."""


class Supervisor(MPServer):
    """Granian's process server with gw's own loop."""

    def __init__(self, config: Config, config_path: Path | None, state: StateFile) -> None:
        server = config.server
        super().__init__(
            APP,
            address=server.host,
            port=server.port,
            interface=Interfaces.ASGI,
            workers=server.workers or min(os.cpu_count() or 1, 8),
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            websockets=True,
            backlog=4096,
            backpressure=server.connections_max,
            http1_settings=HTTP1Settings(
                header_read_timeout=30_000, keep_alive=True, max_buffer_size=1024 * 1024, pipeline_flush=False
            ),
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_GRACE_S + 5,
        )
        self.gw_config = config
        self.gw_config_path = config_path
        self.gw_state = state
        path = str(config_path or "")
        self.keeper = Attendant("keeper", "gw.keeper_main", path, 30, "its journals are kept for the next start")
        self.courier = Attendant("courier", "gw.courier_main", path, 15, "the next start takes up what it had in hand")
        self.gave_up = False
        self._dead: set[int] = set()  # workers to be started again, by index
        self._quick_deaths = 0
        self._respawn_due_ns = 0
        self._standing: dict[int, tuple[int, int]] = {}  # pid -> last heartbeat, looks at it since
        self._complaint = ""
        self.on_startup(self.keeper.start)
        self.on_shutdown(self.keeper.stop)  # the workers are gone: it writes what their journals hold, then ends
        self.on_shutdown(self.courier.stop)

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        spawn: Any = super()._spawn_workers
        with signals_held():
            spawn(spawn_target, target_loader)

    def _serve_loop(self, spawn_target: Any, target_loader: Callable[..., Any]) -> None:
        while True:
            self.main_loop_interrupt.wait(POLL_S)
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                break
            if self.reload_signal:
                self.reload_signal = False
                self.keeper.reload()
            self._keep_state_file()
            self._kill_hung()
            self._bury_dead()
            if self._dead and clock.mono_ns() >= self._respawn_due_ns and not self._replace_dead(spawn_target, target_loader):
                log.critical("workers end as soon as they start; giving up. The lines above say why.")
                self.gave_up = True
                break
            self.keeper.look()
            if self.gw_state.words[Word.COURIER_WANTED]:
                self.courier.look()
        self._drain()

    def _keep_state_file(self) -> None:
        try:
            restored = self.gw_state.restore_path()
        except OSError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                log.critical("the state file is gone and cannot be put back (%s): no new worker can start", error)
            return
        self._complaint = ""
        if restored:
            log.error("someone removed %s; it is put back. Leave it alone while gw runs.", self.gw_state.path)

    def _kill_hung(self) -> None:
        """A worker that stands still serves nobody, yet the kernel goes on giving it connections."""
        standing = {}
        for worker in self.wrks:
            pid = worker.inner.pid
            beat_ns, polls = self.gw_state.heartbeat_ns(pid), 0
            if beat_ns and beat_ns == self._standing.get(pid, (0, 0))[0]:
                polls = self._standing[pid][1] + 1
            standing[pid] = beat_ns, polls
            if polls == HUNG_POLLS:
                log.error("worker %d (pid %d) hangs; killing it, its calls are settled as observed", worker.idx + 1, pid)
                worker.inner.kill()
        self._standing = standing

    def _bury_dead(self) -> None:
        """Takes over what the threads that wait for the workers have reported meanwhile, without losing what they add."""
        while self.interrupt_children:
            index = self.interrupt_children.pop()
            self._dead.add(index)
            self.gw_state.bury(self.wrks[index].inner.pid)

    def _replace_dead(self, spawn_target: Any, target_loader: Callable[..., Any]) -> bool:
        """Starts a new worker in place of each dead one. False: none has ever come up."""
        now_ns = clock.mono_ns()
        quick = all(now_ns - int(self.wrks[index].birth * NS_PER_S) < QUICK_DEATH_NS for index in self._dead)
        self._quick_deaths = self._quick_deaths + 1 if quick else 0
        if self._quick_deaths > QUICK_DEATHS_MAX and not self.gw_state.ever_served():
            return False
        first_ns, longest_ns = RESPAWN_PAUSE_NS
        self._respawn_due_ns = now_ns + min(first_ns << min(self._quick_deaths, 10), longest_ns)
        for index in sorted(self._dead):
            log.error("worker %d ended (exit code %s); starting another", index + 1, self.wrks[index].inner.exitcode)
            try:
                with signals_held():
                    worker: Any = self._spawn_worker(idx=index, target=spawn_target, callback_loader=target_loader)
                    worker.start()
            except OSError as error:
                log.error("worker %d cannot be started now: %s", index + 1, error)
                continue
            self.wrks[index] = worker
            self._dead.discard(index)
        return True

    def _drain(self) -> None:
        """Not ready, no new calls; running ones may finish until the deadline, then the workers close them."""
        words = self.gw_state.words
        words[Word.DRAIN_DEADLINE_NS] = clock.mono_ns() + int(self.gw_config.server.drain_timeout_s * NS_PER_S)
        words[Word.DRAINING] = clock.wall_us()
        self.interrupt_signal = False
        self._bury_dead()
        while self.gw_state.sum_own(Own.IN_FLIGHT):
            if clock.mono_ns() > words[Word.DRAIN_DEADLINE_NS] + STOP_GRACE_S * NS_PER_S:
                log.error("calls were still open after the drain; the keeper settles them")
                break
            self.main_loop_interrupt.wait(POLL_S)
            self.main_loop_interrupt.clear()
            self._bury_dead()
            if self.interrupt_signal:  # asked twice: no more waiting
                self.interrupt_signal = False
                words[Word.DRAIN_DEADLINE_NS] = clock.mono_ns()
        self.interrupt_signal = True


def serve(config: Config, config_path: Path | None, announce: Callable[[Config], None]) -> None:
    """Runs until SIGTERM or SIGINT. Raises StartError if it cannot start."""
    state_dir = Path(config.server.state_dir)
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(state_dir)
    except OSError as error:
        raise StartError(f"cannot use {state_dir} as [server] state_dir: {error.strerror}") from error
    with lock:
        try:
            await_last_run(state_dir)
        except KeeperBusy as error:
            raise StartError(str(error)) from error
        _check_address(config.server.host, config.server.port)
        try:
            state = begin(config, config_path)
        except (ConfigError, StoreError, OSError, ValueError) as error:
            raise StartError(f"cannot start: {error}") from error
        os.environ["GW_STATE_DIR"] = str(state_dir)
        os.environ[SUPERVISOR] = str(os.getpid())
        announce(config)
        supervisor = Supervisor(config, config_path, state)
        supervisor.serve()
        if supervisor.gave_up:
            raise StartError("no worker could be started")


def _lock(state_dir: Path) -> TextIO:
    """One gateway per state directory. A record lock: forked workers do not inherit it, so it vanishes with this process."""
    file = (state_dir / "gw.lock").open("a+")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows both
        file.close()
        raise StartError(
            f"another gw is running on {state_dir}. Stop it, or set [server] state_dir to another directory."
        ) from None
    return file


def _check_address(host: str, port: int) -> None:
    """Workers share the port among themselves, so a stranger on it would not be noticed by the kernel alone."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"cannot listen on {host}:{port}: {error.strerror}. Set [server] host and port, or GW_SERVER_PORT."
            ) from error
