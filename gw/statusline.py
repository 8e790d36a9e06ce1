"""`gw statusline`: one short line under Claude Code's prompt: what the session has cost, what is left of the budget.

Claude Code runs it anew after each message, shows the first line of its output, and waits for it; so it loads nothing but
the standard library, and never waits longer than WAIT_S for the gateway. What the gateway says is fetched by a process of its
own, which goes on in the background if it takes longer: then the line shows what was fetched before, and the next one what
comes now. Whatever fails, it prints what it can and ends with 0.

Files: in the user's cache directory, one per gateway, key and session, readable by the user alone.
"""

import fcntl
import json
import os
import select
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any

from gw import clock
from gw.domain.text import printable

WAIT_S = 0.08  # for the gateway; then the line is printed with what is there
FETCH_S = 5.0  # the longest that one fetch may go on in the background
FRESH_US = 1_000_000  # what is younger is shown without asking again
STALE_US = 120_000_000  # what is older is said to be old
KEPT_US = 7 * 86_400_000_000
DAY_US = 86_400_000_000
STDIN_MAX = 1 << 20
ANSWER_MAX = 1 << 20
PERIODS = {
    "hourly": "this hour",
    "daily": "today",
    "weekly": "this week",
    "monthly": "this month",
    "yearly": "this year",
    "lifetime": "in all",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
COLOURS = {"warning": "\x1b[33m", "spent": "\x1b[31m"}
PLAIN = "\x1b[0m"
GW_HEADER = "x-gw-"
Document = dict[str, Any]


def main() -> None:
    said = parsed(_stdin())
    session = text_in(said, "session_id")
    document, age_us = _document(os.environ, session)
    text = line(document, said, clock.wall_us(), age_us, colour=not os.environ.get("NO_COLOR"))
    with suppress(OSError):
        os.write(1, f"{text}\n".encode())


# --- what is shown ----------------------------------------------------------------------------------------------------


def line(document: Document | None, said: Document, now_us: int, age_us: int = 0, *, colour: bool = False) -> str:
    """`$0.42 session · $3.10 of $10.00 today · resets 00:00`. `document`: of /api/me, empty if it did not come, None if nobody
    could be asked; `said`: what Claude Code gives on stdin, whose own guess of the cost, marked ~, is better than nothing."""
    parts, asked = list[str](), document is not None
    document = document or {}
    cost = money(inner(document, "session").get("cost_usd"))
    if cost:
        parts.append(f"{cost} session")
    elif guess := money(inner(said, "cost").get("total_cost_usd")):
        parts.append(f"~{guess} session")
    budget = tightest(document)
    if budget:
        text = budget_text(budget, now_us)
        paint = COLOURS.get(text_in(budget, "state"), "") if colour else ""
        parts.append(f"{paint}{text}{PLAIN}" if paint else text)
    if not document and asked:
        parts.append("no word from the gateway")
    elif document and age_us > STALE_US:
        parts.append(f"{age_us // 60_000_000} min old")
    return " · ".join(parts) or "no cost yet"


def budget_text(budget: Document, now_us: int) -> str:
    spent, limit = money(budget.get("spent_usd"), down=True), money(budget.get("limit_usd"))
    period = text_in(budget, "period")
    scope = text_in(budget, "scope")
    when = "this session" if scope == "session" else PERIODS.get(period, period)
    whose = "" if scope in ("key", "session") else f" ({scope} {text_in(budget, 'account')[:24]})"
    resets = reset_text(text_in(budget, "resets_at"), now_us)
    return f"{spent} of {limit} {when}{whose}" + (f" · resets {resets}" if resets else "")


def tightest(document: Document) -> Document:
    """Of the budgets that refuse or warn, the one with least left; none: {}."""
    budgets = document.get("budgets")
    found = [one for one in budgets if isinstance(one, dict)] if isinstance(budgets, list) else []
    binding = [one for one in found if one.get("mode") != "shadow" and decimal(one.get("limit_usd")) is not None]
    return min(binding, key=lambda one: decimal(one.get("remaining_usd")) or Decimal(0), default={})


def reset_text(iso: str, now_us: int) -> str:
    """On this machine's clock: "00:00" within a day, else "Dec 1"; "" if there is none."""
    try:
        at = datetime.fromisoformat(iso.replace("Z", "+00:00")).astimezone()
        later = at > datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(microseconds=now_us + DAY_US)
    except (ValueError, OverflowError, TypeError, OSError):
        return ""
    return f"{MONTHS[at.month - 1]} {at.day}" if later else f"{at:%H:%M}"


def money(value: object, *, down: bool = False) -> str:
    """ "$3.10"; four decimals below a dime; "" if it is no amount."""
    amount = decimal(value)
    if amount is None:
        return ""
    step = Decimal("0.01") if amount >= Decimal("0.1") or not amount else Decimal("0.0001")
    return f"${amount.quantize(step, ROUND_FLOOR if down else ROUND_HALF_EVEN):f}"


def decimal(value: object) -> Decimal | None:
    """From a decimal string, or a number of JSON (whose fraction `parsed` has kept as it was written)."""
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        return None
    try:
        amount = Decimal(value)
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() and 0 <= amount < 10**15 else None


def parsed(text: bytes) -> Document:
    """A JSON object; {} for anything else."""
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def inner(document: Document, name: str) -> Document:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def text_in(document: Document, name: str) -> str:
    found = document.get(name)
    return printable(found, 128) if isinstance(found, str) else ""


# --- what is asked ----------------------------------------------------------------------------------------------------


def address(environ: Mapping[str, str]) -> str:
    """Of the gateway, "" if it is not known."""
    return (environ.get("GW_URL") or environ.get("ANTHROPIC_BASE_URL") or "").rstrip("/")


def credential(environ: Mapping[str, str], key: str = "") -> dict[str, str]:
    """The headers by which the gateway knows whose calls these are, the same as Claude Code sends: first of `key`, GW_KEY and
    what ANTHROPIC_CUSTOM_HEADERS says to gw, then ANTHROPIC_AUTH_TOKEN and ANTHROPIC_API_KEY."""
    lines = (one.partition(":") for one in environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines())
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    headers = {name: value for name, value in headers.items() if name.startswith(GW_HEADER)}
    if key or environ.get("GW_KEY"):
        headers["x-gw-key"] = key or environ["GW_KEY"]
    if "x-gw-key" not in headers:
        if environ.get("ANTHROPIC_AUTH_TOKEN"):
            headers["authorization"] = f"Bearer {environ['ANTHROPIC_AUTH_TOKEN']}"
        if environ.get("ANTHROPIC_API_KEY"):
            headers["x-api-key"] = environ["ANTHROPIC_API_KEY"]
    return headers


def fetch(url: str, headers: Mapping[str, str], session: str, timeout_s: float) -> tuple[int, bytes]:
    """(status, body) of GET /api/me. Raises OSError and ValueError (an address or a header that cannot be used); a redirect
    is not followed: it would take the key elsewhere."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415  (20 ms, for the fetch alone)
    from urllib.parse import quote, urlsplit  # noqa: PLC0415

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'"{url}" is no address of a gateway')
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout_s)
    try:
        query = f"?session={quote(session, safe='')}" if session else ""
        connection.request("GET", f"{parts.path.rstrip('/')}/api/me{query}", headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_MAX)
    except HTTPException as error:
        raise OSError(f"the gateway's answer cannot be read: {error!r}") from error
    finally:
        connection.close()


# --- the cache --------------------------------------------------------------------------------------------------------


def cache_directory(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".cache")
    return Path(home) / "gw"


def _document(environ: Mapping[str, str], session: str) -> tuple[Document | None, int]:
    """(the document, its age); {} if none has come yet, None without an address or a key. Waits at most WAIT_S for a newer."""
    url, headers = address(environ), credential(environ)
    if not url or not headers:
        return None, 0
    name = sha256(json.dumps([url, headers, session], sort_keys=True).encode("utf-8", "replace")).hexdigest()[:32]
    path = cache_directory(environ) / f"statusline-{name}.json"
    now_us = clock.wall_us()
    cached, at_us = _read(path)
    if not 0 <= now_us - at_us < FRESH_US:
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refresh(path, url, headers, session)
            cached, at_us = _read(path)
    return cached, max(clock.wall_us() - at_us, 0)


def _read(path: Path) -> tuple[Document, int]:
    try:
        content = path.read_bytes()
        return parsed(content), path.stat().st_mtime_ns // 1000
    except OSError:
        return {}, 0


def _refresh(path: Path, url: str, headers: Mapping[str, str], session: str) -> None:
    """Fetches in a process of its own; returns when it is done, or after WAIT_S, when it goes on alone. Raises OSError."""
    done, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        select.select([done], [], [], WAIT_S)
        os.close(done)
        return
    try:
        os.setsid()  # Claude Code ends the whole group of a status line that it no longer waits for
        os.close(done)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        _fetch_into(path, url, headers, session)
    finally:
        os._exit(0)  # the pipe closes with the process: that is the word that it is done


def _fetch_into(path: Path, url: str, headers: Mapping[str, str], session: str) -> None:
    """Unless another process is at it already. An answer that is no document leaves the one that is there."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    status, body = fetch(url, headers, session, FETCH_S)
    if status == 200 and parsed(body):
        partial = path.with_suffix(".partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(body)
        partial.replace(path)
        _tidy(path.parent)


def _tidy(folder: Path) -> None:
    """Sessions end; their files would stay."""
    before_ns = (clock.wall_us() - KEPT_US) * 1000
    for path in folder.glob("statusline-*"):
        with suppress(OSError):
            if path.stat().st_mtime_ns < before_ns:
                path.unlink()


def _stdin() -> bytes:
    """What Claude Code says; nothing from a terminal, where nobody would end it."""
    try:
        return b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read(STDIN_MAX)
    except (OSError, ValueError):
        return b""
