"""`make bench`: the small JSON request through gw, nginx and a bare ASGI proxy, side by side.

Closed loop, 64 connections. Each contender has one worker pinned to the first core; wrk, the upstream (an nginx that
answers at once) and gw's keeper share the second. The rounds are interleaved and the medians compared, since absolute
figures drift from minute to minute on shared machines: only the ratios of one run mean anything. gw runs as shipped:
virtual key, peek, plan, pricing, journal, keeper and metrics are all on. Results go to bench/results/small.json and stdout.
"""

import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from gw import __version__
from gw.domain.key import mint

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
ANSWER = (
    '{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"'
    + "y" * 600
    + '"}],'
    '"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":210,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":150}}'
)
SERVER_CORE, LOAD_CORE = "0", "1"


@dataclass
class Run:
    rps: float
    p50_us: int
    p90_us: int
    p99_us: int
    failed: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Contender:
    def __init__(self, name: str, command: list[str], port: int, core: str, env: dict[str, str]) -> None:
        self.name = name
        self.port = port
        self._process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            env={**os.environ, **env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def wait(self) -> None:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2).read()
            except OSError:
                if self._process.poll() is not None:
                    raise SystemExit(
                        f"{self.name} ended: {(self._process.stderr.read() if self._process.stderr else b'').decode()}"
                    ) from None
                time.sleep(0.1)
            else:
                return
        raise SystemExit(f"{self.name} never answered")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)


def nginx(folder: Path, name: str, location: str, core: str) -> Contender:
    """One nginx worker with one location."""
    port = free_port()
    config = folder / f"{name}.conf"
    config.write_text(
        f"""daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 1m; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {location.replace("PORT", str(port))}
}}
"""
    )
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        raise SystemExit("nginx is missing: apt-get install nginx")
    return Contender(name, [binary, "-c", str(config)], port, core, {})


def gateway(folder: Path, upstream: str, key: str) -> Contender:
    port = free_port()
    config = folder / "gw.toml"
    config.write_text(
        f"""[server]
port = {port}
workers = 1
state_dir = "{folder}/state"
log_level = "error"
[storage]
url = "sqlite:///{folder}/gw.db"
[auth]
passthrough = false
[[upstream]]
name = "fake"
base_url = "{upstream}"
api_key = "env:BENCH_UPSTREAM_KEY"
pool_max = 1000
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "bench"
team = "platform"
secret = "env:BENCH_KEY"
"""
    )
    env = {"BENCH_KEY": key, "BENCH_UPSTREAM_KEY": "upstream-key"}
    return Contender("gw", [sys.executable, "-m", "gw", "serve", "--config", str(config)], port, SERVER_CORE, env)


def move_keeper(state_dir: Path) -> None:
    """The keeper is not the worker: it goes beside the load."""
    status = state_dir / "keeper.json"
    while not status.exists():
        time.sleep(0.05)
    pid = json.loads(status.read_bytes())["pid"]
    subprocess.run(["taskset", "-apc", LOAD_CORE, str(pid)], check=True, stdout=subprocess.DEVNULL)


def bare(upstream: str) -> Contender:
    port = free_port()
    command = [
        "granian",
        "--interface",
        "asgi",
        "--port",
        str(port),
        "--workers",
        "1",
        "--loop",
        "uvloop",
        "--no-ws",
        "--http",
        "1",
        "--log-level",
        "error",
    ]
    binary = [str(Path(sys.executable).parent / command[0]), *command[1:], "bench.load.bare:app"]
    return Contender("bare ASGI proxy", binary, port, SERVER_CORE, {"BENCH_UPSTREAM": upstream})


