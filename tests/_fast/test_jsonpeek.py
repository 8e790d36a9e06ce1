"""The peek accepts exactly what is one JSON object, and finds what stands at its top level, as json.loads would."""

import json
import random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import jsonpeek as compiled
from tests._fast.peek_oracle import judge
from tests._fast.twins import PEEK, agree_on_peek, seen


def peek(text: str | bytes) -> dict[str, Any]:
    return agree_on_peek(text.encode() if isinstance(text, str) else text)


# -- what is found


def test_a_request_of_claude_code_is_read() -> None:
    user_id = json.dumps({"device_id": "a" * 64, "account_uuid": "", "session_id": "s"})
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = json.dumps(
        {
            "model": "claude-opus-5-5",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": mark}]}],
            "system": [{"type": "text", "text": "x", "cache_control": mark}],
            "metadata": {"user_id": user_id},
            "max_tokens": 128000,
            "stream": True,
            "speed": "fast",
            "service_tier": "auto",
        }
    )
    found = peek(body)
    assert body[found["model_start"] : found["model_end"]] == '"claude-opus-5-5"'
    assert found == {
        "error": "",
        "error_offset": 0,
        "model": "claude-opus-5-5",
        "model_start": 10,
        "model_end": 27,
        "stream": True,
        "max_tokens": 128000,
        "ttl": 60,
        "has_cache_control": True,
        "user_id": user_id,
        "speed": "fast",
        "service_tier": "auto",
        "key_count": 8,
    }


def test_an_empty_object_has_nothing() -> None:
    found = peek(" {} ")
    assert (found["error"], found["model"], found["max_tokens"], found["stream"], found["key_count"]) == ("", None, -1, False, 0)


def test_strings_that_look_alike_are_told_apart() -> None:
    """Those that were made last are kept, by their last bytes, and given again."""
    texts = [
        "a" * 20 + "same end",
        "b" * 20 + "same end",
        "é" * 10 + "same end",
        "same end",
        'x"\\same end',
        "",
        "b" * 511,
        "b" * 505,
    ]
    for text in [*texts, *reversed(texts)]:
        for _ in range(2):
            for ascii_only in (True, False):
                body = json.dumps({"model": "m" + text, "metadata": {"user_id": text}, "speed": text}, ensure_ascii=ascii_only)
                found = peek(body)
                assert (found["model"], found["user_id"], found["speed"]) == ("m" + text, text, text)


TTLS = [
    ('{"a":[{"cache_control":{}}]}', 5, True),
    ('{"a":[{"cache_control":{"ttl":"5m"}}]}', 5, True),
    ('{"a":[{"cache_control":{"type":"x","ttl":"1h"}}],"b":{"cache_control":{"ttl":"\\u0031h"}}}', 60, True),
    ('{"a":[{"cache_control":{"ttl":"1h"}},{"cache_control":{}}]}', 0, True),
    ('{"a":[{"cache_control":{"ttl":"5m"}},{"cache_control":{"ttl":"1h"}},{"cache_control":{"ttl":"5m"}}]}', 0, True),
    ('{"cache_control":{"ttl":"1h"}}', 60, True),
    ('{"cache\\u005fcontrol":{"ttl":"1h"}}', 60, True),
    ('{"cache_control":{"ttl":"2d"}}', 0, True),
    ('{"cache_control":{"ttl":60}}', 0, True),
    ('{"cache_control":{"ttl":null}}', 5, True),
    ('{"cache_control":null}', 0, False),
    ('{"a":[{"cache_control":null},{"ttl":"1h"}]}', 0, False),
    ('{"a":"cache_control","b":["cache_control",{"ttl":"1h"}]}', 0, False),
    ('{"a":{"type":"tool_use","input":{"cache_control":{"ttl":"1h"}}}}', 0, False),
    ('{"tools":[{"input_schema":{"properties":{"cache_control":{"type":"object"}}},"cache_control":{}}]}', 5, True),
    ('{"a":{"text":"{\\"cache_control\\":{\\"ttl\\":\\"1h\\"}}"}}', 0, False),
    ('{"cache_control":{"ttl":"1h","x":{"ttl":"5m","cache_control":{}}}}', 60, True),
]


@pytest.mark.parametrize(("body", "ttl", "has_cache_control"), TTLS)
def test_the_ttl_is_that_of_all_marks(body: str, ttl: int, has_cache_control: bool) -> None:
    found = peek(body)
    assert (found["error"], found["ttl"], found["has_cache_control"]) == ("", ttl, has_cache_control)
    judge(body.encode())


