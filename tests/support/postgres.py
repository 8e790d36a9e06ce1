"""A Postgres of the tests' own: Debian's program, a cluster in a temporary folder, a socket there and no port anywhere else.

Postgres refuses to run as root, so root's tests run it as the user that Debian's package has made. It ends with its starter,
however that ends, where the system can see to it (`setpriv --pdeathsig`).
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from gw.clock import mono_ns
from tests.requires import need

USER = "postgres"  # root's stand-in
START_S = 30.0
POLL_S = 0.01
# Nothing here has to survive the machine, only the server's own death.
SETTINGS = ("fsync=off", "full_page_writes=off", "autovacuum=off", "wal_level=minimal", "max_wal_senders=0", "max_connections=40")


def programs() -> Path | None:
    """The folder of the newest server that is installed: Debian keeps it off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3].partition(".")[0]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def need_postgres() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        need("psycopg", False, "pip install 'gw[postgres]'")
    need("Postgres", programs() is not None, "apt-get install postgresql")


class Cluster:
    """One server. `start` and `kill` may follow each other; `remove` ends it for good."""

    def __init__(self, settings: Sequence[str] = SETTINGS) -> None:
        need_postgres()
        self._settings = settings
        found = programs()
        assert found is not None
        self._programs = found
        self.folder = Path(tempfile.mkdtemp(prefix="gw-pg-"))  # short: the name of a socket has 107 bytes
        self._process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            shutil.chown(self.folder, USER, USER)
        self._run([self._programs / "initdb", "-D", self._data, "-U", "gw", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"])

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, name: str) -> str:
        return f"postgresql:///{name}?host={self.folder}&user=gw"

    def start(self) -> None:
        deadline_ns = mono_ns() + int(START_S * 1e9)
        self._spawn()
        while not self._answers():
            assert mono_ns() < deadline_ns, (self.folder / "log").read_text()[-2000:]
            Event().wait(POLL_S)
            if self._process is None or self._process.poll() is not None:
                self._spawn()  # children of the one that was killed are still about

    def _spawn(self) -> None:
        settings = [word for setting in self._settings for word in ("-c", setting)]
        place = ["-D", str(self._data), "-k", str(self.folder), "-c", "listen_addresses="]
        with (self.folder / "log").open("ab") as log:
            command = [*_as_its_user(), str(self._programs / "postgres"), *place, *settings]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def kill(self) -> None:
        """SIGKILL: its children see that it is gone and end, each in the middle of what it does. Returns when they have."""
        assert self._process is not None
        children = self.children()
        self._process.kill()
        self._process.wait()
        self._process = None
        give_up = mono_ns() + int(START_S * 1e9)
        while any(Path(f"/proc/{pid}").exists() for pid in children) and mono_ns() < give_up:
            Event().wait(POLL_S)

    def freeze(self, *, thaw: bool = False) -> None:
        """All of it stands still; connections stay open, and nobody answers."""
        assert self._process is not None
        number = signal.SIGCONT if thaw else signal.SIGSTOP
        for pid in (*self.children(), self.pid):
            with suppress(ProcessLookupError):  # one of its workers may have ended since it was listed
                os.kill(pid, number)

    def remove(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, command: list[object]) -> None:
        ran = subprocess.run([*_as_its_user(), *map(str, command)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def _as_its_user() -> list[str]:
    if shutil.which("setpriv") is None:
        return []
    if os.getuid():
        return ["setpriv", "--pdeathsig", "QUIT"]
    entry = pwd.getpwnam(USER)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups", "--pdeathsig", "QUIT"]
