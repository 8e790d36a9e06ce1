"""Gemini's streams and answers -> events."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.usage import Usage
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    Json,
    Media,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.gemini import GEMINI_DIALECT
from gw.translate.gemini_errors import read_error
from gw.translate.gemini_stream import EventReader
from tests.translate import strategies

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
THOUGHT, WORDS = Thinking(sealed_by="gemini"), Text("")


def chunk(*parts: Json, reason: str = "", usage: Json | None = None, **more: Any) -> Json:
    candidate = (
        {"content": {"role": "model", "parts": list(parts)}, "index": 0} | ({"finishReason": reason} if reason else {}) | more
    )
    return {"candidates": [candidate], "modelVersion": "gemini-3-pro", "responseId": "r1"} | (
        {"usageMetadata": usage} if usage else {}
    )


def sse(*chunks: Json, eol: bytes = b"\n") -> bytes:
    return b"".join(b"data: " + orjson.dumps(one) + eol + eol for one in chunks)


def array(*chunks: Json) -> bytes:
    return b"[" + b"\n,\n".join(orjson.dumps(one, option=orjson.OPT_INDENT_2) for one in chunks) + b"\n]\n"


def read(stream: bytes, size: int = 1 << 30) -> list[Event]:
    reader = EventReader("gemini")
    events: list[Event] = []
    for at in range(0, len(stream), size):
        events += reader.feed(stream[at : at + size])
    return events + reader.close() + reader.close() + reader.feed(stream)


def call(name: str = "f", **more: Any) -> Json:
    return {"functionCall": {"name": name, **more}}


RICH = (
    chunk({"text": "Hm", "thought": True}, usage={"promptTokenCount": 10, "cachedContentTokenCount": 4}),
    chunk({"text": '… "x" \\', "thought": True}, {"text": "Sö"}, usage={"promptTokenCount": 10, "candidatesTokenCount": 1}),
    chunk({"text": ' } ] 😀\\"'}),
    chunk(call(args={"a": {"b": "}"}}, id="7") | {"thoughtSignature": "QUJD"}, call("g")),
    chunk({"text": "", "thoughtSignature": "REVG"}, reason="STOP"),
    {
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 3,
            "cachedContentTokenCount": None,
        }
    },
)
RICH_EVENTS: list[Event] = [
    Start("r1", "gemini-3-pro", Usage(6, 0, 4)),
    BlockStart(0, THOUGHT),
    ThinkingDelta(0, "Hm"),
    ThinkingDelta(0, '… "x" \\'),
    BlockStop(0),
    BlockStart(1, WORDS),
    TextDelta(1, "Sö"),
    TextDelta(1, ' } ] 😀\\"'),
    BlockStop(1),
    BlockStart(2, ToolUse("7", "f", signature="QUJD")),
    ArgumentsDelta(2, '{"a":{"b":"}"}}'),
    BlockStop(2),
    BlockStart(3, ToolUse("call_r1_2", "g")),
    BlockStop(3),
    End("tool_use", Usage(6, 8, 4, thinking_tokens=3)),
]


def test_thoughts_text_and_parallel_calls_become_blocks() -> None:
    assert read(sse(*RICH)) == RICH_EVENTS


@pytest.mark.parametrize(
    "stream", [sse(*RICH), sse(*RICH, eol=b"\r\n"), sse(*RICH, eol=b"\r"), array(*RICH), b"\xef\xbb\xbf " + array(*RICH)]
)
def test_every_split_gives_the_same_events(stream: bytes) -> None:
    for size in range(1, 70):
        assert read(stream, size) == RICH_EVENTS
    for cut in range(len(stream)):
        reader = EventReader("gemini")
        assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) + reader.close() == RICH_EVENTS


def test_a_signature_alone_is_a_thought_without_words_but_not_behind_a_call() -> None:
    alone = chunk({"text": "", "thoughtSignature": "REVG"}, reason="STOP")
    assert read(sse(alone))[1:4] == [BlockStart(0, THOUGHT), SignatureDelta(0, "REVG"), BlockStop(0)]
    assert [type(event) for event in read(sse(chunk(call()), alone))] == [Start, BlockStart, BlockStop, End]


def test_an_array_ends_with_its_bracket_and_not_before() -> None:
    reader = EventReader("gemini")
    stream = array(*RICH).rstrip()
    assert not any(isinstance(event, End) for event in reader.feed(stream[:-1]))
    assert [type(event) for event in reader.feed(stream[-1:])] == [End]


def test_a_recorded_stream_of_gemini_3() -> None:
    stream = (GOLDEN / "g02_reasoning3.sse").read_bytes()
    events = read(stream)
    assert events[0] == Start("M3iLaY-AI7zTxN8P3Piw4Qg", "gemini-3-pro-preview", Usage(9, 315, thinking_tokens=302))
    assert events[-1] == End("end_turn", Usage(9, 325, thinking_tokens=302))
    blocks, _ = strategies.said(events)
    assert blocks == [Text('There are **3** "r"s in strawberry.\n\nSt**r**awbe**rr**y')]
    assert isinstance(events[4], SignatureDelta) and events[4].signature.startswith("EpAICo0IAb4+9vuku3oDHR5E")
    for size in (1, 2, 3, 1000):
        assert read(stream, size) == events


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", "end_turn"),
        ("MAX_TOKENS", "max_tokens"),
        ("CONTINUATION", "max_tokens"),
        ("SAFETY", "refusal"),
        ("RECITATION", "refusal"),
        ("BLOCKLIST", "refusal"),
        ("PROHIBITED_CONTENT", "refusal"),
        ("SPII", "refusal"),
        ("LANGUAGE", "refusal"),
        ("IMAGE_SAFETY", "refusal"),
        ("MODEL_ARMOR", "refusal"),
        ("TOO_MANY_TOOL_CALLS", "pause_turn"),
        ("OTHER", "end_turn"),
        ("A_NEW_ONE", "end_turn"),
    ],
)
def test_reasons_of_ending(reason: str, stop: str) -> None:
    end = read(sse(chunk({"text": "x"}, reason=reason)))[-1]
    assert isinstance(end, End) and end.stop == stop


@pytest.mark.parametrize(
    ("reason", "stop"), [("STOP", "tool_use"), ("OTHER", "tool_use"), ("MAX_TOKENS", "max_tokens"), ("SAFETY", "refusal")]
)
def test_a_stop_with_calls_is_a_stop_for_their_results(reason: str, stop: str) -> None:
    end = read(sse(chunk(call()), chunk(reason=reason)))[-1]
    assert isinstance(end, End) and end.stop == stop


@pytest.mark.parametrize(
    "reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"]
)
def test_a_broken_answer_is_a_failure_that_says_what_it_cost(reason: str) -> None:
    usage = {"promptTokenCount": 3, "thoughtsTokenCount": 2}
    failure = read(sse(chunk(reason=reason, finishMessage="bad call", usage=usage)))[-1]
    assert failure == Failure("api_error", f"{reason}: bad call", code=reason, usage=Usage(3, 2, thinking_tokens=2))


def test_a_blocked_prompt_is_a_refusal() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}}
    assert [type(event) for event in read(sse(blocked))] == [Start, End]
    answer = GEMINI_DIALECT.read_answer(blocked, "gemini")
    assert isinstance(answer, Answer) and (answer.stop, answer.content, answer.usage) == ("refusal", (), Usage(3))


def test_a_stream_without_an_end_is_not_whole() -> None:
    assert [type(event) for event in read(sse(chunk({"text": "x"})))] == [Start, BlockStart, TextDelta]
    assert read(b"") == []


ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "stream",
    [
        sse(chunk({"text": "x"}), ERROR),
        array(chunk({"text": "x"}), ERROR),
        sse(chunk({"text": "x"})) + orjson.dumps(ERROR, option=orjson.OPT_INDENT_2) + b"\n",
    ],
)
def test_an_error_in_mid_stream_is_told_and_the_last(stream: bytes) -> None:
    for size in (1, 13, 10_000):
        events = read(stream, size)
        assert events[-1] == Failure("overloaded_error", "The model is overloaded.", code="UNAVAILABLE")
        assert [type(event) for event in events[:-1]] == [Start, BlockStart, TextDelta]


@pytest.mark.parametrize("stream", [b"data: nonsense\n\n", b"data: 7\n\n", b"[{x}]", b"data: [1]\n\n"])
def test_what_is_none_of_geminis_is_garbled(stream: bytes) -> None:
    failure = read(stream)[-1]
    assert isinstance(failure, Failure) and failure.code == "garbled"


def test_other_candidates_are_read_over() -> None:
    two = chunk({"text": "a"}, reason="STOP")
    two["candidates"].append({"content": {"parts": [{"text": "b"}]}, "index": 1, "finishReason": "STOP"})
    blocks, _ = strategies.said(read(sse(two)))
    assert blocks == [Text("a")]


def test_images_files_and_code_are_blocks_of_their_own() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    parts = (
        {"text": "a"},
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        {"thought": True, "inlineData": {"data": "x"}},
        code,
    )
    blocks, _ = strategies.said(read(sse(chunk(*parts, reason="STOP"))))
    assert blocks == [Text("a"), Media("image", "image/png", "AA=="), Foreign("gemini", "executableCode", code)]


# --- pieces of arguments --------------------------------------------------------------------------------------------


def pieces(*entries: Json, go_on: bool = True, **more: Any) -> Json:
    return {"functionCall": {"partialArgs": list(entries), **({"willContinue": True} if go_on else {}), **more}}


def test_arguments_in_pieces_are_put_together() -> None:
    stream = sse(
        chunk({"functionCall": {"name": "f", "id": "1", "willContinue": True}}),
        chunk(pieces({"jsonPath": "$.text", "stringValue": "Hel", "willContinue": True})),
        chunk(pieces({"jsonPath": "$.text", "stringValue": "lo"}, {"jsonPath": "$.list[1].n", "numberValue": 2.0})),
        chunk(pieces({"jsonPath": "$['a.b'][\"c\"]", "boolValue": True}, {"jsonPath": "$.no", "nullValue": None}, go_on=False)),
        chunk({"functionCall": {}}),
        chunk(pieces({"jsonPath": "$.x", "stringValue": "y"}, go_on=False, name="g")),
        chunk(reason="STOP"),
    )
    blocks, end = strategies.said(read(stream))
    assert [(block.name, orjson.loads(block.arguments)) for block in blocks if isinstance(block, ToolUse)] == [
        ("f", {"text": "Hello", "list": [None, {"n": 2}], "a.b": {"c": True}, "no": None}),
        ("g", {"x": "y"}),
    ]
    assert end is not None and end.stop == "tool_use"


def test_arguments_that_never_end_end_with_the_answer() -> None:
    going = chunk(pieces({"jsonPath": "$.a", "stringValue": "b", "willContinue": True}, name="f"))
    for last in (chunk({"text": "so"}, reason="STOP"), chunk(reason="STOP")):
        blocks, _ = strategies.said(read(sse(going, last)))
        assert isinstance(blocks[0], ToolUse) and blocks[0].arguments == '{"a":"b"}'


paths = st.sampled_from(
    ["$.a", "$.a.b", "$.a[0]", "$[0]", "$", "", "$.a[999999]", "$.a['x']", "$.a..b", "$x", "$.a[", "$.a[2].b"]
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"jsonPath": paths},
            optional={
                "stringValue": st.text(),
                "numberValue": st.floats(),
                "boolValue": strategies.json_values,
                "nullValue": st.none(),
                "willContinue": st.booleans(),
            },
        ),
        max_size=6,
    )
)
def test_pieces_of_any_kind_make_an_object(entries: list[Json]) -> None:
    events = read(sse(chunk(pieces(*entries, name="f")), chunk(reason="STOP")))
    for event in events:
        if isinstance(event, ArgumentsDelta):
            assert isinstance(orjson.loads(event.text), dict)
    assert isinstance(events[-1], End)


# --- citations ------------------------------------------------------------------------------------------------------

GROUNDING = {
    "webSearchQueries": ["a", "b"],
    "groundingChunks": [{"web": {"uri": "https://x", "title": "X"}}, {"retrievedContext": {"title": "F", "text": "cited"}}],
    "groundingSupports": [
        {"segment": {"startIndex": 2, "endIndex": 6, "text": "öö"}, "groundingChunkIndices": [0, 1, 9]},
        {"segment": {}, "groundingChunkIndices": [0]},
    ],
}


def test_grounding_becomes_citations_and_counted_searches() -> None:
    events = read(sse(chunk({"text": "äö"}), chunk({"text": "ö!"}, reason="STOP", groundingMetadata=GROUNDING)))
    assert [event.citation for event in events if isinstance(event, CitationDelta)] == [
        Citation(title="X", url="https://x", text_start=1, text_end=3),
        Citation(cited="cited", title="F", text_start=1, text_end=3),
        Citation(title="X", url="https://x"),
    ]
    end = events[-1]
    assert isinstance(end, End) and end.usage.web_search_requests == 2
    old = chunk({"text": "x"}, reason="STOP", groundingMetadata=GROUNDING) | {"modelVersion": "gemini-2.5-pro"}
    end = read(sse(old))[-1]
    assert isinstance(end, End) and end.usage.web_search_requests == 1  # billed by the answer, before Gemini 3


def test_recitation_is_cited() -> None:
    cited = {"citations": [{"startIndex": 0, "endIndex": 2, "uri": "https://x"}, {"endIndex": 1}]}
    events = read(sse(chunk({"text": "abc"}, reason="STOP", citationMetadata=cited)))
    assert [event.citation for event in events if isinstance(event, CitationDelta)] == [
        Citation(url="https://x", text_start=0, text_end=2)
    ]


# --- whole answers --------------------------------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "trafficType": "ON_DEMAND_PRIORITY"}
    body = chunk({"text": "a", "thought": True}, {"text": "b"}, call(args={"x": 1}), reason="STOP", usage=usage)
    body["createTime"] = "2026-11-21T00:00:00Z"
    answer = GEMINI_DIALECT.read_answer(body, "vertex")
    assert answer == Answer(
        "r1",
        "gemini-3-pro",
        (Thinking("a", sealed_by="gemini"), Text("b"), ToolUse("call_r1_1", "f", '{"x":1}')),
        "tool_use",
        Usage(5, 2, service_tier="priority"),
        created_s=1_795_219_200,
    )
    assert GEMINI_DIALECT.read_answer([body], "vertex") == answer  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [{}, [], {"candidates": []}, chunk({"text": "x"}), {"candidates": [{"content": None}]}])
def test_what_is_no_whole_answer_is_garbled(body: Any) -> None:
    failure = GEMINI_DIALECT.read_answer(body, "gemini")
    assert isinstance(failure, Failure) and failure.code == "garbled"


wild = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name", "args", "id",
             "inlineData",
             "finishReason", "usageMetadata", "promptTokenCount", "promptFeedback", "blockReason", "error", "groundingMetadata",
             "groundingSupports", "groundingChunks", "groundingChunkIndices", "segment", "citationMetadata", "webSearchQueries",
             "partialArgs", "index", "modelVersion", "responseId", "createTime", "details", "fileData", "mimeType"]
        ),
        inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given(st.lists(wild, max_size=4))
def test_whatever_comes_is_read_without_an_error_and_in_order(chunks: list[Any]) -> None:
    for events in (read(sse(*chunks)), read(array(*chunks))):
        started: set[int] = set()
        stopped: set[int] = set()
        for at, event in enumerate(events):
            if isinstance(event, Failure | End):
                assert at == len(events) - 1
            if isinstance(event, End):
                assert started == stopped
            if isinstance(event, BlockStart):
                assert event.index == len(started)
                started.add(event.index)
            elif isinstance(event, BlockStop):
                stopped.add(event.index)
    for one in chunks:
        GEMINI_DIALECT.read_answer(one, "gemini")


@given(st.binary(max_size=80))
def test_any_bytes_are_read_without_an_error(stream: bytes) -> None:
    read(stream, 3)
    read_error(500, stream)
