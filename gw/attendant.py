"""A process beside the workers that the supervisor keeps alive: the keeper, the courier."""

import logging
import signal
import subprocess
import sys

from gw import clock
from gw.ops.process import signals_held

log = logging.getLogger("gw.serve")

PAUSE_NS = 1_000_000_000  # from one start to the next


class Attendant:
    """`python -m module argument`, started again when it ends. `stop_s`: how long it may take to end when it is asked to."""

    def __init__(self, name: str, module: str, argument: str, stop_s: float, on_late: str) -> None:
        self.name = name
        self._command = [sys.executable, "-m", module, argument]
        self._stop_s = stop_s
        self._on_late = on_late  # what the log says if it takes longer
        self._process: subprocess.Popen[bytes] | None = None
        self._due_ns = 0

    def start(self) -> None:
        self._due_ns = clock.mono_ns() + PAUSE_NS
        try:
            with signals_held():
                self._process = subprocess.Popen(self._command, start_new_session=True)  # Ctrl-C in the terminal is not for it
        except OSError as error:
            log.error("the %s cannot be started now: %s", self.name, error)

    def look(self) -> None:
        """Starts it if it is not there."""
        if (self._process is not None and self._process.poll() is None) or clock.mono_ns() < self._due_ns:
            return
        if self._process is not None:
            log.error("the %s ended (exit code %s); starting another", self.name, self._process.returncode)
        self.start()

    def reload(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Asks it to end what it is at, and waits."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self._stop_s)
        except subprocess.TimeoutExpired:
            log.error("the %s did not finish in %.0f s; %s", self.name, self._stop_s, self._on_late)
            self._process.kill()
