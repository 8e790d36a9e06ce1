"""Full-text search: both databases find the same calls."""

import json

import pytest

from gw.content.vault import ContentError
from tests.content.keeping import Store, content
from tests.content.session import stream_of


def body(*texts: str) -> bytes:
    messages = [{"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(texts)]
    return json.dumps({"messages": messages}).encode()


@pytest.fixture
def told(store: Store) -> Store:
    store.request("c1", body("please refund the credit card of Zoë"), started_us=1000)
    store.answer("c1", stream_of("the refund_policy.md says no"), started_us=1000)
    store.request("c2", body("please refund the credit card of Zoë", "no", "card credit, then"), started_us=2000)
    store.answer("c2", b'{"content":[{"type":"text","text":"invoices \\u6b8b\\u9ad8"}]}', started_us=2000)
    return store


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ("refund", ["c1"]),
        ("REFUND zoë", ["c1"]),
        ('"credit card"', ["c1"]),
        ("credit card", ["c2", "c1"]),
        ("invoi*", ["c2"]),
        ("invoi", []),
        ("refund_policy.md", ["c1"]),
        ('"policy refund"', []),
        ("残高", ["c2"]),
        ("echo", ["c1"]),
        ("absent", []),
        ("refund absent", []),
        ("'; DROP TABLE content_call; --", []),
        ('a" OR "b', []),
    ],
)
def test_finds_calls_in_which_it_was_said(told: Store, query: str, calls: list[str]) -> None:
    assert told.library.search(query, 10) == calls


def test_history_that_is_sent_again_is_not_said_again(told: Store) -> None:
    assert told.library.search("zoë", 10) == ["c1"]


def test_a_session_that_was_not_kept_before_is_indexed_from_its_beginning(told: Store) -> None:
    told.request("c3", body("early words", "an answer", "late words"), session_id="another")
    assert told.library.search("early", 10) == ["c3"]


def test_the_latest_first_and_within_a_time(told: Store) -> None:
    assert told.library.search("credit", 1) == ["c2"]
    assert told.library.search("credit", 9, until_us=2000) == ["c1"]
    assert told.library.search("credit", 9, since_us=1001) == ["c2"]


def test_a_query_without_words_is_an_error(told: Store) -> None:
    with pytest.raises(ValueError, match="word"):
        told.library.search("...", 5)


def test_nothing_is_found_before_anything_is_kept(store: Store) -> None:
    assert store.library.search("anything", 5) == []


def test_what_tools_answered_is_indexed_if_that_is_wanted(store: Store) -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "from the tool"}
    asked = json.dumps({"messages": [{"role": "user", "content": [result]}]}).encode()
    store.request("c1", asked)
    assert store.library.search("tool", 5) == []
    store.use(content(search_tool_results=True))
    store.request("c2", asked, session_id="s2")
    assert store.library.search("tool", 5) == ["c2"]


def test_search_that_is_off_says_so(store: Store) -> None:
    store.use(content(search=False))
    store.request("c1", body("said"))
    with pytest.raises(ContentError, match="not indexed"):
        store.library.search("said", 5)
    store.use(content())
    assert store.library.search("said", 5) == []


def test_long_texts_and_odd_words_are_indexed_as_far_as_they_go(store: Store) -> None:
    store.request("c1", body("first " + "word " * 200_000 + "last"))
    store.request("c2", body(" ".join(f"w{number}" for number in range(60_000))), session_id="s2")
    assert store.library.search("first", 5) == ["c1"] and store.library.search("last", 5) == []
    assert store.library.search("w30000", 5) == ["c2"]
