"""Streams of Chat Completions as upstreams send them -> events: any split, any habit."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.usage import Usage
from gw.translate.chat_reader import EMPTY, GARBLED, EventReader, gathered, read_answer
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Event,
    Failure,
    Media,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 17, "model": "m", "choices": [choice]} | more


def sse(*chunks: dict[str, Any], end: bytes = b"\n", done: bool = True) -> bytes:
    lines = [b"data: " + orjson.dumps(one) + end + end for one in chunks]
    return b"".join([*lines, b"data: [DONE]" + end + end] if done else lines)


def events_of(stream: bytes | Iterable[bytes], provider: str = "openai") -> list[Event]:
    reader = EventReader(provider)
    out: list[Event] = []
    for piece in [stream] if isinstance(stream, bytes) else stream:
        out += reader.feed(piece)
    out += reader.close()
    assert reader.feed(b"data: {}\n\n") == reader.close() == [] or not out or not isinstance(out[-1], End | Failure)
    return out


def answer_of(*chunks: dict[str, Any], provider: str = "openai") -> Answer:
    events = events_of(sse(*chunks), provider)
    well_formed(events)
    found = gathered(events)
    assert isinstance(found, Answer), found
    return found


def well_formed(events: list[Event]) -> None:
    """Start first, End last, blocks numbered without gaps, each stopped, deltas only while open."""
    assert isinstance(events[0], Start) and isinstance(events[-1], End | Failure)
    started = [event.index for event in events if isinstance(event, BlockStart)]
    assert started == list(range(len(started)))
    open_now: set[int] = set()
    for event in events[1:-1]:
        if isinstance(event, BlockStart):
            open_now.add(event.index)
        elif isinstance(event, BlockStop):
            open_now.remove(event.index)
        else:
            assert event.index in open_now, event  # type: ignore[union-attr]
    assert not open_now or isinstance(events[-1], Failure)


def tool(index: int | None, id: str | None = None, name: str | None = None, arguments: Any = None) -> dict[str, Any]:
    call: dict[str, Any] = {} if index is None else {"index": index}
    if id is not None:
        call["id"] = id
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"tool_calls": [call | {"type": "function", "function": function}]}


def calls_of(answer: Answer) -> list[tuple[str, str]]:
    return [(block.name, block.arguments) for block in answer.content if isinstance(block, ToolUse)]


ROLE = chunk({"role": "assistant", "content": ""})
TEXT = (ROLE, chunk({"content": "Grüß "}), chunk({"content": "Gott"}), chunk(finish="stop"))


# --- recorded, and every split ----------------------------------------------------------------------------------------


def test_recorded_call_of_a_function() -> None:
    events = events_of((GOLDEN / "o02_function_call.sse").read_bytes())
    well_formed(events)
    found = gathered(events)
    assert isinstance(found, Answer)
    assert found.content == (ToolUse("call_kLW0Bq2cIfzym8DG6BADIcm4", "response", '{"answer":"Boston"}'),)
    assert (found.stop, found.model, found.created_s) == ("tool_use", "gpt-4.1-mini", 1710800855)
    assert found.usage == Usage(input_tokens=55, output_tokens=17, cache_read_tokens=2, thinking_tokens=1)


MADE = {
    "text": sse(*TEXT, chunk(usage={"prompt_tokens": 9, "completion_tokens": 2}, choices=[])),
    "crlf": sse(*TEXT, end=b"\r\n"),
    "cr": sse(*TEXT, end=b"\r"),
    "comments": b": hello\n\n" + sse(*TEXT).replace(b"\n\n", b"\n\n: ping\n\n") + b"event: x\nid: 7\nretry: 3\n\n",
    "mark": b"\xef\xbb\xbf" + sse(*TEXT),
    "no space": sse(*TEXT).replace(b"data: ", b"data:"),
    "no done": sse(*TEXT, done=False),
    "no last blank line": sse(*TEXT, done=False).rstrip(b"\n"),
    "no blank lines": sse(*TEXT).replace(b"\n\n", b"\n"),
}


@pytest.mark.parametrize("stream", MADE.values(), ids=MADE)
def test_every_split_tells_the_same(stream: bytes) -> None:
    whole = events_of(stream)
    found = gathered(whole)
    assert isinstance(found, Answer) and found.content == (Text("Grüß Gott"),)
    for at in range(1, len(stream)):
        assert gathered(events_of([stream[:at], stream[at:]])) == found
    assert gathered(events_of(stream[at : at + 1] for at in range(len(stream)))) == found


def test_the_recorded_stream_in_every_split() -> None:
    stream = (GOLDEN / "o02_function_call.sse").read_bytes()
    whole = events_of(stream)
    for at in range(1, len(stream)):
        assert events_of([stream[:at], stream[at:]]) == whole


# --- text and thoughts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_and_text_that_take_turns_are_blocks_of_their_own(field: str) -> None:
    deltas = ({field: "hm "}, {field: "hm"}, {"content": "a"}, {field: "so"}, {"content": "b"})
    found = answer_of(*map(chunk, deltas), TEXT[-1])
    kinds = [(type(block), block.text) for block in found.content if isinstance(block, Text | Thinking)]
    assert kinds == [(Thinking, "hm hm"), (Text, "a"), (Thinking, "so"), (Text, "b")]


def test_details_of_reasoning_are_not_told_twice_and_keep_their_seal() -> None:
    entry = {"type": "reasoning.text", "text": "why", "format": "anthropic-claude-v1", "index": 0}
    found = answer_of(
        chunk({"reasoning": "why", "reasoning_details": [entry]}),
        chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "S==", "index": 0}]}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "blob", "id": "e", "index": 1}]}),
        *TEXT,
    )
    plain, encrypted, text = found.content
    assert isinstance(plain, Thinking) and isinstance(encrypted, Thinking) and text == Text("Grüß Gott")
    assert plain.text == "why" and plain.sealed_by == encrypted.sealed_by == "chat"
    assert orjson.loads(plain.signature)["signature"] == "S==" and orjson.loads(encrypted.redacted)["data"] == "blob"


def test_mistral_has_its_thoughts_in_the_content() -> None:
    thought = {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}
    found = answer_of(chunk(thought), chunk({"content": [{"type": "text", "text": "a"}]}), chunk({"content": "b"}), TEXT[-1])
    assert [type(block) for block in found.content] == [Thinking, Text] and found.content[1] == Text("ab")


def test_a_refusal_is_text_and_an_ending() -> None:
    found = answer_of(chunk({"refusal": "I can"}), chunk({"refusal": "not"}), chunk(finish="stop"))
    assert (found.content, found.stop) == ((Text("I cannot"),), "refusal")


def test_citations_of_openai_and_sources_of_perplexity() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 3}}
    found = answer_of(chunk({"content": "abc"}), chunk({"annotations": [note]}), TEXT[-1])
    assert found.content == (Text("abc", (Citation(title="A", url="https://a", text_start=0, text_end=3),)),)
    sources = [{"title": "B", "url": "https://b"}]
    found = answer_of(chunk({"content": "abc"}, citations=["https://b"], search_results=sources), chunk(finish="stop"))
    assert found.content == (Text("abc", (Citation(title="B", url="https://b"),)),)


def test_an_image_in_an_answer() -> None:
    found = answer_of(chunk({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}), TEXT[-1])
    assert found.content == (Media("image", "image/png", data="AA=="),)


# --- calls of tools ---------------------------------------------------------------------------------------------------


def test_parallel_calls_whose_pieces_alternate() -> None:
    found = answer_of(
        chunk(tool(0, "call_aaaa", "f", "")),
        chunk(tool(1, "call_bbbb", "g", "")),
        chunk(tool(0, arguments='{"a"')),
        chunk(tool(1, arguments='{"b"')),
        chunk(tool(0, arguments=":1}")),
        chunk(tool(1, arguments=":2}")),
        chunk(finish="tool_calls"),
    )
    assert calls_of(found) == [("f", '{"a":1}'), ("g", '{"b":2}')] and found.stop == "tool_use"


HABITS = {
    "id and name repeated": [
        tool(0, "call_aaaa", "f", '{"a"'), tool(0, "call_aaaa", "f", ":1}"), tool(1, "call_bbbb", "f", "{}"),
    ],
    "all have index 0": [tool(0, "call_aaaa", "f", '{"a":1}'), tool(0, "call_bbbb", "f", "{}")],
    "no index": [tool(None, "call_aaaa", "f", '{"a":1}'), tool(None, "call_bbbb", "f", "{}")],
    "no index, pieces by id": [
        tool(None, "call_aaaa", "f", '{"a"'), tool(None, "call_aaaa", None, ":1}"), tool(None, "call_bbbb", "f", "{}"),
    ],
    "no id": [tool(0, None, "f", '{"a"'), tool(0, None, None, ":1}"), tool(1, None, "f", "{}")],
    "no id and no index": [tool(None, None, "f", '{"a":1}'), tool(None, None, "f", "{}")],
    "no id, all have index 0": [tool(0, None, "f", '{"a":1}'), tool(0, None, "f", "{}")],
    "empty name first": [
        tool(0, "call_aaaa", "", ""), tool(0, None, "f", '{"a"'), tool(0, "", "", ":1}"), tool(1, "call_b", "f", "{}"),
    ],
    "an object": [tool(0, "call_aaaa", "f", {"a": 1}), tool(1, "call_bbbb", "f", {})],
    "one id for all": [tool(0, "call_aaaa", "f", '{"a":1}'), tool(1, "call_aaaa", "f", "{}")],
    "ids that count": [tool(0, "0", "f", '{"a":1}'), tool(1, "1", "f", "{}")],
}  # fmt: skip


@pytest.mark.parametrize("deltas", HABITS.values(), ids=HABITS)
def test_calls_are_told_apart_whatever_names_them(deltas: list[dict[str, Any]]) -> None:
    found = answer_of(*(chunk(delta) for delta in deltas), chunk(finish="stop"))
    assert calls_of(found) == [("f", '{"a":1}'), ("f", "{}")]
    assert found.stop == "tool_use", "a client would not run calls of an answer that ended otherwise"
    ids = [block.id for block in found.content if isinstance(block, ToolUse)]
    assert len(set(ids)) == 2 and all(len(id) >= 6 for id in ids)


def test_a_call_without_a_name_is_one_of_an_unknown_tool() -> None:
    assert calls_of(answer_of(chunk(tool(0, "call_aaaa", None, '{"a":1}')), TEXT[-1])) == [("unknown_tool", '{"a":1}')]


def test_arguments_that_are_no_json_stay_as_they_came() -> None:
    assert calls_of(answer_of(chunk(tool(0, "call_aaaa", "f", '{"a": "cut')), chunk(finish="length"))) == [("f", '{"a": "cut')]


def test_the_old_function_call_and_custom_tools() -> None:
    old = ({"function_call": {"name": "f", "arguments": '{"a"'}}, {"function_call": {"arguments": ":1}"}})
    found = answer_of(*map(chunk, old), chunk(finish="function_call"))
    assert calls_of(found) == [("f", '{"a":1}')] and found.stop == "tool_use"
    custom = {"tool_calls": [{"index": 0, "id": "call_cccc", "type": "custom", "custom": {"name": "sh", "input": "l"}}]}
    more = {"tool_calls": [{"index": 0, "custom": {"input": "s"}}]}
    found = answer_of(chunk(custom), chunk(more), chunk(finish="tool_calls"))
    assert found.content == (ToolUse("call_cccc", "sh", "ls", custom=True),)


def test_text_stops_before_a_call_starts() -> None:
    said = ({"content": "a"}, tool(0, "call_aaaa", "f", "{}"), {"content": "b"})
    events = events_of(sse(*map(chunk, said), TEXT[-1]))
    well_formed(events)
    kinds = [type(event) for event in events if isinstance(event, BlockStart | BlockStop)]
    assert kinds[:3] == [BlockStart, BlockStop, BlockStart]


# --- endings, usage, charges ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("model_length", "context_full"),
     ("eos", "end_turn"), ("tool_calls", "end_turn")],
)  # fmt: skip
def test_endings(finish: str, stop: str) -> None:
    assert answer_of(chunk({"content": "a"}), chunk(finish=finish)).stop == stop


USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13, "prompt_tokens_details": {"cached_tokens": 4}}
PLACES = {
    "a chunk of its own": (*TEXT, chunk(usage=USAGE, choices=[])),
    "the last chunk": (*TEXT[:-1], chunk(finish="stop", usage=USAGE)),
    "groq's own": (*TEXT[:-1], chunk(finish="stop", x_groq={"id": "r", "usage": USAGE})),
    "every chunk, a running total": tuple(one | {"usage": USAGE | {"completion_tokens": n}} for n, one in enumerate(TEXT)),
    "null before": (*(one | {"usage": None} for one in TEXT), chunk(usage=USAGE, choices=[])),
}


@pytest.mark.parametrize("chunks", PLACES.values(), ids=PLACES)
def test_usage_wherever_it_stands(chunks: tuple[dict[str, Any], ...]) -> None:
    assert answer_of(*chunks).usage == Usage(input_tokens=6, output_tokens=3, cache_read_tokens=4)


def test_the_tier_of_the_answer_is_that_of_its_usage() -> None:
    found = answer_of(*(one | {"service_tier": "auto"} for one in TEXT), chunk(usage=USAGE, choices=[], service_tier="flex"))
    assert found.usage.service_tier == "flex"


def test_exact_charges() -> None:
    last = chunk(usage=USAGE | {"cost_in_usd_ticks": 37756000}, choices=[])
    assert answer_of(*TEXT, last, provider="xai").charge_pusd == 3_775_600_000
    last = chunk(usage=USAGE | {"cost": 0.00123}, choices=[])
    assert answer_of(*TEXT, last, provider="openrouter").charge_pusd == 1_230_000_000
    assert answer_of(*TEXT, last).charge_pusd is None


# --- errors -----------------------------------------------------------------------------------------------------------


def test_an_error_in_the_stream_ends_it() -> None:
    events = events_of(sse(*TEXT[:2], {"error": {"message": "no room", "type": "server_error", "code": 503}}, TEXT[2]))
    assert events[-1] == Failure("overloaded_error", "no room", code="server_error")
    assert not any(isinstance(one, End) for one in events)
    assert gathered(events_of(sse({"error": {"message": "slow down", "type": "rate_limit_error"}}))) == Failure(
        "rate_limit_error", "slow down", code="rate_limit_error"
    )


@pytest.mark.parametrize("stream", [b"data: nonsense\n\n", b"{", b'{"a":1}'])
def test_what_is_no_chat_is_a_failure(stream: bytes) -> None:
    assert events_of(stream) == [GARBLED]


def test_a_stream_without_an_answer_is_a_failure() -> None:
    assert events_of(b"data: [DONE]\n\n") == [EMPTY]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    events = events_of(sse(*TEXT[:-1], done=False))
    assert not any(isinstance(event, End | Failure) for event in events)


def test_a_whole_answer_where_a_stream_was_asked_for() -> None:
    body = {"id": "x", "model": "m", "created": 3, "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"},
            "finish_reason": "stop"}], "usage": USAGE}  # fmt: skip
    told = gathered(events_of(orjson.dumps(body)))
    assert told == read_answer(body, "openai")
    assert isinstance(told, Answer) and told.content == (Text("hi"),)
    assert events_of(b' {"error": {"message": "no", "code": "invalid_api_key"}}') == [
        Failure("authentication_error", "no", code="invalid_api_key")
    ]


def test_only_the_first_choice_is_read() -> None:
    second = {"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}
    both = TEXT[1] | {"choices": [second, *TEXT[1]["choices"]]}
    assert answer_of(both, TEXT[-1]).content == (Text("Grüß "),)


# --- whatever comes ---------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["choices", "delta", "content", "tool_calls", "index", "id", "function", "name", "arguments", "usage", "finish_reason",
         "reasoning_details", "error", "message", "annotations", "type", "text"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(json_values | st.binary(max_size=8), max_size=4), st.sampled_from(["openai", "xai", "openrouter", "nobody"]))
def test_never_raises(values: list[Any], provider: str) -> None:
    def encoded(value: Any) -> bytes:
        try:
            return value if isinstance(value, bytes) else orjson.dumps(value)
        except (TypeError, orjson.JSONEncodeError):
            return b"0"

    events = events_of((b"data: " + encoded(value) + b"\n\n" for value in values), provider)
    if events and isinstance(events[-1], End):
        well_formed(events)
    for value in values:
        assert isinstance(read_answer(value, provider), Answer | Failure)


@given(st.lists(st.tuples(st.sampled_from(["content", "reasoning"]), st.text(min_size=1, max_size=6)), max_size=8))
def test_all_text_arrives_in_order(pieces: list[tuple[str, str]]) -> None:
    events = events_of(sse(*(chunk({field: text}) for field, text in pieces), chunk(finish="stop")))
    told = [(type(event), event.text) for event in events if isinstance(event, TextDelta | ThinkingDelta)]
    assert told == [(TextDelta if field == "content" else ThinkingDelta, text) for field, text in pieces]
    assert not any(isinstance(event, ArgumentsDelta) for event in events)
