"""Operations on the log: pages of calls as JSON or CSV, and one call with everything about it."""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gw.config.said import nearest
from gw.content.found import SEARCHED, TooMany, calls_that_said
from gw.content.library import Library
from gw.content.vault import ContentError
from gw.control.http_answer import NO_STORE, Answer, Ask, json_answer
from gw.control.http_downloads import note_download
from gw.control.http_items import Desk
from gw.control.http_listing import BOOLS, CURSOR_CHARS_MAX, LIMIT_DEFAULT, LIMIT_MAX, bounded
from gw.control.http_logs_call import call_view, is_one_of_several, record_of
from gw.control.http_logs_shapes import csv_text
from gw.control.problem import FieldError, Problem, all_invalid, invalid
from gw.control.session import Principal
from gw.ledger import logs
from gw.ledger.audit import note
from gw.ledger.bounded import TooSlow
from gw.ledger.database import database_of
from gw.ledger.log_columns import BY_NAME
from gw.ledger.log_filter import EVERYTHING, PARAMETERS, FilterError, LogFilter, LogScope, parse
from gw.ledger.log_shown import call_json, fields_of
from gw.ledger.logs import COUNT_MAX, SORTS, Asked, LogPage, Spot
from gw.ledger.request_attempts import rows_of_request
from gw.ledger.store import Database, Row

CSV_ROWS_MAX = 10_000
CSV = "text/csv; charset=utf-8"
OTHERS = ("q", "content", "since", "until")  # filters that are no column's
INT_MAX = 2**63 - 1
FEWER = "Say more of what was said, or narrow it: a shorter time (since, until), one team, key or session."
CONTENT_CHARS_MAX = 500
SORT_NAMES = {name: name for name in SORTS}
SORT_NAMES |= {"time": "ended_at", "cost": "billed_usd", "cost_usd": "billed_usd", "duration": "duration_ms"}


class Cursor(Struct, frozen=True, array_like=True):
    """Where a list goes on. What it was asked is part of it: the same moment for spans such as `7d`, the same calls."""

    sort: str
    key: int
    seq: int
    until_seq: int
    now_us: int
    count: int | None
    asked: int  # CRC of the filter's parameters


def scope_of(principal: Principal | None) -> LogScope:
    """The admin sees all calls, a virtual key its own."""
    if principal is None or principal.account is None:
        return EVERYTHING
    return LogScope("key", principal.account.key_name, principal.account.key_id)


def listing(desk: Desk, ask: Ask) -> Answer:
    """GET /api/logs."""
    asked, names, cursor = read(ask, scope_of(ask.principal), LIMIT_MAX)
    asked = _where_said(desk, ask, asked, cursor)
    page = _page(_database(desk), asked)
    count = page.count if page.count is not None else cursor.count if cursor is not None else None
    items = [call_json(seq, row, names) for seq, row in page.rows]
    body = {"items": items, "next_cursor": _next(ask, asked, page, count), **count_said(count)}
    return json_answer(body, headers=NO_STORE)


def as_csv(desk: Desk, ask: Ask) -> Answer:
    """GET /api/logs.csv: the next page is named in a header."""
    asked, names, cursor = read(ask, scope_of(ask.principal), CSV_ROWS_MAX)
    asked = _where_said(desk, ask, asked, cursor)
    page = _page(_database(desk), replace(asked, count=False))
    following = _next(ask, asked, page, None)
    note_download(_database(desk), ask, "calls", lines=len(page.rows))
    headers = {**NO_STORE, "content-disposition": 'attachment; filename="calls.csv"'}
    if following:
        headers["x-next-cursor"] = following
    return Answer(200, csv_text(page.rows, names).encode(), CSV, headers)


def one(desk: Desk, ask: Ask) -> Answer:
    """GET /api/logs/{call_id}."""
    call_id = ask.path["call_id"]
    found = None
    if "\0" not in call_id:
        with not_too_slow():
            found = logs.one(_database(desk), call_id, scope_of(ask.principal))
    if found is None:
        raise Problem("not_found", f'There is no call "{call_id[:100]}" in the ledger, or not yet.')
    record, request = record_of(found[1]), list[Row]()
    if is_one_of_several(record):
        with not_too_slow():
            request = rows_of_request(_database(desk), record.attempt_of or record.call_id, scope_of(ask.principal))
    return Answer(200, msgspec.json.encode(call_view(desk, *found, request)) + b"\n", headers=NO_STORE)


