"""What gw itself costs for one small whole call: microseconds, or instructions as callgrind counts them.

    python -m bench.micro.bench_call                          microseconds a call
    python -m bench.micro.bench_call --instructions [calls]   instructions a call, and who calls whom (needs valgrind)
    ... --routed                                              of a call that a route may send to two upstreams
    ... --seen                                                with all on that is done with calls once they are over

One worker in this process, everything on (virtual key, peek, plan, budgets on four levels with two windows each, limits of
requests and tokens, pricing, journal, counters); server and upstream are
stand-ins that answer at once, so that no socket is in the figure. Instructions are the same from run to run to 1 %, also
on a busy machine: compare changes by them, and believe `make bench` in the end.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from bench.load.answers import ANSWER
from bench.watched import SEEN
from gw import clock
from gw.app import App
from gw.config.load import load
from gw.domain.key import mint
from gw.startup import prepare_state
from gw.upstream.response import Response
from gw.worker import Worker

CONFIG = """[server]
state_dir = "{folder}/state"
[storage]
url = "sqlite:///{folder}/gw.db"
[auth]
passthrough = false
[[upstream]]
name = "fake"
base_url = "http://127.0.0.1:9"
api_key = "upstream-key"
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "bench"
team = "platform"
secret = "{key}"
"""
GOVERNED = "".join(
    f'[[budget]]\nname = "{level} {window}"\n{level} = "*"\neach = true\nwindow = "{window}"\nlimit_usd = "1000000"\n'
    for level in ("key", "team", "customer", "upstream")
    for window in ("day", "month")
)
GOVERNED += """[[limit]]
name = "requests"
key = "*"
each = true
requests = 1_000_000
per = "1m"
[[limit]]
name = "tokens"
key = "*"
each = true
tokens = 100_000_000_000
per = "1m"
"""
ROUTED = """[[upstream]]
name = "second"
base_url = "http://127.0.0.1:9"
api_key = "upstream-key"
[[route]]
model = "claude-*"
candidates = [{ upstream = "fake" }, { upstream = "second" }]
"""
BODY = (
    b'{"model":"claude-opus-5-5","max_tokens":64,"messages":[{"role":"user","content":"%b"}],'
    b'"metadata":{"user_id":"{\\"device_id\\":\\"00\\",\\"session_id\\":\\"s\\"}"}}' % (b"x" * 800)
)
BYTES = ANSWER.encode()
ANSWER_HEADERS = [
    (b"server", b"nginx"),
    (b"date", b"Fri, 21 Nov 2025 01:00:00 GMT"),
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(BYTES)),
    (b"connection", b"keep-alive"),
]
MORE = ("--routed", "--seen")
NOBODY = "http://127.0.0.1:9"
WARM_UP = 2_000
STRETCH = 1_000


class Upstream:
    """In the pool's place: its answer has arrived."""

    def __init__(self) -> None:
        answer = self.answer = Response.__new__(Response)
        answer.status, answer.headers, answer.retries, answer.complete = 200, ANSWER_HEADERS, 0, True
        answer.connection, answer.paused = None, False

    async def request(self, target: Any, *message: bytes, on_send: Callable[[], None]) -> Response:
        on_send()
        self.answer.chunks = [BYTES]
        return self.answer

    async def close(self) -> None:
        pass


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": BODY, "more_body": True}


async def send(message: Any) -> None:
    assert message.get("status", 200) == 200


def caller(folder: Path) -> Callable[[], Awaitable[None]]:
    """One call, and the worker that serves it."""
    key = mint().text
    config = folder / "gw.toml"
    more = (ROUTED if "--routed" in sys.argv else "") + (SEEN.format(url=NOBODY, folder=folder) if "--seen" in sys.argv else "")
    config.write_text(CONFIG.format(folder=folder, key=key) + GOVERNED + more)
    (folder / "state").mkdir(mode=0o700)
    prepare_state(load(config), config)
    headers = [
        (b"host", b"127.0.0.1:8080"),
        (b"content-length", b"%d" % len(BODY)),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
        (b"user-agent", b"claude-cli/2.1.329 (external, sdk-cli)"),
        (b"anthropic-version", b"2023-06-01"),
        (b"x-claude-code-session-id", b"e161b7f3-7f4d-48ad-bb52-659c714a4bf6"),
        (b"x-api-key", key.encode()),
    ]
    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"beta=true", "headers": headers}
    app = App()

    async def one() -> None:
        if app.worker is None:
            app.worker = Worker(folder / "state")
            app.worker.pool = Upstream()  # type: ignore[assignment]
        await app(scope, receive, send)

    return one


async def measure(one: Callable[[], Awaitable[None]]) -> None:
    for _ in range(WARM_UP):
        await one()
    took_us = []
    for _ in range(20):
        started_ns = clock.mono_ns()
        for _ in range(STRETCH):
            await one()
        took_us.append((clock.mono_ns() - started_ns) / STRETCH / 1000)
    print(f"{min(took_us):.1f} us a call at best, {statistics.median(took_us):.1f} in the middle")


async def under_callgrind(one: Callable[[], Awaitable[None]], calls: int) -> None:
    """In the child: counts only warm calls."""
    for _ in range(WARM_UP // 10):
        await one()
    control = ["callgrind_control", "-i", "on", str(os.getpid())]
    subprocess.run(control, check=True, stdout=subprocess.DEVNULL)
    for _ in range(calls):
        await one()
    os._exit(0)


def instructions(calls: int) -> None:
    more = [word for word in sys.argv if word in MORE]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        grind = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        subprocess.run([*grind, sys.executable, "-m", "bench.micro.bench_call", "--counted", str(calls), *more], check=True)
        shown = subprocess.run(
            ["callgrind_annotate", "--tree=calling", "--inclusive=yes", "--show-percs=no", str(out)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    total = next(int(line.split()[0].replace(",", "")) for line in shown.splitlines() if "PROGRAM TOTALS" in line)
    print(shown)
    print(f"{total / calls:,.0f} instructions a call")


def main() -> None:
    words = [word for word in sys.argv[1:] if word not in MORE]
    calls = int(words[1]) if len(words) > 1 else 500
    if words[:1] == ["--instructions"]:
        return instructions(calls)
    with tempfile.TemporaryDirectory() as folder:
        one = caller(Path(folder))
        uvloop.run(under_callgrind(one, calls) if words[:1] == ["--counted"] else measure(one))
    return None


if __name__ == "__main__":
    main()
