"""GET /api/usage: what was used, grouped, in buckets of time, beside the period before; as JSON in pages, or whole as CSV."""

import csv
import io
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from gw.config.said import nearest
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_downloads import note_download
from gw.control.http_items import Desk
from gw.control.http_listing import CURSOR_CHARS_MAX, bounded
from gw.control.http_shapes import Moment
from gw.control.problem import FieldError, Problem, all_invalid
from gw.domain.shown import EPOCH
from gw.domain.text import defused
from gw.domain.window import zone_of
from gw.ledger.database import database_of
from gw.ledger.store import Database
from gw.ledger.usage import ALL, ASKED, CALLS_MAX, Answered, Line, Scope, TooMany, Wanted, answer, place
from gw.ledger.usage_measures import DEFAULT, MEASURES, Measure, change, shown
from gw.ledger.usage_time import BUCKETS, Bucket, bounds_of, count_of, start_of

CSV = "text/csv; charset=utf-8"
BUCKETS_MAX = 2_500  # a hundred days by the hour
LIMIT_DEFAULT, LIMIT_MAX = 1_000, 5_000
TOP_MAX = 100
LIST_CHARS_MAX = 4000
VALUES_MAX = 100  # of one filter
SPAN_DAYS = 30  # without `from`
SPAN_YEARS_MAX = 30
LATEST_US = 221_845_392_000_000_000  # the year 9000: a year before the calendar's end there is no local time in some zones
AGO = re.compile(r"([1-9][0-9]{0,3})([mhdw])")
AGO_US = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
FORMATS = ("json", "csv")

Value = int | float | str | None
Values = Annotated[
    dict[str, Value],
    Meta(description="By measure: counts are integers, money decimal strings in USD, means and shares numbers; null: not known."),
]


class UsageLine(Struct, frozen=True):
    """One bucket and group."""

    bucket: Annotated[Moment | None, Meta(description="When it begins, with the offset of the zone; null without buckets.")]
    group: Annotated[dict[str, str] | None, Meta(description="By dimension; null: all that is not among the top.")]
    values: Values
    previous: Annotated[Values | None, Meta(description="Of the same place in the period before.")]
    change: Annotated[Values | None, Meta(description="By how much it has grown since.")]


class UsageTotals(Struct, frozen=True):
    """Of all pages."""

    values: Values
    previous: Values | None
    change: Values | None


class UsagePage(Struct, frozen=True, rename={"from_": "from"}):
    """Lines in the order of their buckets, in each by `order`."""

    from_: Moment
    to: Moment
    tz: str
    bucket: str
    buckets: Annotated[tuple[Moment, ...], Meta(description="When each begins, those without a line, too.")]
    group_by: tuple[str, ...]
    measures: tuple[str, ...]
    items: tuple[UsageLine, ...]
    totals: UsageTotals
    next_cursor: Annotated[str | None, Meta(description="For the next page; null: this is the last.")]


class Question(NamedTuple):
    """What was asked for."""

    wanted: Wanted
    zone: str
    bucket: Bucket
    limit: int
    after: tuple[int, bool, int, tuple[Any, ...]] | None
    csv: bool


def usage(desk: Desk, ask: Ask) -> Answer:
    asked = read(ask)
    try:
        found = answer(ledger_of(desk), scope_of(ask), asked.wanted)
    except TooMany as error:
        much = f"Sessions, agents, clients and dialects are read from the calls themselves, and there are {error} in this time."
        less = f"Take a time with at most {CALLS_MAX:,} calls; sessions are in /api/sessions."
        raise Problem("too_broad", much, hint=less) from error
    if not asked.csv:
        return _as_page(asked, found)
    note_download(ledger_of(desk), ask, "usage", lines=len(found.lines))
    return _as_csv(asked, found)


def ledger_of(desk: Desk) -> Database:
    return database_of(desk.host.snapshot.config.storage.address)


def scope_of(ask: Ask) -> Scope:
    """An admin sees all, a virtual key what is its own."""
    account = ask.principal.account if ask.principal is not None else None
    return ALL if account is None else Scope("key", account.key_name, account.key_id)


# --- the question -------------------------------------------------------------------------------------------------------


