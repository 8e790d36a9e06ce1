"""Request bodies and event streams for the micro-benchmarks: Claude Code's, and those that are hard on a scanner.

The shapes and sizes of `claude_code` are those of requests recorded from Claude Code 2.1.329 in a tool loop: a reminder and the
task, a system message with the environment, then thinking, tool calls and their results, 23 KB of tools with schemas, the
system prompt in three blocks, cache marks. Words are drawn with a fixed seed, so that figures compare from day to day.
"""

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

SIZE = 300_000  # a long session: where the time goes that a scan takes
SENTENCE = "the quick brown fox jumps over the lazy dog while its tests import, return and find no text that anyone reads twice"
WORDS = SENTENCE.split()
HAN = "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过"
MARK = {"type": "ephemeral"}
TOOLS = {
    "Agent": 3225, "Bash": 2110, "Edit": 360, "ListAgents": 1433, "Read": 790, "ReportFindings": 574, "ScheduleWakeup": 3396,
    "Skill": 1417, "ToolSearch": 952, "Workflow": 3496, "Write": 238,
}  # fmt: skip
"""Name -> characters of its description."""


def prose(dice: random.Random, size: int) -> str:
    """English, a new line about every 90 characters."""
    words: list[str] = []
    length = line = 0
    while length < size:
        word = dice.choice(WORDS)
        line += len(word) + 1
        length += len(word) + 1
        words.append(word if line < 90 else word + "\n")
        line = 0 if line >= 90 else line
    return " ".join(words)[:size]


def code(dice: random.Random, size: int) -> str:
    """Source text as a tool returns it: numbered, indented lines with quotes."""
    lines: list[str] = []
    length = 0
    while length < size:
        indent = "    " * dice.randrange(4)
        left, right, key = dice.sample(WORDS, 3)
        text = f'{len(lines) + 1}\t{indent}{left} = {right}["{key}"]  # {prose(dice, 24)}'
        lines.append(text)
        length += len(text) + 1
    return "\n".join(lines)[:size]


def tool(dice: random.Random, name: str, size: int) -> dict[str, Any]:
    fields = ("command", "description", "file_path", "timeout", "run_in_background", "pattern")
    properties = {field: {"description": prose(dice, 90), "type": "string"} for field in fields}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": properties}
    schema |= {"required": ["command"], "additionalProperties": False}
    return {"name": name, "description": prose(dice, size), "input_schema": schema}


def turns(dice: random.Random) -> Iterator[dict[str, Any]]:
    """A tool loop without end: thinking, a call, its result of a few KB."""
    while True:
        name = f"toolu_{dice.getrandbits(96):024x}"
        thinking = {"type": "thinking", "thinking": prose(dice, 400), "signature": f"{dice.getrandbits(2400):0600x}"}
        call = {"type": "tool_use", "id": name, "name": "Read", "input": {"file_path": f"/home/dev/{name}.py", "limit": 200}}
        yield {"role": "assistant", "content": [thinking, {"type": "text", "text": prose(dice, 120)}, call]}
        result = {"tool_use_id": name, "type": "tool_result", "content": code(dice, dice.randrange(500, 8000)), "is_error": False}
        yield {"role": "user", "content": [result]}


def request(**fields: Any) -> bytes:
    user_id = {"device_id": "0" * 64, "account_uuid": "", "session_id": "656803f3-d070-429d-956a-efe131a55364"}
    after = {
        "metadata": {"user_id": json.dumps(user_id, separators=(",", ":"))},
        "max_tokens": 128_000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "stream": True,
    }
    body = {"model": "claude-opus-5-5", **fields, **after}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


@cache
def claude_code(size: int = SIZE) -> bytes:
    """At least `size` bytes, and 30 KB: system prompt and tools."""
    dice = random.Random(1)
    texts = [{"type": "text", "text": prose(dice, length)} for length in (74, 62, 7018)]
    texts[1]["cache_control"] = texts[2]["cache_control"] = MARK  # type: ignore[assignment]
    tools = [tool(dice, name, length) for name, length in TOOLS.items()]
    task = {"role": "user", "content": [{"type": "text", "text": prose(dice, 580)}, {"type": "text", "text": "do it"}]}
    messages = [task, {"role": "system", "content": prose(dice, 9236), "output_config": {"effort": "medium"}}]
    length = len(request(messages=messages, system=texts, tools=tools))
    for message in turns(dice):
        messages.append(message)
        length += len(json.dumps(message, separators=(",", ":")))
        if length >= size and message["role"] == "user":
            break
    messages[-1]["content"][0]["cache_control"] = MARK
    return request(messages=messages, system=texts, tools=tools)


def one_text(text: str) -> bytes:
    """`text` is JSON already."""
    return b'{"model":"claude-opus-5-5","max_tokens":64,"messages":[{"role":"user","content":"%b"}]}' % text.encode()


def han(size: int) -> str:
    dice = random.Random(2)
    return "".join("，" if index % 12 == 11 else dice.choice(HAN) for index in range(size // 3))


def escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def deep() -> bytes:
    """Objects in arrays in objects, 200 levels down and up, again and again."""
    well = b'{"a":[' * 100 + b"1" + b"]}" * 100
    return b'{"model":"m","messages":[%b]}' % b",".join([well] * (SIZE // len(well)))


def short_strings() -> bytes:
    """A table of short keys and values, as no Claude Code sends: nothing for a fast lane."""
    row = {"type": "text", "id": 17, "name": "ok", "done": True, "next": None, "tag": "a"}
    return request(messages=[{"role": "user", "content": [row] * (SIZE // 75)}])


def numbers() -> bytes:
    dice = random.Random(3)
    return request(messages=[{"role": "user", "content": [dice.random() * 1000 for _ in range(SIZE // 19)]}])


def indented() -> bytes:
    return json.dumps(json.loads(claude_code(SIZE * 3 // 4)), indent=4).encode()


BODIES: dict[str, Callable[[], bytes]] = {
    "claude code": claude_code,
    "one long text": lambda: one_text("x" * SIZE),
    "prose": lambda: one_text(escaped(prose(random.Random(4), SIZE))),
    "source code": lambda: one_text(escaped(code(random.Random(5), SIZE))),
    "chinese": lambda: one_text(han(SIZE)),
    "chinese as escapes": lambda: one_text(escaped(han(SIZE // 2))),
    "quotes only": lambda: one_text('\\"' * (SIZE // 2)),
    "emoji and latin": lambda: one_text("déjà vu 😀 " * (SIZE // 17)),
    "indented": indented,
    "deep nesting": deep,
    "short strings": short_strings,
    "numbers": numbers,
}
"""What it is -> about 300 KB of it."""

SMALL = (
    b'{"model":"claude-opus-5-5","max_tokens":64,"messages":[{"role":"user","content":"%b"}],'
    b'"metadata":{"user_id":"{\\"device_id\\":\\"00\\",\\"session_id\\":\\"s\\"}"}}' % (b"x" * 800)
)
ANSWER = (
    b'{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"%b"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":210,"cache_creation_input_tokens":0,'
    b'"cache_read_input_tokens":0,"output_tokens":150}}' % (b"y" * 600)
)
"""The whole answer that the load scenario `small` gets."""
