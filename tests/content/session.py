"""A conversation as Claude Code has one, call by call: the same history each time, grown at its end, with what it moves about.

What changes from call to call is taken from captured requests: `cache_control` on two system blocks and on the last block of the
last message, a billing header, a user's text that is a list of blocks while it is the last and a plain string later, notes of the
system in between, tools that are loaded on the way.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

from gw.demo.answers import words

CACHED = {"cache_control": {"type": "ephemeral"}}
TOOLS = ("Agent", "Bash", "Edit", "ListAgents", "Read", "Skill", "ToolSearch", "Workflow", "Write")


class Talk:
    """One session of one developer."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._messages: list[dict[str, Any]] = []
        self._tools = [self._tool(name) for name in TOOLS]
        self._session = f"66c8fb8b-5aed-4465-9dce-{seed:012d}"
        environment = {"role": "system", "content": [self._text(1500)], "output_config": {"effort": "medium"}}
        self._messages += [{"role": "user", "content": [self._text(70), {"type": "text", "text": "do it"}]}, environment]

    @property
    def session(self) -> str:
        return self._session

    def bodies(self, turns: int) -> Iterator[bytes]:
        """One body per call; most turns are a step of a tool loop, some a new prompt."""
        for turn in range(turns):
            yield self._body(turn)
            self._answered(turn)

    def _answered(self, turn: int) -> None:
        blocks: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": self._words(40), "signature": self._words(30).replace(" ", "")},
            self._text(self._random.randint(5, 60)),
        ]
        if turn % 6 == 5:
            self._messages.append({"role": "assistant", "content": blocks})
            self._messages.append({"role": "user", "content": [self._text(self._random.randint(4, 80))]})
            return
        used = f"toolu_{turn:024d}"
        tool = {"command": self._words(12), "description": "Run"}
        blocks.append({"type": "tool_use", "id": used, "name": "Bash", "input": tool})
        said = self._words(self._random.randint(3, 400))
        result = {"tool_use_id": used, "type": "tool_result", "content": said, "is_error": False}
        self._messages += [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
        if turn % 25 == 24:
            self._tools.append(self._tool(f"mcp__server__tool{turn}"))

    def _body(self, turn: int) -> bytes:
        payload = {
            "model": "claude-opus-5-5",
            "messages": [*map(_earlier, self._messages[:-1]), _marked(self._messages[-1])],
            "system": [
                {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1.329.{turn // 50:03x}; cc_entrypoint=cli;"},
                {"type": "text", "text": "You are Claude Code.", **CACHED},
                {"type": "text", "text": words("system", 1100), **CACHED},
            ],
            "tools": self._tools,
            "metadata": {"user_id": json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": self._session})},
            "max_tokens": 128000,
            "thinking": {"type": "adaptive", "display": "omitted"},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "output_config": {"effort": "medium"},
            "stream": True,
        }
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()

    def _tool(self, name: str) -> dict[str, Any]:
        fields = {part: {"type": "string", "description": words(part, 12)} for part in ("path", "pattern", "limit", "offset")}
        schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": fields}
        return {"name": name, "description": words(name, 350), "input_schema": schema}

    def _text(self, count: int) -> dict[str, Any]:
        return {"type": "text", "text": self._words(count)}

    def _words(self, count: int) -> str:
        """No two alike, with what JSON escapes."""
        said = words(str(self._random.getrandbits(60)), count)
        return said.replace(" early ", '\n\t"early" ').replace(" price ", " Preis für ")


def _marked(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    return {**message, "content": [*content[:-1], {**content[-1], **CACHED}]}


def _earlier(message: dict[str, Any]) -> dict[str, Any]:
    """A prompt that is no longer the last is sent as plain text."""
    content = message["content"]
    plain = message["role"] == "user" and len(content) == 1 and content[0]["type"] == "text"
    return {**message, "content": content[0]["text"]} if plain else message


def stream_of(text: str, size: int = 5) -> bytes:
    """An answer as Anthropic streams it: a thought, a text, a tool's input."""
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": {"id": "msg_01", "role": "assistant", "model": "claude-opus-5-5", "content": []}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
    ]
    events += [_delta(0, "thinking_delta", "thinking", part) for part in _cut(f"I think of {text}", size)]
    events += [_delta(0, "signature_delta", "signature", "c2lnbmF0dXJl"), ("content_block_stop", {"index": 0}), ("ping", {})]
    events.append(("content_block_start", {"index": 1, "content_block": {"type": "text", "text": ""}}))
    events += [_delta(1, "text_delta", "text", part) for part in _cut(text, size)]
    events.append(("content_block_stop", {"index": 1}))
    tool = {"type": "tool_use", "id": "toolu_01", "name": "Bash", "input": {}}
    events.append(("content_block_start", {"index": 2, "content_block": tool}))
    spoken = json.dumps({"command": f"echo {text}"})
    events += [_delta(2, "input_json_delta", "partial_json", part) for part in _cut(spoken, size)]
    events += [
        ("content_block_stop", {"index": 2}),
        ("message_delta", {"delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 50}}),
        ("message_stop", {}),
    ]
    lines = (
        f"event: {name}\ndata: {json.dumps({'type': name, **event}, ensure_ascii=False, separators=(',', ':'))}\n\n"
        for name, event in events
    )
    return "".join(lines).encode()


def _delta(index: int, kind: str, key: str, value: str) -> tuple[str, dict[str, Any]]:
    return "content_block_delta", {"index": index, "delta": {"type": kind, key: value}}


def _cut(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]
