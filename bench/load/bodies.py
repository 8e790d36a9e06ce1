"""The requests of the bench: a small one, a turn of Claude Code, large ones. What the upstream is to answer stands in their text.

`data/turn.json` is a captured request of Claude Code 2.1.329 (a tool loop with thinking: twelve tools, the system prompt, cache
marks, tool results) whose long texts had been cut; they were filled to their sizes, and the conversation to 100 KB, with this
project's own documentation and source, so that quotes, line breaks and letters beyond ASCII come as often as in real ones.
"""

import json
from functools import cache
from pathlib import Path

from bench.load.contender import HOST, Contender
from gw.loadgen.request import CLIENT_HEADERS, Kind, Target, encode

MODEL = "claude-opus-5-5"
SESSIONS = 32  # sessions that ask in turn
TURN = Path(__file__).parent / "data" / "turn.json"
SMALL_BYTES = 1024


def play(words: str) -> str:
    """The mark by which the upstream knows its part; it stands in the first text of the conversation."""
    return f"[play:{words}]"


def small(words: str = "whole", *, stream: bool = False, size: int = SMALL_BYTES, model: str = MODEL) -> bytes:
    """A body of `size` bytes, the shape of the published figures: one message, one text."""
    ask = {"model": model, "max_tokens": 64, "stream": stream, "messages": [{"role": "user", "content": play(words) + " "}]}
    missing = size - len(json.dumps(ask, separators=(",", ":")))
    ask["messages"] = [{"role": "user", "content": play(words) + " " + "x" * missing}]
    return json.dumps(ask, separators=(",", ":")).encode()


@cache
def _template() -> str:
    return TURN.read_text().strip()


def turn(words: str, *, size: int = 0) -> bytes:
    """Claude Code's request; with `size`, its conversation repeated until the body is at least so large."""
    body = json.loads(_template())
    messages = body["messages"]
    first = messages[0]["content"][0]
    first["text"] = f"{play(words)} {first['text']}"
    rounds = messages[-2:]
    made = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    if size > len(made):
        each = len(json.dumps(rounds, ensure_ascii=False, separators=(",", ":")).encode()) - 1
        body["messages"] = messages[:2] + rounds * (-(-(size - len(made)) // each)) + messages[2:]
        made = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return made


def kind(contender: Contender, name: str, body: bytes, *, run: str, streams: bool = False, sessions: int = SESSIONS) -> Kind:
    """These bytes as requests to this contender, from `sessions` sessions in turn, whose ids begin with `run`."""
    target, headers = target_of(contender), {**CLIENT_HEADERS, **contender.headers}
    variants = [
        encode(target, contender.path, {**headers, "x-claude-code-session-id": f"{run}-{number}"}, body)
        for number in range(sessions)
    ]
    return Kind(name, variants, streams)


def target_of(contender: Contender) -> Target:
    return Target(HOST, contender.port)
