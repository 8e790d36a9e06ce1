"""The grammar of filters: what each parameter means, and what is refused by its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.ledger.log_filter import PARAMETERS, FilterError, LogFilter, Text, escaped, parse, split
from tests.ledger.records import NOON_US

DAY_US = 86_400_000_000


def condition(name: str, text: str) -> tuple[str, str, tuple[object, ...]]:
    """(column, operator, values), texts as their parts."""
    (one,) = parse({name: text}, NOON_US).conditions
    return one.column.name, one.operator, tuple(value.parts if isinstance(value, Text) else value for value in one.values)


READ = [
    ("team", "a,b", ("team", "in", (("a",), ("b",)))),
    ("project", "", ("project", "in", (("",),))),
    ("team.not", "a", ("team", "not", (("a",),))),
    ("model", "claude-*-5?", ("model", "in", (("claude-", "*", "-5", "?", ""),))),
    ("team", r"a\,b,\*,\\", ("team", "in", (("a,b",), ("*",), ("\\",)))),
    ("session", "5e55*", ("session_id", "in", (("5e55", "*", ""),))),
    ("status.gte", "400", ("status", "gte", (400,))),
    ("status", "429, 529", ("status", "in", (429, 529))),
    ("cost_usd.gte", "0.5", ("billed_usd", "gte", (5 * 10**11,))),
    ("billed_usd.lt", "0.000000000001", ("billed_usd", "lt", (1,))),
    ("at_most_usd", "1", ("at_most_usd", "in", (10**12,))),
    ("started_at.gt", "2026-11-01T12:00:00Z", ("started_at", "gt", (NOON_US,))),
    ("started_at.gt", "2026-11-01T13:00:00+01:00", ("started_at", "gt", (NOON_US,))),
    ("started_at.gt", "2026-11-01T13:00:00 01:00", ("started_at", "gt", (NOON_US,))),  # a form's + is a blank
    ("since", "1d", ("ended_at", "gte", (NOON_US - DAY_US,))),
    ("until", "2026-11-01 12:00:00", ("ended_at", "lt", (NOON_US,))),
    ("stream", "true", ("stream", "in", (True,))),
    ("unpriced.not", "true", ("unpriced", "not", (True,))),
    ("duration_ms.lte", "1500", ("duration_ms", "lte", (1500,))),
]


@pytest.mark.parametrize(("name", "text", "expected"), READ, ids=[f"{name}={text}" for name, text, _ in READ])
def test_a_parameter_means(name: str, text: str, expected: object) -> None:
    assert condition(name, text) == expected


REFUSED = [
    ("status.gte", "many", "a whole number"),
    ("status.gte", "1,2", "one value"),
    ("status", "99999999999999999999", "a whole number"),
    ("billed_usd.gte", "1e3", "an amount in USD"),
    ("billed_usd.gte", "0.0000000000001", "an amount in USD"),
    ("billed_usd.gte", "99999999999", "an amount in USD"),
    ("stream", "yes", "true or false"),
    ("since", "yesterday", "a moment"),
    ("until", "0001-01-01T00:00:00+24:00", "a moment"),
    ("team", "a\0", "NUL"),
    ("team", ",".join("a" * 101), "at most 100 values"),
    ("team", "x" * 501, "500 characters"),
    ("q", "x" * 201, "200 characters"),
]


@pytest.mark.parametrize(("name", "text", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_read_is_named(name: str, text: str, said: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse({name: text, "not a filter": "x"}, NOON_US)
    ((where, message),) = refused.value.wrong
    assert where == name and said in message


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(FilterError) as refused:
        parse({"status": "x", "since": "x", "team": "fine"}, NOON_US)
    assert [name for name, _ in refused.value.wrong] == ["status", "since"]


def test_ranges_are_for_what_has_an_order() -> None:
    assert "status.gte" in PARAMETERS and "started_at.lt" in PARAMETERS and "tokens.gt" in PARAMETERS
    assert "team.gte" not in PARAMETERS and "stream.lt" not in PARAMETERS and "stream.not" in PARAMETERS
    assert parse({}, NOON_US) == LogFilter()


@given(st.text(alphabet="ab,*?\\", max_size=12))
def test_an_escaped_text_means_itself(text: str) -> None:
    assert list(split(escaped(text))) == [Text((text,))]
