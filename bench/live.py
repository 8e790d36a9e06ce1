"""What live tails cost the data plane: small calls with and without watchers, in rounds that take turns.

    python -m bench.live [--watchers 10] [--rate 2000] [--seconds 6] [--rounds 5] [--fed]

A gateway of one worker, on a core of its own, in front of the fake upstream; keeper, load, upstream and watchers share the other.
Each round loads it without watchers, then with: at `rate` calls a second (did each watcher see every call?), and with as many as
it takes. What watching costs is what the worker's processor time per call grows by at `rate`: so many fewer calls fit into its
core. The throughput at full speed is printed too, but there the watchers, who are then told of far more than `rate`, take the
load's core as well. Watchers are in a process of their own, and read what comes.

`--fed` tells the two apart: the calls are those of a worker elsewhere, whose journal a process of the bench writes at `rate`, so
that the gateway's own worker has the watchers and nothing else. What it takes of its core is what calls would lack.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bench.ledger.fill import SEED
from bench.load.contender import children, cores, cpu_ns, move
from bench.load.contenders import granian_workers
from gw.clock import mono_ns, wall_us
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.demo.world import calls_of_day, developers
from gw.domain.call import CallRecord
from gw.ledger.journal import JournalWriter
from gw.ledger.mover import JOURNAL_DIRECTORY
from gw.ledger.rollup_shape import DAY_US
from tests.support.gateway import GatewayUnderTest

TOKEN = "gwa_of-the-bench-of-live-tails"
BODY = json.dumps({"model": "claude-opus-5-5", "max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]}).encode()
HEAD = "POST /v1/messages HTTP/1.1\r\nhost: gw\r\nx-api-key: sk-own\r\ncontent-type: application/json\r\ncontent-length: "
REQUEST = HEAD.encode() + b"%d\r\n\r\n" % len(BODY) + BODY
CONNECTIONS = 32
FED = 2_000  # records that are told of again and again
TURN_S = 0.005
SETTLE_S = 1.5
TARGET = 0.03  # of a core


class Caller(asyncio.Protocol):
    """One connection that calls again as soon as it was answered, or when its next turn has come."""

    def __init__(self, every_ns: int, ends_ns: int, done: asyncio.Future[None]) -> None:
        self.every_ns = every_ns
        self.ends_ns = ends_ns
        self.done = done
        self.calls = 0
        self.due_ns = mono_ns()
        self.left = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        now_ns = mono_ns()
        if now_ns >= self.ends_ns:
            self.transport.close()
        elif now_ns < self.due_ns:
            asyncio.get_running_loop().call_later((self.due_ns - now_ns) / 1e9, self.ask)
        else:
            self.due_ns += self.every_ns
            self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.left += data
        head, found, body = self.left.partition(b"\r\n\r\n")
        if not found:
            return
        size = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        if len(body) < size:
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        self.left = body[size:]
        self.calls += 1
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def load(port: int, rate: int, seconds: float) -> tuple[int, float]:
    """Calls made, and calls a second. `rate` 0: as many as it takes."""
    begun_ns = mono_ns()
    ends_ns = begun_ns + int(seconds * 1e9)
    every_ns = CONNECTIONS * 1_000_000_000 // rate if rate else 0
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(CONNECTIONS):
        caller = Caller(every_ns, ends_ns, loop.create_future())
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)
        callers.append(caller)
    await asyncio.gather(*(caller.done for caller in callers))
    count = sum(caller.calls for caller in callers)
    return count, count / ((mono_ns() - begun_ns) / 1e9)


def watch(port: int, watchers: int, told: "Queue[Any]", asked: "Queue[str]") -> None:
    """In a process of its own: answers each word of `asked` by how many calls each watcher has seen so far, and lost."""
    asyncio.run(_watch(port, watchers, told, asked))


async def _watch(port: int, watchers: int, told: "Queue[Any]", asked: "Queue[str]") -> None:
    seen, lost = [0] * watchers, [0] * watchers

    async def one(index: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        writer.write(f"GET /api/live HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {TOKEN}\r\n\r\n".encode())
        await reader.readuntil(b": after")
        told.put("there")
        while data := await reader.read(1 << 20):
            seen[index] += data.count(b"event: call")
            lost[index] += data.count(b"event: lost")

    tasks = [asyncio.create_task(one(index)) for index in range(watchers)]
    while await asyncio.to_thread(asked.get) != "end":
        told.put((list(seen), list(lost)))
    for task in tasks:
        task.cancel()


def watched(port: int, rate: int, seconds: float, watchers: int) -> tuple[int, float, str]:
    """Calls made, calls a second, and what the watchers saw."""
    with watching(port, watchers) as told:
        made, per_s = asyncio.run(load(port, rate, seconds))
        time.sleep(2)
        seen, lost = told()
    return made, per_s, f"{made} calls; each watcher saw {min(seen)} to {max(seen)}, told of losses {sum(lost)} times"


def feed(journals: Path, rate: int, seconds: float) -> None:
    """In a process of its own: ends so many calls a second, as a worker elsewhere would tell of them."""
    records = [CallRecord(*row) for row in calls_of_day(SEED, wall_us() // DAY_US - 1, FED, developers())[:FED]]
    writer = JournalWriter(journals, "1-elsewhere")
    begun_ns, count = mono_ns(), 0
    while (passed_ns := mono_ns() - begun_ns) < seconds * 1e9:
        for number in range(count, passed_ns * rate // 1_000_000_000):
            now_us = wall_us()
            ended = {"call_id": f"{writer.boot}-{number}", "started_us": now_us, "ended_us": now_us}
            writer.append(replace(records[number % FED], **ended))
            count = number + 1
        time.sleep(TURN_S)
    writer.close()


def fed(gateway: GatewayUnderTest, workers: list[int], given: argparse.Namespace) -> int:
    """Prints what watchers take of a worker's core; whether that is below the target."""
    journals = gateway.folder / "state" / JOURNAL_DIRECTORY
    shares: list[float] = []
    for number in range(given.rounds):
        took: list[float] = []
        for watchers in (0, given.watchers):
            feeding = Process(target=feed, args=(journals, given.rate, given.seconds + 2 * SETTLE_S))
            feeding.start()
            time.sleep(SETTLE_S)
            with watching(gateway.process.port, watchers) as seen:
                before_ns, begun_ns, seen_before = cpu_ns(workers), mono_ns(), seen()
                time.sleep(given.seconds)
                seconds = (mono_ns() - begun_ns) / 1e9
                took.append((cpu_ns(workers) - before_ns) / 1e9 / seconds)
                told = [(now - then) / seconds for now, then in zip(seen()[0], seen_before[0], strict=True)]
                lost = sum(seen()[1])
            feeding.join()
        shares.append(took[1] - took[0])
        said = f"each watcher was told of {min(told):,.0f} to {max(told):,.0f} calls/s, of losses {lost} times"
        print(f"round {number + 1}: {took[0]:.2%} of the core without watchers, {took[1]:.2%} with; {said}", flush=True)
    share = statistics.median(shares)
    whose = f"{given.watchers} watchers of {given.rate:,} calls/s"
    print(f"{whose} take {share:.2%} of a worker's core (median; wanted < {TARGET:.0%})")
    return 0 if share < TARGET else 1


