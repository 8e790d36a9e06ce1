"""A page of a list: which entries, in which order, from where on. Pure.

A cursor holds what the last entry of the page before was sorted by, and what tells it from all others. So pages neither
repeat nor leave out an entry when others come or go between them.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from gw.config.said import nearest
from gw.control.problem import FieldError, all_invalid
from gw.domain.money import nusd_from_usd

LIMIT_DEFAULT = 100
LIMIT_MAX = 500
CURSOR_CHARS_MAX = 2000
Q_CHARS_MAX = 200

Entry = dict[str, Any]
Place = tuple[bool, int | str, str]  # without a value, the value as it compares, what tells it from all others
BOOLS = {"true": True, "false": False}


class Column(Struct, frozen=True):
    """One field of the entries, and what a list can do with it."""

    name: str
    kind: Literal["text", "money", "number", "bool"]
    choices: tuple[str, ...] = ()
    filtered: bool = False  # `?name=value` keeps the entries with that value
    searched: bool = False  # `?q=part` looks into it
    effect: str = ""


class Wanted(Struct, frozen=True):
    """A list as it was asked for."""

    sort: Column
    falling: bool
    limit: int
    after: Place | None
    q: str
    filters: tuple[tuple[str, str | bool], ...]


class Page(NamedTuple):
    entries: list[Entry]
    next_cursor: str | None
    total: int  # of all pages


def read(query: Mapping[str, str], columns: Sequence[Column]) -> Wanted:
    """Raises Problem with all that is wrong with the parameters that it knows."""
    errors: list[FieldError] = []
    by_name = {column.name: column for column in columns}
    sort_text = query.get("sort", "name")
    sort = by_name.get(sort_text.removeprefix("-"))
    if sort is None:
        hint = nearest(sort_text.removeprefix("-"), list(by_name))
        errors.append(FieldError("query", "sort", f"must be one of {', '.join(by_name)}, falling with a - before it{hint}"))
        sort = columns[0]
    limit = bounded(query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    after = None
    if cursor := query.get("cursor"):
        after = _after(cursor, sort_text, sort)
        if after is None:
            errors.append(FieldError("query", "cursor", "is none that this list has given, or was given for another sort"))
    q = query.get("q", "")
    if len(q) > Q_CHARS_MAX:
        errors.append(FieldError("query", "q", f"is longer than {Q_CHARS_MAX} characters"))
    filters = _filters(query, columns, errors)
    if errors:
        raise all_invalid(errors)
    return Wanted(sort, sort_text.startswith("-"), limit, after, q.casefold(), filters)


def page(entries: Iterable[Entry], wanted: Wanted, columns: Sequence[Column]) -> Page:
    """Entries of one name differ in their `source` or their `public_id`."""
    searched = [column.name for column in columns if column.searched]
    found = [(place(entry, wanted.sort), entry) for entry in entries if _matches(entry, wanted, searched)]
    found.sort(key=lambda one: one[0], reverse=wanted.falling)
    total = len(found)
    if wanted.after is not None:
        after = wanted.after
        found = [one for one in found if (one[0] < after if wanted.falling else one[0] > after)]
    rest = len(found) > wanted.limit
    found = found[: wanted.limit]
    sort_text = f"{'-' if wanted.falling else ''}{wanted.sort.name}"
    return Page([entry for _, entry in found], _cursor(sort_text, found[-1][0]) if rest else None, total)


def place(entry: Entry, column: Column) -> Place:
    """Where an entry stands: those without a value after all others."""
    value = entry[column.name]
    unique = "\0".join([entry["name"], entry.get("source", ""), entry.get("public_id") or ""])
    if value is None or value == "":
        return True, "" if column.kind == "text" else 0, unique
    if column.kind == "money":
        value = nusd_from_usd(value)
    elif column.kind == "text":
        value = str(value).casefold()
    return False, value if isinstance(value, str) else int(value), unique


def bounded(query: Mapping[str, str], name: str, errors: list[FieldError], *, default: int, high: int) -> int:
    """A whole number of the query, 1 to `high`; what is wrong with it goes to `errors`."""
    text = query.get(name, "")
    if name not in query:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and 1 <= int(text) <= high):
        errors.append(FieldError("query", name, f"must be 1 to {high}"))
        return default
    return int(text)


def _filters(query: Mapping[str, str], columns: Sequence[Column], errors: list[FieldError]) -> tuple[tuple[str, str | bool], ...]:
    filters: list[tuple[str, str | bool]] = []
    for column in columns:
        if not column.filtered or column.name not in query:
            continue
        text = query[column.name]
        if column.kind == "bool" and text not in BOOLS:
            errors.append(FieldError("query", column.name, "must be true or false"))
        elif column.choices and text not in column.choices:
            hint = nearest(text, list(column.choices))
            errors.append(FieldError("query", column.name, f"must be one of {', '.join(column.choices)}{hint}"))
        filters.append((column.name, BOOLS.get(text, False) if column.kind == "bool" else text))
    return tuple(filters)


def _matches(entry: Entry, wanted: Wanted, searched: Sequence[str]) -> bool:
    if any(entry[name] != value for name, value in wanted.filters):
        return False
    return not wanted.q or any(wanted.q in str(entry[name] or "").casefold() for name in searched)


def _cursor(sort_text: str, last: Place) -> str:
    return urlsafe_b64encode(msgspec.json.encode((sort_text, *last))).rstrip(b"=").decode()


def _after(cursor: str, sort_text: str, column: Column) -> Place | None:
    """None: not one of ours, or for another order."""
    try:
        if len(cursor) > CURSOR_CHARS_MAX:
            return None
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        given_for, missing, value, name = msgspec.json.decode(text, type=tuple[str, bool, int | str, str])
    except (ValueError, msgspec.MsgspecError):  # binascii.Error is a ValueError
        return None
    if given_for != sort_text or isinstance(value, str) != (column.kind == "text"):
        return None
    return missing, value, name
