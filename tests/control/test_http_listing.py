"""Pages of lists: what is in them, in which order, and that they fit together whatever comes and goes between them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX, Column, Entry, page, read
from gw.control.problem import Problem

COLUMNS = (
    Column("name", "text", searched=True),
    Column("team", "text", filtered=True, searched=True),
    Column("limit_usd", "money"),
    Column("mode", "text", choices=("hard", "soft"), filtered=True),
    Column("active", "bool", filtered=True),
    Column("count", "number"),
)


def entry(name: str, **more: Any) -> Entry:
    return {"name": name, "team": "", "limit_usd": "", "mode": "hard", "active": True, "count": 0, **more}


def listed(entries: list[Entry], **query: str) -> list[str]:
    return [one["name"] for one in page(entries, read(query, COLUMNS), COLUMNS).entries]


ENTRIES = [
    entry("b", team="Core", limit_usd="9", count=2),
    entry("a", team="infra", limit_usd="10", mode="soft", count=10),
    entry("C", team="core", active=False, limit_usd="0.000000001", count=1),
    entry("d"),
]

ORDERS = [
    ({}, ["a", "b", "C", "d"]),
    ({"sort": "-name"}, ["d", "C", "b", "a"]),
    ({"sort": "limit_usd"}, ["C", "b", "a", "d"]),
    ({"sort": "-count"}, ["a", "b", "C", "d"]),
    ({"sort": "team"}, ["C", "b", "a", "d"]),
    ({"sort": "active"}, ["C", "a", "b", "d"]),
    ({"q": "CORE"}, ["b", "C"]),
    ({"q": "a"}, ["a"]),
    ({"q": "nothing"}, []),
    ({"team": "core"}, ["C"]),
    ({"team": ""}, ["d"]),
    ({"mode": "hard", "active": "true"}, ["b", "d"]),
    ({"limit": "2"}, ["a", "b"]),
]


@pytest.mark.parametrize(("query", "names"), ORDERS, ids=lambda value: str(value))
def test_a_list_is_searched_filtered_and_sorted(query: dict[str, str], names: list[str]) -> None:
    assert listed(ENTRIES, **query) == names


WRONG = [
    ({"limit": "0"}, "limit", "1 to 500"),
    ({"limit": "501"}, "limit", "1 to 500"),
    ({"limit": "-1"}, "limit", "1 to 500"),
    ({"limit": "many"}, "limit", "1 to 500"),
    ({"limit": ""}, "limit", "1 to 500"),
    ({"limit": "٣"}, "limit", "1 to 500"),
    ({"limit": "9" * 5000}, "limit", "1 to 500"),
    ({"sort": "nmae"}, "sort", 'did you mean "name"?'),
    ({"sort": "--name"}, "sort", "must be one of"),
    ({"sort": ""}, "sort", "must be one of"),
    ({"mode": "hrad"}, "mode", 'did you mean "hard"?'),
    ({"active": "yes"}, "active", "true or false"),
    ({"q": "x" * 201}, "q", "longer than 200"),
    ({"cursor": "nonsense"}, "cursor", "is none that this list has given"),
    ({"cursor": "é"}, "cursor", "is none that this list has given"),
    ({"cursor": "A" * 100_000}, "cursor", "is none that this list has given"),
]


@pytest.mark.parametrize(("query", "field", "said"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_query_is_refused_by_name(query: dict[str, str], field: str, said: str) -> None:
    with pytest.raises(Problem) as raised:
        read(query, COLUMNS)
    (error,) = raised.value.errors
    assert raised.value.slug == "invalid" and error.where == "query" and error.field == field and said in error.message


def test_a_cursor_is_for_the_order_it_was_given_for() -> None:
    cursor = page(ENTRIES, read({"limit": "1"}, COLUMNS), COLUMNS).next_cursor
    assert cursor
    assert listed(ENTRIES, cursor=cursor) == ["b", "C", "d"]
    for other in ("-name", "count", "team"):
        with pytest.raises(Problem):
            read({"cursor": cursor, "sort": other}, COLUMNS)


def test_a_list_is_bounded_without_being_asked() -> None:
    many = [entry(f"n{at:04}") for at in range(LIMIT_MAX + 1)]
    found = page(many, read({}, COLUMNS), COLUMNS)
    assert len(found.entries) == LIMIT_DEFAULT and found.total == len(many) and found.next_cursor


MONEY = st.sampled_from(["", "0", "1", "1.5", "10", "9.999999999"])
NAMES = st.text("abAB/ é", min_size=1, max_size=3)
MANY = st.dictionaries(NAMES, st.tuples(MONEY, st.integers(0, 3)), max_size=12)


@given(
    before=MANY,
    added=MANY,
    removed=st.sets(NAMES),
    limit=st.integers(1, 4),
    sort=st.sampled_from(["name", "-name", "limit_usd", "-count"]),
)
def test_pages_fit_together_whatever_comes_and_goes_between_them(
    before: dict[str, tuple[str, int]], added: dict[str, tuple[str, int]], removed: set[str], limit: int, sort: str
) -> None:
    """What was there all the time is seen exactly once; nothing is seen twice."""
    now = {name: entry(name, limit_usd=money, count=count) for name, (money, count) in before.items()}
    seen: list[str] = []
    query = {"sort": sort, "limit": str(limit)}
    for turn in range(40):
        found = page(now.values(), read(query, COLUMNS), COLUMNS)
        seen += [one["name"] for one in found.entries]
        if found.next_cursor is None:
            break
        query["cursor"] = found.next_cursor
        if turn == 0:
            more = {name: entry(name, limit_usd=money, count=count) for name, (money, count) in added.items() if name not in now}
            now = {name: one for name, one in {**now, **more}.items() if name not in removed}
    else:
        pytest.fail("the pages never end")
    stayed = set(before) - removed
    assert stayed <= set(seen)
    assert len(seen) == len(set(seen))
