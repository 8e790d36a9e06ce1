"""A whole message or error body is read by the same rules as a stream; anything else is marked, never raised."""

import json
import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests._fast import oracle
from tests._fast.twins import USAGE, agree_on_body, named


def message(**fields: Any) -> bytes:
    return json.dumps(
        {"type": "message", "id": "msg_1", "model": "claude-opus-5-5", "stop_reason": "end_turn", **fields}
    ).encode()


def shown(body: bytes, request_ttl: int = 0) -> dict[str, Any]:
    return named(agree_on_body(body, request_ttl))


def test_a_message_is_read() -> None:
    usage = {
        "input_tokens": 11,
        "output_tokens": 333,
        "cache_read_input_tokens": 70001,
        "cache_creation_input_tokens": 8347,
        "cache_creation": {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 7891},
        "service_tier": "standard",
        "output_tokens_details": {"thinking_tokens": 12},
        "inference_geo": "us",
        "speed": "fast",
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 3, "code_execution_requests": 4},
        "iterations": [{"type": "compaction", "input_tokens": 1}],
    }
    assert shown(message(usage=usage, content=[{"type": "text", "text": "hi"}])) == {
        "input": 11,
        "output": 333,
        "cache_read": 70001,
        "write_5m": 456,
        "write_1h": 7891,
        "thinking": 12,
        "search": 2,
        "fetch": 3,
        "code": 4,
        "tier": "standard",
        "speed": "fast",
        "geo": "us",
        "iterations": (("compaction", "", 1, 0, 0, 0, 0, 0),),
        "ttl_assumed": False,
        "started": True,
        "finished": True,
        "final_usage": True,
        "model": "claude-opus-5-5",
        "message_id": "msg_1",
        "stop_reason": "end_turn",
        "content_empty": False,
        "text_bytes": 0,
        "error_type": "",
        "garbled": False,
    }


CONTENT = [
    ([], True),
    ([{"type": "text", "text": ""}], True),
    ([{"type": "text", "text": ""}, {"type": "fallback", "to": {"model": "m"}}], True),
    ([{"type": "text", "text": ""}, {"text": "a", "type": "text"}], False),
    ([{"type": "fallback", "text": "x"}, {"type": "text", "text": ""}], True),
    ([{"type": "thinking", "thinking": "", "signature": ""}], True),
    ([{"type": "thinking", "thinking": "", "signature": "c2ln"}], False),
    ([{"type": "tool_use", "id": "t", "name": "n", "input": {}}], False),
    ([{"type": "tool_use", "input": {"type": "text", "text": "x"}}, {"type": "text", "text": ""}], False),
]


@pytest.mark.parametrize(("content", "is_empty"), CONTENT)
def test_content_is_told_from_empty_blocks(content: list[Any], is_empty: bool) -> None:
    assert shown(message(content=content, stop_reason="refusal", usage={"output_tokens": 0}))["content_empty"] is is_empty


def test_the_request_ttl_serves_where_there_is_no_split() -> None:
    body = message(usage={"cache_creation_input_tokens": 9, "output_tokens": 1})
    assert [shown(body, ttl)["write_1h"] for ttl in (0, 5, 60)] == [0, 0, 9]
    assert shown(body, 60)["ttl_assumed"] is True


def test_an_error_body_is_no_message() -> None:
    found = shown(b'{"type":"error","error":{"type":"rate_limit_error","message":"usage"},"request_id":"r"}')
    assert (found["error_type"], found["started"], found["finished"], found["garbled"]) == (
        "rate_limit_error",
        False,
        False,
        False,
    )


def test_a_message_without_its_type_is_known_by_its_usage() -> None:
    found = shown(b'{"model":"m","usage":{"output_tokens":3}}')
    assert (found["output"], found["finished"], found["garbled"]) == (3, True, False)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"type":"message"', b'{"data":[]}', b'{"input_tokens":4}', b"\xff\xfe{}", b"null"]
)
def test_what_is_no_message_is_marked(body: bytes) -> None:
    found = shown(body)
    assert (found["garbled"], found["finished"]) == (True, False)


def test_data_after_the_message_is_marked_and_the_message_read() -> None:
    found = shown(message(usage={"output_tokens": 3}) + b" {}")
    assert (found["output"], found["garbled"]) == (3, True)


