"""GET /v1/organizations/usage_report/messages and /v1/organizations/cost_report: what the ledger knows in the shape of
Anthropic's Admin API, so that tools which were written for that work here (platform.claude.com/docs/en/api/admin, 2026-09).

A workspace is a team, an API key a virtual key (its public id; a key of the configuration by its name), and cost is what gw
billed. The admin token is shown as `x-api-key`, or as a bearer; errors have Anthropic's shape. Calls count where they ended.
Minutes are read from the calls, all else from rollups.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from gw.config.said import nearest
from gw.control.http_answer import NO_STORE, Answer, json_answer
from gw.control.http_items import Desk
from gw.control.http_usage import ledger_of
from gw.control.problem import Problem, invalid
from gw.domain.money import usd_text
from gw.domain.shown import EPOCH, iso
from gw.ledger.store import Database, StoreError
from gw.ledger.sums import whole
from gw.ledger.usage_sql import GROUPS, MINUTE_US, Condition, Dimension, Question, Stretch, sums, sums_by_minute

ROOT = "/v1/organizations"
USAGE, COST = f"{ROOT}/usage_report/messages", f"{ROOT}/cost_report"
HOUR_US, DAY_US = 60 * MINUTE_US, 1440 * MINUTE_US
VALUES_MAX = 100


class Width(NamedTuple):
    us: int
    limit: int  # buckets without one
    limit_max: int


WIDTHS = {"1d": Width(DAY_US, 7, 31), "1h": Width(HOUR_US, 24, 168), "1m": Width(MINUTE_US, 60, 1440)}
KEY = Dimension(("key_id", "key_name"), "CASE WHEN key_id <> '' THEN key_id ELSE key_name END")
DIMENSIONS: dict[str, Dimension] = {
    "api_key_id": KEY,
    "workspace_id": GROUPS["team"],
    "model": GROUPS["model"],
    "service_tier": GROUPS["service_tier"],
    "context_window": GROUPS["context_window"],
    "inference_geo": GROUPS["inference_geo"],
    "speed": GROUPS["speed"],
}
NOT_KNOWN = ("account_id", "service_account_id")  # dimensions of theirs that gw's calls do not have: always null
FILTERS = {
    "api_key_ids": "api_key_id",
    "workspace_ids": "workspace_id",
    "models": "model",
    "service_tiers": "service_tier",
    "context_window": "context_window",
    "inference_geos": "inference_geo",
    "speeds": "speed",
}
TOKENS = ("input_tokens", "cache_write_1h_tokens", "cache_write_5m_tokens", "cache_read_tokens", "output_tokens")
USED = (*TOKENS, "web_search_requests")
# Part of the bill -> cost type, token type, what a line calls it.
PARTS: dict[str, tuple[str, str | None, str]] = {
    "input": ("tokens", "uncached_input_tokens", "Input Tokens"),
    "output": ("tokens", "output_tokens", "Output Tokens"),
    "cache_read": ("tokens", "cache_read_input_tokens", "Input Tokens, Cache Hit"),
    "cache_write_5m": ("tokens", "cache_creation.ephemeral_5m_input_tokens", "Input Tokens, Cache Write"),
    "cache_write_1h": ("tokens", "cache_creation.ephemeral_1h_input_tokens", "Input Tokens, Cache Write, 1h"),
    "other": ("tokens", None, "Other Tokens"),
    "tools": ("web_search", None, "Web Search and Other Tools"),
}
OF_COST = ["workspace_id", "description", "cost_type", "token_type", "model", "service_tier", "context_window"]
OF_COST += ["inference_geo", "speed"]
BILLED = tuple(f"{part}_{half}" for part in PARTS for half in ("high", "low"))
TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large"}
TYPES |= {429: "rate_limit_error", 500: "api_error", 503: "api_error"}

Query = Mapping[str, Sequence[str]]


class Asked(NamedTuple):
    """One page of buckets."""

    width: Width
    start_us: int
    end_us: int
    more: bool  # there are buckets behind these
    groups: tuple[str, ...]  # of DIMENSIONS
    conditions: tuple[Condition, ...]


def serves(path: str) -> bool:
    return path == ROOT or path.startswith(f"{ROOT}/")


def as_bearer(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by which a caller is known, with the token of `x-api-key` where the control API looks for it."""
    kept = {name: headers[name] for name in ("authorization", "cookie", "x-gw-actor", "x-gw-key") if name in headers}
    key = headers.get("x-api-key", "").strip()
    return kept if "authorization" in kept or not key else {**kept, "authorization": f"Bearer {key}"}


