"""A gateway as a child process: written configuration, start, readiness, stop. For the demo and for the tests."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from gw.clock import mono_ns

POLL_S = 0.05


class GatewayFailed(Exception):
    """It ended or did not become ready; the message holds the end of its log."""


def free_port() -> int:
    """A port that nothing listens on at this moment (loopback)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gateway:
    """`gw serve --config PATH` on 127.0.0.1:`port`, its output in `log`. A context manager that stops it by SIGTERM."""

    def __init__(self, config: Path, port: int, log: Path, environ: Mapping[str, str]) -> None:
        self.config = config
        self.command = [sys.executable, "-m", "gw", "serve", "--config", str(config)]
        self.port = port
        self.log = log
        self.environ = {**os.environ, **environ}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, timeout_s: float = 30.0) -> None:
        """Raises GatewayFailed if it is not ready in time."""
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C in a terminal stops the demo first, which then stops the gateway in order.
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environ, start_new_session=True
            )
        try:
            self._await_ready(timeout_s)
        except BaseException:  # an interrupt, too, must not leave the child behind
            self.stop(timeout_s=5)
            raise

    def _await_ready(self, timeout_s: float) -> None:
        deadline = mono_ns() + int(timeout_s * 1e9)
        while not self.ready():
            self.pause()
            if mono_ns() > deadline:
                raise GatewayFailed(f"gw serve was not ready after {timeout_s:.0f} s:\n{self.log_end()}")

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self, timeout_s: float = 60.0) -> int:
        """SIGTERM and wait; the exit status. Kills the whole process group if it does not end in time."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode

    def pause(self) -> None:
        """A short wait for whoever polls; fails at once if the gateway ended."""
        status = self.status_within(POLL_S)
        if status is not None:
            raise GatewayFailed(f"gw serve ended with {status}:\n{self.log_end()}")

    def log_end(self, size: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def status_within(self, seconds: float) -> int | None:
        """The exit status if it ends within this time."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
