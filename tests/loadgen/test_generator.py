"""The generator sends what is due, counts each request once whatever becomes of it, and measures its own lateness."""

import asyncio
import gc
from collections.abc import Callable
from typing import cast

import pytest

from gw import clock
from gw.loadgen import generator
from gw.loadgen.connection import Connection
from gw.loadgen.found import Found
from gw.loadgen.generator import ClosedLoop, OpenLoop, without_collections
from gw.loadgen.request import Kind, Target
from gw.loadgen.schedule import evenly, merged
from tests.loadgen.server import kind, serving

NOWHERE = Target("127.0.0.1", 1)
MS = 1_000_000


class FakeAlarm:
    """Rings when the test says so."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self.ring = ring
        self.set_for: list[int] = []

    def at(self, moment_ns: int) -> None:
        self.set_for.append(moment_ns)

    def close(self) -> None:
        pass


class FakeConnection:
    closing = False

    def __init__(self) -> None:
        self.counted: list[int] = []

    def send(self, data: bytes, found: Found, *, counted: int, streams: bool) -> None:
        self.counted.append(counted)


async def test_lateness_is_what_the_clock_says_and_latency_counts_from_the_due_time(monkeypatch: pytest.MonkeyPatch):
    """A generator that is woken too late sends all that is due at once, each late by its own share."""
    now = [0]
    monkeypatch.setattr(clock, "mono_ns", lambda: now[0])
    load = OpenLoop(NOWHERE, [Kind("x", [b"ask"])], evenly(1000, 0.006))  # due at 0, 1, 2, 3, 4, 5 ms
    alarm = FakeAlarm(load._ring)
    load._alarm = cast(generator.Alarm, alarm)
    load.started_ns = 100 * MS
    fakes = [FakeConnection() for _ in range(6)]
    load._free = cast(list[Connection], list(fakes))

    now[0] = 100 * MS + 200_000
    load._ring()
    assert load.lateness.recorded().count == 1 and load.lateness.greatest == 200_000
    assert alarm.set_for == [101 * MS]

    now[0] = 103 * MS + 500_000  # woken two and a half milliseconds late
    load._ring()
    assert load.lateness.count == 4 and load.lateness.greatest == 2_500_000
    assert load.lateness.sum == 200_000 + 2_500_000 + 1_500_000 + 500_000
    assert alarm.set_for == [101 * MS, 104 * MS]
    assert [fake.counted for fake in reversed(fakes)][:4] == [[100 * MS], [101 * MS], [102 * MS], [103 * MS]]

    now[0] = 105 * MS
    load._ring()
    assert load.lateness.count == 6 and alarm.set_for[2:] == []  # nothing more is due, ever


async def test_every_request_of_a_schedule_is_sent_and_answered_once():
    async with serving() as (server, target):
        plan = merged([evenly(2000, 0.05, kind=0), evenly(1000, 0.05, kind=1)])
        load = OpenLoop(target, [kind(target, "/plain"), kind(target, "/stream")], plan, warm=4)
        await load.run()
    assert [found.answered for found in load.found] == [100, 50] and server.asked == 150
    assert load.lateness.count == len(plan) == 150 and load.total().answered == 150
    assert load.found[1].events == 100 and load.found[0].events == 0
    assert all(found.latency.count == found.answered == found.first_byte.count for found in load.found)
    assert server.connections == load.connections_opened


async def test_an_answer_that_does_not_come_does_not_hold_up_the_others():
    """The schedule goes on: as many connections as there are requests under way."""
    async with serving() as (server, target):
        server.wanted = 40
        load = OpenLoop(target, [kind(target, "/held")], evenly(1000, 0.04))
        running = asyncio.create_task(load.run())
        await server.all_asked.wait()
        assert load.total().answered == 0
        server.go.set()
        await running
    assert load.total().answered == 40 == load.connections_opened


async def test_no_more_connections_than_allowed_and_who_waits_is_served():
    async with serving() as (server, target):
        server.wanted = 3
        load = OpenLoop(target, [kind(target, "/held")], evenly(1000, 0.02), connections_max=3)
        running = asyncio.create_task(load.run())
        await server.all_asked.wait()
        server.go.set()
        await running
    assert load.total().answered == 20 and server.connections == 3


@pytest.mark.parametrize(("path", "why"), [("/fails", "status 500"), ("/cut", "closed before an answer")])
async def test_failures_are_counted_by_their_reason(path: str, why: str):
    async with serving() as (_, target):
        load = OpenLoop(target, [kind(target, path)], evenly(1000, 0.03))
        await load.run()
    assert dict(load.total().failed) == {why: 30} and load.total().answered == 0


async def test_a_server_that_ends_each_connection_is_asked_on_new_ones():
    async with serving() as (server, target):
        load = OpenLoop(target, [kind(target, "/last")], evenly(1000, 0.03), warm=2)
        await load.run()
    assert load.total().answered == 30 <= server.connections


async def test_nobody_listening_is_a_failure_of_each_request():
    load = OpenLoop(NOWHERE, [Kind("x", [b"ask"])], evenly(1000, 0.02), warm=2)
    await load.run()
    assert dict(load.total().failed) == {"connect: ConnectionRefusedError": 20}


async def test_an_answer_that_never_comes_is_a_timeout():
    async with serving() as (_, target):
        load = OpenLoop(target, [kind(target, "/held")], evenly(1000, 0.005), timeout_s=0.05, connections_max=3)
        await load.run()
    assert load.total().failed.keys() <= {"timeout", "no connection"} and load.total().failures == 5


async def test_a_run_that_is_broken_off_leaves_no_connection():
    async with serving() as (server, target):
        server.wanted = 5
        load = OpenLoop(target, [kind(target, "/held")], evenly(1000, 5))
        running = asyncio.create_task(load.run())
        await server.all_asked.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not load._connections and not load._dials
    assert load.total().failures >= 5


async def test_a_closed_loop_asks_again_when_answered_and_waits_for_the_last():
    async with serving() as (server, target):
        load = ClosedLoop(target, [kind(target, "/plain"), kind(target, "/stream")], 4, 0.1, ramp_s=0.02)
        await load.run()
    total = load.total()
    assert total.answered == server.asked >= 4 and not total.failed and server.connections == 4
    assert all(found.answered for found in load.found) and load.seconds >= 0.1


async def test_a_closed_loop_begins_anew_on_a_new_connection():
    async with serving() as (server, target):
        load = ClosedLoop(target, [kind(target, "/last")], 2, 0.05)
        await load.run()
    assert load.total().answered == server.asked >= 2 and 0 <= server.connections - server.asked <= 2  # the end came meanwhile


async def test_a_closed_loop_ends_when_nobody_listens():
    load = ClosedLoop(NOWHERE, [Kind("x", [b"ask"])], 2, 0.02)
    await load.run()
    assert load.total().answered == 0 and load.total().failed.keys() == {"connect: ConnectionRefusedError"}


def test_no_collection_runs_meanwhile():
    with without_collections():
        assert not gc.isenabled()
    assert gc.isenabled()
