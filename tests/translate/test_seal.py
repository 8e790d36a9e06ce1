"""The envelopes for what upstreams want back."""

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.translate.anthropic_ask import write_request
from gw.translate.anthropic_request import read_request
from gw.translate.dialect import Entrance, Quirks
from gw.translate.seal import SIGNATURE_CHARS_MAX, may_hold_sealed, seal_id, sealed, unseal, unseal_id
from tests.translate.strategies import base64s

ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
SIGNATURES = base64s | ANY | st.just("")
LIKE_OURS = st.from_regex(r"a_gw[a-d]\d{1,3}", fullmatch=True)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,40}", fullmatch=True) | ANY.filter(bool) | LIKE_OURS


@given(st.sampled_from(("", "chat", "gemini", "responses", "anthropic", "a.b")), SIGNATURES, SIGNATURES)
def test_any_signature_comes_back_as_it_was(dialect: str, signature: str, id: str) -> None:
    assert unseal(sealed(dialect, signature, id)) == (dialect, signature, id)


@given(base64s)
def test_what_anthropic_signed_passes_untouched(signature: str) -> None:
    assert sealed("anthropic", signature) == signature
    assert unseal(signature) == ("anthropic", signature, "")


@pytest.mark.parametrize("text", ["", "gw1.", "gw1.a.b", "gw1.a.b.c.d", "gw1.a.~é.c", "gw1.a.~_w.c", "gw1.~.~.~x"])
def test_a_damaged_envelope_is_nobodys(text: str) -> None:
    assert unseal(text) == ("", "", "")


@given(IDS, SIGNATURES)
def test_an_id_and_its_signature_come_back_as_they_were(id: str, signature: str) -> None:
    made = seal_id(id, signature)
    assert unseal_id(made) == (id, signature)
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", made)


@given(st.from_regex(r"toolu_[a-zA-Z0-9]{20,24}", fullmatch=True))
def test_an_ordinary_id_is_itself(id: str) -> None:
    assert seal_id(id) == id
    assert unseal_id(id) == (id, "")


def test_an_id_never_grows_without_bound() -> None:
    assert seal_id("toolu_1", "A" * (SIGNATURE_CHARS_MAX + 1)) == "toolu_1"
    assert len(seal_id("toolu_1", "A" * SIGNATURE_CHARS_MAX)) < SIGNATURE_CHARS_MAX + 20


def test_a_request_with_anothers_thoughts_goes_to_anthropic_without_them() -> None:
    thoughts = [{"type": "thinking", "thinking": "t", "signature": sealed(by, "c2ln")} for by in ("responses", "anthropic")]
    call = {"type": "tool_use", "id": seal_id("functions.a:0", "Es=="), "name": "a", "input": {}}
    result = {"type": "tool_result", "tool_use_id": call["id"]}
    turns = [("user", "hi"), ("assistant", [*thoughts, call]), ("user", [result])]
    body = {"model": "claude-opus-5-5", "messages": [{"role": role, "content": content} for role, content in turns]}
    assert may_hold_sealed(orjson.dumps(body))
    again = write_request(read_request(body, Entrance("messages")), Quirks())
    assert not may_hold_sealed(orjson.dumps(again))
    thought, use = again["messages"][1]["content"]
    assert thought == thoughts[1]
    assert use["id"] == again["messages"][2]["content"][0]["tool_use_id"]


@given(ANY)
def test_any_text_can_be_unsealed(text: str) -> None:
    unseal(text)
    unseal("gw1." + text)
    unseal_id(text)
    unseal_id(text + "_gwa3")
    unseal_id(text + "_gwd4")