MEANING = [
    ('{"model":"a","model":"a"}', "duplicate_model", 20),
    ('{"model":"a","mod\\u0065l":"b"}', "duplicate_model", 25),
    ('{"stream":true,"stream":true}', "duplicate_stream", 23),
    ('{"max_tokens":1,"\\u006dax_tokens":1}', "duplicate_max_tokens", 33),
    ('{"model":""}', "bad_model", 9),
    ('{"model":null}', "bad_model", 9),
    ('{"model":["a"]}', "bad_model", 9),
    ('{"model":5}', "bad_model", 9),
    ('{"stream":"true"}', "bad_stream", 10),
    ('{"stream":1}', "bad_stream", 10),
    ('{"max_tokens":-1}', "bad_max_tokens", 14),
    ('{"max_tokens":-0}', "bad_max_tokens", 14),
    ('{"max_tokens":1.0}', "bad_max_tokens", 14),
    ('{"max_tokens":1e2}', "bad_max_tokens", 14),
    ('{"max_tokens":9223372036854775808}', "bad_max_tokens", 14),
    ('{"max_tokens":null}', "bad_max_tokens", 14),
    ('{"max_tokens":"1"}', "bad_max_tokens", 14),
    ('{"stream":1,"model":"a","model":"b"}', "bad_stream", 10),
]


@pytest.mark.parametrize(("body", "error", "offset"), MEANING)
def test_an_unusable_or_doubled_key_is_named(body: str, error: str, offset: int) -> None:
    found = peek(body)
    assert found["error"] == error
    assert found["error_offset"] == offset
    judge(body.encode())


@pytest.mark.parametrize(
    "body",
    ['{"x":{"model":"a","stream":3}, "model":"b"}', '{"stream":null}', '{"max_tokens":0}', '{"max_tokens":9223372036854775807}'],
)
def test_inner_and_allowed_values_are_no_errors(body: str) -> None:
    assert peek(body)["error"] == ""
    judge(body.encode())


BROKEN = [
    (b"", "invalid_json", 0),
    (b"  ", "invalid_json", 2),
    (b"[1]", "not_object", 0),
    (b' "a"', "not_object", 1),
    (b"12", "not_object", 0),
    (b"null", "not_object", 0),
    (b"nonsense", "not_object", 0),
    (b"xx", "invalid_json", 0),
    (b"\xef\xbb\xbf{}", "invalid_json", 0),
    (b"{", "invalid_json", 1),
    (b'{"a"', "invalid_json", 4),
    (b'{"a":}', "invalid_json", 5),
    (b'{"a":1,}', "invalid_json", 7),
    (b'{"a":[1,]}', "invalid_json", 8),
    (b'{"a":[1}', "invalid_json", 7),
    (b"{a:1}", "invalid_json", 1),
    (b"{'a':1}", "invalid_json", 1),
    (b'{"a":01}', "invalid_json", 6),
    (b'{"a":1.}', "invalid_json", 7),
    (b'{"a":.5}', "invalid_json", 5),
    (b'{"a":+1}', "invalid_json", 5),
    (b'{"a":1e}', "invalid_json", 7),
    (b'{"a":1e+}', "invalid_json", 8),
    (b'{"a":-}', "invalid_json", 6),
    (b'{"a":NaN}', "invalid_json", 5),
    (b'{"a":Infinity}', "invalid_json", 5),
    (b'{"a":-Infinity}', "invalid_json", 6),
    (b'{"a":tru}', "invalid_json", 8),
    (b'{"a":truex}', "invalid_json", 9),
    (b'{"a":"\n"}', "invalid_json", 6),
    (b'{"a":"\x00"}', "invalid_json", 6),
    (b'{"a":"\\x"}', "invalid_json", 7),
    (b'{"a":"\\u12g4"}', "invalid_json", 10),
    (b'{"a":"\xff"}', "invalid_json", 6),
    (b'{"a":"\xc0\x80"}', "invalid_json", 6),
    (b'{"a":"\xed\xa0\x80"}', "invalid_json", 7),
    (b'{"a":"\xf4\x90\x80\x80"}', "invalid_json", 7),
    (b'{"a":"\xe2\x82"}', "invalid_json", 8),
    (b'{"a":"\xe2\x82', "invalid_json", 8),
    (b"{} {}", "trailing_data", 3),
    (b"{}x", "trailing_data", 2),
    (b"{}\x00", "trailing_data", 2),
    (b'{"a":1 "b":2}', "invalid_json", 7),
    (b'{"a" 1}', "invalid_json", 5),
    (b'{"a":1/**/}', "invalid_json", 6),
    (b'{"model":1,"a":x}', "invalid_json", 15),
    (b'{"model":1}}', "trailing_data", 11),
    (b"\xc2\xa0{}", "invalid_json", 0),
]


@pytest.mark.parametrize(("body", "error", "offset"), BROKEN)
def test_what_is_not_one_object_is_refused(body: bytes, error: str, offset: int) -> None:
    found = peek(body)
    assert (found["error"], found["error_offset"]) == (error, offset)
    judge(body)


@pytest.mark.parametrize(
    "body", ['{"model":"\\ud800"}', '{"model":"\\udc00\\ud83d\\ude00\\ud83d"}', '{"model":"a\\/\\"\\\\\\b\\f\\n\\r\\t\\u00e9"}']
)
def test_escapes_are_undone_and_lone_surrogates_replaced(body: str) -> None:
    judge(body.encode())
    peek(body)["model"].encode()


