"""The one pass says of a body what the peek and the scale say of it in two. That it does so of every body that their own tests
read is checked where those read it (twins.agree_on_peek, test_weigh.weigh); here is what only the two together can get wrong."""

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import peekweigh as compiled
from gw._fast.ref import jsonpeek, weigh
from tests._fast.peek_oracle import judge
from tests._fast.test_jsonpeek import Doubling
from tests._fast.twins import BOTH, PEEK, seen


def agree(body: bytes) -> Any:
    """By the pure twins, each alone."""
    found = compiled.peek_and_weigh(body)
    assert seen(found) == seen(jsonpeek.peek(body)), body
    assert found.weight == (None if found.error else weigh.weigh(body)), body
    return found


TTLS = [  # as written, its TTL, its bytes
    ("5m", 5, 2),
    ("1h", 60, 2),
    (r"\u0035m", 5, 2),
    (r"\u0031\u0068", 60, 2),
    (r"5m\u0000", 0, 3),
    (r"\n", 0, 1),
    ("", 0, 0),
    ("z" * 300, 0, 300),
    (r"\ud83d\ude00" * 70, 0, 420),  # of escaped surrogates each counts
]


@pytest.mark.parametrize(("text", "ttl", "size"), TTLS)
@pytest.mark.parametrize("outer", ["schema", "input_examples", "input", "source", "x"])
def test_a_string_is_read_for_one_and_counted_for_the_other(outer: str, text: str, ttl: int, size: int) -> None:
    """A TTL to the peek, which does not know that `schema` holds the client's own words; to the scale text, however long."""
    found = agree(f'{{"messages":[{{"{outer}":{{"cache_control":{{"ttl":"{text}"}}}}}}]}}'.encode())
    assert (found.has_cache_control, found.ttl) == ((False, 0) if outer == "input" else (True, ttl))
    own_words = outer in ("schema", "input_examples", "input")
    assert found.weight.ttl == (0 if own_words else ttl or 60)
    if own_words:
        assert found.weight.text_bytes == size + len("cache_control") + len("ttl") + 2 * 3 + 2 * 3


@pytest.mark.parametrize("module", BOTH)
def test_a_body_with_an_error_is_not_weighed(module: ModuleType) -> None:
    for body in (b"", b"[]", b"{", b"{} {}", b'{"a":\xff}', b'{"model":"a","model":"b"}', b'{"max_tokens":1.5}'):
        found = module.peek_and_weigh(body)
        assert found.error
        assert found.weight is None
    found = module.peek_and_weigh(b'{"model":"m","max_tokens":7,"messages":[{"content":"four"}]}')
    assert (found.error, found.model, found.weight.output_cap, found.weight.text_bytes) == ("", "m", 7, 4)


@pytest.mark.parametrize("module", BOTH)
def test_only_bytes_are_taken(module: ModuleType) -> None:
    for body in ("{}", bytearray(b"{}"), None):
        with pytest.raises(TypeError):
            module.peek_and_weigh(body)


@pytest.mark.parametrize("module", PEEK)
def test_the_peek_alone_has_no_weight(module: ModuleType) -> None:
    assert module.peek(b"{}").weight is None


# -- properties: keys of both, doubled or not, in bodies that are whole, cut, or have something else in the middle

KEYS = st.sampled_from([
    "model", "stream", "max_tokens", "metadata", "user_id", "cache_control", "ttl", "input", "input_schema", "schema", "speed",
    "service_tier", "messages", "system", "tools", "content", "text", "type", "source", "media_type", "data", "max_uses",
    "definition", "safeguards", "fallbacks", "mcp_servers", "context_management", "budget_tokens", "container", "x", "",
])  # fmt: skip
WORDS = st.sampled_from([
    "m", "", "5m", "1h", "base64", "image/png", "application/pdf", "url", "fast", "standard", "custom", "web_search_20250305",
    "compact_20260112", "z" * 300, "\ud800", "\U0001f600" * 30, '"\\\n', "a" * 63 + "\n", "漢" * 22,
])  # fmt: skip
LEAVES = st.one_of(WORDS, st.none(), st.booleans(), st.integers(-5, 2**64), st.sampled_from([1.5, 1e99]))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(st.tuples(KEYS, inner), max_size=4).map(Doubling)),
    max_leaves=20,
)
BODIES = st.builds(
    lambda pairs, ascii_only, indent: dumped(Doubling(pairs), ascii_only, indent),
    st.lists(st.tuples(KEYS, VALUES), max_size=6),
    st.booleans(),
    st.sampled_from([None, 0, 4]),
)


def dumped(value: Any, ascii_only: bool, indent: int | None) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent).encode()


@settings(max_examples=500, deadline=None)
@given(BODIES)
def test_one_pass_finds_what_two_find(body: bytes) -> None:
    agree(body)
    judge(body)


BYTES = st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"}", b"\\u", b","]))


@settings(max_examples=300, deadline=None)
@given(BODIES, st.integers(0, 500), st.integers(0, 3), BYTES)
def test_one_pass_refuses_what_two_refuse(body: bytes, at: int, size: int, with_: bytes) -> None:
    at %= len(body) + 1
    agree(body[:at])
    agree(body[:at] + with_ + body[at + size :])
