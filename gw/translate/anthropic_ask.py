"""The form -> an Anthropic upstream's request. Anthropic refuses what others let pass, so it is set right here: texts without a
word, messages of one role in a row, results that do not stand first, a conversation that the assistant begins."""

from base64 import b64decode
from typing import Final

from msgspec.structs import replace

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.anthropic_blocks import FREE_TEXT, block_json, with_cache
from gw.translate.anthropic_models import cap_of, has_formats, theirs, write_sampling, write_thinking
from gw.translate.anthropic_schema import closed_schema
from gw.translate.capability import fold_system, format_instruction, lose, merged, refuse_server_tools, reject
from gw.translate.form import Block, Foreign, Json, Media, Message, Request, Text, Thinking, Tool, ToolResult, ToolUse
from gw.translate.names import fit
from gw.translate.seal import ANTHROPIC

OPENING: Final = "Go on."  # said by the user where a conversation begins without one
USER_CHARS_MAX: Final = 256
NAME_CHARS_MAX: Final = 128
_IMAGES: Final = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_MAGIC: Final = {"iVBOR": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
_TIERS: Final = {"default": "standard_only", "standard": "standard_only", "auto": "auto", "priority": "auto"}
# Fields of the form that Anthropic has no words for -> what it is called to the client.
_UNKNOWN: Final = ("seed", "frequency_penalty", "presence_penalty")


def write_request(asked: Request, quirks: Quirks) -> Json:
    """Raises Refusal cannot_carry, capability_rejected. `asked.model` is the upstream's name of the model."""
    foreign = asked.dialect != ANTHROPIC
    if foreign:
        refuse_server_tools(asked)
        lose(asked, *asked.foreign)
    if asked.choices > 1:
        words = f"Anthropic gives one answer to a request, and {asked.choices} are asked for: ask for one, several times."
        raise Refusal("cannot_carry", words)
    body: Json = {"model": asked.model, "max_tokens": cap_of(asked, quirks)}
    messages = _messages(asked, quirks)
    system = [part for block in asked.system if (part := _part(asked, quirks, block))]
    instruction = _write_format(asked, quirks, body)
    if instruction:
        system.append({"type": "text", "text": instruction})
    if not messages and system:  # a prompt alone: it is what the user says
        messages, system = [{"role": "user", "content": system}], []
    if system:
        body["system"] = system
    body["messages"] = messages
    _write_tools(asked, quirks, body)
    write_thinking(asked, quirks, body)
    write_sampling(asked, body)
    _write_rest(asked, body)
    if not foreign:
        _write_own(asked, body)
    body |= {name: value for name, value in quirks.extra.items() if name not in body}
    return {name: value for name, value in body.items() if name not in quirks.fields_dropped}


def _write_rest(asked: Request, body: Json) -> None:
    if stops := [stop for stop in asked.stop if stop.strip()]:
        body["stop_sequences"] = stops
    if len(asked.stop) > len(stops):
        lose(asked, "stop sequences of white space")
    if asked.user and len(asked.user) <= USER_CHARS_MAX:
        body["metadata"] = {"user_id": asked.user}
    elif asked.user:
        lose(asked, "user")
    if asked.service_tier:
        tier = asked.service_tier if asked.dialect == ANTHROPIC else _TIERS.get(asked.service_tier)
        if tier:
            body["service_tier"] = tier
        else:
            lose(asked, "service_tier")
    lose(asked, *(name for name in _UNKNOWN if getattr(asked, name)))
    if asked.stream:
        body["stream"] = True


def _write_own(asked: Request, body: Json) -> None:
    """What only this dialect has: the rest of an object that the form has read a part of, or a field of its own."""
    for name, value in asked.foreign.items():
        if name == "thinking":
            continue
        known = body.get(name)
        body[name] = value | known if isinstance(value, dict) and isinstance(known, dict) else value


def _write_format(asked: Request, quirks: Quirks, body: Json) -> str:
    """The line of the system prompt that is needed besides, or ""."""
    wanted = asked.format
    if wanted is None:
        return ""
    own = asked.dialect == ANTHROPIC
    if wanted.kind == "schema" and quirks.json_schema and (own or has_formats(asked.model)):
        schema = wanted.schema if own else closed_schema(wanted.schema)
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return ""
    return format_instruction(wanted)


# --- messages ---------------------------------------------------------------------------------------------------------


def _messages(asked: Request, quirks: Quirks) -> list[Json]:
    """A system text in the middle stays one where the client speaks this dialect and the upstream knows it; else it is folded."""
    whole = quirks.system_in_middle and asked.dialect == ANTHROPIC
    for message in asked.messages:
        _must_be_sayable(asked, message)
    spoken = [_without_strays(message) for message in asked.messages]
    kept = merged(spoken) if whole else fold_system(tuple(spoken))
    out: list[Json] = []
    for message in kept:
        parts = [part for block in message.content if (part := _part(asked, quirks, block))]
        if parts:
            out.append({"role": message.role, "content": parts} | (message.foreign if whole else {}))
    if out and out[0]["role"] == "assistant":
        out.insert(0, {"role": "user", "content": [{"type": "text", "text": OPENING}]})
    if out and out[-1]["role"] == "assistant":
        _trim_end(out)
    return out


def _must_be_sayable(asked: Request, message: Message) -> None:
    """Raises Refusal (cannot_carry) for what the user says in blocks of another dialect; the model's own are left behind."""
    for block in message.content:
        if isinstance(block, Foreign) and block.dialect != ANTHROPIC:
            if message.role == "user":
                named = asked.model_named or asked.model
                raise Refusal("cannot_carry", f"{named} does not know {block.kind}: say it as text, or leave it out.")
            lose(asked, f"{block.kind} of earlier turns")


def _without_strays(message: Message) -> Message:
    """Without what would be left out anyway, so that no message stays that says nothing."""
    kept = tuple(block for block in message.content if not _says_nothing(block, message.role))
    return message if len(kept) == len(message.content) else replace(message, content=kept)


def _says_nothing(block: Block, role: str) -> bool:
    match block:
        case Text():
            return not block.text.strip()
        case Thinking():
            return role != "assistant" or not theirs(block)
        case Foreign():
            return block.dialect != ANTHROPIC
    return False


def _trim_end(messages: list[Json]) -> None:
    """What the assistant is to go on from must not end in white space."""
    last = messages[-1]["content"][-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()


def _part(asked: Request, quirks: Quirks, block: Block) -> Json | None:
    match block:
        case Text():
            return block_json(block) if block.text.strip() else None
        case ToolUse():
            return block_json(replace(block, name=fit(block.name, NAME_CHARS_MAX), signature=""))
        case ToolResult():
            content = tuple(_media(asked, quirks, part) if isinstance(part, Media) else part for part in block.content)
            return block_json(replace(block, content=content))
        case Media():
            return block_json(_media(asked, quirks, block))
    return block_json(block)


def _media(asked: Request, quirks: Quirks, block: Media) -> Media:
    if asked.dialect != ANTHROPIC and block.file_id:
        words = f"The file {block.file_id} lies with another provider than the one that serves {asked.model}: send its bytes."
        raise Refusal("cannot_carry", words)
    if block.kind == "image":
        if not quirks.images:
            reject(asked, "image_block", f"{asked.model} takes no images: leave them out.")
        return _image(asked, block)
    if block.kind == "document":
        if not quirks.documents:
            reject(asked, "document_block", f"{asked.model} takes no documents: send their text.")
        return _document(asked, block)
    raise Refusal("cannot_carry", f"{asked.model} takes no {block.kind}: leave it out, or send a transcript.")


def _image(asked: Request, block: Media) -> Media:
    if not block.data:
        return block
    named = next((kind for magic, kind in _MAGIC.items() if block.data.startswith(magic)), block.media_type)
    if named not in _IMAGES:
        raise Refusal("cannot_carry", f"{asked.model} takes no images of type {named or 'unknown'}: send JPEG, PNG, GIF or WebP.")
    return replace(block, media_type=named)


def _document(asked: Request, block: Media) -> Media:
    """A PDF, or a text; a text in base64 becomes one."""
    kind = block.media_type
    if not block.data or kind in ("", "application/pdf"):
        return block
    if not (kind.startswith("text/") or kind.endswith(("json", "xml", "yaml"))):
        raise Refusal("cannot_carry", f"{asked.model} takes no documents of type {kind}: send a PDF, or the text.")
    try:
        return replace(block, data="", text=b64decode(block.data).decode("utf-8", "replace"), media_type="text/plain")
    except ValueError as error:
        raise Refusal("invalid_field", f"A document of type {kind} is not in base64: {error}.") from error


# --- tools ------------------------------------------------------------------------------------------------------------


def _write_tools(asked: Request, quirks: Quirks, body: Json) -> None:
    tools = [_tool(asked, tool, quirks) for tool in asked.tools]
    choice = asked.tool_choice
    if not tools:
        # A conversation with calls in it must define tools: those that were called, none of which may be called again.
        called = {block.name for message in asked.messages for block in message.content if isinstance(block, ToolUse)}
        if called and asked.dialect != ANTHROPIC:
            body["tools"] = [{"name": fit(name, NAME_CHARS_MAX), "input_schema": {"type": "object"}} for name in sorted(called)]
            body["tool_choice"] = {"type": "none"}
        return
    body["tools"] = tools
    if choice is None:
        return
    shown: Json = {"type": choice.kind}
    if choice.kind == "tool":
        shown["name"] = fit(choice.name, NAME_CHARS_MAX)
    if not choice.parallel and choice.kind != "none":
        shown["disable_parallel_tool_use"] = True
    if shown != {"type": "auto"} or asked.dialect == ANTHROPIC:
        body["tool_choice"] = shown


def _tool(asked: Request, tool: Tool, quirks: Quirks) -> Json:
    if tool.server is not None:
        return tool.server.value
    if tool.custom:
        schema: Json = {"type": "object", "properties": {FREE_TEXT: {"type": "string"}}, "required": [FREE_TEXT]}
    else:
        schema = tool.schema if tool.schema.get("type") == "object" else {"type": "object", "properties": {}} | tool.schema
        if schema.get("type") != "object":
            schema = schema | {"type": "object"}
    found: Json = {"name": fit(tool.name, NAME_CHARS_MAX), "input_schema": schema}
    if described := _described(tool):
        found["description"] = described
    if tool.strict is not None and quirks.tools_strict:
        found["strict"] = tool.strict
        if tool.strict:
            found["input_schema"] = closed_schema(schema)
    if tool.deferred:
        found["defer_loading"] = True
    if asked.dialect == ANTHROPIC:
        found |= tool.foreign
    return with_cache(found, tool.cache)


def _described(tool: Tool) -> str:
    """A grammar is told in words: Anthropic's tools know none."""
    rule = str(tool.grammar.get("definition", ""))
    if not rule or rule in tool.description:
        return tool.description
    return f"{tool.description}\n\nThe text must follow this {tool.grammar.get('syntax', '')} grammar:\n{rule}".strip()


def mark_caches(asked: Request) -> None:
    """For clients whose dialect has no marks: lets Anthropic cache tools, system prompt and the conversation so far, which the
    next request repeats. A prompt that is asked once costs a quarter more by it, one that is repeated a tenth."""
    marked = [*asked.system, *asked.tools, *(block for message in asked.messages for block in message.content)]
    if any(getattr(one, "cache", "") for one in marked):
        return
    if asked.tools:
        asked.tools = (*asked.tools[:-1], replace(asked.tools[-1], cache="5m"))
    asked.system = _marked(asked.system)
    if asked.messages:
        last = asked.messages[-1]
        asked.messages = (*asked.messages[:-1], replace(last, content=_marked(last.content)))


def _marked(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The last block that can bear a mark has one."""
    for at in range(len(blocks) - 1, -1, -1):
        block = blocks[at]
        if isinstance(block, ToolUse | ToolResult | Media) or (isinstance(block, Text) and block.text.strip()):
            return (*blocks[:at], replace(block, cache="5m"), *blocks[at + 1 :])
    return blocks
