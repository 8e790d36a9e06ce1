"""Clients that call without end while things break, and remember of every call exactly what they saw.

Every call carries a session id of its own, so its line on the upstream's invoice and its row in the ledger can be found
whatever became of its answer.
"""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from gw.clock import mono_ns
from tests.flow.client import Wire
from tests.support.claims import allowed

MODEL = "claude-sonnet-5-5"
STOP = b'data: {"type":"message_stop"}'
CACHED = [{"type": "text", "text": "You are a coding agent. " * 40, "cache_control": {"type": "ephemeral"}}]
# play -> weight: whole answers at once and after a while, short streams, long streams.
WHOLE = {"plain": 4, "silent-before 0.2": 2}
STREAMS = {"events 4 2": 4, "thinking": 2, "events 40 15": 4, "events 120 15": 2}


@dataclass
class Seen:
    """One call as its client saw it. `heard`: some of the body has come; `ended`: the whole answer arrived, for a stream its
    message_stop event."""

    session: str
    stream: bool
    started_ns: int
    status: int = 0  # 0: no answer began
    call_id: str = ""
    upstream_request_id: str = ""
    error: str = ""  # x-gw-error
    retry_after: str = ""
    heard: bool = False
    ended: bool = False

    @property
    def good(self) -> bool:
        return self.ended and self.status == 200


def body(play: str, *, stream: bool) -> bytes:
    ask = {"role": "user", "content": f"Please go on. [play:{play}]"}
    return json.dumps({"model": MODEL, "max_tokens": 999, "stream": stream, "system": CACHED, "messages": [ask]}).encode()


def headers(session: str, key: str = "") -> list[tuple[str, str]]:
    """With a virtual key, or with a credential of the client's own."""
    return [
        ("x-api-key", key or "sk-ant-own-credential-of-the-client"),
        ("content-type", "application/json"),
        ("user-agent", "claude-cli/2.1.329 (external, cli)"),
        ("x-claude-code-session-id", session),
    ]


async def call(port: int, session: str, play: str, *, stream: bool, key: str = "") -> Seen:
    """One call on a connection of its own; whatever breaks is not raised but stands in what it saw."""
    seen = Seen(session, stream, mono_ns())
    await _told(seen, port, play, key)
    return seen


def begin(port: int, session: str, play: str) -> tuple[Seen, "asyncio.Task[None]"]:
    """A stream that runs beside the test: what its client has seen so far, and what ends with it."""
    seen = Seen(session, True, mono_ns())
    return seen, asyncio.create_task(_told(seen, port, play, ""))


async def under_way(port: int, count: int) -> tuple[list[Seen], "asyncio.Future[list[None]]"]:
    """So many streams of ten seconds, each of which gw and its client have begun to read; and what ends with them."""
    seen, tasks = zip(*(begin(port, f"under-way-{at}", "events 400 25") for at in range(count)), strict=True)
    async with asyncio.timeout(30):
        while not all(one.heard for one in seen):
            await asyncio.sleep(0.01)
    return list(seen), asyncio.gather(*tasks)


async def _told(seen: Seen, port: int, play: str, key: str) -> None:
    session, stream = seen.session, seen.stream
    try:
        async with await Wire.open(port) as wire:
            await wire.send("POST", "/v1/messages", headers(session, key), body(play, stream=stream))
            answer = await wire.head()
            seen.status, seen.call_id, seen.error = answer.status, answer.header("x-gw-call-id"), answer.header("x-gw-error")
            seen.upstream_request_id = answer.header("x-gw-upstream-request-id")
            seen.retry_after = answer.header("retry-after")
            tail = b""
            while chunk := await wire.chunk():
                seen.heard = True
                tail = tail[-200:] + chunk
                if stream and STOP in tail:
                    seen.ended = True
            seen.ended = seen.ended or not stream or seen.status != 200
    except (OSError, asyncio.IncompleteReadError):
        pass  # how far it came is known


class Load:
    """`clients` at work, one call after the other, from `start` until `stop`; all that they saw is in `seen`."""

    def __init__(
        self,
        port: int,
        clients: int,
        *,
        seed: int,
        whole: dict[str, int] = WHOLE,
        streams: dict[str, int] = STREAMS,
        keys: Sequence[str] = (),
    ) -> None:
        """`keys`: virtual keys that the clients share out among them; without any they show a credential of their own."""
        self.seen: list[Seen] = []
        self._port = port
        self._clients = clients
        self._seed = seed
        self._plays = [(play, False, weight) for play, weight in whole.items()] + [(play, True, w) for play, w in streams.items()]
        self._keys = keys
        self._stopping = False
        self._going = asyncio.Event()
        self._going.set()
        self._busy = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._work(number), name=f"client-{number}") for number in range(self._clients)]

    async def stop(self) -> None:
        """Lets every client finish the call it is in."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def pause(self) -> None:
        """Until `go`, no call runs and none begins; those that run may end first."""
        self._going.clear()
        while self._busy:
            await asyncio.sleep(0.01)

    def go(self) -> None:
        self._going.set()

    async def _work(self, number: int) -> None:
        dice = random.Random(f"{self._seed}:{number}")
        key = self._keys[number % len(self._keys)] if self._keys else ""
        weights = [weight for _, _, weight in self._plays]
        serial = 0
        while not self._stopping:
            play, stream, _ = dice.choices(self._plays, weights)[0]
            serial += 1
            await self._going.wait()
            self._busy += 1
            seen = await call(self._port, f"s{self._seed}-{number}-{serial}", play, stream=stream, key=key)
            self._busy -= 1
            self.seen.append(seen)
            if not seen.ended:
                await asyncio.sleep(0.02)  # nobody hammers a closed port

    async def one_good(self, timeout_s: float) -> float:
        """Seconds until a call that began after this moment has ended well."""
        begun_ns, at = mono_ns(), len(self.seen)
        async with asyncio.timeout(allowed(timeout_s)):
            while not any(one.good and one.started_ns >= begun_ns for one in self.seen[at:]):
                await asyncio.sleep(0.02)
        return (mono_ns() - begun_ns) / 1e9


def tally(seen: Sequence[Seen]) -> str:
    whole = [one for one in seen if not one.stream]
    cut = [one for one in seen if not one.ended]
    return (
        f"{len(seen)} calls ({len(whole)} whole, {len(seen) - len(whole)} streams), {sum(one.good for one in seen)} ended well, "
        f"{sum(1 for one in cut if one.status)} cut in mid-answer, {sum(1 for one in cut if not one.status)} before an answer"
    )
