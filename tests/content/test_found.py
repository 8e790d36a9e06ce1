"""Full-text search as a filter of the log: on both databases the same calls, narrowed by whose they are and when they were."""

import json

import pytest

from gw.config.model import SECONDS_MAX
from gw.content import found
from gw.content.found import LONGEST_US, TooMany, calls_that_said
from gw.content.vault import ContentError
from gw.ledger.log_filter import LogFilter, LogScope, parse
from tests.content.keeping import Store, content
from tests.content.session import stream_of
from tests.ledger.records import NOON_US

HOUR_US = 3_600_000_000


@pytest.fixture
def told(store: Store) -> Store:
    """Each by a key of its own, an hour apart."""
    for at, (key, team, text) in enumerate([("ada", "a", "refund it"), ("bob", "b", "refund them"), ("ada", "a", "keep it")]):
        whose = {"key_name": key, "key_id": f"id-{key}", "team": team, "session_id": f"s{at}"}
        began_us = NOON_US + at * HOUR_US
        body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
        store.request(f"c{at}", body, started_us=began_us, **whose)
        store.answer(f"c{at}", stream_of(f"answer {at}"), started_us=began_us, **whose)
    return store


def said(store: Store, text: str, query: dict[str, str] | None = None, until_us: int = NOON_US + 9 * HOUR_US) -> list[str]:
    return sorted(calls_that_said(store.library, text, parse(query or {}, NOON_US), until_us))


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ({}, ["c0", "c1"]),
        ({"key": "ada"}, ["c0"]),
        ({"key": "id-b*"}, ["c1"]),
        ({"key.not": "ada"}, ["c1"]),
        ({"team": "b,c"}, ["c1"]),
        ({"session": "s0"}, ["c0"]),
        ({"model": "none"}, ["c0", "c1"]),  # the log alone knows
        ({"started_at.gte": "2026-11-01T13:00:00Z"}, ["c1"]),
        ({"until": "2026-11-01T12:30:00Z"}, ["c0"]),
        ({"since": "2026-11-01T12:30:00Z"}, ["c0", "c1"]),  # for it may have ended later
        ({"since": "2026-11-09"}, []),
    ],
)
def test_what_conversations_know_of_themselves_narrows_the_search(told: Store, query: dict[str, str], calls: list[str]) -> None:
    assert said(told, "refund", query) == calls


def test_calls_that_came_after_the_first_page_are_on_none(told: Store) -> None:
    assert said(told, "refund", until_us=NOON_US) == ["c0"]


def test_more_than_can_be_held_against_the_log_is_an_error_of_those_alone_who_may_see_them(
    told: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found, "FOUND_MAX", 1)
    with pytest.raises(TooMany, match="more than 1 calls"):
        said(told, "refund")
    own = LogFilter().within(LogScope("key", "bob", "id-bob"))
    assert calls_that_said(told.library, "refund", own, NOON_US + 9 * HOUR_US) == ("c1",)


def test_nothing_is_found_before_anything_is_kept_and_nothing_is_said_where_nothing_is_indexed(store: Store) -> None:
    assert said(store, "refund") == []
    with pytest.raises(ValueError, match="word"):
        store.request("c0", b"{}")
        said(store, "...")
    store.use(content(search=False))
    with pytest.raises(ContentError, match="not indexed"):
        said(store, "refund")


def test_a_call_is_never_longer_than_the_search_looks_back(told: Store) -> None:
    """A configuration gives one attempt a day at most (gw.config.model)."""
    assert LONGEST_US > SECONDS_MAX * 1_000_000
    assert said(told, "refund", {"since": "2026-11-03T12:00:00Z"}) == ["c0", "c1"]
