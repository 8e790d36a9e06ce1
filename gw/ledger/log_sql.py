"""A filter of the log as SQL, and where an index can find its calls. Pure.

A condition becomes a `Term`: what must hold of a row, and, if indexes know it, the places where its rows can be looked up: they
are found by any of them. `gw.ledger.log_plan` decides which terms are looked up, and which are tested on the rows found so.
"""

from typing import Any, NamedTuple

from gw.ledger.log_columns import DURATION, MODEL, TOKENS, Column
from gw.ledger.log_filter import Condition, Text, in_words
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.store import Dialect

Values = tuple[Any, ...]
LAST = "\U0010ffff"  # in the order of bytes nothing that begins with a text comes after it and this
COMPARE = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


class Index(NamedTuple):
    """Of the migrations up to 0021_magnitudes.sql. `only`: the condition of a partial one, which must be said with each use.
    `timed`: the calls of one value stand in the order in which they ended. `wide`: it holds what is asked for most of a call
    besides, so that its rows need not be looked up for that. `daily`: days stand before the value (gw.ledger.log_days)."""

    name: str
    only: str = ""
    timed: bool = True
    wide: bool = False
    daily: bool = False


SEEN = "seq <= ?"  # what was there when the first page was made
DAY = f"(ended_us / {DAY_US})"  # as indexed by migration 0021
TIME = Index("call_log", wide=True)
BY_ID = Index("sqlite_autoindex_call_1", timed=False)  # the primary key's; named, so that SQLite takes it for any number of ids
INDEXES: dict[str, Index] = {
    "ended_us": TIME,
    "team": Index("call_log_team", wide=True),
    "key_name": Index("call_log_key", wide=True),
    "key_id": Index("call_key_ended"),
    MODEL: Index("call_log_model"),
    "customer": Index("call_log_customer", "customer <> ''"),
    "project": Index("call_log_project", "project <> ''"),
    "status": Index("call_log_status", "status <> 200", wide=True),
    "outcome": Index("call_log_outcome", "outcome <> 'completed'", wide=True),
    "error": Index("call_log_error", "error <> ''", wide=True),
    "tags": Index("call_log_tags", "tags <> ''"),
    "billed_pusd": Index("call_by_cost", timed=False, daily=True),
    TOKENS: Index("call_by_tokens", timed=False, daily=True),
    DURATION: Index("call_by_duration", timed=False, daily=True),
    "call_id": Index("", timed=False),  # the primary key
    "session_id": Index("call_session", timed=False),
    "attempt_of": Index("call_attempt_of", "attempt_of <> ''", timed=False),
    "upstream_request_id": Index("call_log_request", "upstream_request_id <> ''", timed=False),
}


class Place(NamedTuple):
    """Where rows can be looked up: by an index, and what it is asked. `one`: a single value."""

    by: Index
    sql: str
    values: Values
    one: bool


class Term(NamedTuple):
    sql: str
    values: Values
    places: tuple[Place, ...] = ()  # a row of the term is in one of them at least; () = no index knows


def term(condition: Condition, dialect: Dialect) -> Term:
    column, operator = condition.column, condition.operator
    if column.kind in ("text", "words"):
        texts = [value for value in condition.values if isinstance(value, Text)]
        found = _texts(column, texts, dialect)
        return found if operator == "in" else Term(f"NOT {found.sql}", found.values)
    if operator in ("in", "not"):
        sql = f"{column.sql} IN ({', '.join('?' * len(condition.values))})"
        if operator == "not":
            return Term(f"NOT ({sql})", condition.values)
        return _placed(column.sql, sql, condition.values, one=len(condition.values) == 1)
    return _placed(column.sql, f"{column.sql} {COMPARE[operator]} ?", condition.values, one=False)


def _texts(column: Column, texts: list[Text], dialect: Dialect) -> Term:
    """Any of them, in any of the fields that the column stands for."""
    parts = [_field(field, texts, dialect, words=column.kind == "words") for field in column.parts or (column.sql,)]
    values = tuple(value for part in parts for value in part.values)
    placed = all(part.places for part in parts)
    return Term(
        f"({' OR '.join(part.sql for part in parts)})", values, tuple(place for part in parts for place in part.places if placed)
    )


def _field(field: str, texts: list[Text], dialect: Dialect, *, words: bool) -> Term:
    if words:
        field, texts = f"(',' || replace({field}, ', ', ',') || ',')", list(map(in_words, texts))
    exact = [text.parts[0] for text in texts if text.exact]
    terms, values = list[str](), list[Any]()
    if exact:
        terms.append(f"{field} IN ({', '.join('?' * len(exact))})")
        values += exact
    for text in texts:
        if text.prefix:
            sql, bounds = beginning(field, text.parts[0])
            terms.append(sql)
            values += bounds
        elif not text.exact:
            terms.append(f"{field} {dialect.glob}")
            values.append(dialect.pattern(text.glob))
    sql = f"({' OR '.join(terms)})"
    if not all(text.exact or text.prefix for text in texts) or _may_be_left_out(field, texts):
        return Term(sql, tuple(values))
    return _placed(field, sql, tuple(values), one=len(texts) == 1 and bool(exact))


def _may_be_left_out(field: str, texts: list[Text]) -> bool:
    """Whether a partial index may lack a row that is wanted."""
    index = INDEXES.get(field)
    if index is None or not index.only:
        return False
    lacked = "completed" if field == "outcome" else ""
    return any(lacked == text.parts[0] if text.exact else lacked.startswith(text.parts[0]) for text in texts)


def beginning(field: str, text: str) -> tuple[str, Values]:
    """It begins with this text."""
    return f"({field} >= ? AND {field} < ?)", (text, text + LAST)


def _placed(field: str, sql: str, values: Values, *, one: bool) -> Term:
    index = INDEXES.get(field)
    if index is None or (field == "status" and not _never_200(sql, values)):
        return Term(sql, values)
    only = f"{index.only} AND {sql}" if index.only else sql
    return Term(sql, values, (Place(index, only, values, one),))


def _never_200(sql: str, values: Values) -> bool:
    """Whether status 200 is none of what is asked for."""
    if " IN " in sql:
        return 200 not in values
    bound = values[0]
    return bool({">=": bound > 200, ">": bound >= 200, "<=": bound < 200, "<": bound <= 200}[sql.split()[1]])
