"""What is compared: the upstream itself, nginx as the floor, a bare ASGI proxy as the reference, gw, and peers if installed.

One worker each, on the servers' core. The bare proxy runs on gw's own server with gw's own settings. gw runs with everything
on: virtual key, budgets on four levels with two windows each, limits of requests and of tokens, tap, prices, journal, keeper
and metrics; the amounts are so wide that nothing is ever refused.
"""

import json
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import gw.pipeline
from bench.load.contender import (
    HOST,
    POLL_S,
    Contender,
    ContenderFailed,
    children,
    command_of,
    cores,
    free_port,
    move,
    program,
)
from bench.load.peers import litellm, portkey
from gw.domain.key import mint

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("nginx", "bare", "gw", "litellm", "portkey")
# gw's own (gw/serve.py); tests/bench/test_contenders.py holds them together.
GRANIAN = {
    "--interface": "asgi",
    "--loop": "uvloop",
    "--http": "1",
    "--backlog": "4096",
    "--backpressure": "4096",
    "--http1-buffer-size": "1048576",
    "--http1-header-read-timeout": "30000",
    "--log-level": "warning",
}
KEEPER_S = 20.0
LEVELS = {"key": "bench", "team": "platform", "customer": "acme", "upstream": "fake"}
WINDOWS = ("day", "month")


def direct(upstream_port: int) -> Contender:
    """The upstream without anything before it: what all others are compared with. It runs already."""
    return Contender("direct", upstream_port, version="")


def nginx(folder: Path, upstream_port: int) -> Contender:
    """One worker of nginx that passes everything on as it comes, both ways."""
    binary = program("nginx", "apt-get install nginx")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(nginx_config(folder, port, upstream_port))
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\S+)", said)
    return Contender("nginx", port, [binary, "-c", str(config)], version=found[1] if found else "unknown")


def nginx_config(folder: Path, port: int, upstream_port: int) -> str:
    """No buffering to disk, no limit on bodies, connections kept on both sides for the whole of a run."""
    temporary = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 65536;
pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 16384; }}
http {{
{temporary}  access_log off; default_type application/json; client_max_body_size 0; client_body_buffer_size 1m;
  keepalive_requests 1000000000; keepalive_timeout 1h;
  upstream fake {{
    server {HOST}:{upstream_port};
    keepalive 2048; keepalive_requests 1000000000; keepalive_timeout 1h;
  }}
  server {{
    listen {HOST}:{port} backlog=4096;
    location / {{
      proxy_pass http://fake; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_buffer_size 64k; proxy_buffers 4 64k;
      proxy_request_buffering off; proxy_read_timeout 1h; proxy_send_timeout 1h;
    }}
  }}
}}
"""


def granian_workers(pid: int) -> list[int]:
    """Those of a server on Granian: what it forked, without the keeper and what multiprocessing adds on some platforms."""
    beside = ("gw.keeper_main", "gw.courier_main", "resource_tracker", "multiprocessing.forkserver")
    return [child for child in children(pid) if not any(word in command_of(child) for word in beside)]


def bare(upstream_port: int, client: Literal["own", "gw"] = "own") -> Contender:
    """The least an ASGI proxy can do on gw's server. `own`: with the least client of its own, the reference; `gw`: with gw's."""
    module = {"own": "bench.load.bare_own:app", "gw": "bench.load.bare:app"}[client]
    port = free_port()
    flags = [word for pair in GRANIAN.items() for word in pair]
    granian = [sys.executable, "-m", "granian", "--host", HOST, "--port", str(port), "--workers", "1", *flags, "--no-ws", module]
    return Contender(
        "bare" if client == "own" else "bare on gw's client",
        port,
        granian,
        version=f"Granian {version('granian')}",
        environ={"BENCH_UPSTREAM": f"http://{HOST}:{upstream_port}"},
        workers=granian_workers,
        folder=ROOT,
    )


class GatewayContender(Contender):
    """gw. `key`: the virtual key that `headers` carry; `config`, `state_dir`, `ledger`: where its files are.

    The keeper is not the worker: once it is up it goes beside the load.
    """

    def __init__(self, folder: Path, upstream_port: int, workers: int, places: str = "") -> None:
        self.key = mint().text
        self.config = folder / "gw.toml"
        self.state_dir = folder / "state"
        self.ledger = folder / "gw.db"
        port = free_port()
        self.config.write_text(gateway_config(folder, port, upstream_port, workers, places))
        super().__init__(
            "gw",
            port,
            [sys.executable, "-m", "gw", "serve", "--config", str(self.config)],
            version=gw_version(),
            environ={"BENCH_KEY": self.key, "BENCH_UPSTREAM_KEY": "upstream-key"},
            headers={"x-api-key": self.key},
            ready="/readyz",
            core=cores() if workers > 1 else cores()[:1],
            workers=granian_workers,
            folder=ROOT,
        )

    def wait(self, seconds: float = KEEPER_S) -> None:
        super().wait(seconds)
        move(self.keeper(), cores()[1])

    def beside(self) -> list[int]:
        return [self.keeper()] if self.pids() else []

    def keeper(self) -> int:
        """The keeper's process. Raises ContenderFailed if there is none in time."""
        status, give_up = self.state_dir / "keeper.json", time.monotonic() + KEEPER_S
        while not status.exists():
            if time.monotonic() > give_up:
                raise ContenderFailed(f"gw has no keeper:\n{self.said()}")
            time.sleep(POLL_S)
        return int(json.loads(status.read_bytes())["pid"])


