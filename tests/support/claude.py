"""The real Claude Code, run in an empty HOME with nothing but what a test gives it: headless, or in a terminal."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pexpect

from gw.clock import mono_ns
from tests.requires import need

CACHE = Path(__file__).parents[2] / ".cache" / "claude-code"
NATIVE = Path("node_modules/@anthropic-ai/claude-code-linux-x64/claude")
RUN_TIMEOUT_S = 90


@dataclass(frozen=True)
class Version:
    number: str
    variable: str  # environment variable that may name the binary
    package: str


NEW = Version("2.1.329", "GW_CLAUDE", "@anthropic-ai/claude-code-linux-x64")
OLD = Version("2.1.197", "GW_CLAUDE_OLD", "@anthropic-ai/claude-code")


def binary(version: Version) -> Path:
    """The executable; skips the test (or fails it) if it is not installed."""
    folder = CACHE / version.number
    path = Path(os.environ.get(version.variable) or folder / NATIVE)
    enable = f"npm install --prefix {folder.relative_to(CACHE.parents[1])} {version.package}@{version.number}"
    need(f"Claude Code {version.number}", path.is_file(), enable)
    return path


class Desk:
    """A HOME and a working directory that belong to one developer; sessions can be resumed at the same desk."""

    def __init__(self, version: Version, folder: Path) -> None:
        self.version = version
        self.binary = binary(version)
        self.home = folder / "home"
        self.work = folder / "work"
        self.home.mkdir(parents=True)
        self.work.mkdir()

    def environment(self, base_url: str, environ: Mapping[str, str]) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": base_url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **environ,
        }

    def start(self, base_url: str, prompt: str, environ: Mapping[str, str], *args: str) -> subprocess.Popen[str]:
        """A headless run, not waited for."""
        command = [str(self.binary), "-p", prompt, "--output-format", "json", *args]
        return subprocess.Popen(
            command,
            env=self.environment(base_url, environ),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, base_url: str, prompt: str, environ: Mapping[str, str], *args: str) -> "Run":
        """A headless run to its end. Raises subprocess.TimeoutExpired, the process being gone."""
        process = self.start(base_url, prompt, environ, *args)
        try:
            out, err = process.communicate(timeout=RUN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Run(process.returncode, out, err)


@dataclass(frozen=True)
class Run:
    """How a headless run ended."""

    status: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        assert self.out.strip(), f"no output; stderr: {self.err[-2000:]}"
        value: dict[str, Any] = json.loads(self.out.strip().splitlines()[-1])
        return value

    @property
    def session(self) -> str:
        return str(self.result["session_id"])

    @property
    def text(self) -> str:
        return str(self.result.get("result", ""))


_ESCAPES = re.compile(rb"\x1b\[[0-9;?>=<]*[ -/]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>()78][0-9A-B]?")


class Terminal:
    """An interactive session in a pseudo-terminal; first-run questions are answered beforehand in the desk's HOME."""

    def __init__(self, desk: Desk, base_url: str, environ: Mapping[str, str]) -> None:
        project = str(desk.work.resolve())
        settings = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": [environ.get("ANTHROPIC_API_KEY", "")[-20:]], "rejected": []},
            "projects": {project: {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}},
        }
        (desk.home / ".claude.json").write_text(json.dumps(settings))
        self._raw = b""
        self._child = pexpect.spawn(
            str(desk.binary), [], env=desk.environment(base_url, environ), cwd=project, dimensions=(50, 160), timeout=30
        )

    def screen(self) -> str:
        """Everything shown since the last `enter`, without escapes and without any blanks (lines are drawn in pieces)."""
        return re.sub(r"\s+", "", _ESCAPES.sub(b"", self._raw).decode(errors="replace"))

    def until(self, what: str, reached: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Read the terminal until `reached()`; fails with what was on the screen."""
        deadline = mono_ns() + int(timeout_s * 1e9)
        while not reached():
            assert mono_ns() < deadline, f"{what} did not come; screen: {self.screen()[-1500:]}"
            try:
                self._raw += self._child.read_nonblocking(65536, 0.1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF as error:
                raise AssertionError(f"the client ended before {what}; screen: {self.screen()[-1500:]}") from error

    def enter(self, text: str) -> None:
        """Type a line, wait until it stands in the input field, press Enter."""
        self._raw = b""
        self._child.send(text)
        shown = re.sub(r"\s+", "", text)
        self.until(f"the echo of {text!r}", lambda: shown in self.screen())
        self._raw = b""
        self._child.send("\r")

    def __enter__(self) -> Self:
        self.until("the input field", lambda: "❯" in self.screen() and "foragents" in self.screen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._child.kill(signal.SIGKILL)
        self._child.wait()  # pexpect's own end gives it a tenth of a second, which is not enough where others want the processor
        self._child.close()


def allow(*tools: str) -> Sequence[str]:
    """Arguments that let a headless run use these tools without asking."""
    return ["--allowedTools", *tools]
