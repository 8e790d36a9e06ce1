"""Words of OpenAI's Chat Completions that its requests, answers and streams share: usage, ways of ending, thoughts.

Source: OpenAI API reference and SDK types, OpenRouter's reference for `reasoning_details`, as read in November 2026.
"""

from typing import Any, Final

import orjson
from msgspec.structs import replace

from gw.domain.usage import Usage
from gw.providers.usage_dialects import usage_from
from gw.translate.form import Json, Stop, Thinking
from gw.translate.loose import loaded, object_at, objects, text_at
from gw.translate.seal import sealed, unseal

CHAT: Final = "chat"
FREE_TEXT: Final = "input"  # the only field of a custom tool that has become a function
UNREADABLE: Final = "unreadable_arguments"  # the only field of a call whose arguments are no JSON object
NAMELESS: Final = "unknown_tool"  # a call without a name: the client answers that there is no such tool, and the model mends it
LEVELS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
OWN_FORMAT: Final = "gw"  # of entries of reasoning_details that gw has made
TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})  # what the SDK's types know

_STOPS: Final[dict[str, Stop]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "context_full",  # Mistral
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
}
FINISHES: Final[dict[Stop, str]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "context_full": "length",
}


def stop_of(finish: Any, *, called: bool, refused: bool) -> Stop:
    """`called`: the answer has tool calls; some upstreams say "stop" all the same, and a client would not run them. A word that
    is not known is an ordinary end."""
    if refused:
        return "refusal"
    stop = _STOPS.get(finish, "end_turn") if isinstance(finish, str) else "end_turn"
    return "tool_use" if called and stop == "end_turn" else stop if called or stop != "tool_use" else "end_turn"


def read_usage(provider: str, usage: Json, tier: str) -> tuple[Usage, int | None]:
    """(usage, the exact charge in pico-USD, if the provider tells it). `tier`: the answer's own service_tier, which stands
    outside usage and decides the price."""
    found, charge = usage_from(provider, CHAT, usage)
    return (replace(found, service_tier=tier) if tier else found), charge


def usage_json(usage: Usage) -> Json:
    """prompt_tokens with all that was cached, as OpenAI counts."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    prompt = usage.input_tokens + usage.cache_read_tokens + written
    prompt_details = {"cached_tokens": usage.cache_read_tokens}
    if written:
        prompt_details["cache_write_tokens"] = written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
    }


def tier_of(usage: Usage) -> str:
    """In OpenAI's words; "" for a tier that it has none for."""
    return "default" if usage.service_tier == "standard" else usage.service_tier if usage.service_tier in TIERS else ""


# --- thoughts ---------------------------------------------------------------------------------------------------------
# A thought of an upstream that seals its thoughts comes as entries of `reasoning_details`, and goes back as such. Of an entry,
# all but the text is kept as the thought's signature; of an encrypted one, all of it.


def read_details(details: Any, text: str) -> list[Thinking]:
    """The thoughts of a whole message: `reasoning_details`, or what the plain field has."""
    found = []
    for entry in objects(details):
        if thought := thought_of(entry):
            found.append(thought)
    if not any(one.text for one in found) and text:
        found.insert(0, Thinking(text=text))
    return found


def thought_of(entry: Json) -> Thinking | None:
    if entry.get("type") == "reasoning.encrypted":
        return Thinking(redacted=orjson.dumps(entry).decode(), sealed_by=CHAT) if text_at(entry, "data") else None
    said = text_at(entry, "text", "summary")
    signature = seal_of(entry)
    return Thinking(text=said, signature=signature, sealed_by=CHAT if signature else "") if said or signature else None


def seal_of(entry: Json) -> str:
    """Of an entry whose text is told apart from it; "" for one that is not signed."""
    if not text_at(entry, "signature"):
        return ""
    return orjson.dumps({name: value for name, value in entry.items() if name not in ("text", "summary")}).decode()


def entry_of(thought: Thinking, index: int) -> Json | None:
    """The entry to send back for a thought; None for one that another dialect has sealed."""
    if thought.sealed_by not in ("", CHAT):
        return None
    kept = loaded(thought.redacted or thought.signature or "{}")
    if not isinstance(kept, dict):
        return None
    if thought.redacted:
        return kept
    said = {"summary": thought.text} if kept.get("type") == "reasoning.summary" else {"text": thought.text}
    return {"type": "reasoning.text", **kept, **said, "index": kept.get("index", index)}


def sealed_entry(thought: Thinking, index: int) -> Json:
    """A sealed thought of any dialect for a client, who may send it back."""
    seal = sealed(thought.sealed_by, thought.redacted or thought.signature, thought.id)
    if thought.redacted:
        return {"type": "reasoning.encrypted", "data": seal, "format": OWN_FORMAT, "index": index}
    return {"type": "reasoning.text", "text": thought.text, "signature": seal, "format": OWN_FORMAT, "index": index}


def unsealed(thought: Thinking) -> Thinking:
    """What `sealed_entry` has made, back from a client; an upstream's own entry stays as it is."""
    kept = loaded(thought.redacted or thought.signature)
    if not isinstance(kept, dict) or kept.get("format") != OWN_FORMAT:
        return thought
    dialect, signature, id = unseal(text_at(kept, "signature", "data"))
    if thought.redacted:
        return Thinking(redacted=signature, sealed_by=dialect, id=id)
    return Thinking(thought.text, signature, sealed_by=dialect, id=id)


def thinking_chunk(part: Json) -> str:
    """The text of Mistral's content part "thinking"."""
    inner = part.get("thinking")
    if isinstance(inner, str):
        return inner
    return "".join(text_at(one, "text") for one in objects(inner))


def arguments_of(use: Json, custom: bool) -> str:
    """Of a tool call; some upstreams give an object instead of its text."""
    value = object_at(use, "custom").get("input") if custom else object_at(use, "function").get("arguments")
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
