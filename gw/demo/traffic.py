"""Sample traffic: simulated Claude Code sessions against a gateway, shaped like the real client's requests.

A session keeps one conversation: each turn sends the whole history again, with cache breakpoints, runs a tool loop,
sometimes starts subagents (which run beside it, nested ones too), sometimes meets an error, sometimes is interrupted by
its developer. The assistant's part of the history is made up; what comes back is only counted. Random choices come from
one seeded generator per session, so a run can be repeated.
"""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

from gw.demo.answers import words

BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24"
VERSIONS = ("2.1.329", "2.1.329", "2.1.329", "2.1.197")
MODELS = {"claude-opus-5-5": 50, "claude-sonnet-5-5": 30, "claude-haiku-5-5": 15, "claude-fable-5-2": 5}  # name: weight
TOOLS = ("Agent", "Bash", "Edit", "Glob", "Grep", "Read", "Skill", "ToolSearch", "WebFetch", "WebSearch", "Workflow", "Write")
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Seat:
    """One developer's place: the key they use and what their client adds."""

    name: str
    key: str
    project: str
    bearer: bool = False  # the key goes into Authorization, as with ANTHROPIC_AUTH_TOKEN


@dataclass
class Tally:
    """What the simulated clients saw, by outcome."""

    calls: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        total = sum(self.calls.values())
        parts = ", ".join(f"{count} {name}" for name, count in sorted(self.calls.items()))
        return f"{total} calls: {parts}" if parts else "no calls yet"


class _Response:
    """Collects one response through httptools."""

    def __init__(self) -> None:
        self.status = 0
        self.body_bytes = 0
        self.done = False

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)

    def on_message_complete(self) -> None:
        self.done = True


