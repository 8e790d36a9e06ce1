"""The form -> a request to Cohere's v2 chat.

What a model says before it calls tools is its `tool_plan`. Results of tools are texts: pictures in them follow in the user's
message. Source: Cohere API reference and SDK 7.3, November 2026.
"""

from typing import Final

import orjson

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.capability import (
    document_text,
    fold_system,
    format_instruction,
    loaded_line,
    loaded_tools,
    lose,
    lose_foreign,
    refuse_server_tools,
    reject,
    system_text,
    texts_of,
)
from gw.translate.form import Block, Foreign, Json, Loaded, Media, Message, Request, Text, Thinking, Tool, ToolResult, ToolUse
from gw.translate.names import fit

COHERE: Final = "cohere"
FREE_TEXT: Final = "input"  # the only field of a custom tool, which is a function here
STOPS_MOST: Final = 5
_BUDGETS: Final = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 31_000}


def write_request(asked: Request, quirks: Quirks) -> Json:
    """Raises Refusal: cannot_carry, capability_rejected; notes in `asked.lost` what it leaves out."""
    if asked.choices > 1:
        raise Refusal("cannot_carry", "Cohere gives one answer to a request: ask with n = 1.")
    refuse_server_tools(asked)
    tools = _chosen(asked)
    more = ""
    if asked.format and (tools or not quirks.json_schema):  # Cohere takes no format beside tools
        more = format_instruction(asked.format)
    body: Json = {"model": asked.model, "messages": _messages(asked, quirks, more)}
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
        if asked.tool_choice and asked.tool_choice.kind != "auto":
            body["tool_choice"] = "NONE" if asked.tool_choice.kind == "none" else "REQUIRED"
        if asked.tool_choice and not asked.tool_choice.parallel:
            lose(asked, "parallel tool calls turned off")
    if asked.format and not more:
        schema = {"json_schema": asked.format.schema} if asked.format.kind == "schema" else {}
        body["response_format"] = {"type": "json_object"} | schema
    _bounds(body, asked, quirks)
    lose_foreign(asked)
    for name in quirks.fields_dropped:
        body.pop(name, None)
    return quirks.extra | body


def _chosen(asked: Request) -> tuple[Tool, ...]:
    """A tool that must be called is the only one that is offered: Cohere has no other way to say so."""
    tools = loaded_tools(asked)
    choice = asked.tool_choice
    return tuple(tool for tool in tools if tool.name == choice.name) if choice and choice.kind == "tool" else tools


def _tool(tool: Tool) -> Json:
    free: Json = {"type": "object", "properties": {FREE_TEXT: {"type": "string"}}, "required": [FREE_TEXT]}
    schema = free if tool.custom else tool.schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": fit(tool.name), "description": tool.description, "parameters": schema}}


def _bounds(body: Json, asked: Request, quirks: Quirks) -> None:
    if asked.max_tokens is not None:
        body[quirks.max_tokens_field or "max_tokens"] = min(asked.max_tokens, quirks.max_tokens_most or asked.max_tokens)
    names = {"temperature": "temperature", "p": "top_p", "k": "top_k", "seed": "seed"}
    names |= {name: name for name in ("frequency_penalty", "presence_penalty")}
    for name, own in names.items():
        if (value := getattr(asked, own)) is not None:
            body[name] = value
    if asked.stop:
        body["stop_sequences"] = list(asked.stop[:STOPS_MOST])
        if len(asked.stop) > STOPS_MOST:
            lose(asked, f"stop sequences beyond {STOPS_MOST}")
    if asked.stream:
        body["stream"] = True
    effort = asked.effort
    if quirks.thinking != "no" and (quirks.thinking or "reasoning" in asked.model):
        if effort.mode == "off":
            body["thinking"] = {"type": "disabled"}
        elif budget := effort.budget if effort.budget > 0 else _BUDGETS.get(effort.level, 0):
            body["thinking"] = {"type": "enabled", "token_budget": budget}
    elif effort.level or effort.budget:
        lose(asked, "thinking")


# --- messages ---------------------------------------------------------------------------------------------------------


def _messages(asked: Request, quirks: Quirks, more: str) -> list[Json]:
    system = "\n\n".join(part for part in (system_text(asked), more) if part)
    found: list[Json] = [{"role": "system", "content": system}] if system else []
    for message in asked.messages if quirks.system_in_middle else fold_system(asked.messages):
        match message.role:
            case "system":
                if words := texts_of(message.content):
                    found.append({"role": "system", "content": words})
            case "assistant":
                if said := _said(message, asked):
                    found.append(said)
            case "user":
                found += _given(message, asked, quirks)
    return found


def _said(message: Message, asked: Request) -> Json | None:
    calls: list[Json] = []
    content: list[Json] = []
    words = ""
    for block in message.content:
        match block:
            case Text():
                words += block.text
            case ToolUse():
                arguments = orjson.dumps({FREE_TEXT: block.arguments}).decode() if block.custom else block.arguments or "{}"
                calls.append({"id": block.id, "type": "function", "function": {"name": fit(block.name), "arguments": arguments}})
            case Thinking() if block.text and (block.sealed_by == COHERE or not block.signature):  # not all clients say whose
                content.append({"type": "thinking", "thinking": block.text})
            case Foreign():
                lose(asked, f"{block.kind} of earlier turns")
            case Media():
                lose(asked, f"{block.kind} of earlier answers")
    said: Json = {"role": "assistant"}
    if calls:
        said |= {"tool_calls": calls} | ({"tool_plan": words} if words else {})
    elif words:
        content.append({"type": "text", "text": words})
    if content:
        said["content"] = content
    return said if calls or words else None


def _given(message: Message, asked: Request, quirks: Quirks) -> list[Json]:
    found: list[Json] = []
    parts: list[Json] = []
    rest: list[Json] = []
    for block in message.content:
        if isinstance(block, ToolResult):
            inner = [part for one in block.content if (part := _part(one, asked, quirks))]
            text = "\n\n".join(part["text"] for part in inner if part["type"] == "text")
            parts += [part for part in inner if part["type"] != "text"]
            text = f"Error: {text}".removesuffix(": ") if block.failed else text
            found.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": text})
        elif part := _part(block, asked, quirks):
            rest.append(part)
    parts += rest
    if all(part["type"] == "text" for part in parts):
        words = "\n\n".join(part["text"] for part in parts)
        return [*found, {"role": "user", "content": words}] if words else found
    return [*found, {"role": "user", "content": parts}]


def _part(block: Block, asked: Request, quirks: Quirks) -> Json | None:
    match block:
        case Text():
            return {"type": "text", "text": block.text} if block.text else None
        case Loaded():
            return {"type": "text", "text": loaded_line(Loaded(fit(block.name)))}
        case Media() if block.kind == "document" and block.text:
            return {"type": "text", "text": document_text(block)}
        case Media() if block.kind == "image" and quirks.images and not block.file_id:
            url = block.url or f"data:{block.media_type or 'image/png'};base64,{block.data}"
            return {"type": "image_url", "image_url": {"url": url}}
        case Media():
            words = f"{block.kind} content cannot be sent to {asked.model}: leave it out, or choose a model that takes it."
            if block.kind in ("image", "document"):
                reject(asked, "image_block" if block.kind == "image" else "document_block", words)
            raise Refusal("cannot_carry", words)
        case Foreign():
            words = f"content of type {block.kind!r} cannot be sent to {asked.model}"
            raise Refusal("cannot_carry", f"{words}: leave it out, or choose a model that takes it.")
    lose(asked, f"{type(block).__name__} out of its place")
    return None
