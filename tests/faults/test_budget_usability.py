"""Twenty developers on ten dollars: a budget that holds what calls will probably cost stops nobody before it is really spent.

Answers take up to eight times as long as a call waits for a budget that is set aside, as they do with the defaults. What is
spent is what the upstream has charged at the moment of a refusal, calls that run included.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from gw.demo.upstream import FakeUpstream
from gw.domain.key import mint
from gw.domain.money import PUSD_PER_NUSD
from tests.faults import purse, till
from tests.faults.crowd import Crowd, Order
from tests.faults.developers import FILLER, MODEL, Habits, Refused, Session
from tests.faults.ground import until
from tests.faults.purse import Pot
from tests.faults.till import Bill
from tests.support.gateway import GatewayUnderTest

DEVELOPERS = 20
WORKERS = 4
WAIT_S = 0.25
IDLE_S = 10.0
TURNS_MAX = 100  # more than ten dollars can pay for
TEN = Pot("ten dollars", "key", "seat-*", "10", "typical")
LIMIT_PUSD = TEN.limit_nusd * PUSD_PER_NUSD
REALLY_SPENT = 0.9
OVERRUN_MAX = 0.1
SESSION = "x-claude-code-session-id"

# What makes it hard to guess what a call will cost.
HABITS = {
    "half of the sessions are resumed": Habits(),
    "every call comes to another worker": Habits(sticks=False),
    "the gateway has forgotten all sessions": Habits(warm=1.0, begin_tokens=(180_000, 197_000)),
    "every session begins anew": Habits(warm=0.0, begin_tokens=(57_000, 80_000)),
}


@dataclass
class Day:
    """How one budget was spent."""

    turns: int
    refused: list[Refused]
    invoice_pusd: int

    def line(self) -> str:
        kinds = sorted({one.error for one in self.refused})
        first = {kind: min(one.spent_pusd for one in self.refused if one.error == kind) / LIMIT_PUSD for kind in kinds}
        told = ", ".join(f"{sum(one.error == kind for one in self.refused)} {kind} from {first[kind]:.1%} on" for kind in kinds)
        return f"{self.turns} turns; {told}; invoice at the end {self.invoice_pusd / LIMIT_PUSD:.2%} of the limit"


class Provider:
    """What the upstream has charged at any moment for the sessions of one seed."""

    def __init__(self, upstream: FakeUpstream, seed: str) -> None:
        self._upstream = upstream
        self._prefix = f"{seed}-"
        self._seen = 0
        self._sum = 0

    def ended(self) -> int:
        lines = self._upstream.invoice.lines()
        self._sum += sum(line.cost_pusd for line in lines[self._seen :] if line.headers[SESSION].startswith(self._prefix))
        self._seen = len(lines)
        return self._sum

    def spent(self) -> int:
        """Calls that run have cost their prompt, and what has come of their answer."""
        answers = [connection._answer for connection in self._upstream.connections if connection._answer is not None]
        running = [one for one in answers if not one.line_added and one.request.header(SESSION).startswith(self._prefix)]
        return self.ended() + sum(answer.line("running").cost_pusd for answer in running)


async def spend(gateway: GatewayUnderTest, upstream: FakeUpstream, secret: str, seed: str, habits: Habits) -> Day:
    provider = Provider(upstream, seed)
    crowd = Crowd(gateway.process.port, seed=1)
    sessions = [Session(f"{seed}-{at}", secret, f"{seed}-{at}", habits, provider.spent) for at in range(DEVELOPERS)]
    await asyncio.gather(*(one.work(crowd, number, TURNS_MAX) for number, one in enumerate(sessions)))
    crowd.close()
    assert all(one.refused for one in sessions), "someone was never stopped"
    return Day(sum(one.turns for one in sessions), [refused for one in sessions for refused in one.refused], provider.ended())


@asynccontextmanager
async def seats(folder: Path, pot: Pot, secrets: dict[str, str]) -> AsyncIterator[tuple[GatewayUnderTest, FakeUpstream]]:
    """A gateway whose keys have this budget each. At the end nothing is set aside any more, and cells and rows agree."""
    upstream = FakeUpstream(till.script)
    url = f"http://127.0.0.1:{await upstream.start()}"
    keys = "".join(f'[[key]]\nname = "seat-{seed}"\nsecret = "{secret}"\n' for seed, secret in secrets.items())
    more = f"[budgets]\nwait_s = {WAIT_S}\n{pot.toml}{keys}"
    gateway = GatewayUnderTest(folder, url, workers=WORKERS, more=more)
    await asyncio.to_thread(gateway.process.start)
    try:
        yield gateway, upstream
        await until(lambda: not any(cell.reserved for cell in purse.cells(gateway).values()), "empty holds", IDLE_S)
        cells = purse.cells(gateway)
    finally:
        status = await asyncio.to_thread(gateway.process.stop)
        await upstream.stop()
    assert status == 0 and "Traceback" not in gateway.process.log.read_text(), gateway.process.log_end()
    assert not purse.differences([pot], gateway.rows(), cells)


async def days(folder: Path, habits: Habits, secrets: dict[str, str]) -> list[Day]:
    async with seats(folder, TEN, secrets) as (gateway, upstream):
        return await asyncio.gather(*(spend(gateway, upstream, secret, seed, habits) for seed, secret in secrets.items()))


@pytest.mark.parametrize("name", HABITS)
def test_nobody_is_refused_before_the_budget_is_really_spent(tmp_path: Path, name: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(days(tmp_path, HABITS[name], {"a": mint().text, "b": mint().text}))
    print(f"\n{name}: " + "\n    ".join(day.line() for day in found))
    for day in found:
        early = [one for one in day.refused if one.spent_pusd < REALLY_SPENT * LIMIT_PUSD]
        assert not early, f"{len(early)} of {len(day.refused)} refusals, the first: {early[0]}"
        assert day.invoice_pusd < (1 + OVERRUN_MAX) * LIMIT_PUSD


def order(secret: str, bill: Bill, *, text: str = "", ttl: str = "", stream: bool = True) -> Order:
    body = till.body(bill, model=MODEL, max_tokens=64_000, stream=stream, text=text, ttl=ttl)
    return Order(body, f"x-gw-key: {secret}\r\nuser-agent: claude-cli/2.1.329\r\n{SESSION}: s\r\n")


async def test_a_prompt_that_was_cached_gives_back_what_was_feared_for_it_as_soon_as_the_stream_begins(tmp_path: Path) -> None:
    """Written to the cache for an hour it would cost 80 cents; it was read from there for 2."""
    secret = mint().text
    async with seats(tmp_path, Pot("a dollar", "key", "seat-*", "1", "typical"), {"one": secret}) as (gateway, upstream):
        crowd = Crowd(gateway.process.port, seed=1)
        text = FILLER * (600_000 // len(FILLER))
        slow, quick = (order(secret, Bill(3, 600, 200_000, deltas=10, pace_ms=ms), text=text, ttl="1h") for ms in (400, 1))
        running = asyncio.create_task(crowd.place(0, slow))
        await until(lambda: upstream.chunks_sent > 1, "the stream", IDLE_S)
        await until(lambda: sum(cell.reserved for cell in purse.cells(gateway).values()) < 60_000_000, "a small hold", 0.5)
        assert not running.done()
        assert [got.status for got in await crowd.place(1, quick)] == [200], "it had to wait"
        assert (await running)[-1].ended
        crowd.close()


async def test_a_stream_that_can_get_no_more_goes_on_with_what_it_holds(tmp_path: Path) -> None:
    """Two calls hold two cents each of four and a bit; half a cent more than it will need is out of reach for the second."""
    secret = mint().text
    async with seats(tmp_path, Pot("cents", "key", "seat-*", "0.043", "typical"), {"one": secret}) as (gateway, _):
        crowd = Crowd(gateway.process.port, seed=1)
        slow = asyncio.create_task(crowd.place(0, order(secret, Bill(10, 100, first_ms=3000), stream=False)))
        await until(lambda: any(cell.reserved for cell in purse.cells(gateway).values()), "the first hold", IDLE_S)
        (got,) = await crowd.place(1, order(secret, Bill(10, 1_500, deltas=50, pace_ms=1)))
        assert (got.status, got.ended, got.stopped) == (200, True, False) and not slow.done()
        assert (await slow)[-1].ended
        crowd.close()
