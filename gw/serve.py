"""`gw serve`: the supervisor. Prepares the state directory, then keeps N workers and one keeper alive until told to stop.

Granian's process server spawns the workers; its loop is replaced by one that restarts whatever dies (with back-off),
drains before stopping, and forwards SIGHUP to the keeper, who reloads. The supervisor itself serves nothing.
"""

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from gw import clock
from gw.config.model import Config
from gw.ops.state import Own, StateFile, Word
from gw.startup import prepare_state

log = logging.getLogger("gw.serve")

POLL_S = 0.1
QUICK_DEATH_US = 2_000_000  # a worker that lives less than this counts as failing to start
QUICK_DEATHS_MAX = 10
STOP_GRACE_S = 5  # after the drain deadline, for calls to be closed and recorded


class StartError(Exception):
    """The gateway cannot start; the message says what to do."""


class Supervisor(MPServer):
    """Granian's process server with gw's own loop."""

    def __init__(self, config: Config, config_path: Path | None, state: StateFile) -> None:
        server = config.server
        super().__init__(
            "gw.app:app",
            address=server.host,
            port=server.port,
            interface=Interfaces.ASGI,
            workers=server.workers or min(os.cpu_count() or 1, 8),
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            websockets=False,
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
        self.keeper: subprocess.Popen[bytes] | None = None
        self._keeper_due_us = 0
        self._quick_deaths = 0
        self._respawn_due_us = 0
        self.on_startup(self.start_keeper)
        self.on_shutdown(self.stop_keeper)

    def start_keeper(self) -> None:
        command = [sys.executable, "-m", "gw.keeper_main", str(self.gw_config_path or "")]
        self.keeper = subprocess.Popen(command, start_new_session=True)  # Ctrl-C in the terminal is not for it
        self._keeper_due_us = clock.wall_us() + 1_000_000

    def stop_keeper(self) -> None:
        """The workers are gone: the keeper writes what their journals hold, then ends."""
        if self.keeper is None:
            return
        self.keeper.send_signal(signal.SIGTERM)
        try:
            self.keeper.wait(30)
        except subprocess.TimeoutExpired:
            log.error("the keeper did not finish in 30 s; its journals are kept for the next start")
            self.keeper.kill()

    def _serve_loop(self, spawn_target: Any, target_loader: Callable[..., Any]) -> None:
        while True:
            self.main_loop_interrupt.wait(POLL_S)
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                break
            if self.reload_signal:
                self.reload_signal = False
                if self.keeper is not None:
                    self.keeper.send_signal(signal.SIGHUP)
            if (
                self.interrupt_children
                and clock.wall_us() >= self._respawn_due_us
                and not self._respawn(spawn_target, target_loader)
            ):
                log.critical("workers die as soon as they start; giving up. The lines above say why.")
                self.interrupt_children.clear()
                break
            if self.keeper is not None and self.keeper.poll() is not None and clock.wall_us() >= self._keeper_due_us:
                log.error("the keeper ended (exit code %s); starting another", self.keeper.returncode)
                self.start_keeper()
        self._drain()

    def _respawn(self, spawn_target: Any, target_loader: Callable[..., Any]) -> bool:
        """Starts a new worker in place of each dead one. False: they never come up."""
        dead = sorted(set(self.interrupt_children))
        self.interrupt_children.clear()
        quick = all(clock.mono_ns() // 1000 - int(self.wrks[index].birth * 1_000_000) < QUICK_DEATH_US for index in dead)
        self._quick_deaths = self._quick_deaths + 1 if quick else 0
        if self._quick_deaths > QUICK_DEATHS_MAX:
            return False
        self._respawn_due_us = clock.wall_us() + min(50_000 << self._quick_deaths, 5_000_000)
        log.error("worker %s died; starting another", ", ".join(str(index + 1) for index in dead))
        self._respawn_workers(dead, spawn_target, target_loader)
        return True

    def _drain(self) -> None:
        """Not ready, no new calls; running ones may finish until the deadline, then the workers close them."""
        words = self.gw_state.words
        now = clock.wall_us()
        words[Word.DRAIN_DEADLINE_US] = now + int(self.gw_config.server.drain_timeout_s * 1_000_000)
        words[Word.DRAINING] = now
        self.interrupt_signal = False
        while self.gw_state.sum_own(Own.IN_FLIGHT):
            now = clock.wall_us()
            if now > words[Word.DRAIN_DEADLINE_US] + STOP_GRACE_S * 1_000_000:
                log.error("calls were still open after the drain; the keeper settles them")
                break
            self.main_loop_interrupt.wait(POLL_S)
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:  # asked twice: no more waiting
                self.interrupt_signal = False
                words[Word.DRAIN_DEADLINE_US] = now
        self.interrupt_signal = True


def serve(config: Config, config_path: Path | None, announce: Callable[[Config], None]) -> None:
    """Runs until SIGTERM or SIGINT. Raises StartError if it cannot start."""
    state_dir = Path(config.server.state_dir)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(state_dir)
    _check_address(config.server.host, config.server.port)
    state = prepare_state(config, config_path)
    os.environ["GW_STATE_DIR"] = str(state_dir)
    announce(config)
    try:
        Supervisor(config, config_path, state).serve()
    finally:
        lock.close()


def _lock(state_dir: Path) -> TextIO:
    """One gateway per state directory; the lock vanishes with this process."""
    file = (state_dir / "gw.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
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