def read(ask: Ask) -> Question:
    """Raises Problem with all that is wrong."""
    query, errors = ask.query, list[FieldError]()
    zone = read_zone(query, errors)
    bucket = _choice(query, "bucket", BUCKETS, errors, "none")
    from_us, to_us = _span(query, zone, ask.now_us, errors)
    if not errors and count_of(bucket, from_us, to_us) > BUCKETS_MAX + 2:
        much = f"would give more than {BUCKETS_MAX} buckets; take a longer one, or less time"
        errors.append(FieldError("query", "bucket", much))
    groups = _names(query, "group_by", list(ASKED), errors)
    measures = [MEASURES[name] for name in _names(query, "measures", list(MEASURES), errors) or DEFAULT]
    order, rising = _order(query, measures, errors)
    top = bounded(query, "top", errors, default=0, high=TOP_MAX)
    compare = _choice(query, "compare", ("none", "previous"), errors, "none") == "previous"
    limit = bounded(query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    filters = [(name, _values(query, name, errors)) for name in ASKED if name in query]
    after = None
    if "cursor" in query:
        after = _after(query["cursor"])
        if after is None:
            errors.append(FieldError("query", "cursor", "is none that this has given"))
    as_csv = _choice(query, "format", FORMATS, errors, "csv" if "text/csv" in ask.accept.lower() else "json") == "csv"
    if errors:
        raise all_invalid(errors)
    wanted = Wanted(bounds_of(bucket, from_us, to_us, zone), groups, measures, filters, order, rising, top, compare)
    return Question(wanted, zone, bucket, limit, after, as_csv)


def read_zone(query: Mapping[str, str], errors: list[FieldError]) -> str:
    zone = query.get("tz", "UTC")
    try:
        zone_of(zone)
    except ValueError as error:
        errors.append(FieldError("query", "tz", str(error)))
        return "UTC"
    return zone


def _span(query: Mapping[str, str], zone: str, now_us: int, errors: list[FieldError]) -> tuple[int, int]:
    to_us = _moment(query, "to", zone, now_us, errors)
    to_us = now_us if to_us is None else to_us
    from_us = _moment(query, "from", zone, now_us, errors)
    if from_us is None:
        from_us = start_of("day", max(to_us - SPAN_DAYS * AGO_US["d"], 0), zone)
    if from_us >= to_us:
        errors.append(FieldError("query", "from", "must be before `to`"))
    elif to_us - from_us > SPAN_YEARS_MAX * 366 * AGO_US["d"]:
        errors.append(FieldError("query", "from", f"is more than {SPAN_YEARS_MAX} years before `to`"))
    return from_us, to_us


def _moment(query: Mapping[str, str], name: str, zone: str, now_us: int, errors: list[FieldError]) -> int | None:
    """A date begins at the zone's midnight; a clock without an offset is the zone's; a span is so long ago."""
    text = query.get(name, "").strip()
    if name not in query:
        return None
    try:
        if ago := AGO.fullmatch(text):
            return max(now_us - int(ago[1]) * AGO_US[ago[2]], 0)
        if DATE.fullmatch(text):
            day = date.fromisoformat(text)
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone_of(zone))
            return max(start_of("day", (noon - EPOCH) // timedelta(microseconds=1), zone), 0)
        moment = datetime.fromisoformat(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
        at_us = ((moment if moment.tzinfo else moment.replace(tzinfo=zone_of(zone))) - EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        form = "must be a date, a moment such as 2026-11-01T12:00:00Z, or a span ago such as 7d"
        errors.append(FieldError("query", name, form))
        return None
    if at_us >= LATEST_US:
        errors.append(FieldError("query", name, "must be before the year 9000"))
        return None
    return max(at_us, 0)


def _choice(query: Mapping[str, str], name: str, known: Sequence[Any], errors: list[FieldError], default: str) -> Any:
    text = query.get(name, default)
    if text not in known:
        errors.append(FieldError("query", name, f"must be one of {', '.join(known)}{nearest(text, list(known))}"))
        return default
    return text


def _names(query: Mapping[str, str], name: str, known: list[str], errors: list[FieldError]) -> list[str]:
    names = [one.strip() for one in query.get(name, "").split(",") if one.strip()]
    for one in names:
        if one not in known:
            hint = nearest(one, known) or f"; it knows {', '.join(known)}"
            errors.append(FieldError("query", name, f'knows no "{one[:80]}"{hint}'))
    if len(set(names)) < len(names):
        errors.append(FieldError("query", name, "names something twice"))
    return [one for one in names if one in known]


def _order(query: Mapping[str, str], measures: Sequence[Measure], errors: list[FieldError]) -> tuple[Measure, bool]:
    """The greatest first, as a rule: by what it cost if that is asked for, else by the first measure."""
    usual = MEASURES["billed_usd"] if MEASURES["billed_usd"] in measures else measures[0]
    text = query.get("order", f"-{usual.name}")
    name = text.removeprefix("-")
    if name not in MEASURES:
        hint = nearest(name, list(MEASURES))
        errors.append(FieldError("query", "order", f"must be a measure, falling with a - before it{hint}"))
        return usual, False
    return MEASURES[name], not text.startswith("-")


def _values(query: Mapping[str, str], name: str, errors: list[FieldError]) -> list[str]:
    """With commas between them; a backslash takes the next character as it is. `team=` is what has no team."""
    values = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\),", query[name])]
    if len(values) > VALUES_MAX:
        errors.append(FieldError("query", name, f"has more than {VALUES_MAX} values"))
    if len(query[name]) > LIST_CHARS_MAX:
        errors.append(FieldError("query", name, f"has more than {LIST_CHARS_MAX} characters"))
    if any("\0" in value for value in values):
        errors.append(FieldError("query", name, "holds a NUL"))
    if name == "status" and not all(re.fullmatch(r"[0-9]{1,3}", value) for value in values):
        errors.append(FieldError("query", name, "must be HTTP statuses"))
        return ["0"]
    return values


# --- the answer ---------------------------------------------------------------------------------------------------------


def moment_in(at_us: int, zone: str) -> str:
    """2026-11-01T00:00:00+01:00"""
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(zone_of(zone)).isoformat().replace("+00:00", "Z")


def _as_page(asked: Question, found: Answered) -> Answer:
    wanted, zone = asked.wanted, asked.zone
    lines = found.lines
    if asked.after is not None:
        lines = [line for line in lines if place(wanted, line) > asked.after]
    page = lines[: asked.limit]
    then = found.then
    totals = UsageTotals(
        shown(wanted.measures, found.now),
        shown(wanted.measures, then) if then is not None else None,
        change(wanted.measures, found.now, then) if then is not None else None,
    )
    view = UsagePage(
        from_=moment_in(wanted.bounds[0], zone),
        to=moment_in(wanted.bounds[-1], zone),
        tz=zone,
        bucket=asked.bucket,
        buckets=tuple(moment_in(at_us, zone) for at_us in wanted.bounds[:-1]) if asked.bucket != "none" else (),
        group_by=tuple(wanted.groups),
        measures=tuple(one.name for one in wanted.measures),
        items=tuple(_line(asked, line) for line in page),
        totals=totals,
        next_cursor=_cursor(place(wanted, page[-1])) if len(lines) > len(page) else None,
    )
    return Answer(200, msgspec.json.encode(view) + b"\n", headers=NO_STORE)


def _line(asked: Question, line: Line) -> UsageLine:
    wanted = asked.wanted
    return UsageLine(
        bucket=moment_in(wanted.bounds[line.bucket], asked.zone) if asked.bucket != "none" else None,
        group=None if line.group is None else dict(zip(wanted.groups, map(str, line.group), strict=True)),
        values=shown(wanted.measures, line.now),
        previous=shown(wanted.measures, line.then) if line.then is not None else None,
        change=change(wanted.measures, line.now, line.then) if line.then is not None else None,
    )


def _as_csv(asked: Question, found: Answered) -> Answer:
    """All lines. Text with which a formula could begin stands behind an apostrophe."""
    wanted = asked.wanted
    text = io.StringIO()
    writer = csv.writer(text)
    names = [one.name for one in wanted.measures]
    head = [*(["bucket"] if asked.bucket != "none" else []), *wanted.groups, *names]
    writer.writerow([*head, *(f"previous_{name}" for name in names if wanted.compare)])
    for line in found.lines:
        one = _line(asked, line)
        labels = ["(other)"] * len(wanted.groups) if line.group is None else [defused(str(value)) for value in line.group]
        bucket = [one.bucket] if asked.bucket != "none" else []
        writer.writerow([*bucket, *labels, *one.values.values(), *(one.previous or {}).values()])
    headers = {**NO_STORE, "content-disposition": 'attachment; filename="usage.csv"'}
    return Answer(200, text.getvalue().encode(), CSV, headers)


def _cursor(last: tuple[int, bool, int, tuple[Any, ...]]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(last)).rstrip(b"=").decode()


def _after(cursor: str) -> tuple[int, bool, int, tuple[Any, ...]] | None:
    try:
        if len(cursor) > CURSOR_CHARS_MAX:
            return None
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        return msgspec.json.decode(text, type=tuple[int, bool, int, tuple[str | int, ...]])
    except (ValueError, msgspec.MsgspecError):
        return None


