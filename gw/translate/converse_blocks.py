"""Converse's content blocks <-> the form's, as they stand in requests and answers alike.

A block is an object with one field, which names its kind. A cache point is a block of its own, behind what it marks. What only
Converse has (guardContent, searchResult, files in S3, tools that Bedrock runs) stays as it is, as Foreign.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from gw.translate.anthropic_blocks import input_of
from gw.translate.converse_words import (
    CONVERSE,
    TEXT_FORMATS,
    blob_of,
    format_of,
    media_type_of,
    text_of_blob,
)
from gw.translate.form import Block, Cache, Citation, Foreign, Json, Media, Text, Thinking, ToolResult, ToolUse
from gw.translate.loose import count_at, json_text, object_at, objects, text_at
from gw.translate.names import original
from gw.translate.seal import seal_id, sealed, unseal, unseal_id

# --- read -------------------------------------------------------------------------------------------------------------


def blocks_of(content: Any) -> tuple[Block, ...]:
    """Of the list `content`, its cache points laid onto the blocks before them. Parts that are no objects are passed over."""
    found: list[Block] = []
    for part in objects(content):
        point = part.get("cachePoint")
        if isinstance(point, dict):
            _mark(found, cache_of(point))
        elif (block := block_of(part)) is not None:
            found.append(block)
    return tuple(found)


def cache_of(point: Json) -> Cache:
    return "1h" if point.get("ttl") == "1h" else "5m"


def _mark(found: list[Block], cache: Cache) -> None:
    """The latest block that can bear a mark bears it; with none of them there is nothing to cache."""
    for index in range(len(found) - 1, -1, -1):
        block = found[index]
        if isinstance(block, Text | Media | ToolUse | ToolResult):
            found[index] = replace(block, cache=cache)
            return


def block_of(part: Json) -> Block | None:
    """None for an empty object, and for a text that is none."""
    for kind, value in part.items():
        reader = _READERS.get(kind)
        found = reader(value) if reader else None
        return Foreign(CONVERSE, kind, part) if found is None and kind != "text" else found
    return None


def _text(value: Any) -> Block | None:
    return Text(value) if isinstance(value, str) else None


def _cited(value: Any) -> Block | None:
    if not isinstance(value, dict):
        return None
    said = "".join(text_at(one, "text") for one in objects(value.get("content")))
    return Text(said, tuple(citation_of(one) for one in objects(value.get("citations"))))


def _thinking(value: Any) -> Block | None:
    if not isinstance(value, dict):
        return None
    if blob := text_at(value, "redactedContent"):
        sealed_by, redacted, id = unseal(text_of_blob(blob))
        return Thinking(redacted=redacted, sealed_by=sealed_by, id=id)
    said = object_at(value, "reasoningText")
    sealed_by, signature, id = unseal(text_at(said, "signature"))
    return Thinking(text_at(said, "text"), signature, sealed_by=sealed_by, id=id)


def _tool_use(value: Any) -> Block | None:
    if not isinstance(value, dict) or value.get("type"):  # "server_tool_use": Bedrock has run it
        return None
    id, signature = unseal_id(text_at(value, "toolUseId"))
    given = value.get("input")
    return ToolUse(id, original(text_at(value, "name")), json_text({} if given is None else given), signature)


def _tool_result(value: Any) -> Block | None:
    if not isinstance(value, dict) or value.get("type"):
        return None
    content: list[Block] = []
    for part in objects(value.get("content")):
        if "json" in part:
            content.append(Text(json_text(part["json"])))
        elif (block := block_of(part)) is not None:
            content.append(block)
    return ToolResult(unseal_id(text_at(value, "toolUseId"))[0], tuple(content), value.get("status") == "error")


def _media(kind: Any) -> Callable[[Any], Block | None]:
    def read(value: Any) -> Block | None:
        data = text_at(object_at(value, "source"), "bytes") if isinstance(value, dict) else ""
        return Media(kind, media_type_of(kind, text_at(value, "format")), data) if data else None

    return read


def _document(value: Any) -> Block | None:
    if not isinstance(value, dict):
        return None
    source, word = object_at(value, "source"), text_at(value, "format")
    data, said = text_at(source, "bytes"), text_at(source, "text")
    if parts := [text_at(one, "text") for one in objects(source.get("content"))]:
        said = "\n".join(parts)
    if data and word in TEXT_FORMATS:
        said = _decoded(data)
    if not data and not said:
        return None
    return Media(
        "document",
        media_type_of("document", word or ("txt" if said else "")),
        data="" if said else data,
        text=said,
        title=text_at(value, "name"),
        context=text_at(value, "context"),
        cited=object_at(value, "citations").get("enabled") is True,
    )


def _decoded(data: str) -> str:
    """The text in base64; "" if it is none."""
    try:
        return b64decode(data, validate=True).decode()
    except ValueError:
        return ""


_READERS: dict[str, Callable[[Any], Block | None]] = {
    "text": _text,
    "image": _media("image"),
    "document": _document,
    "video": _media("video"),
    "audio": _media("audio"),
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "reasoningContent": _thinking,
    "citationsContent": _cited,
}


def citation_of(value: Json) -> Citation:
    """Also of a stream's, which has the same fields."""
    cited = "".join(text_at(one, "text") for one in objects(value.get("sourceContent")))
    title, source = text_at(value, "title"), text_at(value, "source")
    location = object_at(value, "location")
    for kind, unit in _UNITS.items():
        if kind in location:
            place = object_at(location, kind)
            document = count_at(place, "searchResultIndex" if kind == _SEARCH else "documentIndex")
            url = source if kind == _SEARCH or (unit != "block" and "://" in source) else ""
            return Citation(cited, title, url, document, unit, count_at(place, "start"), count_at(place, "end"))
    return Citation(cited, title, text_at(object_at(location, "web"), "url") or source)


