"""Any upstream, any clients: good and damaged answers, cuts, silences, surplus bytes, early answers; callers who leave, stop or
read slowly, more of them than connections. Whoever gets a whole answer gets their own; nobody waits for ever; nothing leaks."""

import asyncio
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gw.upstream.errors import UpstreamError
from gw.upstream.response import Response
from tests.upstream import answers
from tests.upstream.answers import Good
from tests.upstream.line import Line, Lines, answered, play

ONE_REQUEST = re.compile(rb"POST /v1/messages HTTP/1\.1\r\nHost: upstream\.test\r\na: b\r\nContent-Length: (\d+)\r\n\r\n")
BUILD: dict[str, Callable[[bytes], Good]] = {
    "length": lambda body: answers.sized("", body),
    "closing": lambda body: answers.sized("", body, b"Connection: close", reusable=False),
    "error": lambda body: answers.sized("", body, start=b"HTTP/1.1 500 Oh\r\n"),
    "1xx": lambda body: answers.sized("", body, before=answers.EARLY),
    "chunks": lambda body: answers.chunked("", *[body[at : at + 7] for at in range(0, len(body), 7)]),
    "trailers": lambda body: answers.chunked("", body, extension=b";x", trailers=b"X: y\r\n"),
    "until end": lambda body: answers.bare("", answers.OK, body=body, until_end=True),
}


@dataclass(frozen=True)
class Plan:
    """What becomes of one request. Places are fractions of the answer, in 1/1000."""

    build: str
    edges: tuple[int, ...]  # where the answer is split
    fate: str  # whole, end, reset, cut or silence, the last four at `at`
    at: int
    damage: tuple[int, int] | None  # (place, byte) that is overwritten
    surplus: bytes
    early: bool  # answered before the request is all there
    pause_s: float  # between pieces
    size: int  # of the request's body
    client: str  # reads, takes, leaves (after 2 s), aborts (after the first bytes), dawdles

    def good(self, mark: bytes) -> Good:
        return BUILD[self.build](b"{the answer to %b}" % mark)