def load(port: int, key: str, seconds: int, connections: int) -> Run:
    """One wrk run. The wrk of Debian, one thread."""
    done = subprocess.run(
        [
            "taskset",
            "-c",
            LOAD_CORE,
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "10s",
            "-s",
            str(HERE / "small.lua"),
            f"http://127.0.0.1:{port}",
        ],
        env={**os.environ, "BENCH_KEY": key},
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    requests, duration_us, failed, p50, p90, p99 = (int(word) for word in line.split()[1:])
    return Run(requests / (duration_us / 1e6), p50, p90, p99, failed)


def main() -> None:
    rounds, seconds = int(os.environ.get("BENCH_ROUNDS", "5")), int(os.environ.get("BENCH_SECONDS", "5"))
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    key = mint().text
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        answer = ANSWER.replace('"', '\\"')
        upstream = nginx(
            folder, "upstream", f'server {{ listen 127.0.0.1:PORT; location / {{ return 200 "{answer}"; }} }}', LOAD_CORE
        )
        url = f"http://127.0.0.1:{upstream.port}"
        through = (
            f"upstream up {{ server 127.0.0.1:{upstream.port}; keepalive 256; }} server {{ listen 127.0.0.1:PORT; "
            "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off; } }"
        )
        contenders = [upstream]
        try:
            contenders += [nginx(folder, "nginx", through, SERVER_CORE), bare(url), gateway(folder, url, key)]
            for contender in contenders:
                contender.wait()
            move_keeper(folder / "state")
            report(measure(contenders[1:], key, rounds, seconds), rounds, seconds)
        finally:
            for contender in reversed(contenders):
                contender.stop()


def measure(contenders: list[Contender], key: str, rounds: int, seconds: int) -> dict[str, dict[str, list[Run]]]:
    found: dict[str, dict[str, list[Run]]] = {contender.name: {"loaded": [], "alone": []} for contender in contenders}
    for contender in contenders:
        load(contender.port, key, 2, 64)
    for _ in range(rounds):
        for contender in contenders:
            found[contender.name]["loaded"].append(load(contender.port, key, seconds, 64))
            found[contender.name]["alone"].append(load(contender.port, key, max(1, seconds // 2), 1))
    return found


def report(found: dict[str, dict[str, list[Run]]], rounds: int, seconds: int) -> None:
    rps = {name: statistics.median(run.rps for run in runs["loaded"]) for name, runs in found.items()}
    alone = {name: statistics.median(run.p50_us for run in runs["alone"]) for name, runs in found.items()}
    p99 = {name: statistics.median(run.p99_us for run in runs["loaded"]) for name, runs in found.items()}
    failed = {name: sum(run.failed for kind in runs.values() for run in kind) for name, runs in found.items()}
    print(f"small JSON request, {rounds} interleaved rounds of {seconds} s, one worker on one core")
    print(f"{'':18}{'requests/s':>12}{'x bare':>9}{'x nginx':>9}{'p99 us':>9}{'alone p50 us':>14}{'failed':>8}")
    for name in found:
        to_bare, to_nginx = rps[name] / rps["bare ASGI proxy"], rps[name] / rps["nginx"]
        print(f"{name:18}{rps[name]:12,.0f}{to_bare:9.2f}{to_nginx:9.2f}", end="")
        print(f"{p99[name]:9,.0f}{alone[name]:14,.0f}{failed[name]:8}")
    result = {
        "scenario": "small",
        "gw": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "rounds": rounds,
        "seconds": seconds,
        "requests_per_second": {name: round(value) for name, value in rps.items()},
        "alone_p50_us": alone,
        "loaded_p99_us": p99,
        "ratio_to_bare": round(rps["gw"] / rps["bare ASGI proxy"], 3),
        "ratio_to_nginx": round(rps["gw"] / rps["nginx"], 3),
        "failed": failed,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "small.json").write_text(json.dumps(result, indent=1) + "\n")
    if any(failed.values()):
        raise SystemExit("some requests failed")
    if result["ratio_to_bare"] < float(os.environ.get("BENCH_FLOOR", "0.6")):
        raise SystemExit(f"gw reaches {result['ratio_to_bare']} x the bare proxy: below the floor")


if __name__ == "__main__":
    main()
