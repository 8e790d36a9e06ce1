"""Items of the OpenAI Responses API, read as blocks: of an input and of an answer's output alike.

An item is a message, a call, its output, a thought, or something that only OpenAI runs. A thought's `encrypted_content` is
OpenAI's own, or the envelope in which this dialect's writer gave a client what another upstream has sealed (gw.translate.seal).

Source: OpenAI API reference and the types of its SDK 3.54, as read in November 2026.
"""

from typing import Any, Final

from msgspec.structs import replace

from gw.errors import Refusal
from gw.translate.form import Block, Cache, Citation, Foreign, Json, Media, Text, Thinking, ToolResult, ToolUse
from gw.translate.loose import json_text, object_at, objects, text, text_at
from gw.translate.names import original
from gw.translate.seal import sealed, unseal, unseal_id

RESPONSES: Final = "responses"
PART_BREAK: Final = "\n\n"  # between the parts of a thought's summary, and between texts that become one
FREE_TEXT: Final = "input"  # the only field of a custom tool that has become a function
THOUGHT, REDACTED = "thought", "redacted"  # what an envelope says of a thought that has no id of OpenAI's
_ENVELOPE = "gw1."


def full_name(namespace: str, name: str) -> str:
    """Of a tool in a namespace, for upstreams that know none."""
    return f"{namespace}__{name}" if namespace else name


# --- what a model has said --------------------------------------------------------------------------------------------


def output_blocks(item: Json) -> list[Block]:
    """Of one item that a model wrote; what the form has no noun for is one Foreign block."""
    kind = item.get("type")
    match kind:
        case "message":
            return [block for part in objects(item.get("content")) if (block := said_block(part))]
        case "reasoning":
            return [thought_of(item)]
        case "function_call" | "custom_tool_call":
            use = call_of(item)
            return [replace(use, name=original(use.name))]
    return [Foreign(RESPONSES, text(kind), item)]


def said_block(part: Json) -> Block | None:
    """A part of an assistant's message."""
    kind = part.get("type")
    if kind == "refusal":
        return Text(text_at(part, "refusal"))
    if kind in ("output_text", "text", "input_text"):
        found = tuple(one for entry in objects(part.get("annotations")) if (one := citation_of(entry)))
        return Text(text_at(part, "text"), found, cache=cache_of(part))
    return Foreign(RESPONSES, text(kind), part) if kind else None


def call_of(item: Json) -> ToolUse:
    custom = item.get("type") == "custom_tool_call"
    arguments = json_text(item.get("input" if custom else "arguments"))
    name = full_name(text_at(item, "namespace"), text_at(item, "name"))
    return ToolUse(text_at(item, "call_id", "id"), name, arguments, custom=custom)


def returned_call(item: Json) -> ToolUse:
    """As a client gives it back: its id may hold what an upstream wants to see again."""
    use = call_of(item)
    id, signature = unseal_id(use.id)
    return replace(use, id=id, signature=signature)


def summary_of(item: Json) -> str:
    """A thought's words: what was thought, where an upstream shows that, else its summary."""
    parts = [*objects(item.get("content"))] or [*objects(item.get("summary"))]
    return PART_BREAK.join(text_at(part, "text") for part in parts)


def thought_of(item: Json) -> Thinking:
    """OpenAI's own, or what was given to a client in its shape."""
    words, kept, id = summary_of(item), text_at(item, "encrypted_content"), text_at(item, "id")
    if not kept.startswith(_ENVELOPE):
        return Thinking(words, kept, sealed_by=RESPONSES if kept else "", id=id)
    dialect, signature, mark = unseal(kept)
    if mark == REDACTED:
        return Thinking(redacted=signature, sealed_by=dialect)
    return Thinking(words, signature, sealed_by=dialect, id="" if mark == THOUGHT else mark)


def kept_of(thought: Thinking, signature: str = "") -> str:
    """`encrypted_content` for a client; "" where nothing is sealed. `signature`: what came after its start, in a stream."""
    signature = signature or thought.signature
    if thought.redacted:
        return sealed(thought.sealed_by, thought.redacted, REDACTED)
    if not signature or thought.sealed_by == RESPONSES:
        return signature
    return sealed(thought.sealed_by, signature, thought.id or THOUGHT)