def gateway(folder: Path, upstream_port: int, workers: int = 1, places: str = "") -> GatewayContender:
    """gw with everything on. More workers than one share both cores. `places`: more upstreams and routes, TOML with {port}."""
    return GatewayContender(folder, upstream_port, workers, places)


def gw_version() -> str:
    """With a word on whether its modules are compiled: the difference is a third; and by a profile, as `make bench` does."""
    if str(gw.pipeline.__file__).endswith(".py"):
        return f"{gw.__version__} (not compiled)"
    return f"{gw.__version__} (compiled{' by profile' if (ROOT / 'build/profile').is_dir() else ''})"


def gateway_config(folder: Path, port: int, upstream_port: int, workers: int, places: str = "") -> str:
    """Four levels with two windows each, a limit of requests and one of tokens; secrets by name alone."""
    budgets = "".join(
        f'\n[[budget]]\nname = "{level} {window}"\n{level} = "{name}"\nwindow = "{window}"\nlimit_usd = "100000000"\n'
        for level, name in LEVELS.items()
        for window in WINDOWS
    )
    return f"""[server]
host = "{HOST}"
port = {port}
workers = {workers}
state_dir = "{folder}/state"
log_level = "error"

[storage]
url = "sqlite:///{folder}/gw.db"

[auth]
passthrough = false

[[upstream]]
name = "fake"
base_url = "http://{HOST}:{upstream_port}"
api_key = "env:BENCH_UPSTREAM_KEY"
pool_max = 4096
connections_max = 4096

[[customer]]
name = "acme"

[[team]]
name = "platform"
customer = "acme"

[[key]]
name = "bench"
team = "platform"
secret = "env:BENCH_KEY"
{budgets}
[[limit]]
name = "requests of the key"
key = "bench"
requests = 100000000000

[[limit]]
name = "tokens of the team"
team = "platform"
tokens = 100000000000
{places.replace("{port}", str(upstream_port))}"""


def make(name: str, folder: Path, upstream_port: int) -> Contender | None:
    """The contender of this name, not started; None if it is not installed here."""
    if name == "nginx":
        return nginx(folder, upstream_port)
    if name == "bare":
        return bare(upstream_port)
    if name == "gw":
        return gateway(folder, upstream_port)
    return {"litellm": litellm.contender, "portkey": portkey.contender}[name](folder, upstream_port)


def absent(names: Iterable[str] = NAMES) -> dict[str, str]:
    """Those that cannot be compared on this machine -> what installs them."""
    found = {}
    for name in names:
        if name == "nginx":
            try:
                program("nginx", "apt-get install nginx")
            except ContenderFailed as error:
                found[name] = str(error)
        elif name in ("litellm", "portkey") and not {"litellm": litellm, "portkey": portkey}[name].installed():
            found[name] = f"not installed: python -m bench.load.peers install {name}"
    return found


def available(names: Iterable[str] = NAMES) -> list[str]:
    """Those of the names that can be compared on this machine. Raises ValueError for a name that nobody has."""
    asked = list(names)
    if unknown := [name for name in asked if name not in NAMES]:
        raise ValueError(f"no contender is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    missing = absent(asked)
    return [name for name in asked if name not in missing]


def versions(contenders: Iterable[Contender]) -> Mapping[str, str]:
    """Contender or tool -> version, for the results."""
    found = {one.name: one.version for one in contenders if one.version}
    return {**found, "Granian": version("granian"), "uvloop": version("uvloop"), "Python": platform.python_version()}