def report(desk: Desk, method: str, path: str, query: Iterable[tuple[str, str]], now_us: int) -> Answer:
    """Raises Problem."""
    perform = REPORTS.get(path)
    if perform is None:
        raise Problem("unknown_path", f"Of {ROOT} there is {' and '.join(REPORTS)}.")
    if method not in ("GET", "HEAD"):
        raise Problem("method_not_allowed", headers={"allow": "GET, HEAD"})
    given: dict[str, list[str]] = {}
    for name, value in query:
        given.setdefault(name.removesuffix("[]"), []).append(value)
    try:
        return json_answer(perform(ledger_of(desk), given, now_us), headers=NO_STORE)
    except StoreError as error:
        raise Problem("database_unavailable", str(error)) from error


def refusal(problem: Problem, request_id: str) -> Answer:
    """In Anthropic's shape."""
    if problem.slug == "invalid":  # there is no such status there
        status, said = 400, problem.detail
    else:
        status = problem.kind.status
        said = " ".join(part for part in (f"{problem.kind.title}.", problem.detail, problem.kind.hint) if part)
    error = {"type": TYPES.get(status, "invalid_request_error"), "message": said}
    body = {"type": "error", "error": error, "request_id": request_id}
    return json_answer(body, status, headers={**NO_STORE, **problem.headers})


# --- the question -------------------------------------------------------------------------------------------------------


def _read(query: Query, now_us: int, *, widths: Sequence[str], groups: Sequence[str], filters: Sequence[str]) -> Asked:
    known = ("starting_at", "ending_at", "bucket_width", "group_by", "limit", "page", *filters)
    for name in query:
        if name not in known:
            raise invalid("query", name[:80], f"unknown parameter{nearest(name, list(known))}; known here: {', '.join(known)}")
    width_name = _one(query, "bucket_width") or "1d"
    if width_name not in widths:
        raise invalid("query", "bucket_width", f"must be one of {', '.join(widths)}")
    width = WIDTHS[width_name]
    start_us, end_us, more = _page(query, width, now_us)
    wanted = query.get("group_by", ())
    for name in wanted:
        if name not in groups:
            raise invalid("query", "group_by[]", f"must be of {', '.join(groups)}{nearest(name, list(groups))}")
    conditions = tuple(_condition(name, query[name]) for name in filters if name in query)
    return Asked(width, start_us, end_us, more, tuple(dict.fromkeys(wanted)), conditions)


def _page(query: Query, width: Width, now_us: int) -> tuple[int, int, bool]:
    """(start, end, whether there is more): whole buckets, snapped to UTC."""
    if "starting_at" not in query:
        raise invalid("query", "starting_at", "is missing")
    start_us = _moment(query, "starting_at") // width.us * width.us
    if "page" in query:
        start_us = max(start_us, _place(_one(query, "page")) // width.us * width.us)
    last_us = -(-(now_us + 1) // width.us) * width.us
    if "ending_at" in query:
        ending_us = _moment(query, "ending_at") // width.us * width.us
        if ending_us < start_us and "page" not in query:
            raise invalid("query", "ending_at", "must be after starting_at")
        last_us = min(last_us, ending_us)
    limit = _one(query, "limit") or str(width.limit)
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:6]) <= width.limit_max):
        raise invalid("query", "limit", f"must be 1 to {width.limit_max} with this bucket_width")
    end_us = max(min(start_us + int(limit) * width.us, last_us), start_us)
    return start_us, end_us, end_us < last_us


def _one(query: Query, name: str) -> str:
    values = query.get(name, ("",))
    if len(values) > 1:
        raise invalid("query", name, "is given twice")
    return values[0]


def _moment(query: Query, name: str) -> int:
    try:
        return _instant(_one(query, name))
    except (ValueError, OverflowError) as error:
        raise invalid("query", name, "must be a timestamp of RFC 3339, such as 2026-11-01T00:00:00Z") from error


