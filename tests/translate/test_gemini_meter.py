"""The meter beside a Gemini stream, and countTokens."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from google.genai import types
from hypothesis import given

from gw._fast import DONE, ERROR, FIRST_TOKEN, USAGE, Tap
from gw.errors import Refusal
from gw.translate.anthropic_events import EventWriter
from gw.translate.dialect import Entrance, Quirks
from gw.translate.form import Failure, Message, Request, Text, Tool
from gw.translate.gemini_count import read_count, read_count_answer, write_count, write_count_request
from gw.translate.gemini_meter import GeminiMeter
from gw.translate.gemini_stream import EventReader
from tests.translate.test_gemini_stream import ERROR as UNAVAILABLE
from tests.translate.test_gemini_stream import GROUNDING, RICH, array, call, chunk, read, sse, wild

ENTRANCE = Entrance("countTokens", "gemini-mine")
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "g02_reasoning3.sse"


def metered(stream: bytes, size: int = 1 << 30) -> tuple[Tap, int]:
    """The tap after the stream, and all news that it gave."""
    meter, tap, news = GeminiMeter("gemini"), Tap(), 0
    for at in range(0, len(stream), size):
        news |= tap.feed(meter.feed(stream[at : at + size]))
    return tap, news | tap.feed(meter.close())


def told(stream: bytes) -> Tap:
    """What the tap learns of the same stream when it is translated."""
    tap = Tap()
    tap.feed(EventWriter("").write(read(stream)))
    return tap


@pytest.mark.parametrize("stream", [sse(*RICH), sse(*RICH, eol=b"\r\n"), array(*RICH), GOLDEN.read_bytes()])
def test_the_meter_tells_what_a_translation_would(stream: bytes) -> None:
    expected = told(stream).found()
    for size in (1, 2, 50, 1 << 20):
        tap, news = metered(stream, size)
        found = tap.found()
        assert news == FIRST_TOKEN | DONE | USAGE
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "thinking_tokens",
            "model",
            "stop_reason",
            "text_bytes",
        ):
            assert getattr(found, name) == getattr(expected, name), name
        assert found.started and found.finished and found.final_usage and not found.garbled and not found.content_empty


def test_usage_is_known_before_the_stream_closes() -> None:
    meter, tap = GeminiMeter("gemini"), Tap()
    tap.feed(meter.feed(sse(*RICH[:-1])))
    assert tap.found().final_usage and not tap.found().finished
    tap.feed(meter.feed(sse(RICH[-1])))
    assert tap.found().output_tokens == 8
    assert tap.feed(meter.close()) == DONE and meter.feed(b"x") == meter.close() == b""


def test_a_stream_that_is_cut_off_is_not_finished() -> None:
    tap, news = metered(sse(*RICH[:3]))
    assert not news & DONE and tap.found().input_tokens == 6 and tap.found().text_bytes > 0


def test_a_whole_answer_is_metered_as_a_stream_of_one() -> None:
    body = orjson.dumps(chunk({"text": "x"}, call(), reason="STOP", usage={"promptTokenCount": 3, "candidatesTokenCount": 2}))
    for size in (1, 1000):
        tap, news = metered(body, size)
        found = tap.found()
        assert news & DONE and (found.input_tokens, found.output_tokens, found.stop_reason) == (3, 2, "tool_use")


def test_searches_and_errors_are_told() -> None:
    tap, _ = metered(sse(chunk({"text": "x"}, reason="STOP", groundingMetadata=GROUNDING)))
    assert tap.found().web_search_requests == 2
    tap, news = metered(sse(chunk({"text": "x"}), UNAVAILABLE))
    assert news & ERROR and tap.found().error_type == "overloaded_error"
    assert metered(b"data: no\n\n")[1] & ERROR


def test_an_answer_without_words_is_empty() -> None:
    tap, _ = metered(sse({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}))
    assert (tap.found().stop_reason, tap.found().content_empty, tap.found().input_tokens) == ("refusal", True, 3)


@given(wild)
def test_whatever_comes_is_metered_without_an_error(value: Any) -> None:
    for stream in (sse(value), array(value)):
        tap, _ = metered(stream)
        assert not tap.found().garbled
    EventReader("gemini").feed(sse(value))


# --- countTokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [{"parts": [{"text": "hi"}]}], "system_instruction": "Be."},
        {"generateContentRequest": {"model": "models/x", "contents": [{"parts": [{"text": "hi"}]}], "systemInstruction": "Be."}},
        {"generate_content_request": {"contents": [{"parts": [{"text": "hi"}]}], "systemInstruction": "Be."}},
    ],
)
def test_both_forms_of_a_count_are_read(body: Any) -> None:
    asked = read_count(body, ENTRANCE)
    assert (asked.messages, asked.system, asked.model) == ((Message("user", (Text("hi"),)),), (Text("Be."),), "gemini-mine")


def test_a_count_that_is_none_is_refused() -> None:
    with pytest.raises(Refusal):
        read_count({"generateContentRequest": 7}, ENTRANCE)


def test_a_count_is_answered_in_the_sdk_own_type() -> None:
    assert types.CountTokensResponse.model_validate(write_count(31)).total_tokens == 31


def test_a_count_is_asked_of_both_apis() -> None:
    tool = Tool("f", schema={"type": "object", "properties": {"a": {"type": "string"}}})
    asked = Request("anthropic", "gemini-3-pro", (Message("user", (Text("hi"),)),), (Text("Be."),), (tool,), max_tokens=9)
    vertex = write_count_request(asked, Quirks(), vertex=True)
    assert vertex.keys() == {"contents", "systemInstruction", "tools"}
    assert write_count_request(asked, Quirks(), vertex=False) == {
        "generateContentRequest": {"model": "models/gemini-3-pro", **vertex}
    }
    asked.system = asked.tools = ()
    assert write_count_request(asked, Quirks(), vertex=False).keys() == {"contents"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"totalTokens": 31, "promptTokensDetails": []}, 31),
        ({}, "garbled"),
        ({"totalTokens": "x"}, "garbled"),
        ({"error": {"code": 404, "message": "m", "status": "NOT_FOUND"}}, "NOT_FOUND"),
    ],
)
def test_the_answer_of_a_count(body: Any, expected: Any) -> None:
    found = read_count_answer(body)
    assert (found.code if isinstance(found, Failure) else found) == expected