_SEARCH = "searchResultLocation"
_UNITS: dict[str, Any] = {"documentChar": "char", "documentPage": "page", "documentChunk": "block", _SEARCH: "block"}
_PLACES = {"char": "documentChar", "page": "documentPage", "block": "documentChunk"}

# --- written ----------------------------------------------------------------------------------------------------------


def point(cache: Cache) -> Json:
    return {"cachePoint": {"type": "default", "ttl": "1h"} if cache == "1h" else {"type": "default"}}


def text_part(block: Text, *, cited: bool) -> Json:
    """`cited`: with its citations."""
    if not cited or not block.citations:
        return {"text": block.text}
    return {
        "citationsContent": {
            "content": [{"text": block.text}],
            "citations": [citation_json(one) for one in block.citations],
        }
    }


def citation_json(one: Citation) -> Json:
    found: Json = {"sourceContent": [{"text": one.cited}]} if one.cited else {}
    if one.title:
        found["title"] = one.title
    if one.unit == "block" and one.url:
        place = {"searchResultIndex": max(one.document, 0), "start": one.start, "end": one.end}
        return found | {"source": one.url, "location": {_SEARCH: place}}
    if one.url:
        found["source"] = one.url
    if one.unit and one.document >= 0:
        place = {"documentIndex": one.document, "start": one.start, "end": one.end}
        found["location"] = {_PLACES[one.unit]: place}
    elif one.url:
        found["location"] = {"web": {"url": one.url}}
    return found


def media_part(block: Media, word: str, name: str = "") -> Json:
    """`word`: the format in Converse's words; `name`: of a document, as Bedrock takes them."""
    data = block.data or b64encode(block.text.encode("utf-8", "replace")).decode()
    value: Json = {"format": word, "source": {"bytes": data}}
    if block.kind == "document":
        value["name"] = name
        if block.context:
            value["context"] = block.context
        if block.cited:
            value["citations"] = {"enabled": True}
    return {block.kind: value}


def answer_part(block: Block) -> Json | None:
    """A block of an answer, for a client; None for what Converse has no words for, and for nothing at all."""
    match block:
        case Text():
            return text_part(block, cited=True) if block.text else None
        case Thinking():
            return {"reasoningContent": thinking_json(block)}
        case ToolUse():
            return {"toolUse": {"toolUseId": tool_id(block), "name": block.name, "input": input_of(block)}}
        case Media(kind="image" | "video" | "audio"):
            word = format_of(block.kind, block.media_type, block.data)
            return media_part(block, word) if word and block.data else {"text": media_line(block)}
        case Foreign(dialect="converse"):
            return block.value
        case _:
            return None


def media_line(block: Media) -> str:
    return f"[{block.kind}: {block.url or block.media_type or 'cannot be shown in this answer'}]"


def thinking_json(block: Thinking) -> Json:
    """The value of reasoningContent for a client; the signature is sealed, unless it is Claude's own or there is none."""
    if block.redacted:
        return {"redactedContent": blob_of(sealed(block.sealed_by, block.redacted, block.id))}
    said: Json = {"text": block.text}
    if block.signature or block.id:
        said["signature"] = sealed(block.sealed_by, block.signature, block.id)
    return {"reasoningText": said}


def tool_id(use: ToolUse) -> str:
    return seal_id(use.id or f"tooluse_{uuid4().hex}", use.signature)

