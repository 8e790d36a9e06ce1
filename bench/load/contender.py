"""A server under comparison: a child process on a core of its own, started, awaited, stopped; and the names of its workers.

Cores are those that this process may use: the first is the servers', the second the load's, the upstream's, and that of
what stands beside a worker (gw's keeper). On one core there is no comparison, only a check that everything runs.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

HOST = "127.0.0.1"
START_S = 120.0  # LiteLLM takes up to a minute on a busy core
STOP_S = 40.0  # gw drains, then its keeper empties the journals
POLL_S = 0.05
SETTLE_S = 20.0
IDLE_LOOK_S = 0.2
IDLE_MAX = 0.1  # of a core: LiteLLM and gw have timers
# What a server must not inherit: another gateway's settings, and a proxy between it and the upstream.
STRANGE = ("GW_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRANIAN_")


class ContenderFailed(Exception):
    """It ended or never answered; the message holds the end of its output."""


def cores() -> tuple[int, int]:
    """(the servers' core, the load's core)"""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[1] if len(mine) > 1 else mine[0]


def move(pid: int, *onto: int) -> None:
    """Binds all threads of a process, and what they will start, to these cores. One that has just ended is no error."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for thread in threads:
        try:
            os.sched_setaffinity(int(thread.name), onto)
        except ProcessLookupError:
            continue


def children(pid: int) -> list[int]:
    """The processes that this one has started, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            if int(status.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return sorted(found)


def command_of(pid: int) -> str:
    """Its command line, blanks between the arguments; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def cpu_ns(pids: Iterable[int]) -> int:
    """User and system time of these processes, all threads that live, in nanoseconds (the scheduler's own count)."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text().split()[0])
            except OSError:
                continue
    return total


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process' variables without those that would change what is compared, and `more`."""
    mine = {name: value for name, value in os.environ.items() if not name.upper().startswith(STRANGE)}
    return {**mine, "NO_PROXY": HOST, "no_proxy": HOST, **more}


def program(name: str, advice: str) -> str:
    """The path of an installed program. Raises ContenderFailed with the advice."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ContenderFailed(f"{name} is missing: {advice}")
    return found


def itself(pid: int) -> list[int]:
    """The workers of a server that is one process."""
    return [pid]


class Contender:
    """`headers` and `path` are what a request to it needs beyond those of the scenario. A context manager: ready inside.

    `command` is empty for one that runs already (the upstream itself). `workers`: main process -> those that serve.
    """

    def __init__(
        self,
        name: str,
        port: int,
        command: Sequence[str] = (),
        *,
        version: str,
        environ: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/messages?beta=true",
        ready: str = "/healthz",
        core: Sequence[int] = (),
        workers: Callable[[int], list[int]] = itself,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self.command = list(command)
        self.version = version
        self.headers = dict(headers or {})
        self.path = path
        self.core = tuple(core) or cores()[:1]
        self._environ = dict(environ or {})
        self._ready = ready
        self._workers = workers
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def start(self) -> None:
        """Starts it on its core. Raises ContenderFailed if the program is missing."""
        if not self.command:
            return
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open until stop()
        pinned = [program("taskset", "apt-get install util-linux"), "-c", ",".join(map(str, self.core)), *self.command]
        try:
            self._process = subprocess.Popen(
                pinned,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                env=environment(self._environ),
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError as error:
            raise ContenderFailed(f"{self.name} cannot be started: {error}") from error

    def wait(self, seconds: float = START_S) -> None:
        """Until it answers. Raises ContenderFailed."""
        give_up = time.monotonic() + seconds
        while not self.answers():
            if self._process is not None and self._process.poll() is not None:
                raise ContenderFailed(f"{self.name} ended with {self._process.returncode}:\n{self.said()}")
            if time.monotonic() > give_up:
                raise ContenderFailed(f"{self.name} did not answer in {seconds:.0f} s:\n{self.said()}")
            time.sleep(POLL_S)

    def answers(self) -> bool:
        """Whether it answers at all, and not that it is not ready."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", self._ready)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def pids(self) -> list[int]:
        """The processes that serve, whose time and memory count. None for the upstream, which is no contender."""
        return self._workers(self._process.pid) if self._process is not None else []

    def beside(self) -> list[int]:
        """Processes of its own that do not serve: what they have left to do must not fall into the next measurement."""
        return []

    def settle(self, seconds: float = SETTLE_S) -> bool:
        """Waits until it is idle: a slow one goes on with requests whose client has left, gw's keeper with what it has to write.
        False if it is not in time."""
        give_up = time.monotonic() + seconds
        pids = [*self.pids(), *self.beside()]
        before, moment = cpu_ns(pids), time.monotonic()
        while time.monotonic() < give_up:
            time.sleep(IDLE_LOOK_S)
            now, later = cpu_ns(pids), time.monotonic()
            if now - before < IDLE_MAX * (later - moment) * 1e9:
                return True
            before, moment = now, later
        return False

    def said(self, size: int = 4000) -> str:
        """The end of what it has written, until it is stopped."""
        if self._output is None:
            return ""
        self._output.seek(0)
        return self._output.read()[-size:].decode(errors="replace")

    def stop(self) -> None:
        """SIGTERM; SIGKILL to all of it if that is not obeyed. Idempotent."""
        process, self._process = self._process, None
        output, self._output = self._output, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if output is not None:
            output.close()

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