plans = st.builds(
    Plan,
    build=st.sampled_from(sorted(BUILD)),
    edges=st.lists(st.integers(0, 1000), max_size=5).map(tuple),
    fate=st.sampled_from(["whole"] * 4 + ["end", "reset", "cut", "silence"]),
    at=st.integers(0, 1000),
    damage=st.none() | st.none() | st.tuples(st.integers(0, 999), st.integers(0, 255)),
    surplus=st.sampled_from([b""] * 4 + [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"]),
    early=st.booleans(),
    pause_s=st.sampled_from([0.0, 0.0, 0.3, 2.5]),
    size=st.sampled_from([0, 10, 600_000]),
    client=st.sampled_from(["reads"] * 3 + ["takes"] * 2 + ["leaves", "aborts", "dawdles"]),
)


class Upstream:
    """Serves every line by the plans of the requests that it finds there."""

    def __init__(self, lines: Lines, plans: list[Plan]) -> None:
        self._lines = lines
        self._plans = plans
        self._served: list[asyncio.Task[None]] = []

    async def accept(self) -> None:
        while True:
            for line in self._lines.all[len(self._served) :]:
                self._served.append(asyncio.ensure_future(self._serve(line)))
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        for task in self._served:
            task.cancel()
        failed = await asyncio.gather(*self._served, return_exceptions=True)
        assert all(one is None or isinstance(one, asyncio.CancelledError) for one in failed), failed

    async def _serve(self, line: Line) -> None:
        at = 0
        while not line.closed:
            found = ONE_REQUEST.match(line.sent, at)
            assert found or not line.sent[at:], "gw wrote something else than one whole request"
            if found is None:
                await asyncio.sleep(0.01)
                continue
            number = re.match(rb"<(\d+)>", line.sent[found.end() :])
            assert number
            plan = self._plans[int(number[1])]
            while not plan.early and len(line.sent) < found.end() + int(found[1]) and not line.closed:
                await asyncio.sleep(0.01)
            await self._answer(line, plan, number[0])
            at = found.end() + int(found[1])

    async def _answer(self, line: Line, plan: Plan, mark: bytes) -> None:
        good = plan.good(mark)
        data = bytearray(good.data)
        if plan.damage:
            place, byte = plan.damage
            data[place * len(data) // 1000] = byte
        stop = len(data) if plan.fate == "whole" else plan.at * len(data) // 1000
        edges = sorted({0, stop, *(edge * stop // 1000 for edge in plan.edges)})
        for start, end in pairwise(edges):
            last = end == len(data) and not plan.damage and not good.until_end
            line.feed(bytes(data[start:end]) + (plan.surplus if last else b""))
            await asyncio.sleep(plan.pause_s)
        if plan.fate == "end" or (plan.fate == "whole" and good.until_end):
            line.end()
        elif plan.fate in ("reset", "cut"):
            getattr(line, plan.fate)()
        elif plan.fate == "silence":
            while not line.closed:
                await asyncio.sleep(1.0)


async def take(response: Response, got: bytearray) -> None:
    """All of the body, most of it within the connection's own calls; now and then the taker has enough."""

    def some() -> bool:
        got.extend(response.read_nowait() or b"")
        return len(got) % 5 > 0

    response.taker = some
    while (part := response.read_nowait()) != b"":
        if part is None:
            await response.wait(math.inf)
        else:
            got += part


async def one_call(lines: Lines, plan: Plan, mark: bytes) -> str:
    """What became of it; fails if a whole answer is not its own."""
    task = lines.request([mark, bytes(plan.size)])
    if plan.client == "leaves":
        await asyncio.wait([task], timeout=2.0)
        task.cancel()
    got = bytearray()
    good = plan.good(mark)
    try:
        response = await task
        if plan.client == "takes":
            await take(response, got)
        while part := await response.read():
            got += part
            if plan.client == "aborts":
                response.abort()
            elif plan.client == "dawdles":
                await asyncio.sleep(3.0)
    except asyncio.CancelledError:
        return "left"
    except UpstreamError as error:
        assert plan.damage or good.body.startswith(got)
        return error.kind
    if not plan.damage:
        early_end = good.until_end and plan.fate == "end"  # an end like any other
        assert response.status == good.status
        assert bytes(got) == good.body or (early_end and good.body.startswith(got))
    return "whole"


def judge(plans: list[Plan], ends: list[str]) -> None:
    """One after the other: what the upstream did well has come well, unless bytes of an answer before were still on their way."""
    for number, (plan, end) in enumerate(zip(plans, ends, strict=True)):
        if any(before.damage or before.pause_s > 1 for before in plans[:number]):
            return
        if (plan.fate, plan.damage, plan.pause_s) == ("whole", None, 0.0) and plan.client in ("reads", "takes"):
            assert end == "whole", (plan, end)


@settings(max_examples=250, deadline=None)
@given(plans=st.lists(plans, min_size=1, max_size=8), connections_max=st.integers(1, 3), together=st.booleans())
def test_whoever_gets_a_whole_answer_gets_their_own(plans: list[Plan], connections_max: int, together: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Lines(connections_max=connections_max, connect_timeout_s=1000.0, total_timeout_s=40.0) as lines:
            upstream = Upstream(lines, plans)
            accepting = asyncio.ensure_future(upstream.accept())
            calls = [one_call(lines, plan, b"<%d>" % number) for number, plan in enumerate(plans)]
            began = loop.time()
            ends = await asyncio.gather(*calls) if together else [await call for call in calls]
            assert loop.time() - began <= 45.0 * len(plans), "somebody waited beyond all timeouts"
            if not together:
                judge(plans, ends)
            accepting.cancel()
            await upstream.close()
            await answered(lines, b"after all that")

    play(main)
