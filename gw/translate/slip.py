"""A request's weight, in Anthropic's shape but without its words: what a call may cost is judged from it.

Texts become blanks of the same size in UTF-8, media blanks of the size of their base64: one estimator serves all dialects.
"""

import orjson

from gw.translate.form import Block, Foreign, Json, Loaded, Media, Message, Request, Text, Thinking, Tool, ToolResult, ToolUse

MODEL_OF_NONE = "unknown"


def slip(asked: Request, user: str = "") -> bytes:
    """`user`: what stands for metadata.user_id, "" for none."""
    body: Json = {
        "model": asked.model or MODEL_OF_NONE,
        "stream": asked.stream,
        "messages": [_message(one) for one in asked.messages],
    }
    if asked.max_tokens is not None and asked.max_tokens >= 0:
        body["max_tokens"] = asked.max_tokens * max(asked.choices, 1)
    if asked.system:
        body["system"] = [_block(one) for one in asked.system]
    if asked.tools:
        body["tools"] = [_tool(one) for one in asked.tools]
    if asked.format is not None and asked.format.schema:
        body["output_config"] = {"format": {"schema": asked.format.schema}}
    if asked.service_tier:
        body["service_tier"] = asked.service_tier
    if user or asked.user:
        body["metadata"] = {"user_id": user or asked.user}
    return orjson.dumps(body)


def _message(one: Message) -> Json:
    return {"role": one.role, "content": [_block(part) for part in one.content]}


def _block(one: Block) -> Json:
    made = _shape(one)
    cache = getattr(one, "cache", "")
    if cache:
        made["cache_control"] = {"type": "ephemeral", "ttl": cache}
    return made


def _shape(one: Block) -> Json:
    if isinstance(one, Text):
        return _text(one.text)
    if isinstance(one, Thinking):
        return {"type": "thinking", "thinking": _blank(one.text), "signature": _blank(one.signature + one.redacted)}
    if isinstance(one, ToolUse):
        return {"type": "tool_use", "id": "", "name": _blank(one.name), "input": {"": _blank(one.arguments)}}
    if isinstance(one, ToolResult):
        return {"type": "tool_result", "tool_use_id": "", "content": [_block(part) for part in one.content]}
    if isinstance(one, Media):
        return _media(one)
    if isinstance(one, Loaded):
        return _text(one.name)
    assert isinstance(one, Foreign)
    return _text(orjson.dumps(one.value).decode())


def _media(one: Media) -> Json:
    if one.text:
        return _text(one.text + one.title + one.context)
    if one.data:
        kind = "image" if one.kind == "image" else "document"
        return {"type": kind, "source": {"type": "base64", "media_type": one.media_type, "data": "A" * len(one.data)}}
    if one.url or one.file_id:
        kind = "image" if one.kind == "image" else "document"
        return {"type": kind, "source": {"type": "url", "url": ""}}
    return _text(one.title + one.context)


def _tool(one: Tool) -> Json:
    if one.server is not None:
        return {"type": one.server.kind, "name": one.name}
    return {"name": _blank(one.name), "description": _blank(one.description), "input_schema": one.schema}


def _text(text: str) -> Json:
    return {"type": "text", "text": _blank(text)}


def _blank(text: str) -> str:
    return "x" * (len(text) if text.isascii() else len(text.encode("utf-8", "replace")))