@pytest.mark.parametrize(
    "body",
    [
        '{"metadata":{"user_id":"a"},"metadata":{}}',
        '{"metadata":{"user_id":"a"},"metadata":null}',
        '{"metadata":{"user_id":"a","user_id":5}}',
        '{"metadata":{"x":{"user_id":"a"}},"user_id":"b"}',
        '{"speed":"fast","speed":null,"service_tier":"auto","service_tier":1}',
    ],
)
def test_the_last_of_doubled_keys_that_are_allowed_counts(body: str) -> None:
    found = peek(body)
    assert (found["error"], found["user_id"], found["speed"], found["service_tier"]) == ("", None, "", "")
    judge(body.encode())


def test_depth_is_bounded() -> None:
    for depth, error in ((511, ""), (512, "invalid_json")):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            inner = opening * depth + ("1" if closing == "}" else "") + closing * depth
            assert peek(f'{{"a":{inner}}}')["error"] == error
    assert peek('{"a":' + "[" * 100_000)["error"] == "invalid_json"
    assert peek('{"a":' * 100_000)["error"] == "invalid_json"


def test_long_words_are_read_whole() -> None:
    for model in ("m" * 100_000, "é" * 1000, '"' * 300):
        for is_ascii in (True, False):
            body = json.dumps({"k" * 1000: 1, "model": model}, ensure_ascii=is_ascii).encode()
            assert peek(body)["model"] == model


@pytest.mark.parametrize("module", PEEK)
def test_only_bytes_are_taken(module: ModuleType) -> None:
    for body in ("{}", bytearray(b"{}"), None):
        with pytest.raises(TypeError):
            module.peek(body)


# -- properties

KEYS = st.sampled_from(
    [
        "model",
        "stream",
        "max_tokens",
        "metadata",
        "user_id",
        "cache_control",
        "ttl",
        "input",
        "input_schema",
        "speed",
        "service_tier",
        "x",
        "",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["5m", "1h", "a", "", "\ud800", "😀"]),
    st.text(max_size=20),
)


class Doubling(dict[str, Any]):
    """Dumps its pairs as they are, keys doubled or not."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__({"any": 1} if pairs else {})
        self.pairs = pairs

    def items(self) -> Any:
        return self.pairs


def values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        LEAVES,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(st.tuples(keys, inner), max_size=4).map(Doubling)),
        max_leaves=12,
    )


BODIES = st.builds(
    lambda pairs, ascii_only, indent: _dumps(Doubling(pairs), ascii_only, indent),
    st.lists(
        st.one_of(
            st.tuples(KEYS, values(KEYS)),
            st.tuples(st.just("model"), st.text(min_size=1, max_size=9)),
            st.tuples(st.just("stream"), st.booleans()),
            st.tuples(st.just("max_tokens"), st.integers(0, 2**63 - 1)),
        ),
        max_size=6,
    ),
    st.booleans(),
    st.sampled_from([None, 0, 1]),
)


def _dumps(value: Any, ascii_only: bool, indent: int | None) -> bytes:
    # `indent` takes the pure encoder, which asks items(); so does the default one given a class that is no plain dict.
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent).encode()


@settings(max_examples=300, deadline=None)
@given(BODIES)
def test_valid_bodies_are_read_as_json_loads_reads_them(body: bytes) -> None:
    judge(body)


@settings(max_examples=300, deadline=None)
@given(
    BODIES,
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.integers(0, 3),
            st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"{", b"}", b"\\", b"\\u", b",", b"0"])),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_broken_bodies_are_refused_as_json_loads_refuses_them(body: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, size, with_ in edits:
        at %= len(body) + 1
        body = body[:at] + with_ + body[at + size :]
    judge(body)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=20))
def test_any_string_content_is_judged_as_json_loads_judges_it(inside: bytes, before: bytes) -> None:
    judge(b'{"model":"' + inside + b'"}')
    judge(before + b"{}" + inside)


def test_every_alignment_of_a_special_byte_is_seen() -> None:
    """The scan takes sixteen bytes at a time: a quote, backslash, control or other byte counts at each place of them."""
    for size in range(70):
        for special in (b'"', b"\\n", b"\n", "é".encode(), b"\x80", b"\x1f", b"\x7f", b"\\u00e9"):
            for rest in (0, 1, 15, 40):
                judge(b'{"x":"' + b"a" * size + special + b"b" * rest + b'","model":"m"}')


def test_random_unicode_is_validated_like_the_codec() -> None:
    rnd = random.Random(7)
    for _ in range(3000):
        tail = bytes(rnd.choice([0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0x41]) for _ in range(rnd.randrange(4)))
        judge(b'{"x":"' + b"a" * rnd.randrange(20) + bytes((rnd.randrange(0x80, 0x100),)) + tail + b'"}')


def test_the_compiled_peek_does_not_keep_the_body() -> None:
    body = json.dumps({"model": "m" * 50}).encode()
    found = compiled.peek(body)
    del body
    assert seen(found)["model"] == "m" * 50
