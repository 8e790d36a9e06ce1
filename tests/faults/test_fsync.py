"""What `journal.fsync` promises is asked of the kernel: each mode serves, and syncs when it says it does."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.ledger import journal
from gw.ledger.journal import JournalWriter
from tests.faults.ground import open_calls, readiness, until
from tests.faults.load import call
from tests.faults.processes import family
from tests.faults.verdict import judge
from tests.ledger.records import begun, opened, record
from tests.support.gateway import GatewayUnderTest

CALLS = 20
MODES: tuple[journal.Fsync, ...] = ("none", "interval", "always")


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread(by_prompt) as fake:
        yield fake


@pytest.mark.parametrize("mode", MODES)
async def test_every_mode_serves_and_records(tmp_path: Path, upstream: UpstreamThread, mode: str) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, more=f'[journal]\nfsync = "{mode}"') as gateway:
        port = gateway.process.port
        seen = await asyncio.gather(*(call(port, f"s{at}", "thinking", stream=at % 2 == 0) for at in range(CALLS)))
        await until(lambda: readiness(gateway)[1]["degraded"] == [], "the keeper", 5)
    verdict = judge(seen, gateway.rows(), upstream.invoice.lines())
    assert not verdict.wrong and verdict.exact == CALLS
    assert open_calls(gateway) == 0


@pytest.mark.parametrize(("mode", "each_call"), [("none", 0), ("always", 2)])
def test_a_frame_is_on_the_disk_before_its_append_returns_only_with_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: journal.Fsync, each_call: int
) -> None:
    """Two frames a call: its opening, and its record."""
    synced: list[int] = []
    real = os.fdatasync

    def noted(fd: int) -> None:
        synced.append(os.fstat(fd).st_size)
        real(fd)

    monkeypatch.setattr(journal, "_sync", noted)
    writer = JournalWriter(tmp_path, "0-a", fsync=mode)
    for at in range(CALLS):
        before = len(synced)
        writer.open_call(opened(0, begun(f"c{at}")))
        writer.append(record(f"c{at}"))
        assert len(synced) - before == each_call
        assert not each_call or synced[-1] == next(tmp_path.glob("*.gwj")).stat().st_size
    writer.close()


class Traced:
    """Counts fdatasync and fsync of one process and its threads, by strace. Raises OSError where that cannot be done."""

    def __init__(self, pid: int, out: Path) -> None:
        self._out = out
        command = ["strace", "-f", "-e", "trace=fdatasync,fsync", "-o", str(out), "-p", str(pid)]
        self._strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._strace.stderr is not None
        told = self._strace.stderr.readline()
        if "attached" not in told:
            self.__exit__()
            raise OSError(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._strace.send_signal(signal.SIGINT)
        self._strace.communicate()

    def count(self) -> int:
        return len(re.findall(r"\bf(?:data)?sync\(", self._out.read_text()))


def can_trace() -> bool:
    """Whether this machine has strace and lets it look at a process that it did not start."""
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            with Traced(sleeper.pid, Path(os.devnull)):
                return True
        except OSError:
            return False
        finally:
            sleeper.kill()


if can_trace():  # elsewhere the test above has to do

    @pytest.mark.parametrize("mode", MODES)
    async def test_kernel_is_asked_to_sync_as_the_mode_says(tmp_path: Path, upstream: UpstreamThread, mode: str) -> None:
        more = f'[journal]\nfsync = "{mode}"\nfsync_interval_ms = 50'
        with GatewayUnderTest(tmp_path, upstream.base_url, more=more) as gateway:
            with Traced(family(gateway).workers[0], tmp_path / "trace") as traced:
                for at in range(CALLS):
                    assert (await call(gateway.process.port, f"s{at}", "plain", stream=True)).good
                await asyncio.sleep(0.2)
            count = traced.count()
        if mode == "always":
            assert count == 2 * CALLS
        elif mode == "interval":
            assert 1 <= count <= 2 * CALLS
        else:
            assert count == 0
