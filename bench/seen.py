"""What it costs a worker that everything is seen: live tails, traces, metrics, Datadog, alerts, exports, SIEM, the chained audit.

    python -m bench.seen [--watchers 10] [--rate 1000] [--seconds 5] [--rounds 7]
    python -m bench.micro.bench_call --instructions [--seen]     the same in instructions, without watchers

Two gateways of one worker each, on one core, in front of the fake upstream: one has none of it, in the other all is on (content
off) and watchers read every call. In rounds that take turns, and begin with another one each time, both get the same load; a
figure is the processor time of the worker, all its threads, per call. Keepers, couriers, load, upstream, watchers and whoever is
sent something share the other core. What is told is the median of the rounds' differences, and how far apart the rounds are.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any

from bench.live import TOKEN, load, watch
from bench.load.contender import children, cores, cpu_ns, move
from bench.load.contenders import granian_workers
from bench.watched import SEEN
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from tests.support.gateway import GatewayUnderTest

GOAL_US = 3.0


class Taker(BaseHTTPRequestHandler):
    """Takes whatever is sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


def take(port: "Queue[int]") -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    port.put(server.server_address[1])
    server.serve_forever()


def settled(gateway: GatewayUnderTest, own: int, others: int) -> list[int]:
    """Binds all that the gateway is made of to its core; answers its workers. A courier comes later than the others."""
    top = gateway.process._process
    assert top is not None
    workers = granian_workers(top.pid)
    for pid in (top.pid, *children(top.pid)):
        move(pid, own if pid in workers else others)
    return list(workers)


def spent(workers: list[int], port: int, rate: int, seconds: float) -> tuple[float, int]:
    """Microseconds of the workers per call, and how many calls there were."""
    before_ns = cpu_ns(workers)
    calls, _ = asyncio.run(load(port, rate, seconds))
    return (cpu_ns(workers) - before_ns) / calls / 1000, calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("watchers", 10), ("rate", 1000), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    own, others = cores()
    move(os.getpid(), others)
    ports: Queue[int] = Queue()
    told: Queue[Any] = Queue()
    asked: Queue[str] = Queue()
    taker = Process(target=take, args=(ports,), daemon=True)
    taker.start()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(UpstreamThread(by_prompt))
        more = SEEN.format(url=f"http://127.0.0.1:{ports.get(timeout=20)}", folder=folder)
        environ = {"GW_ADMIN_TOKEN": TOKEN}
        gateways = [
            stack.enter_context(GatewayUnderTest(folder / name, upstream.base_url, more=tables, environ=environ))
            for name, tables in (("plain", ""), ("seen", more))
        ]
        plain, seen = ((one.process.port, settled(one, own, others)) for one in gateways)
        watchers = Process(target=watch, args=(seen[0], given.watchers, told, asked), daemon=True)
        watchers.start()
        for _ in range(given.watchers):
            assert told.get(timeout=20) == "there"
        for port, _ in (plain, seen):
            asyncio.run(load(port, given.rate, 2))
        settled(gateways[1], own, others)
        figures = _rounds(given, plain, seen)
        asked.put("tell")
        calls, lost = told.get(timeout=20)
        asked.put("end")
        watchers.join()
    taker.terminate()
    differences = [one - other for other, one in figures]
    low, middle, high = statistics.quantiles(differences, n=4)
    print(f"each watcher saw {min(calls, default=0)} to {max(calls, default=0)} calls, told of losses {sum(lost)} times")
    without, with_all = (statistics.median(column) for column in zip(*figures, strict=True))
    print(f"worker per call: {without:.1f} us without, {with_all:.1f} us with all of it (medians)")
    print(f"difference: {middle:+.1f} us, quartiles {low:+.1f} to {high:+.1f} (wanted: <= {GOAL_US:g})")
    return 0


def _rounds(given: argparse.Namespace, plain: tuple[int, list[int]], seen: tuple[int, list[int]]) -> list[tuple[float, float]]:
    """(without, with all of it) of each round."""
    figures = []
    for number in range(given.rounds):
        found = {}
        for port, workers in (plain, seen) if number % 2 else (seen, plain):
            found[port], calls = spent(workers, port, given.rate, given.seconds)
        without, with_all = found[plain[0]], found[seen[0]]
        figures.append((without, with_all))
        print(f"round {number + 1}: {without:.1f} and {with_all:.1f} us per call, {calls} calls each", flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
