"""An upstream's Responses stream, and its whole answer, as the form's."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain.usage import Usage
from gw.translate.form import (
    Answer,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    SignatureDelta,
    Start,
    Text,
    Thinking,
    ToolUse,
)
from gw.translate.responses_answer import read_answer
from gw.translate.responses_reader import EventReader
from tests._fast.golden import MANIFEST, content
from tests.translate.responses_streams import (
    ALL,
    CALL,
    CUSTOM,
    MESSAGE,
    REFUSED,
    SEARCH,
    THOUGHT,
    USAGE,
    events,
    response,
    stream,
)
from tests.translate.strategies import said, splits

RECORDED = [content(entry) for entry in MANIFEST if entry["provider"] == "openai.responses"]
WHOLE = stream(events(ALL))
SPENT = Usage(300, 50, 600, 70, 30, 20, web_search_requests=1, service_tier="priority")
BLOCKS = [
    Thinking("**First**\n\nlook\n\n**Then** act", "gAAAAAB+/=", sealed_by="responses", id="rs_1"),
    Foreign("responses", "web_search_call", SEARCH),
    Text('It "is" süß \\ 🌦'),
    ToolUse("call_1", "weather", '{"city":"Paris \\"x\\""}'),
    ToolUse("call_2", "patch", "*** Begin", custom=True),
]
CITED = Text('It "is" süß \\ 🌦', (Citation(title="A", url="https://example.com/a", text_start=4, text_end=9),))
BLOCKS_AS_TOLD = [CITED if isinstance(block, Text) else block for block in BLOCKS]


def read(*chunks: bytes, provider: str = "openai") -> list[Event]:
    reader = EventReader(provider)
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()


def last(*found: dict[str, Any]) -> Event:
    return read(stream(list(found)))[-1]


def test_what_a_stream_of_everything_says() -> None:
    found = read(WHOLE)
    assert found[0] == Start("resp_1", "gpt-5.2-2026-01-01", created_s=1_790_000_000)
    assert said(found) == (BLOCKS, End("tool_use", SPENT))
    assert CitationDelta(2, Citation(title="A", url="https://example.com/a", text_start=4, text_end=9)) in found
    assert sum(isinstance(event, CitationDelta) for event in found) == 1
    assert sum(isinstance(event, SignatureDelta) for event in found) == 1


def test_blocks_are_numbered_without_gaps_and_each_is_stopped_once() -> None:
    found = read(WHOLE)
    starts = [event.index for event in found if isinstance(event, BlockStart)]
    assert starts == list(range(len(BLOCKS)))
    assert sorted(event.index for event in found if isinstance(event, BlockStop)) == starts


@pytest.mark.parametrize("data", [*RECORDED, stream(events([MESSAGE, CALL], size=9))])
def test_a_stream_reads_the_same_at_every_split(data: bytes) -> None:
    whole = read(data)
    assert isinstance(whole[0], Start) and isinstance(whole[-1], End)
    assert all(read(data[:at], data[at:]) == whole for at in range(1, len(data), 3))
    assert read(*(data[at : at + 1] for at in range(len(data)))) == whole


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_lines_that_end_otherwise_read_the_same_at_every_split(end: str) -> None:
    data = stream(events([CALL], size=9), end)
    whole = read(stream(events([CALL], size=9)))
    assert all(read(data[:at], data[at:]) == whole for at in range(len(data)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_split_reads_the_same(data: st.DataObject) -> None:
    assert read(*data.draw(splits(WHOLE))) == read(WHOLE)


def test_the_recorded_stream() -> None:
    blocks, end = said(read(RECORDED[0]))
    assert blocks == [ToolUse("call_custom_sql_001", "write_sql", "SELECT * FROM users WHERE age > 25", custom=True)]
    assert end == End("tool_use", Usage(50, 20))


@pytest.mark.parametrize("kept", [("output_item.added", "output_item.done"), ("output_item.done",), ("created",), ()], ids=len)
def test_servers_that_send_few_events_lose_nothing(kept: tuple[str, ...]) -> None:
    kinds = ["response.completed", *(f"response.{kind}" for kind in kept)]
    few = [event for event in events(ALL) if event["type"] in kinds]
    assert said(read(stream(few))) == (BLOCKS_AS_TOLD, End("tool_use", SPENT))


def test_a_whole_answer_says_what_the_stream_does() -> None:
    found = read_answer(response(ALL), "openai")
    blocks = tuple(BLOCKS_AS_TOLD)
    assert found == Answer("resp_1", "gpt-5.2-2026-01-01", blocks, "tool_use", SPENT, created_s=1_790_000_000)


def test_a_whole_answer_in_place_of_a_stream_is_told_as_one() -> None:
    data = json.dumps(response(ALL)).encode()
    assert said(read(data[:100], data[100:])) == (BLOCKS_AS_TOLD, End("tool_use", SPENT))
    failed = read(json.dumps({"error": {"message": "no", "code": "rate_limit_exceeded"}}).encode())
    assert failed == [Failure("rate_limit_error", "no", code="rate_limit_exceeded")]


# --- why it ended -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "more", "stop"),
    [
        ([MESSAGE], {}, "end_turn"),
        ([MESSAGE, CALL], {}, "tool_use"),
        ([CUSTOM], {}, "tool_use"),
        ([REFUSED], {}, "refusal"),
        ([MESSAGE], {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_tokens"),
        ([CALL], {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_tokens"),
        ([MESSAGE], {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "refusal"),
        ([MESSAGE], {"status": "incomplete", "incomplete_details": {"reason": "tomorrow's"}}, "max_tokens"),
    ],
)
def test_why_it_ended(output: list[Any], more: dict[str, Any], stop: str) -> None:
    kind = f"response.{more.get('status', 'completed')}"
    end = read(stream(events(output, last=kind, **more)))[-1]
    assert isinstance(end, End) and end.stop == stop
    whole = read_answer(response(output, **more), "openai")
    assert isinstance(whole, Answer) and whole.stop == stop


def test_a_refusals_words_are_text() -> None:
    assert said(read(stream(events([REFUSED]))))[0] == [Text("I cannot.")]


def test_a_failed_response_is_a_failure_with_what_it_cost() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Rate limit reached. Please try again in 11s."}
    found = last(*events([MESSAGE], last="response.failed", status="failed", error=error))
    assert isinstance(found, Failure)
    assert (found.kind, found.message, found.usage.output_tokens) == ("rate_limit_error", error["message"], 50)
    whole = read_answer(response([], status="failed", error=error, usage=None), "openai")
    assert isinstance(whole, Failure) and whole.kind == "rate_limit_error"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ({"code": "server_error", "message": "m"}, "api_error", "server_error"),
        ({"code": "invalid_image_format", "message": "m"}, "invalid_request_error", "invalid_image_format"),
        ({"code": "invalid_prompt", "message": "m"}, "invalid_request_error", "invalid_prompt"),
        ({"code": "insufficient_quota", "message": "m"}, "billing_error", "insufficient_quota"),
        ({"code": "server_is_overloaded", "message": "m"}, "overloaded_error", "server_is_overloaded"),
        ({"code": "vector_store_timeout", "message": "m"}, "timeout_error", "vector_store_timeout"),
    ],
)
@pytest.mark.parametrize("flat", [True, False])
def test_an_error_event_ends_the_stream(error: dict[str, str], kind: str, code: str, flat: bool) -> None:
    event = {"type": "error", "sequence_number": 3, "param": None} | (error if flat else {"error": error})
    found = read(stream([*events([MESSAGE])[:6], event, *events([MESSAGE])[6:]]))
    assert found[-1] == Failure(kind, "m", code=code)
    assert sum(isinstance(one, Failure | End) for one in found) == 1


def test_a_prompt_that_is_too_long_is_told_in_the_words_that_make_claude_code_compact() -> None:
    error = {"code": "context_length_exceeded", "message": "Your input exceeds the context window of this model."}
    found = last(*events([], last="response.failed", status="failed", error=error))
    assert isinstance(found, Failure) and found.message.startswith("prompt is too long")


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "more", "searches"),
    [
        ([SEARCH, SEARCH | {"id": "ws_2"}], {}, 2),
        ([SEARCH | {"action": {"type": "open_page", "url": "https://example.com"}}], {}, 0),
        ([SEARCH | {"status": "failed"}], {}, 0),
        ([SEARCH], {"tool_usage": {"web_search": {"num_requests": 3}}}, 3),
        ([MESSAGE], {"tool_usage": {"web_search": {"num_requests": 0}}}, 0),
    ],
)
def test_searches_are_counted_from_items_unless_the_response_counts_them(items: list[Any], more: Any, searches: int) -> None:
    end = read(stream(events(items, **more)))[-1]
    assert isinstance(end, End) and end.usage.web_search_requests == searches
    whole = read_answer(response(items, **more), "openai")
    assert isinstance(whole, Answer) and whole.usage.web_search_requests == searches


def test_xais_exact_charge_is_told() -> None:
    data = stream(events([MESSAGE], usage=USAGE | {"cost_in_usd_ticks": 123}))
    end = read(data, provider="xai")[-1]
    assert isinstance(end, End) and end.charge_pusd == 12_300


# --- what is none of the dialect --------------------------------------------------------------------------------------

WORDS = st.sampled_from(["response.output_text.delta", "reasoning", "message", "failed"])
NAMES = st.sampled_from(sorted(set(CALL) | set(MESSAGE) | set(THOUGHT)))
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_reader_never_raises(data: st.DataObject) -> None:
    """Fields of the wrong type, events out of order or twice, unknown ones: at most a Failure."""
    found = [dict(event) for event in events(ALL, size=50)]
    for _ in range(data.draw(st.integers(1, 6))):
        event = data.draw(st.sampled_from(found))
        name = data.draw(st.sampled_from(sorted(event)))
        event[name] = data.draw(JUNK)
    order = data.draw(st.permutations(found)) if data.draw(st.booleans()) else found
    told = read("".join(f"data: {json.dumps(event)}\n\n" for event in order).encode())
    ends = [index for index, event in enumerate(told) if isinstance(event, End | Failure)]
    assert ends in ([], [len(told) - 1])
    assert not any(isinstance(event, Start) for event in told[1:])
    read_answer({name: data.draw(JUNK) for name in response([])}, "openai")


@pytest.mark.parametrize("data", [b"data: nonsense\n\n", b"data: [1]\n\n", b'data: {"choices":[]}\n\n', b"{nonsense"])
def test_what_is_none_of_the_dialect_is_a_failure(data: bytes) -> None:
    found = read(data)
    assert isinstance(found[-1], Failure) and found[-1].code == "garbled"


def test_an_event_without_end_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gw.translate.frames.EVENT_BYTES_MAX", 1000)
    found = read(*[b"data: " + b"x" * 500] * 4)
    assert isinstance(found[-1], Failure) and found[-1].code == "garbled"


def test_a_stream_that_breaks_off_is_not_completed() -> None:
    found = read(stream(events([MESSAGE])[:-1]))
    assert not any(isinstance(event, End | Failure) for event in found)


def test_comments_done_marks_and_unknown_events_are_read_over() -> None:
    more = b': keep-alive\n\nevent: response.tomorrow\ndata: {"type":"response.tomorrow","x":1}\n\n'
    head = b"event: response.output_item.added"
    data = more + WHOLE.replace(head, more + head) + b"data: [DONE]\n\n"
    assert read(data) == read(WHOLE)
