"""ConverseStream where it breaks: exceptions, damaged frames and garbage are a Failure, a Failure is an exception. And the
meter beside a stream that passes."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import DONE, Tap
from gw.translate.anthropic_events import EventWriter as AnthropicWriter
from gw.translate.converse_meter import ConverseMeter
from gw.translate.converse_writer import EventWriter, head
from gw.translate.form import BlockStart, Failure, Start, Text, TextDelta
from gw.wire.eventstream import encode, frame
from tests.translate.test_converse_stream import ASKED, METADATA, RECORDED, START, STOP, by_botocore, delta, frames, read


def raised(name: str, body: bytes = b'{"message":"slow down"}', kind: str = "exception") -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": kind}
    return encode(headers, body)  # type: ignore[arg-type]


KINDS = {
    "throttlingException": "rate_limit_error",
    "modelStreamErrorException": "api_error",
    "validationException": "invalid_request_error",
    "internalServerException": "api_error",
    "serviceUnavailableException": "overloaded_error",
    "modelTimeoutException": "timeout_error",
    "somethingElse": "api_error",
}


@pytest.mark.parametrize("name", KINDS)
def test_exceptions_end_the_stream(name: str) -> None:
    events = read(frames(START, delta(0, text="a")) + raised(name) + frames(STOP, METADATA))
    assert events[-1] == Failure(KINDS[name], "slow down", code=name)


def test_errors_without_a_shape() -> None:
    headers: Any = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "oops"}
    assert read(encode(headers, b"")) == [Failure("api_error", "oops", code="InternalFailure")]


def test_a_prompt_that_is_too_long_is_told_in_words_that_claude_code_acts_on() -> None:
    (failure,) = read(raised("validationException", b'{"message":"Input is too long for requested model."}'))
    assert isinstance(failure, Failure) and failure.message.startswith("prompt is too long: ")
    body = b'{"message":"The model returned the following errors: messages.1.role: Input should be ..."}'
    (failure,) = read(raised("validationException", body))
    assert isinstance(failure, Failure) and failure.message == "messages.1.role: Input should be ..."


GARBLED = {
    "a changed byte": RECORDED[:200] + bytes((RECORDED[200] ^ 1,)) + RECORDED[201:],
    "a frame cut short": RECORDED[:-5],
    "garbage": b"<html><body>Bad Gateway</body></html>",
    "json": b'{"message":"The security token is expired"}',
    "a frame of 4 GiB": b"\xff" * 40,
    "no json": frame(head("contentBlockDelta"), b"{"),
    "no object": frame(head("contentBlockDelta"), b"[1]"),
}


@pytest.mark.parametrize("name", GARBLED)
def test_what_cannot_be_read_is_a_failure(name: str) -> None:
    failure = read(GARBLED[name])[-1]
    assert isinstance(failure, Failure) and (failure.kind, failure.code) == ("api_error", "garbled")
    assert "cannot be read" in failure.message


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from((
        "contentBlockIndex", "delta", "start", "text", "toolUse", "toolUseId", "input", "reasoningContent", "signature", "usage",
        "stopReason", "citation", "location", "image", "toolResult", "serviceTier", "redactedContent", "type",
    )), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
kinds = st.sampled_from(
    ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "new")
)


@given(st.lists(st.tuples(kinds, st.dictionaries(st.text(max_size=3), anything) | anything), max_size=6))
def test_no_body_makes_the_reader_raise(bodies: list[tuple[str, Any]]) -> None:
    stream = b"".join(frame(head(kind), _dumped(body)) for kind, body in bodies)
    events = read(stream)
    EventWriter(ASKED).write(events)
    AnthropicWriter().write(events)


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return b"{}"


FAILURES = {
    "rate_limit_error": "throttlingException",
    "billing_error": "validationException",
    "overloaded_error": "serviceUnavailableException",
    "invalid_request_error": "validationException",
    "timeout_error": "modelStreamErrorException",
    "api_error": "internalServerException",
    "of tomorrow": "internalServerException",
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_written_as_an_exception_and_nothing_after_it(kind: str) -> None:
    writer = EventWriter(ASKED)
    opened = writer.write([Start("", ""), BlockStart(0, Text("")), TextDelta(0, "a")])
    told = writer.fail(Failure(kind, "why \ud800"))
    assert by_botocore(opened + told)[-1] == {FAILURES[kind]: {"message": "why ?"}}
    assert writer.fail(Failure(kind, "again")) == b"" == writer.write([TextDelta(0, "b")]) == writer.ping()


# --- the meter --------------------------------------------------------------------------------------------------------


def test_the_meter_tells_the_tap_of_a_stream_that_passes() -> None:
    for size in (1, 7, len(RECORDED)):
        meter, tap = ConverseMeter("claude-x"), Tap()
        flags = 0
        for at in range(0, len(RECORDED), size):
            flags |= tap.feed(meter.feed(RECORDED[at : at + size]))
        flags |= tap.feed(meter.close())
        found = tap.found()
        assert (found.input_tokens, found.output_tokens, found.model, found.stop_reason) == (22, 55, "claude-x", "end_turn")
        assert flags & DONE and found.final_usage and not found.garbled and found.text_bytes > 50


def test_the_meter_tells_of_errors() -> None:
    meter, tap = ConverseMeter(), Tap()
    tap.feed(meter.feed(frames(START) + raised("throttlingException")))
    assert tap.found().error_type == "rate_limit_error"