def _instant(text: str) -> int:
    """Raises ValueError, OverflowError."""
    moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)  # a + that a form sent as a blank
    return max(((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1), 0)


def _condition(parameter: str, values: Sequence[str]) -> Condition:
    if len(values) > VALUES_MAX or any("\0" in value for value in values):
        raise invalid("query", f"{parameter}[]", f"takes up to {VALUES_MAX} values without NUL")
    name = FILTERS[parameter]
    kept = tuple("" if value == UNSAID.get(name) else value for value in values)
    dimension = DIMENSIONS[name]
    return Condition(dimension.columns, f"{dimension.sql} IN ({', '.join('?' * len(kept))})", kept)


UNSAID = {"inference_geo": "not_available"}  # how they say that it was not said


def _token(at_us: int) -> str:
    return "page_" + urlsafe_b64encode(iso(at_us).encode()).rstrip(b"=").decode()


def _place(token: str) -> int:
    bare = token.removeprefix("page_")
    try:
        return _instant(urlsafe_b64decode(bare.encode("ascii") + b"=" * (-len(bare) % 4)).decode())
    except (ValueError, OverflowError) as error:
        raise invalid("query", "page", "is no next_page that this has given") from error


# --- the answers --------------------------------------------------------------------------------------------------------

Found = dict[int, list[tuple[dict[str, str | None], dict[str, int]]]]  # start -> (dimensions, figures by column)


def usage_report(database: Database, query: Query, now_us: int) -> dict[str, Any]:
    names = (*DIMENSIONS, *NOT_KNOWN)
    asked = _read(query, now_us, widths=tuple(WIDTHS), groups=names, filters=tuple(FILTERS))
    found = _sums(database, asked, [name for name in asked.groups if name in DIMENSIONS], USED)
    return _buckets(asked, found, _used)


def cost_report(database: Database, query: Query, now_us: int) -> dict[str, Any]:
    asked = _read(query, now_us, widths=("1d",), groups=("workspace_id", "description"), filters=())
    groups = ["workspace_id"] if "workspace_id" in asked.groups else []
    if "description" not in asked.groups:
        return _buckets(asked, _sums(database, asked, groups, ("billed_high", "billed_low")), _costs_together)
    more = ("model", "service_tier", "context_window", "inference_geo", "speed")
    return _buckets(asked, _sums(database, asked, [*groups, *more], BILLED), _costs_by_part)


REPORTS: dict[str, Callable[[Database, Query, int], dict[str, Any]]] = {USAGE: usage_report, COST: cost_report}


def _sums(database: Database, asked: Asked, groups: Sequence[str], columns: Sequence[str]) -> Found:
    width_us, found = asked.width.us, Found()
    stretches = [Stretch(at_us // width_us, at_us, at_us + width_us) for at_us in range(asked.start_us, asked.end_us, width_us)]
    by_minute = width_us == MINUTE_US
    if by_minute and stretches:
        stretches = [Stretch(0, asked.start_us, asked.end_us)]
    question = Question(stretches, [DIMENSIONS[name] for name in groups], asked.conditions, columns)
    with database.reading() as db:
        if db is None or not stretches:
            return found
        rows = sums_by_minute(db, question) if by_minute else sums(db, database.dialect, question)
    for (number, *values), figures in sorted(rows.items()):
        if any(figures):
            labels = {name: str(value) or UNSAID.get(name) for name, value in zip(groups, values, strict=True)}
            found.setdefault(number * width_us, []).append((labels, dict(zip(columns, figures, strict=True))))
    return found


def _buckets(
    asked: Asked, found: Found, show: Callable[[dict[str, str | None], dict[str, int]], Iterable[dict[str, Any]]]
) -> dict[str, Any]:
    data = [
        {
            "starting_at": iso(at_us),
            "ending_at": iso(at_us + asked.width.us),
            "results": [line for labels, figures in found.get(at_us, ()) for line in show(labels, figures)],
        }
        for at_us in range(asked.start_us, asked.end_us, asked.width.us)
    ]
    return {"data": data, "has_more": asked.more, "next_page": _token(asked.end_us) if asked.more else None}


def _used(labels: dict[str, str | None], figures: dict[str, int]) -> Iterable[dict[str, Any]]:
    yield {
        "uncached_input_tokens": figures["input_tokens"],
        "cache_creation": {
            "ephemeral_1h_input_tokens": figures["cache_write_1h_tokens"],
            "ephemeral_5m_input_tokens": figures["cache_write_5m_tokens"],
        },
        "cache_read_input_tokens": figures["cache_read_tokens"],
        "output_tokens": figures["output_tokens"],
        "server_tool_use": {"web_search_requests": figures["web_search_requests"]},
        **dict.fromkeys((*DIMENSIONS, *NOT_KNOWN)),
        **labels,
    }


def _costs_together(labels: dict[str, str | None], figures: dict[str, int]) -> Iterable[dict[str, Any]]:
    yield _cost(whole(figures["billed_high"], figures["billed_low"]), labels)


def _costs_by_part(labels: dict[str, str | None], figures: dict[str, int]) -> Iterable[dict[str, Any]]:
    for part, (cost_type, token_type, words) in PARTS.items():
        pusd = whole(figures[f"{part}_high"], figures[f"{part}_low"])
        if pusd:
            description = f"{labels['model'] or 'Unknown model'} Usage - {words}"
            yield _cost(pusd, labels | {"cost_type": cost_type, "token_type": token_type, "description": description})


def _cost(pusd: int, labels: Mapping[str, str | None]) -> dict[str, Any]:
    return {"amount": usd_text(100 * pusd), "currency": "USD", **dict.fromkeys(OF_COST), **labels}