class Client:
    """One keep-alive HTTP/1.1 connection to the gateway; `post` reconnects when the server closed it."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._prefix = parts.path.rstrip("/")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, headers: Sequence[tuple[str, str]], body: bytes, *, leave_after_bytes: int = 0) -> int:
        """The status; 0 if the client left on purpose after so many bytes of the body. Raises OSError, TimeoutError."""
        head = [f"POST {self._prefix}{path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers]
        if self._streams is None or self._streams[0].at_eof():
            await self.close()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        response = _Response()
        parser = httptools.HttpResponseParser(response)
        while not response.done:
            async with asyncio.timeout(READ_TIMEOUT_S):
                data = await reader.read(65536)
            if not data:
                await self.close()
                raise ConnectionError("the gateway closed the connection in the middle of an answer")
            parser.feed_data(data)
            if leave_after_bytes and response.body_bytes >= leave_after_bytes and not response.done:
                await self.close()
                return 0
        if not parser.should_keep_alive():
            await self.close()
        return parser.get_status_code()

    async def close(self) -> None:
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()


def _cached(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


class Conversation:
    """The messages of one agent (the main one or a subagent) and the body that carries them."""

    def __init__(self, model: str, *, session: str, version: str, subagent: bool, seed: str) -> None:
        mark = " cc_is_subagent=true;" if subagent else ""
        self.model = model
        self.session = session
        self._system = [
            {"type": "text", "text": f"x-anthropic-billing-header: cc_version={version}; cc_entrypoint=cli;{mark}"},
            _cached("You are a coding agent."),
            _cached(words("system", 600 if subagent else 1200)),
        ]
        self._tools = [
            {"name": name, "description": words(name, 600), "input_schema": {"type": "object", "properties": {}}}
            for name in TOOLS[: 6 if subagent else len(TOOLS)]
        ]
        self._device = uuid.UUID(bytes=random.Random(seed).randbytes(16)).hex * 2
        self.messages: list[dict[str, Any]] = []

    def ask(self, prompt: str, play: str) -> None:
        self.messages.append({"role": "user", "content": [{"type": "text", "text": f"{prompt} [play:{play}]"}]})

    def tool_answered(self, name: str, number: int, result: str) -> None:
        call = f"toolu_{self.session[:8]}{number:06d}"
        used = {"type": "tool_use", "id": call, "name": name, "input": {"command": "make test"}}
        self.messages.append({"role": "assistant", "content": [{"type": "text", "text": "I will look."}, used]})
        answered = {"type": "tool_result", "tool_use_id": call, "content": result, "is_error": False}
        self.messages.append({"role": "user", "content": [answered]})

    def answered(self, text: str) -> None:
        self.messages.append({"role": "assistant", "content": [{"type": "text", "text": text}]})

    def body(self, *, stream: bool = True) -> bytes:
        last = self.messages[-1]
        content = [*last["content"][:-1], {**last["content"][-1], "cache_control": {"type": "ephemeral"}}]
        user = {"device_id": self._device, "account_uuid": "", "session_id": self.session}
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": [*self.messages[:-1], {**last, "content": content}],
            "system": self._system,
            "tools": self._tools,
            "metadata": {"user_id": msgspec.json.encode(user).decode()},
            "max_tokens": 64000,
            "thinking": {"type": "adaptive", "display": "omitted"},
            "output_config": {"effort": "medium"},
        }
        if stream:
            payload["stream"] = True
        return msgspec.json.encode(payload)


class Session:
    """One Claude Code session at one seat. `run` ends after `turns` turns."""

    def __init__(self, base_url: str, seat: Seat, tally: Tally, seed: str, *, pace_ms: int = 20) -> None:
        self._random = random.Random(seed)
        self._base_url = base_url
        self._seat = seat
        self._tally = tally
        self._pace_ms = pace_ms
        self._seed = seed
        self.id = str(uuid.UUID(bytes=self._random.randbytes(16), version=4))
        self.version = self._random.choice(VERSIONS)
        self.model = self._random.choices(list(MODELS), list(MODELS.values()))[0]

    async def run(self, turns: int) -> None:
        talk = self._conversation(self.model, subagent=False)
        client = Client(self._base_url)
        try:
            for _ in range(turns):
                await self._turn(client, talk, agent="", parent="", depth=0)
                await asyncio.sleep(self._random.expovariate(1 / 2) * self._pace_ms / 20)
        finally:
            await client.close()

    def _conversation(self, model: str, *, subagent: bool) -> Conversation:
        return Conversation(model, session=self.id, version=self.version, subagent=subagent, seed=self._seat.name)

    def _headers(self, agent: str, parent: str, prompt: str) -> list[tuple[str, str]]:
        credential = ("authorization", f"Bearer {self._seat.key}") if self._seat.bearer else ("x-api-key", self._seat.key)
        headers = [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("user-agent", f"claude-cli/{self.version} (external, cli)"),
            ("x-claude-code-session-id", self.id),
            ("x-claude-code-prompt-id", prompt),
            ("anthropic-beta", BETAS),
            ("anthropic-version", "2023-06-01"),
            ("x-app", "cli"),
            ("x-gw-project", self._seat.project),
            credential,
        ]
        if agent:
            headers.append(("x-claude-code-agent-id", agent))
        if parent:
            headers.append(("x-claude-code-parent-agent-id", parent))
        return headers

    def _play(self) -> str:
        """Mostly streams that flow; now and then what goes wrong in life."""
        trouble = ("status 529", "status 429 3", "status 500", "error-event", "refusal", "reset 8")
        if self._random.random() < 0.06:
            return self._random.choice(trouble)
        return f"events {self._random.randint(8, 80)} {self._pace_ms}"

    async def _turn(self, client: Client, talk: Conversation, *, agent: str, parent: str, depth: int) -> None:
        """One prompt with its tool loop; subagents run beside it."""
        prompt = str(uuid.UUID(bytes=self._random.randbytes(16), version=4))
        headers = self._headers(agent, parent, prompt)
        talk.ask(words(f"{self._seed}:{len(talk.messages)}", self._random.randint(6, 60)), self._play())
        async with asyncio.TaskGroup() as agents:
            for step in range(self._random.randint(1, 4)):
                status = await self._send(client, talk, headers)
                if status != 200:
                    break
                if depth < 2 and self._random.random() < (0.25 if depth == 0 else 0.15):
                    agents.create_task(self._subagent(parent=agent, depth=depth + 1), name=f"demo-subagent-{step}")
                result = words(f"{self.id}:{step}", self._random.randint(20, 400))
                talk.tool_answered(self._random.choice(("Bash", "Read", "Grep")), len(talk.messages), result)
        talk.answered("That is done.")

    async def _subagent(self, *, parent: str, depth: int) -> None:
        """An agent of its own, with its own connection and a smaller model; `parent` is empty below the main agent."""
        talk = self._conversation(self._random.choice(("claude-haiku-5-5", "claude-sonnet-5-5")), subagent=True)
        client = Client(self._base_url)
        try:
            agent = f"a{self._random.getrandbits(64):016x}"
            await self._turn(client, talk, agent=agent, parent=parent, depth=depth)
        finally:
            await client.close()

    async def _send(self, client: Client, talk: Conversation, headers: list[tuple[str, str]]) -> int:
        """One request, counted by what came of it. A broken stream is asked again without streaming, as the real client does."""
        leave = self._random.randint(400, 3000) if self._random.random() < 0.04 else 0
        try:
            status = await client.post("/v1/messages?beta=true", headers, talk.body(), leave_after_bytes=leave)
        except (OSError, TimeoutError, httptools.HttpParserError):
            self._tally.calls["broken off"] += 1
            await client.close()
            try:
                status = await client.post("/v1/messages?beta=true", headers, talk.body(stream=False))
            except (OSError, TimeoutError, httptools.HttpParserError):
                self._tally.calls["unreachable"] += 1
                await client.close()
                await asyncio.sleep(0.5)
                return 0
        self._tally.calls["left early" if status == 0 else "ok" if status == 200 else f"status {status}"] += 1
        return status


async def keep_going(base_url: str, seats: Sequence[Seat], tally: Tally, *, sessions: int, seed: str, pace_ms: int = 20) -> None:
    """`sessions` developers at work until cancelled: when a session ends, another begins at the next seat."""

    async def developer(number: int) -> None:
        for round_number in range(10**9):
            seat = seats[(number + round_number) % len(seats)]
            session = Session(base_url, seat, tally, f"{seed}:{number}:{round_number}", pace_ms=pace_ms)
            await session.run(turns=3 + number % 4)

    async with asyncio.TaskGroup() as group:
        for number in range(sessions):
            group.create_task(developer(number), name=f"demo-developer-{number}")
