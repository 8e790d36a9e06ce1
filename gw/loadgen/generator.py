"""The load: open loop (a schedule that nothing can slow down) and closed loop (each connection asks again when answered).

Open loop measures what clients see who do not know of each other. Latency counts from the moment at which a request was due,
so a gateway that stands still for a second pays for every request of that second; the generator's own lateness is part of
it, is measured beside it, and makes the run worthless if it is not small (`why_late`).
"""

import asyncio
import gc
import ssl
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gw import clock
from gw.loadgen.alarm import Alarm
from gw.loadgen.connection import Connection
from gw.loadgen.found import Found, why_late
from gw.loadgen.histogram import Histogram
from gw.loadgen.request import Kind, Target
from gw.loadgen.schedule import Schedule

LEAD_NS = 50_000_000  # from the order to the first request
SWEEP_S = 0.25
CONNECT_TIMEOUT_S = 10.0
RETRY_S = 0.05  # before a refused connection is tried again


class Load:
    """Connections to one target, and what came of the requests of each kind. Subclasses decide when to send what."""

    def __init__(self, target: Target, kinds: Sequence[Kind], *, connections_max: int = 4096, timeout_s: float = 60.0) -> None:
        self.found = [Found(kind.name) for kind in kinds]
        self.lateness = Histogram()
        self.started_ns = 0
        self.ended_ns = 0
        self.connections_opened = 0
        self._target = target
        self._kinds = kinds
        self._sent = [0] * len(kinds)
        self._connections: set[Connection] = set()
        self._dials: set[asyncio.Task[None]] = set()
        self._broken_off = False  # nothing more is sent
        self._empty = asyncio.Event()  # then: every connection is closed
        self._connections_max = connections_max
        self._timeout_ns = int(timeout_s * 1e9)
        self._tls = ssl.create_default_context() if target.tls else None

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return (self.ended_ns - self.started_ns) / 1e9

    def total(self) -> Found:
        """All kinds together."""
        total = Found("all")
        for found in self.found:
            total.merge(found)
        return total

    def why_late(self) -> str:
        """Why what was measured must not be believed; "" if it may. Judged by the time to the first byte of the fastest kind."""
        seen = [found.first_byte for found in self.found if found.first_byte.count]
        fastest = min(seen, key=lambda one: one.at(50), default=None)
        return why_late(self.lateness, fastest) if fastest is not None else ""

    def finished(self, connection: Connection) -> None:
        raise NotImplementedError

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._broken_off and not self._connections:
            self._empty.set()

    async def _dial(self) -> Connection:
        """Raises OSError or TimeoutError."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            loop = asyncio.get_running_loop()
            target = self._target
            _, connection = await loop.create_connection(lambda: Connection(self), target.host, target.port, ssl=self._tls)
        self.connections_opened += 1
        if not connection.closing:
            self._connections.add(connection)
        return connection

    def _send(self, connection: Connection, kind: int, counted: int) -> None:
        one = self._kinds[kind]
        turn = self._sent[kind]
        self._sent[kind] = turn + 1
        connection.send(one.variants[turn % len(one.variants)], self.found[kind], counted=counted, streams=one.streams)

    def _give_up(self) -> None:
        """End what has been under way for longer than the timeout."""
        before = clock.mono_ns() - self._timeout_ns
        for connection in [one for one in self._connections if one.busy and one.sent < before]:
            connection.abandon("timeout")

    async def _close(self) -> None:
        self._broken_off = True
        for task in self._dials:
            task.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        for connection in list(self._connections):
            connection.abandon("the run was broken off")
        if self._connections:
            await self._empty.wait()


class OpenLoop(Load):
    """Sends each request of the schedule when it is due, on a free connection or a new one."""

    def __init__(
        self,
        target: Target,
        kinds: Sequence[Kind],
        schedule: Schedule,
        *,
        warm: int = 0,
        connections_max: int = 4096,
        timeout_s: float = 60.0,
    ) -> None:
        """`warm`: connections opened before the clock starts, as clients have them that have been here for a while."""
        super().__init__(target, kinds, connections_max=connections_max, timeout_s=timeout_s)
        self._schedule = schedule
        self._warm = warm
        self._free: list[Connection] = []  # the one used last is used next
        self._waiting: deque[tuple[int, int]] = deque()  # (due, kind) with no connection to be had
        self._next = 0
        self._open = 0  # due, and neither answered nor failed

    async def run(self) -> None:
        """To the last answer or timeout; then every connection is closed."""
        self._done = asyncio.get_running_loop().create_future()
        self._alarm = Alarm(self._ring)
        try:
            await self._prepare()
            with without_collections():
                self.started_ns = clock.mono_ns() + LEAD_NS
                self._alarm.at(self.started_ns + self._schedule.offsets_ns[0])
                while not self._done.done():
                    await asyncio.wait([self._done], timeout=SWEEP_S)
                    self._give_up()
            self.ended_ns = clock.mono_ns()
        finally:
            self._alarm.close()
            await self._close()

    async def _prepare(self) -> None:
        for _ in range(min(self._warm, self._connections_max)):
            try:
                self._free.append(await self._dial())
            except (OSError, TimeoutError):
                return  # each request will find out for itself

    def _ring(self) -> None:
        """Send all that is due, then sleep until the next is."""
        offsets, kinds, start = self._schedule.offsets_ns, self._schedule.kinds, self.started_ns
        at, count = self._next, len(self._schedule)
        while at < count:
            due = start + offsets[at]
            now = clock.mono_ns()
            if due > now:
                self._alarm.at(due)
                break
            self.lateness.add(now - due)
            self._open += 1
            self._serve(due, kinds[at])
            at += 1
        self._next = at

    def _serve(self, due: int, kind: int) -> None:
        while self._free:
            connection = self._free.pop()
            if not connection.closing:
                self._send(connection, kind, due)
                return
        self._waiting.append((due, kind))
        self._dial_more()

    def _dial_more(self) -> None:
        """One connection on its way for each request that waits, up to the maximum."""
        wanted = min(len(self._waiting), self._connections_max - len(self._connections)) - len(self._dials)
        for _ in range(0 if self._broken_off else wanted):
            task = asyncio.get_running_loop().create_task(self._open_one(), name="loadgen-dial")
            self._dials.add(task)
            task.add_done_callback(self._dials.discard)

    async def _open_one(self) -> None:
        try:
            connection = await self._dial()
        except (OSError, TimeoutError) as error:
            if self._waiting:
                self._drop_first(f"connect: {type(error).__name__}")
        else:
            self._take(connection)

    def _drop_first(self, why: str) -> None:
        _, kind = self._waiting.popleft()
        self.found[kind].failed[why] += 1
        self._settle()

    def _give_up(self) -> None:
        super()._give_up()
        before = clock.mono_ns() - self._timeout_ns
        while self._waiting and self._waiting[0][0] < before:
            self._drop_first("no connection")
        self._dial_more()

    def _take(self, connection: Connection) -> None:
        """A connection is free: it serves who waits, or stands by."""
        if connection.closing:
            return
        if self._waiting:
            due, kind = self._waiting.popleft()
            self._send(connection, kind, due)
        else:
            self._free.append(connection)

    def finished(self, connection: Connection) -> None:
        self._take(connection)
        self._settle()

    def lost(self, connection: Connection) -> None:
        super().lost(connection)
        if connection in self._free:
            self._free.remove(connection)
        self._dial_more()

    def _settle(self) -> None:
        self._open -= 1
        if not self._open and self._next == len(self._schedule) and not self._done.done():
            self._done.set_result(None)


class ClosedLoop(Load):
    """Each of `connections` sends, waits for the answer and sends again, until `seconds` after the start, but once at least.

    What is under way then is waited for. The slower the gateway, the lighter its load: good for throughput and for streams, not
    for latency.
    """

    def __init__(
        self,
        target: Target,
        kinds: Sequence[Kind],
        connections: int,
        seconds: float,
        *,
        ramp_s: float = 0.0,
        timeout_s: float = 60.0,
    ) -> None:
        """`ramp_s`: over how long the connections begin; they take the kinds in turn."""
        super().__init__(target, kinds, connections_max=connections, timeout_s=timeout_s)
        self._count = connections
        self._length_ns = int(seconds * 1e9)
        self._ramp_s = ramp_s
        self._working = 0
        self._turn = 0

    async def run(self) -> None:
        """To the last answer or timeout; then every connection is closed."""
        self._done = asyncio.get_running_loop().create_future()
        self._working = self._count
        try:
            with without_collections():
                self.started_ns = clock.mono_ns()
                self._end_ns = self.started_ns + self._length_ns
                for number in range(self._count):
                    self._begin(number * self._ramp_s / self._count, first=True)
                while not self._done.done():
                    await asyncio.wait([self._done], timeout=SWEEP_S)
                    self._give_up()
            self.ended_ns = clock.mono_ns()
        finally:
            await self._close()

    def _begin(self, after_s: float, *, first: bool = False) -> None:
        task = asyncio.get_running_loop().create_task(self._open_one(after_s, first=first), name="loadgen-dial")
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _open_one(self, after_s: float, *, first: bool) -> None:
        await asyncio.sleep(after_s)
        try:
            connection = await self._dial()
        except (OSError, TimeoutError) as error:
            self.found[0].failed[f"connect: {type(error).__name__}"] += 1
            self._again_or_end()
        else:
            self._ask(connection, first=first)

    def _ask(self, connection: Connection, *, first: bool = False) -> None:
        now = clock.mono_ns()
        if self._broken_off or (now >= self._end_ns and not first):
            self._leave()
        elif connection.closing:
            self._begin(0)
        else:
            self._turn = (self._turn + 1) % len(self._kinds)
            self._send(connection, self._turn, now)

    def finished(self, connection: Connection) -> None:
        self._ask(connection)

    def _again_or_end(self) -> None:
        if clock.mono_ns() >= self._end_ns:
            self._leave()
        else:
            self._begin(RETRY_S)

    def _leave(self) -> None:
        self._working -= 1
        if not self._working and not self._done.done():
            self._done.set_result(None)


@contextmanager
def without_collections() -> Iterator[None]:
    """A garbage collection in the generator would be lateness; what one run leaves is collected after it."""
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
