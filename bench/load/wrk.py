"""The closed loop by wrk: many times cheaper than any client in Python, so it can saturate what it measures."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.load.contender import HOST, Contender, ContenderFailed
from gw.loadgen.request import CLIENT_HEADERS

TIMEOUT_S = 30
SCRIPT = """
wrk.method = "POST"
wrk.path = {path}
wrk.body = {body}
{headers}
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d %d %d\\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max))
end
"""


@dataclass(frozen=True)
class Run:
    """What wrk says of one run; failures include answers with another status than 2xx and 3xx."""

    requests: int
    duration_us: int
    failed: int
    p50_us: int
    p90_us: int
    p99_us: int
    p999_us: int
    max_us: int

    def figures(self) -> dict[str, float]:
        percentiles = {name: float(getattr(self, name)) for name in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")}
        good = max(0, self.requests - self.failed)
        return {"rps": good / (self.duration_us / 1e6), "requests": good, "failed": self.failed, **percentiles}


def installed() -> bool:
    return shutil.which("wrk") is not None


def run(contender: Contender, body: bytes, folder: Path, *, core: int, connections: int, seconds: float) -> Run:
    """One run of one thread on `core`. Raises ContenderFailed if wrk says nothing that can be read."""
    script = folder / f"{contender.name}.lua"
    script.write_text(script_of(contender, body))
    url = f"http://{HOST}:{contender.port}"
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    done = subprocess.run([*command, "--timeout", f"{TIMEOUT_S}s", "-s", str(script), url], capture_output=True, text=True)
    return parse(done.stdout, f"wrk on {contender.name} ended with {done.returncode}: {done.stderr}")


def parse(output: str, otherwise: str) -> Run:
    """The script's line. Raises ContenderFailed with `otherwise` if there is none."""
    for line in output.splitlines():
        words = line.split()
        if words[:1] == ["RESULT"] and len(words) == 9:
            return Run(*(int(word) for word in words[1:]))
    raise ContenderFailed(otherwise)


def script_of(contender: Contender, body: bytes) -> str:
    headers = {**CLIENT_HEADERS, "x-claude-code-session-id": "wrk", **contender.headers}
    lines = "\n".join(f"wrk.headers[ {quoted(name)} ] = {quoted(value)}" for name, value in headers.items())
    return SCRIPT.format(path=quoted(contender.path), body=quoted(body.decode()), headers=lines)


def quoted(text: str) -> str:
    """As a Lua string in long brackets, which nothing in the text can end."""
    level = "="
    while f"]{level}]" in text:
        level += "="
    return f"[{level}[{text}]{level}]"
