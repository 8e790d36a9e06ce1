"""The two upstreams, on the load's core, and what each says it has charged.

`answering` is an nginx that gives one small answer at once: it can serve what no gateway can pass on, and its invoice is the
number of requests that it has counted. `playing` is bench/load/upstream.py: whole bodies are read, streams are paced, and its
invoice has every answer. Without nginx, `playing` does both.
"""

import json
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.load import answers
from bench.load.bodies import MODEL
from bench.load.contender import HOST, Contender, ContenderFailed, cores, free_port, program

ROOT = Path(__file__).resolve().parents[2]
# The provider's name of a token class -> the ledger's column. What is written to the cache without a word on for how long is
# written for five minutes.
COLUMNS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_5m_tokens",
}


@dataclass(frozen=True)
class Charged:
    """Sums over answers; tokens by the ledger's columns."""

    calls: int
    pusd: int
    tokens: dict[str, int]

    def less(self, before: "Charged") -> "Charged":
        tokens = {name: count - before.tokens.get(name, 0) for name, count in self.tokens.items()}
        return Charged(self.calls - before.calls, self.pusd - before.pusd, tokens)


class Upstream(Contender):
    """An upstream; started and stopped as contenders are."""

    def charged(self) -> Charged:
        """The invoice so far."""
        raise NotImplementedError


class Playing(Upstream):
    def __init__(self) -> None:
        port = free_port()
        command = [sys.executable, "-m", "bench.load.upstream", str(port)]
        super().__init__("playing upstream", port, command, version="", core=cores()[1:], folder=ROOT)

    def charged(self) -> Charged:
        return charged_of(json.loads(fetch(self.port, "/__invoice")))


class Answering(Upstream):
    """Counts every request that reached it, and asking for that count is one."""

    bill = answers.Bill(answers.SMALL_USAGE, answers.price(MODEL, answers.SMALL_USAGE))

    def __init__(self, folder: Path) -> None:
        port = free_port()
        config = folder / "upstream.conf"
        config.write_text(answering_config(folder, port, answers.ANSWER))
        command = [program("nginx", "apt-get install nginx"), "-c", str(config)]
        super().__init__("answering upstream", port, command, version="", core=cores()[1:])
        self._asked = 0

    def answers(self) -> bool:
        self._asked += 1
        return super().answers()

    def charged(self) -> Charged:
        self._asked += 1
        # "server accepts handled requests", a line of three numbers, the third of them
        count = int(fetch(self.port, "/__status").splitlines()[2].split()[2]) - self._asked
        tokens = {COLUMNS[name]: value * count for name, value in self.bill.usage.items()}
        return Charged(count, self.bill.cost_pusd * count, tokens)


def charged_of(invoice: dict[str, dict[str, dict[str, int]]]) -> Charged:
    lines = list(invoice["models"].values())
    tokens = {column: sum(line.get(name, 0) for line in lines) for name, column in COLUMNS.items()}
    return Charged(sum(line["calls"] for line in lines), sum(line["cost_pusd"] for line in lines), tokens)


def fetch(port: int, path: str) -> str:
    """Raises ContenderFailed."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as answer:
            return str(answer.read().decode())
    except OSError as error:
        raise ContenderFailed(f"{path} of the upstream: {error}") from error


def answering_config(folder: Path, port: int, answer: str) -> str:
    """An nginx that gives this answer to everything but its status page."""
    escaped = answer.replace("\\", "\\\\").replace('"', '\\"')
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"  {kind}_temp_path {folder}/up_{kind};\n" for kind in kinds)
    return f"""daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 65536;
pid {folder}/upstream.pid; error_log {folder}/upstream.log crit;
events {{ worker_connections 16384; }}
http {{
{temporary}  access_log off; default_type application/json; client_body_buffer_size 1m;
  keepalive_requests 1000000000; keepalive_timeout 1h;
  server {{
    listen {HOST}:{port} backlog=4096;
    location / {{ return 200 "{escaped}"; }}
    location = /__status {{ stub_status; }}
  }}
}}
"""
