"""A filter means the same in both databases."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gw.ledger.glob import NEVER, regex_of
from gw.ledger.postgres import PostgresDatabase
from tests.support.databases import Server, query

texts = st.text(st.sampled_from("ab-[]^*?.\\$(|ü\n]{+"), max_size=7)


@pytest.fixture(scope="module")
def postgres(server: Server) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(server.fresh())
    yield database
    database.close()
    server.drop(database.url)


@settings(max_examples=300, deadline=None)
@given(glob=texts, words=st.lists(texts, min_size=1, max_size=8))
@example(glob="[]a-]", words=["]", "a", "-", "b"])
@example(glob="[^]a]*", words=["]x", "bx", "a"])
@example(glob="[b-a]", words=["a", "b", "-"])
@example(glob="[a", words=["a", "[a"])
@example(glob="[^]", words=["a", "^", ""])
def test_a_glob_matches_what_it_matches_in_sqlite(postgres: PostgresDatabase, glob: str, words: list[str]) -> None:
    words = [*words, glob, "a", "ab", ""]
    with closing(sqlite3.connect(":memory:")) as db:
        expected = [bool(db.execute("SELECT ? GLOB ?", (word, glob)).fetchone()[0]) for word in words]
    asked = ", ".join("?::text ~ ?::text" for _ in words)
    (found,) = query(postgres, f"SELECT {asked}", tuple(one for word in words for one in (word, regex_of(glob))))
    assert list(found) == expected


def test_a_set_that_never_ends_matches_nothing() -> None:
    assert regex_of("a[b") == NEVER
    assert regex_of("claude-*") == "^claude\\U0000002d.*$"
