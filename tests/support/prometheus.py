"""A Prometheus of the tests' own: Debian's program, its data in a temporary folder, one port of loopback."""

import asyncio
import json
import shutil
import subprocess
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from gw.clock import mono_ns
from tests.flow.client import call
from tests.requires import need
from tests.support.gateway import held_port

START_S = 30.0
POLL_S = 0.1


def need_prometheus() -> None:
    found = shutil.which("prometheus") is not None and shutil.which("promtool") is not None
    need("Prometheus", found, "apt-get install --no-install-recommends prometheus")


def promtool(*arguments: str, folder: Path, text: str | None = None) -> str:
    """What it says; a complaint fails the test."""
    ran = subprocess.run(["promtool", *arguments], cwd=folder, input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


class Prometheus:
    """Context manager: up inside. `config`: its file, beside which it keeps its data."""

    def __init__(self, config: Path) -> None:
        need_prometheus()
        self._held = held_port()
        self.port = int(self._held.getsockname()[1])
        weakref.finalize(self, self._held.close)
        data = config.parent / "data"
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}", "--log.level=error"]
        command.append(f"--web.listen-address=127.0.0.1:{self.port}")
        die_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._log = config.parent / "prometheus.log"
        self._command = [*die_with_us, *command]
        self._process: subprocess.Popen[bytes] | None = None

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Of this instant. An expression that cannot be evaluated fails the test."""
        answer = await call(self.port, f"/api/v1/query?query={quote(expression, safe='')}", method="GET")
        assert answer.status == 200, (expression, answer.body)
        return list(answer.json["data"]["result"])

    async def ask(self, path: str) -> dict[str, Any]:
        answer = await call(self.port, path, method="GET")
        assert answer.status == 200, answer.body
        return dict(json.loads(answer.body)["data"])

    async def _up(self) -> bool:
        try:
            return (await call(self.port, "/-/ready", method="GET")).status == 200
        except (OSError, asyncio.IncompleteReadError):
            return False

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline_ns = mono_ns() + int(START_S * 1e9)
        while not await self._up():
            assert mono_ns() < deadline_ns and self._process.poll() is None, self._log.read_text()[-2000:]
            await asyncio.sleep(POLL_S)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        self._process.terminate()
        await asyncio.to_thread(self._process.wait)
