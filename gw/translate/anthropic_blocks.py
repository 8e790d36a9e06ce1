"""The form's blocks, usage and words of ending as Anthropic's JSON; shared by its request, its answer and its stream.

Source: Messages API reference and SDK types, as read in November 2026.
"""

from typing import Any
from uuid import uuid4

import orjson

from gw.domain.usage import Iteration, Usage
from gw.translate.form import Block, Cache, Citation, Foreign, Json, Loaded, Media, Stop, Text, Thinking, ToolResult, ToolUse
from gw.translate.seal import ANTHROPIC, seal_id, sealed

STOPS: dict[Stop, str] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "pause_turn": "pause_turn",
    "refusal": "refusal",
    "context_full": "model_context_window_exceeded",
}
UNREADABLE = "unreadable_arguments"  # the only field of a tool call's input whose arguments are no JSON object
NESTING_MAX = 200  # levels; JSON is written to 254
FREE_TEXT = "input"  # the only field of a custom tool's input


def message_id(id: str) -> str:
    """Claude Code takes messages of one id for parts of one message, and some servers count theirs from 0 to 999."""
    return id if id.startswith("msg_") else f"msg_{id}_{uuid4().hex[:8]}" if id else f"msg_{uuid4().hex}"


def tool_id(use: ToolUse) -> str:
    return seal_id(use.id or f"toolu_{uuid4().hex}", use.signature)


def block_json(block: Block) -> Json | None:
    """None for what stands in no message of Anthropic's: blocks of other dialects, sound and film."""
    match block:
        case Text():
            found: Json = {"type": "text", "text": block.text}
            cited = [one for one in map(citation_json, block.citations) if one]
            if cited:
                found["citations"] = cited
            return with_cache(found, block.cache)
        case Thinking():
            return thinking_json(block)
        case ToolUse():
            value = {"type": "tool_use", "id": tool_id(block), "name": block.name, "input": input_of(block)}
            return with_cache(value, block.cache)
        case ToolResult():
            return result_json(block)
        case Media():
            return media_json(block)
        case Loaded():
            return {"type": "tool_reference", "tool_name": block.name}
        case Foreign():
            return block.value if block.dialect == ANTHROPIC else None


def thinking_json(block: Thinking) -> Json:
    if block.redacted:
        return {"type": "redacted_thinking", "data": sealed(block.sealed_by, block.redacted, block.id)}
    return {"type": "thinking", "thinking": block.text, "signature": sealed(block.sealed_by, block.signature, block.id)}


def input_of(use: ToolUse) -> Json:
    """Anthropic's `input` is always an object. What the model wrote and is none is kept where the model can see it."""
    if use.custom:
        return {FREE_TEXT: use.arguments}
    try:
        found = orjson.loads(use.arguments) if use.arguments.strip() else {}
        if use.arguments.count("{") + use.arguments.count("[") > NESTING_MAX:  # rather in texts; else more than can be written
            orjson.dumps(found)
    except (ValueError, TypeError):
        found = None
    return found if isinstance(found, dict) else {UNREADABLE: use.arguments}


def result_json(block: ToolResult) -> Json:
    value: Json = {"type": "tool_result", "tool_use_id": seal_id(block.tool_use_id) if block.tool_use_id else ""}
    parts = [part for part in map(block_json, block.content) if part and part.get("text") != ""]
    if parts:
        value["content"] = parts
    if block.failed:
        value["is_error"] = True
        value.setdefault("content", [{"type": "text", "text": "The tool failed and said nothing."}])  # Anthropic wants some
    return with_cache(value, block.cache)


def media_json(block: Media) -> Json | None:
    """An image or a document; None for sound and film."""
    source = _source(block)
    if block.kind not in ("image", "document"):
        return None
    value: Json = {"type": block.kind, "source": source}
    if block.kind == "document":
        if block.title:
            value["title"] = block.title
        if block.context:
            value["context"] = block.context
        if block.cited:
            value["citations"] = {"enabled": True}
    return with_cache(value, block.cache)


def _source(block: Media) -> Json:
    if block.data:
        named = block.media_type or ("application/pdf" if block.kind == "document" else "image/png")
        return {"type": "base64", "media_type": named, "data": block.data}
    if block.url:
        return {"type": "url", "url": block.url}
    if block.file_id:
        return {"type": "file", "file_id": block.file_id}
    return {"type": "text", "media_type": "text/plain", "data": block.text}


def with_cache(value: Json, cache: Cache) -> Json:
    if cache:
        value["cache_control"] = {"type": "ephemeral", "ttl": "1h"} if cache == "1h" else {"type": "ephemeral"}
    return value


def citation_json(one: Citation) -> Json | None:
    """None for a place that Anthropic has no words for."""
    if one.unit == "block" and one.url:
        found: Json = {"type": "search_result_location", "source": one.url, "search_result_index": max(one.document, 0)}
        found |= {"title": one.title or None, "start_block_index": one.start, "end_block_index": one.end}
    elif one.unit and one.document >= 0:
        first, last, kind = _PLACES[one.unit]
        found = {"type": kind, "document_index": one.document, "document_title": one.title or None}
        found |= {first: one.start, last: one.end}
    elif one.url:
        found = {"type": "web_search_result_location", "url": one.url, "title": one.title or None, "encrypted_index": one.token}
    else:
        return None
    return found | {"cited_text": one.cited}


_PLACES = {
    "char": ("start_char_index", "end_char_index", "char_location"),
    "page": ("start_page_number", "end_page_number", "page_location"),
    "block": ("start_block_index", "end_block_index", "content_block_location"),
}


def usage_json(usage: Usage, *, last: bool = True) -> Json:
    """All that is known. `last`: also what is 0, since the last word counts and what is not said keeps its value. Writes whose
    TTL was assumed stay without one, so that whoever reads assumes by the request's."""
    found: Json = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.cache_write_1h_tokens or not usage.ttl_assumed:
        found["cache_creation"] = _split(usage.cache_write_5m_tokens, usage.cache_write_1h_tokens)
    if usage.thinking_tokens or last:
        found["output_tokens_details"] = {"thinking_tokens": usage.thinking_tokens}
    tools = {name: count for name in _SERVER_TOOLS if (count := getattr(usage, name))}
    if tools or last:
        found["server_tool_use"] = {"web_search_requests": 0, "web_fetch_requests": 0} | tools
    for name in ("service_tier", "speed", "inference_geo"):
        if word := getattr(usage, name):
            found[name] = word
    if usage.iterations:
        found["iterations"] = [_iteration(one) for one in usage.iterations]
    return found


_SERVER_TOOLS = ("web_search_requests", "web_fetch_requests", "code_execution_requests")


def _iteration(one: Iteration) -> Json:
    found: Json = {
        "type": one.type,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cache_read_input_tokens": one.cache_read_tokens,
        "cache_creation_input_tokens": one.cache_write_tokens,
    }
    if one.cache_write_5m_tokens or one.cache_write_1h_tokens:
        found["cache_creation"] = _split(one.cache_write_5m_tokens, one.cache_write_1h_tokens)
    if one.model:
        found["model"] = one.model
    return found


def _split(short: int, long: int) -> dict[str, Any]:
    return {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
