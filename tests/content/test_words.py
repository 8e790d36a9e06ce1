"""What is indexed of a conversation, and what a search asks for."""

import json
from typing import Any

import pytest

from gw.content.words import TERMS_MAX, parsed, query, said, words


def body(*messages: Any) -> bytes:
    return json.dumps({"messages": messages}).encode()


TALK = (
    {"role": "user", "content": "first question"},
    {"role": "assistant", "content": [{"type": "text", "text": "first answer"}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "content": [{"type": "text", "text": "a file"}]},
            {"type": "text", "text": "and now"},
        ],
    },
    {"role": "system", "content": "a note"},
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Gw_Budget.py, line 12!", "gw budget py line 12"),
        ("Größe ÉTÉ Москва", "größe été москва"),
        ("残高確認 ok カード", "残 高 確 認 ok カ ー ド"),
        ("a\0b\ud800c", "a b c"),
        ("x" * 65 + " " + "y" * 64, "y" * 64),
        ("…!?", ""),
    ],
)
def test_words(text: str, found: str) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('refund "credit card" invoi*', [(["refund"], False), (["credit", "card"], False), (["invoi"], True)]),
        ("gw_budget.py", [(["gw", "budget", "py"], False)]),
        ('") OR (a:*', [(["or"], False), (["a"], True)]),
        ("' & ! <->", None),
        ("", None),
    ],
)
def test_queries(text: str, terms: Any) -> None:
    if terms is None:
        with pytest.raises(ValueError, match="a word to look for"):
            query(text)
    else:
        assert query(text).terms == terms


def test_a_query_has_a_bounded_number_of_terms() -> None:
    with pytest.raises(ValueError, match="at most"):
        query("a " * (TERMS_MAX + 1))


def test_new_in_a_request_is_what_was_said_since_the_last_answer() -> None:
    assert said(body(*TALK), tool_results=False, whole=False) == "and now"
    assert said(body(*TALK), tool_results=True, whole=False) == "a file\nand now"
    assert said(body(*TALK), tool_results=False, whole=True) == "first question\nfirst answer\nand now"


def test_inputs_of_tools_are_words_too() -> None:
    used = {"role": "assistant", "content": [{"type": "tool_use", "input": {"command": "rm -rf", "deep": [{"er": "here"}]}}]}
    assert said(body(used), tool_results=False, whole=True) == "rm -rf\nhere"


@pytest.mark.parametrize(
    "odd", [b"", b"[]", b'{"messages":5}', b'{"messages":[5,{"role":["user"]},{"role":"user","content":[5,{}]}]}']
)
def test_what_is_no_request_says_nothing(odd: bytes) -> None:
    assert said(odd, tool_results=True, whole=True) == ""


def test_what_a_strict_reader_refuses_is_read_all_the_same() -> None:
    assert said(b'{"messages":[{"role":"user","content":"half \\ud800 a pair\x01"}]}', tool_results=False, whole=True)
    assert parsed(b"[" * 100_000) is None
