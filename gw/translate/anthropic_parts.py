"""Anthropic's JSON -> the form's blocks, leniently: fields that are missing or of another type are empty. What a client must
not get wrong is checked before (gw.translate.anthropic_request)."""

import orjson

from gw.translate.form import Block, Cache, Citation, Foreign, Json, Loaded, Media, Text, Thinking, ToolResult, ToolUse
from gw.translate.loose import count_at, object_at, objects, text, text_at
from gw.translate.seal import ANTHROPIC, unseal, unseal_id

DEPTH_MAX = 4  # of blocks within blocks; no real one goes beyond 3 (a text in a document in a result)
TOO_DEEP = '{"unreadable_arguments":"They were nested too deeply."}'


def read_blocks(content: object, depth: int = 0) -> tuple[Block, ...]:
    """Of a message's, a result's or a prompt's content: a text, or a list of blocks."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if depth > DEPTH_MAX:
        return ()
    return tuple(block for value in objects(content) for block in _blocks(value, depth))


def read_block(value: Json, depth: int = 0) -> Block:
    """One block; a kind that the form has no noun for is Foreign."""
    kind = text(value.get("type"))
    match kind:
        case "text":
            cited = tuple(map(read_citation, objects(value.get("citations"))))
            return Text(text(value.get("text")), cited, cache_of(value))
        case "thinking":
            dialect, signature, id = unseal(text(value.get("signature")))
            return Thinking(text(value.get("thinking")), signature, "", dialect, id)
        case "redacted_thinking":
            dialect, redacted, id = unseal(text(value.get("data")))
            return Thinking("", "", redacted, dialect, id)
        case "tool_use":
            id, signature = unseal_id(text(value.get("id")))
            return ToolUse(id, text(value.get("name")), arguments_of(value.get("input")), signature, cache=cache_of(value))
        case "tool_result":
            return _result(value, depth)
        case "image" | "document":
            return _media(kind, value)
        case "search_result":
            return _search_result(value)
        case "tool_reference":
            return Loaded(text(value.get("tool_name")))
        case _:
            return foreign(kind, value)


def foreign(kind: str, value: Json) -> Foreign:
    """What is nested more deeply than JSON can be written again is cut down to its kind."""
    try:
        orjson.dumps(value)
    except TypeError:
        value = {"type": kind}
    return Foreign(ANTHROPIC, kind, value)


def cache_of(value: Json) -> Cache:
    mark = value.get("cache_control")
    if not isinstance(mark, dict):
        return ""
    return "1h" if mark.get("ttl") == "1h" else "5m"


def arguments_of(given: object) -> str:
    """The JSON text of an input; "" for an empty one."""
    try:
        return orjson.dumps(given).decode() if given else ""
    except TypeError:
        return TOO_DEEP


def read_citation(value: Json) -> Citation:
    cited, title = text(value.get("cited_text")), text_at(value, "document_title", "title")
    match value.get("type"):
        case "char_location":
            place = count_at(value, "start_char_index"), count_at(value, "end_char_index")
            return Citation(cited, title, "", count_at(value, "document_index"), "char", *place)
        case "page_location":
            place = count_at(value, "start_page_number"), count_at(value, "end_page_number")
            return Citation(cited, title, "", count_at(value, "document_index"), "page", *place)
        case "content_block_location":
            place = count_at(value, "start_block_index"), count_at(value, "end_block_index")
            return Citation(cited, title, "", count_at(value, "document_index"), "block", *place)
        case "search_result_location":
            place = count_at(value, "start_block_index"), count_at(value, "end_block_index")
            return Citation(cited, title, text(value.get("source")), count_at(value, "search_result_index"), "block", *place)
        case _:
            return Citation(cited, title, text(value.get("url")), token=text(value.get("encrypted_index")))


def _blocks(value: Json, depth: int) -> tuple[Block, ...]:
    """A document that is made of blocks with pictures among them is these blocks: the form has one content for each document."""
    if value.get("type") != "document":
        return (read_block(value, depth),)
    inside = object_at(value, "source").get("content")
    if not isinstance(inside, list) or all(part.get("type") == "text" for part in objects(inside)):
        return (read_block(value, depth),)
    head = "\n".join(line for line in (text(value.get("title")), text(value.get("context"))) if line)
    return (*((Text(head),) if head else ()), *read_blocks(inside, depth + 1))


def _result(value: Json, depth: int) -> ToolResult:
    id, _ = unseal_id(text(value.get("tool_use_id")))
    return ToolResult(id, read_blocks(value.get("content"), depth + 1), value.get("is_error") is True, cache=cache_of(value))


def _media(kind: str, value: Json) -> Block:
    source = object_at(value, "source")
    given: Json = {}
    match source.get("type"):
        case "base64":
            given = {"data": text(source.get("data"))}
        case "url":
            given = {"url": text(source.get("url"))}
        case "file":
            given = {"file_id": text(source.get("file_id"))}
        case "text":
            given = {"text": text(source.get("data"))}
        case "content":
            inside = source.get("content")
            given = {"text": inside if isinstance(inside, str) else _joined(inside)}
        case _:
            return foreign(kind, value)
    return Media(
        kind="image" if kind == "image" else "document",
        media_type=text(source.get("media_type")),
        title=text(value.get("title")),
        context=text(value.get("context")),
        cited=object_at(value, "citations").get("enabled") is True,
        cache=cache_of(value),
        **given,
    )


def _search_result(value: Json) -> Media:
    """A document whose context is where it was found."""
    return Media(
        kind="document",
        media_type="text/plain",
        text=_joined(value.get("content")),
        title=text(value.get("title")),
        context=text(value.get("source")),
        cited=object_at(value, "citations").get("enabled") is True,
        cache=cache_of(value),
    )


def _joined(parts: object) -> str:
    return "\n\n".join(text(part.get("text")) for part in objects(parts))