def citation_of(entry: Json) -> Citation | None:
    """None for an annotation that points to nothing which a reader could look up."""
    start, end = entry.get("start_index"), entry.get("end_index")
    placed = isinstance(start, int) and isinstance(end, int)
    first, last = (start, end) if placed else (-1, -1)
    title, url = text_at(entry, "title", "filename"), text_at(entry, "url")
    return Citation(title=title, url=url, text_start=first, text_end=last) if title or url else None  # type: ignore[arg-type]


def annotation_of(one: Citation, start: int, end: int) -> Json | None:
    """`start`, `end`: where in the part its block stands. None for what OpenAI has no words for."""
    if one.text_start >= 0:
        end = start + one.text_end
        start += one.text_start
    if one.url:
        return {"type": "url_citation", "url": one.url, "title": one.title, "start_index": start, "end_index": end}
    if one.title:
        return {"type": "file_citation", "file_id": "", "filename": one.title, "index": max(one.document, 0)}
    return None


# --- what was said to it ----------------------------------------------------------------------------------------------


def input_blocks(content: Any) -> tuple[Block, ...]:
    """The content of a message, or of a tool's output: a text, or a list of parts. Raises Refusal invalid_field."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(given_block(part) for part in objects(content))


def given_block(part: Json) -> Block:
    kind = text_at(part, "type")
    match kind:
        case "input_text" | "output_text" | "text" | "summary_text":
            return Text(text_at(part, "text"), cache=cache_of(part))
        case "refusal":
            return Text(text_at(part, "refusal"))
        case "input_image":
            media_type, data, url = of_url(text_at(part, "image_url"))
            if not (data or url or text_at(part, "file_id")):
                raise Refusal("invalid_field", "An input_image needs an image_url or a file_id.")
            return Media(
                "image", media_type, data, url, text_at(part, "file_id"), detail=text_at(part, "detail"), cache=cache_of(part)
            )
        case "input_file":
            return _file(part)
        case "input_audio":
            sound = object_at(part, "input_audio")
            return Media("audio", f"audio/{text_at(sound, 'format') or 'wav'}", text_at(sound, "data"))
    return Foreign(RESPONSES, kind, part)


def _file(part: Json) -> Media:
    given, name = text_at(part, "file_data"), text_at(part, "filename")
    if not (given or text_at(part, "file_url", "file_id")):
        raise Refusal("invalid_field", "An input_file needs file_data, a file_url or a file_id.")
    media_type, data, url = of_url(given) if given.startswith("data:") else ("", given, "")
    if data and not media_type:
        media_type = "text/plain" if name.endswith((".txt", ".md", ".csv")) else "application/pdf"
    return Media(
        "image" if media_type.startswith("image/") else "document",
        media_type, data, url or text_at(part, "file_url"), text_at(part, "file_id"), title=name, cache=cache_of(part),
    )  # fmt: skip


def of_url(address: str) -> tuple[str, str, str]:
    """(media type, base64, address): of a data URL the first two, of any other the last. Raises Refusal invalid_field."""
    if not address.startswith("data:"):
        return "", "", address
    head, _, data = address[5:].partition(",")
    if not head.endswith(";base64") or not data:
        raise Refusal("invalid_field", "A data URL must be in base64: data:<media type>;base64,<data>.")
    return head.partition(";")[0], data, ""


def cache_of(part: Json) -> Cache:
    """OpenAI keeps what is marked for 30 minutes or 12 hours: the shorter and the longer of the form's."""
    mark = part.get("prompt_cache_breakpoint")
    if not isinstance(mark, dict):
        return ""
    return "1h" if mark.get("ttl") == "12h" else "5m"


def result_of(item: Json) -> ToolResult:
    id, _ = unseal_id(text_at(item, "call_id", "id"))
    return ToolResult(id, input_blocks(item.get("output")), name=text_at(item, "name"))


def without_foreign_thoughts(body: Json) -> Json:
    """A request that passes to an upstream of this dialect, without the thoughts that another upstream has sealed: OpenAI refuses
    what it cannot read. Only where `gw.translate.seal.may_hold_sealed` says that there may be some."""
    given = body.get("input")
    if not isinstance(given, list):
        return body
    return body | {"input": [item for item in given if not _is_foreign_thought(item)]}


def _is_foreign_thought(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "reasoning" and text_at(item, "encrypted_content").startswith(_ENVELOPE)
