"""Cutting bodies into slices: they are the body, they stay the same from call to call, and nothing hostile makes it slow."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.clock import mono_ns
from gw.content.slices import LONG, REST_SIZE, TOKENS_MAX, cut
from tests.content.session import CACHED, Talk
from tests.support.claims import allowed

LONG_TEXT = "a long text that is said " * 20


def body(*messages: dict[str, Any]) -> bytes:
    return json.dumps({"model": "m", "messages": messages, "max_tokens": 5}, separators=(",", ":")).encode()


def new(before: bytes, after: bytes) -> int:
    """Bytes of the slices of `after` that `before` does not have."""
    known = set(cut(before))
    return sum(len(one) for one in set(cut(after)) - known)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text() | st.just("cache_control"), inner, max_size=6),
    max_leaves=40,
)


@given(JSON, st.sampled_from([None, 1, "\t"]))
def test_the_slices_of_any_json_are_the_body(value: object, indent: Any) -> None:
    text = json.dumps({"system": value, "messages": [value, {"content": [value]}]}, indent=indent).encode()
    assert b"".join(cut(text)) == text


@given(st.binary(max_size=300) | st.lists(st.sampled_from(list(b'{}[]",:\\a \n')), max_size=300).map(bytes))
def test_the_slices_of_anything_are_the_body(text: bytes) -> None:
    found = cut(text)
    assert b"".join(found) == text and all(found)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'"',
        b'{"messages":[{"content":"' + b"x" * 500,
        b'{"messages":[{"a":1,"a":2,"a":[1e400,-0,123456789012345678901234567890]}]}',
        b"\xef\xbb\xbf \r\n{ } trailing",
        b'{"messages":"\\ud800\\' + b"\0" * 500 + b'"}',
    ],
)
def test_what_is_hardly_json_is_cut_all_the_same(text: bytes) -> None:
    assert b"".join(cut(text)) == text


def test_a_message_more_costs_that_message() -> None:
    one = {"role": "user", "content": LONG_TEXT}
    two = {"role": "assistant", "content": [{"type": "text", "text": LONG_TEXT + "!"}]}
    assert new(body(one), body(one, two)) < len(LONG_TEXT) + 100


@pytest.mark.parametrize("text", ["short", LONG_TEXT])
@pytest.mark.parametrize("kind", ["text", "tool_result"])
def test_a_cache_mark_that_moves_costs_nothing(text: str, kind: str) -> None:
    plain = {"role": "user", "content": [{"type": kind, "text": text}]}
    marked = {"role": "user", "content": [{"type": kind, "text": text, **CACHED}]}
    first = body(plain, marked)
    assert new(first, body(marked, plain)) == 0
    assert new(body(marked), body(plain)) <= len('{"type":"tool_result","text":') + 4  # how a short one ends


def test_a_cache_mark_in_front_is_cut_out_too() -> None:
    inner = {"type": "text", "text": LONG_TEXT}
    first, second = body({"role": "user", "content": [{**CACHED, **inner}]}), body({"role": "user", "content": [inner]})
    assert b'"cache_control":{"type":"ephemeral"},' in cut(first) and new(first, second) < 60


def test_a_text_that_becomes_a_list_of_blocks_costs_its_frame_only() -> None:
    first = body({"role": "user", "content": LONG_TEXT})
    second = body({"role": "user", "content": [{"type": "text", "text": LONG_TEXT, **CACHED}]})
    assert new(first, second) < 120


def test_another_top_level_value_costs_that_value_only() -> None:
    talk = json.loads(next(Talk().bodies(1)))
    before = json.dumps(talk).encode()
    talk["max_tokens"] = 64000
    assert new(before, json.dumps(talk).encode()) < 30


def test_ten_turns_later_little_is_new() -> None:
    bodies = list(Talk().bodies(60))
    assert all(new(before, after) < 6000 for before, after in pairwise(bodies))


def test_strings_from_long_on_are_slices_of_their_own() -> None:
    exact = "x" * (LONG - 2)
    assert f'"{exact}"'.encode() in cut(body({"role": "user", "content": exact}))
    assert f'"{exact[1:]}"'.encode() not in cut(body({"role": "user", "content": exact[1:]}))


HOSTILE = {
    "open brackets": b"[" * 30_000_000,
    "open braces": b'{"a":' * 6_000_000,
    "closed brackets": b"]" * 30_000_000,
    "empty elements": b'{"messages":[' + b"{}," * 10_000_000,
    "a string that never ends": b'{"messages":["' + b'\\"' * 15_000_000,
    "quotes": b'"' * 30_000_000,
    "blanks after strings": b'"a"' + b" " * 15_000_000 + b'"a"' + b" " * 15_000_000,
    "keys that move": b'{"messages":[{' + b'"cache_control":[' * 1_500_000,
    "NULs": b'{"messages":[' + b"\0" * 30_000_000,
    "one long text": b'{"messages":[{"content":"' + b"x" * 30_000_000 + b'"}]}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_thirty_hostile_megabytes_are_cut_soon(name: str) -> None:
    """In proportion to the tokens that are looked at: some 0.4 s each, where nobody else works."""
    before = mono_ns()
    found = cut(HOSTILE[name])
    assert mono_ns() - before < allowed(10e9)
    assert b"".join(found) == HOSTILE[name]
    assert len(found) < 2 * TOKENS_MAX


def test_beyond_the_tokens_that_are_looked_at_equal_beginnings_have_equal_slices() -> None:
    long = b"[" * (TOKENS_MAX + 10 * REST_SIZE)
    assert cut(long + b"x")[:-1] == cut(long + b"y" * 100)[: len(cut(long + b"x")) - 1]


def test_where_rules_are_to_be_applied_no_string_is_cut_in_two() -> None:
    text = b"[" * TOKENS_MAX + b'"' + b"x" * 10 * REST_SIZE + b'"'
    assert b'"' + b"x" * 10 * REST_SIZE + b'"' in cut(text, whole_strings=True)