@settings(max_examples=200, deadline=None)
@given(oracle.usages(oracle.COUNTS), oracle.NAMES, st.sampled_from([0, 5, 60]), st.booleans())
def test_usage_is_what_an_oracle_says(usage: dict[str, Any], model: Any, request_ttl: int, is_ascii: bool) -> None:
    judge = oracle.Oracle(request_ttl)
    judge.event({"type": "message_start", "message": {"model": model, "usage": usage}})
    try:
        body = json.dumps({"type": "message", "model": model, "usage": usage}, ensure_ascii=is_ascii).encode()
    except UnicodeEncodeError:
        body = json.dumps({"type": "message", "model": model, "usage": usage}).encode()
    found = shown(body, request_ttl)
    final = judge.integer(usage.get("output_tokens")) is not None
    assert found == judge.fields() | {"finished": True, "final_usage": final, "text_bytes": 0}


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_and_both_agree(body: bytes) -> None:
    agree_on_body(body)


FOUND = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "thinking_tokens",
    "web_search_requests", "web_fetch_requests", "code_execution_requests", "service_tier", "speed", "inference_geo",
    "iterations", "ttl_assumed", "started", "finished", "final_usage", "model", "message_id", "stop_reason", "content_empty",
    "text_bytes", "error_type", "garbled",
)  # fmt: skip
COUNTS = FOUND[:9]
FULL = {
    "input_tokens": 1,
    "output_tokens": 2,
    "cache_read_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
    "output_tokens_details": {"thinking_tokens": 6},
    "server_tool_use": {"web_search_requests": 7, "web_fetch_requests": 8, "code_execution_requests": 9},
    "service_tier": "standard",
    "speed": "fast",
    "inference_geo": "us",
    "iterations": [{"type": "message", "input_tokens": 1}],
}


@pytest.mark.parametrize("module", USAGE)
@pytest.mark.parametrize("body", [message(usage=FULL), b'{"type":"error","error":{"type":"overloaded_error"}}', b"<html>"])
def test_what_is_found_has_names(module: ModuleType, body: bytes) -> None:
    found = module.found_in(body, 60)
    assert tuple(getattr(found, name) for name in FOUND) == found.fields() == module.read_message(body, 60)
    assert [type(value) for value in found.fields()] == [type(value) for value in agree_on_body(body, 60)]
    tap = module.Tap(5)
    tap.feed(b"data: %b\n\n" % body)
    assert tap.found().fields() == tap.reading()


@pytest.mark.parametrize("module", USAGE)
def test_counts_beyond_a_cap_are_cut_and_marked(module: ModuleType) -> None:
    for most in (0, 1, 3, 7, 15, 31):
        found = module.found_in(message(usage=FULL), 0)
        wanted = {name: min(getattr(found, name), most) for name in COUNTS}
        over = max(getattr(found, name) for name in COUNTS) > most
        assert found.cap(most) is over
        assert {name: getattr(found, name) for name in COUNTS} == wanted
        assert (found.final_usage, found.garbled) == (not over, over)
        assert found.cap(most) is False
    found = module.found_in(message(usage={"output_tokens": 2**63 - 1}), 0)
    assert found.cap(2**27 - 1) and found.output_tokens == 2**27 - 1


@pytest.mark.parametrize("name", ["model", "stop_reason", "service_tier"])
def test_texts_of_one_size_are_told_apart(name: str) -> None:
    """Those that were made last are kept and given again."""
    for text in (
        "aaaa",
        "bbbb",
        "aaaa",
        "éé",
        "字x",
        "aaaa",
        "bbb",
        "\x00\x00\x00\x00",
        "a" * 12,
        "😀",
        "x" * 256,
        "y" * 256,
    ):
        fields = {"usage": {"service_tier": text}} if name == "service_tier" else {name: text}
        for _ in range(2):
            assert shown(message(**fields))["tier" if name == "service_tier" else name] == text


@pytest.mark.parametrize("module", USAGE)
def test_only_bytes_are_taken(module: ModuleType) -> None:
    for other in ("{}", None, bytearray(b"{}")):
        with pytest.raises(TypeError):
            module.read_message(other)
        with pytest.raises(TypeError):
            module.found_in(other, 0)
    with pytest.raises(ValueError, match="0, 5 or 60"):
        module.found_in(b"{}", 7)


@pytest.mark.parametrize(("choice", "home"), [("0", "gw._fast.ref.usage"), ("1", "gw._fast.usage")])
def test_the_environment_chooses_the_implementation(choice: str, home: str) -> None:
    script = "import gw._fast as fast; print(fast.Tap.__module__, fast.read_message(b'{}')[-1], fast.peek(b'{}').error == '')"
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"GW_FAST": choice}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [home, "True", "True"]
