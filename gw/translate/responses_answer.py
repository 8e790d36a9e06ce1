"""What a response of OpenAI's says as a whole: its end, its usage, its blocks; and the fields that a client is told besides.

Usage is inclusive: input with what was read from and written to the cache, output with reasoning. The tier that decides the price
stands outside it, and web searches are counted apart, where the response has such a count, else as the calls that searched. File
searches have no place in Usage: their price is not in it.
"""

from typing import Any, Final

from msgspec.structs import replace

from gw.domain.quirks import Quirks
from gw.domain.usage import BESIDE, Iteration, Usage
from gw.providers.usage_dialects import usage_from
from gw.translate.form import Answer, BlockStart, BlockStop, End, Event, Failure, Json, Request, Start, Stop, ToolUse
from gw.translate.loose import count_at, object_at, objects, text_at
from gw.translate.responses_asking import TIERS, choice_json, format_json, tools_json
from gw.translate.responses_errors import GARBLED, failure_of
from gw.translate.responses_items import RESPONSES, output_blocks

_STOPS: Final[dict[str, Stop]] = {
    "max_output_tokens": "max_tokens",
    "max_messages": "pause_turn",
    "content_filter": "refusal",
    "steered": "pause_turn",
}
INCOMPLETE: Final[dict[Stop, str]] = {
    "max_tokens": "max_output_tokens",
    "context_full": "max_output_tokens",
    "refusal": "content_filter",
}


def read_answer(body: Json, provider: str) -> Answer | Failure:
    output = body.get("output")
    if body.get("error") or body.get("status") == "failed":
        return failure_in(body, provider)
    if not isinstance(output, list):
        return GARBLED
    items = list(objects(output))
    content = tuple(block for item in items for block in output_blocks(item))
    called = any(isinstance(block, ToolUse) for block in content)
    usage, charge = usage_of(body, provider, searches_in(items))
    return Answer(
        text_at(body, "id"),
        text_at(body, "model"),
        content,
        stop_of(body, called=called, refused=any(map(refuses, items))),
        usage,
        created_s=count_at(body, "created_at"),
        charge_pusd=charge,
    )


def events_of(answer: Answer) -> list[Event]:
    """A whole answer as a stream tells it."""
    events: list[Event] = [Start(answer.id, answer.model, answer.usage, answer.created_s)]
    for index, block in enumerate(answer.content):
        events += [BlockStart(index, block), BlockStop(index)]
    return [*events, End(answer.stop, answer.usage, answer.stop_sequence, answer.charge_pusd)]


def failure_in(response: Json, provider: str) -> Failure:
    """Of a response that failed; tokens may be billed all the same."""
    found = failure_of(response.get("error") or "the upstream's response failed, and it does not say why")
    return replace(found, usage=usage_of(response, provider, searches_in(objects(response.get("output"))))[0])


def refuses(item: Json) -> bool:
    return item.get("type") == "message" and any(part.get("type") == "refusal" for part in objects(item.get("content")))


def searched(item: Json) -> bool:
    """Pages opened and searched through by a search are in its price."""
    if item.get("type") != "web_search_call" or item.get("status") == "failed":
        return False
    return text_at(object_at(item, "action"), "type") in ("", "search")


def searches_in(items: Any) -> int:
    return sum(map(searched, items))


def stop_of(response: Json, *, called: bool, refused: bool) -> Stop:
    if response.get("status") == "incomplete":
        return _STOPS.get(text_at(object_at(response, "incomplete_details"), "reason"), "max_tokens")
    return "refusal" if refused else "tool_use" if called else "end_turn"


def usage_of(response: Json, provider: str, searches: int) -> tuple[Usage, int | None]:
    """(usage, the exact charge in pico-USD, if the provider tells it)."""
    usage, charge = usage_from(provider, RESPONSES, object_at(response, "usage"))
    counted = object_at(object_at(response, "tool_usage"), "web_search")
    searches = count_at(counted, "num_requests") if counted else searches
    beside = (*usage.iterations, *_beside(response))
    return replace(usage, service_tier=text_at(response, "service_tier"), web_search_requests=searches, iterations=beside), charge


# Output items of what is charged beside tokens -> how gw calls it.
_BESIDE = {
    "file_search_call": "file_search",
    "code_interpreter_call": "container",
    "image_generation_call": "image_generation",
}


def _beside(response: Json) -> tuple[Iteration, ...]:
    kinds = [_BESIDE.get(text_at(item, "type"), "") for item in objects(response.get("output")) if item.get("status") != "failed"]
    return tuple(Iteration(kind, "", kinds.count(kind)) for kind in BESIDE if kind in kinds)


# --- for a client -----------------------------------------------------------------------------------------------------


def usage_json(usage: Usage) -> Json:
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    given = usage.input_tokens + usage.cache_read_tokens + written
    cached: Json = {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": written}
    if usage.cache_write_1h_tokens:  # the longer of two, as with OpenAI
        kept = {"ttl_30m_tokens": usage.cache_write_5m_tokens, "ttl_12h_tokens": usage.cache_write_1h_tokens}
        cached["cache_write_tokens_details"] = kept
    return {
        "input_tokens": given,
        "input_tokens_details": cached,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
        "total_tokens": given + usage.output_tokens,
    }


def tier_of(usage: Usage) -> str:
    """In OpenAI's words; another provider's own word is none of them."""
    return usage.service_tier if usage.service_tier in TIERS else "default"


def told(asked: Request) -> Json:
    """What a response repeats of its request."""
    choice: str | Json = choice_json(asked.tool_choice, asked.tools) if asked.tool_choice else "auto"
    own = asked.dialect == RESPONSES
    tools = tools_json(asked, Quirks()) if own else []
    for tool in tools:
        if tool.get("type") == "function":
            tool.setdefault("strict", True)
    effort = asked.effort
    return {
        "background": False,
        "instructions": None,
        "max_output_tokens": asked.max_tokens,
        "metadata": asked.foreign.get("metadata", {}) if own else {},
        "parallel_tool_calls": asked.tool_choice.parallel if asked.tool_choice else True,
        "previous_response_id": None,
        "reasoning": {"effort": effort.level or None, "summary": "auto" if effort.shown and effort.mode else None},
        "store": False,
        "temperature": asked.temperature,
        "text": {"format": _format(asked)},
        "tool_choice": asked.foreign.get("tool_choice", choice) if own else choice,
        "tools": tools,
        "top_p": asked.top_p,
        "truncation": "disabled",
        "user": None,
    }


def _format(asked: Request) -> Json:
    if asked.format is None:
        return {"type": "text"}
    return format_json(asked.format) if asked.format.kind == "schema" else {"type": "json_object"}