def read(ask: Ask, scope: LogScope, limit_max: int) -> tuple[Asked, list[str], Cursor | None]:
    """What is asked for, and the columns to show. Raises Problem with all that is wrong."""
    query, errors = ask.query, list[FieldError]()
    sort_text = query.get("sort", "-ended_at")
    sort = SORT_NAMES.get(sort_text.removeprefix("-"))
    if sort is None:
        hint = nearest(sort_text.removeprefix("-"), list(SORT_NAMES))
        errors.append(FieldError("query", "sort", f"must be one of {', '.join(SORT_NAMES)}, falling with a - before it{hint}"))
    limit = bounded(query, "limit", errors, default=LIMIT_DEFAULT, high=limit_max)
    names, unknown = fields_of(query.get("fields", ""))
    for name in unknown:
        errors.append(FieldError("query", "fields", f'there is no column "{name[:80]}"{nearest(name, list(BY_NAME))}'))
    if query.get("count", "true") not in BOOLS:
        errors.append(FieldError("query", "count", "must be true or false"))
    crc = _crc(query)
    cursor = _cursor(query["cursor"], sort_text, crc) if query.get("cursor") else None
    if query.get("cursor") and cursor is None:
        errors.append(FieldError("query", "cursor", "is none that this list has given, or was given for other parameters"))
    wanted = filter_of(query, cursor.now_us if cursor is not None else ask.now_us, errors)
    if errors:
        raise all_invalid(errors)
    assert sort is not None
    asked = Asked(
        wanted=wanted,
        scope=scope,
        sort=sort,
        falling=sort_text.startswith("-"),
        limit=limit,
        after=Spot(cursor.key, cursor.seq) if cursor is not None else None,
        until_seq=cursor.until_seq if cursor is not None else 0,
        count=cursor is None and query.get("count", "true") == "true",
    )
    return asked, names, cursor


def filter_of(query: Mapping[str, str], now_us: int, errors: list[FieldError]) -> LogFilter:
    try:
        return parse(query, now_us)
    except FilterError as error:
        errors += [FieldError("query", name, message) for name, message in error.wrong]
        return LogFilter()


def count_said(count: int | None) -> dict[str, Any]:
    """`count_is`: exact; at_least: so many, or more; unknown: nobody asked."""
    if count is None:
        return {"count": None, "count_is": "unknown"}
    return {"count": min(abs(count), COUNT_MAX), "count_is": "exact" if 0 <= count <= COUNT_MAX else "at_least"}


@contextmanager
def not_too_slow() -> Iterator[None]:
    """What takes too long becomes a problem that says what to do."""
    try:
        yield
    except TooSlow as error:
        raise Problem("too_broad", f"Too many calls would have to be looked through: {error}.") from error


def _where_said(desk: Desk, ask: Ask, asked: Asked, cursor: Cursor | None) -> Asked:
    """With `content`: among the calls in which that was said. That somebody searched is noted before anything is shown; further
    pages are the same search, in what there was when it began."""
    text = ask.query.get("content", "")
    if not text:
        return asked
    if len(text) > CONTENT_CHARS_MAX or "\0" in text:
        raise invalid("query", "content", f"must be at most {CONTENT_CHARS_MAX} characters, none of them NUL")
    config = desk.host.snapshot.config
    library, until_us = Library(config.content, config.storage.address), cursor.now_us if cursor is not None else ask.now_us
    try:
        with not_too_slow():
            found = calls_that_said(library, text, asked.wanted.within(asked.scope), until_us)
    except (ValueError, ContentError) as error:
        raise invalid("query", "content", str(error)) from error
    except TooMany as error:
        raise Problem("too_broad", f"Too much was found: {error}.", hint=FEWER) from error
    if cursor is None:
        note(_database(desk), ask.now_us, ask.actor, "api", SEARCHED, "content", text, {"calls": len(found)})
    return replace(asked, among=found)


def _page(database: Database, asked: Asked) -> LogPage:
    with not_too_slow():
        return logs.page(database, asked)


def _database(desk: Desk) -> Database:
    return database_of(desk.host.snapshot.config.storage.address)


def _next(ask: Ask, asked: Asked, page: LogPage, count: int | None) -> str | None:
    if page.next is None:
        return None
    before = _cursor(ask.query.get("cursor", ""), ask.query.get("sort", "-ended_at"), _crc(ask.query))
    now_us = before.now_us if before is not None else ask.now_us
    made = Cursor(ask.query.get("sort", "-ended_at"), *page.next, page.until_seq, now_us, count, _crc(ask.query))
    return urlsafe_b64encode(msgspec.msgpack.encode(made)).rstrip(b"=").decode()


def _crc(query: Mapping[str, str]) -> int:
    filters = sorted((name, text) for name, text in query.items() if name in PARAMETERS or name in OTHERS)
    return zlib.crc32(msgspec.msgpack.encode(filters))


def _cursor(text: str, sort_text: str, crc: int) -> Cursor | None:
    """None: not one of ours, or for another list."""
    try:
        if not text or len(text) > CURSOR_CHARS_MAX:
            return None
        cursor = msgspec.msgpack.decode(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)), type=Cursor)
    except (ValueError, msgspec.MsgspecError):  # binascii.Error is a ValueError
        return None
    numbers = (cursor.key, cursor.seq, cursor.until_seq, cursor.now_us)
    fits = all(-INT_MAX <= number <= INT_MAX for number in numbers)
    return cursor if fits and (cursor.sort, cursor.asked) == (sort_text, crc) else None
