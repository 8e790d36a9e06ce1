"""Sessions that spend as Claude Code does: long prompts under a one-hour cache mark, growing turn by turn, and a cap on output
that is never reached.

What the provider has cached of a session is kept here, as it would be there: a turn reads what the turn before it left, and
writes what is new. Sizes and prices follow measured sessions: prompts of 57,000 to 200,000 tokens, some thousand new ones a
turn, and about 900 tokens of output, seldom many more.
"""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.crowd import Crowd, Got, Order
from tests.faults.till import Bill

MODEL = "claude-sonnet-5-5"
MAX_TOKENS = 128_000
WINDOW = 200_000  # tokens at which a session is compacted
COMPACTED = (20_000, 50_000)  # to so many
FILLER = "the route reads one byte at a time and keeps what it learned while every budget waits for its turn "


@dataclass
class Refused:
    """A refusal, and what the provider had charged at that moment."""

    error: str
    spent_pusd: int


@dataclass
class Habits:
    """Ranges, both ends included. `warm`: of sessions, how many begin with their prompt in the provider's cache already."""

    begin_tokens: tuple[int, int] = (57_000, 200_000)
    new_tokens: tuple[int, int] = (1_000, 9_000)
    warm: float = 0.5
    first_s: tuple[float, float] = (0.05, 0.15)  # to the first byte of an answer
    seconds: tuple[float, float] = (0.25, 2.0)  # from there to its end
    sticks: bool = True  # to one connection


@dataclass
class Session:
    """One developer at work: turn after turn until the budget stops it, as it stops Claude Code."""

    name: str
    secret: str
    seed: str
    habits: Habits
    spent: Callable[[], int]  # what the provider has charged by now, pico-USD
    refused: list[Refused] = field(default_factory=list)
    turns: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._bytes_per_token = self._dice.uniform(2.7, 3.7)
        self._begin(self.habits.begin_tokens)
        self._cached = self._tokens if self._dice.random() < self.habits.warm else 0

    def _begin(self, tokens: tuple[int, int]) -> None:
        self._tokens = self._dice.randint(*tokens)
        self._parts = [self._text(self._tokens)]
        self._cached = 0

    def _text(self, tokens: int) -> str:
        size = int(tokens * self._bytes_per_token)
        return (FILLER * (size // len(FILLER) + 1))[:size]

    async def work(self, crowd: Crowd, number: int, turns: int) -> None:
        """`number`: of the connection."""
        for _ in range(turns):
            if not await self._turn(crowd, number):
                return
            self.turns += 1

    async def _turn(self, crowd: Crowd, number: int) -> bool:
        """False: the budget has stopped it. What it is told to try again it tries again, as long as it takes."""
        new = self._dice.randint(*self.habits.new_tokens)
        if self._tokens + new > WINDOW:
            self._begin(COMPACTED)
        self._parts.append(self._text(new))
        self._tokens += new
        bill = self._bill()
        order = Order(self._body(bill), self._headers())
        while True:
            got = await self._ask(crowd, number, order)
            if got.error == "budget_exceeded":
                self.refused.append(Refused(got.error, self.spent()))
                return False
            if got.error == "budget_reserved":
                self.refused.append(Refused(got.error, self.spent()))
                await asyncio.sleep(self._dice.uniform(0.2, 0.4))
                continue
            assert got.status == 200 and got.ended, got
            self._cached = self._tokens
            if not got.stopped:
                return True
            self.refused.append(Refused("stopped", self.spent()))
            return False

    async def _ask(self, crowd: Crowd, number: int, order: Order) -> Got:
        if not self.habits.sticks:
            crowd.hang_up(number)
        return (await crowd.place(number, order))[-1]

    def _bill(self) -> Bill:
        output = min(max(int(self._dice.lognormvariate(6.2, 1.0)), 5), 20_000)  # half of them under 500, 850 in the mean
        deltas = min(max(output // 60, 1), 60)
        first_ms = int(self._dice.uniform(*self.habits.first_s) * 1000)
        pace_ms = int(self._dice.uniform(*self.habits.seconds) * 1000 / deltas)
        return Bill(3, output, self._cached, 0, self._tokens - self._cached, deltas, first_ms, pace_ms)

    def _body(self, bill: Bill) -> bytes:
        cached = {"type": "ephemeral", "ttl": "1h"}
        texts: list[dict[str, Any]] = [{"type": "text", "text": part} for part in self._parts]
        texts[-1] = {"type": "text", "text": f"{self._parts[-1]} {bill.mark}", "cache_control": cached}
        system = [{"type": "text", "text": "You are a coding agent.", "cache_control": cached}]
        messages = [{"role": "user", "content": texts}]
        return json.dumps(
            {"model": MODEL, "max_tokens": MAX_TOKENS, "stream": True, "system": system, "messages": messages}
        ).encode()

    def _headers(self) -> str:
        headers = {
            "x-gw-key": self.secret,
            "content-type": "application/json",
            "user-agent": "claude-cli/2.1.329 (external, cli)",
            "x-claude-code-session-id": self.name,
        }
        return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