@contextmanager
def watching(port: int, watchers: int) -> Iterator[Callable[[], tuple[list[int], list[int]]]]:
    """Gives what asks how many calls each watcher has seen so far, and how often it was told of losses."""
    told: Queue[Any] = Queue()
    asked: Queue[str] = Queue()

    def seen() -> tuple[list[int], list[int]]:
        asked.put("tell")
        found: tuple[list[int], list[int]] = told.get(timeout=20)
        return found

    process = Process(target=watch, args=(port, watchers, told, asked))
    process.start()
    for _ in range(watchers):
        assert told.get(timeout=20) == "there"
    yield seen
    asked.put("end")
    process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("watchers", 10), ("rate", 2000), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--fed", action="store_true", help="watchers and nothing else")
    given = parser.parse_args()
    rates = (given.rate, 0)
    throughput, work = ({rate: list[float]() for rate in rates} for _ in range(2))
    own, others = cores()
    move(os.getpid(), others)
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamThread(by_prompt) as upstream,
        GatewayUnderTest(Path(folder) / "gw", upstream.base_url, environ={"GW_ADMIN_TOKEN": TOKEN}) as gateway,
    ):
        top = gateway.process._process
        assert top is not None
        workers = granian_workers(top.pid)
        for pid in (top.pid, *children(top.pid)):
            move(pid, own if pid in workers else others)
        port = gateway.process.port
        asyncio.run(load(port, 0, 1))
        if given.fed:
            return fed(gateway, workers, given)
        for number in range(given.rounds):
            for rate in rates:
                marks = [cpu_ns(workers)]
                count, alone = asyncio.run(load(port, rate, given.seconds))
                marks.append(cpu_ns(workers))
                made, beside, said = watched(port, rate, given.seconds, given.watchers)
                marks.append(cpu_ns(workers))
                throughput[rate].append(beside / alone)
                costs = [(marks[1] - marks[0]) / count / 1000, (marks[2] - marks[1]) / made / 1000]
                work[rate].append(costs[0] / costs[1])
                speeds = f"{alone:,.0f}/s alone, {beside:,.0f}/s watched; worker {costs[0]:.0f} and {costs[1]:.0f} us per call"
                print(f"round {number + 1} at {rate or 'full'}: {speeds}; {said}", flush=True)
    for rate in rates:
        calls, fits = statistics.median(throughput[rate]), statistics.median(work[rate])
        print(f"at {rate or 'full speed'}: {calls:.3f} of the throughput, {fits:.3f} of the calls fit into the core (medians)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
