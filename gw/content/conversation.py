"""A request and its answer as people read them. Pure.

The request's own JSON, by its parts; the answer as the message that its events make. What cannot be read so is named.
"""

from typing import Any

from msgspec import Struct

from gw.content import answers
from gw.content.store import CallRow
from gw.content.words import parsed

DEEP = 64  # levels of JSON that are shown; what lies deeper is not what a person reads


class Conversation(Struct, frozen=True):
    call: CallRow
    system: list[Any]
    messages: list[Any]
    tools: list[Any]
    parameters: dict[str, Any]  # all else that the request says
    answer: dict[str, Any] | None  # id, model, role, content, stop_reason, usage; error; None: there is none
    unreadable: tuple[str, ...]  # request, answer: what is no JSON, or no event stream; ask for the raw bytes


def conversation(call: CallRow, raw: tuple[bytes, bytes]) -> Conversation:
    request, answer = raw
    document = parsed(request) if request else {}
    readable = isinstance(document, dict)
    parts: dict[str, Any] = shallow(document) if readable else {}
    told = answered(answer) if answer else None
    unreadable = (*([] if readable else ["request"]), *(["answer"] if answer and told is None else []))
    return Conversation(
        call,
        system=_list(parts.pop("system", [])),
        messages=_list(parts.pop("messages", [])),
        tools=_list(parts.pop("tools", [])),
        parameters=parts,
        answer=told,
        unreadable=unreadable,
    )


def answered(answer: bytes) -> dict[str, Any] | None:
    """The message. Of a stream that was cut, what had come."""
    if answers.is_stream(answer):
        return _from_events(answer)
    document = parsed(answer)
    return shallow(document) if isinstance(document, dict) else None


def _from_events(stream: bytes) -> dict[str, Any] | None:
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for line in stream.splitlines():
        if not line.startswith(b"data:"):
            continue
        event = parsed(line[5:].strip())
        if isinstance(event, dict):
            _apply(shallow(event), message, blocks)
    if not message and not blocks:
        return None
    content = [_finished(blocks[index]) for index in sorted(blocks)]
    return {**message, "content": content}


def _apply(event: dict[str, Any], message: dict[str, Any], blocks: dict[int, dict[str, Any]]) -> None:
    kind, index, delta = event.get("type"), event.get("index"), event.get("delta")
    if kind == "message_start" and isinstance(event.get("message"), dict):
        message.update(event["message"])
    elif kind == "content_block_start" and isinstance(index, int) and isinstance(event.get("content_block"), dict):
        blocks[index] = dict(event["content_block"])
    elif kind == "content_block_delta" and isinstance(index, int) and isinstance(delta, dict):
        _grow(blocks.setdefault(index, {}), delta)
    elif kind == "message_delta":
        message.update(delta if isinstance(delta, dict) else {})
        if isinstance(event.get("usage"), dict):
            known = message.get("usage")
            message["usage"] = {**(known if isinstance(known, dict) else {}), **event["usage"]}
    elif kind == "error":
        message["error"] = event.get("error")


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key == "type":
            continue
        known = block.get(key)
        if isinstance(value, str) and isinstance(known, str):
            block[key] = known + value
        elif key == "citation":
            block["citations"] = [*_list(block.get("citations")), value]
        else:
            block[key] = value


def _finished(block: dict[str, Any]) -> dict[str, Any]:
    """The input of a tool has come in pieces of its JSON."""
    said = block.pop("partial_json", None)
    if isinstance(said, str) and said:
        value = parsed(said.encode("utf-8", "replace"))
        block["input"] = shallow(value) if value is not None else said
    return block


def shallow(value: Any, deep: int = DEEP) -> Any:
    """Without what lies deeper than anybody reads, and without what JSON cannot say (half a surrogate pair)."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {shallow(key): shallow(below, deep - 1) for key, below in value.items()} if deep else {"…": len(value)}
    if isinstance(value, list):
        return [shallow(below, deep - 1) for below in value] if deep else ["…"]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    return value


def _list(value: Any) -> list[Any]:
    """Where a list may be a single text."""
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


