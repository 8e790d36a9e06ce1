"""What is said to people about one thing, before it becomes a mail, a Slack message, a page or JSON. Pure.

A subject line says who, what, how much and until when; the facts say the rest; the advice says what to do.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Literal

from msgspec import Struct

from gw.domain.text import printable
from gw.domain.window import next_reset_text

Severity = Literal["info", "warning", "critical"]
Event = Literal["firing", "escalated", "resolved", "test"]
NAME_CHARS_MAX = 80
PUSD_PER_NUSD = 1000
NUSD_PER_USD = 10**9


class Told(Struct, frozen=True):
    """The words for one condition. `title` is a whole sentence without its full stop; `facts` are (label, value)."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    advice: str = ""
    over: str = ""  # the title when it is over


class Notice(Struct, frozen=True):
    """One message. `id` is the same however often it is sent; `dedup` that of all messages about one alert."""

    id: str
    event: Event
    rule: str
    kind: str
    severity: Severity
    subject: str  # machine-readable: `team:platform`
    title: str
    facts: tuple[tuple[str, str], ...]
    advice: str
    at_us: int
    since_us: int
    alert_id: int
    dedup: str
    link: str = ""


def name_text(kind: str, name: str) -> str:
    """`team "platform"`; names come from clients, too."""
    return f'{kind} "{printable(name, NAME_CHARS_MAX)}"' if kind else "all calls"


def dollars(nusd: int) -> str:
    """As much as people can use: $12,345, $84.20, $0.0432, less than $0.0001. Rounded for reading, never counted with."""
    if nusd < 0:
        return f"-{dollars(-nusd)}"
    with localcontext() as context:
        context.prec = 40
        usd = Decimal(nusd) / NUSD_PER_USD
        if not nusd:
            return "$0"
        if usd < Decimal("0.0001"):
            return "less than $0.0001"
        decimals = 0 if usd >= 10_000 else 2 if usd >= Decimal("0.1") else 4
        rounded = usd.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"${rounded:,f}"


def percent(part: int, whole: int) -> str:
    """`83 %`; below ten with one decimal."""
    if whole <= 0:
        return "all"
    tenths = part * 1000 // whole
    return f"{tenths // 10} %" if tenths >= 100 or not tenths % 10 else f"{tenths // 10}.{tenths % 10} %"


def moment_text(us: int, time_zone: str = "UTC") -> str:
    """`Nov 22 14:05 UTC`."""
    return next_reset_text(us, time_zone)


def span_text(us: int) -> str:
    """`3 h`, `25 min`, `2 days`: as much as is worth knowing."""
    minutes = max(us // 60_000_000, 0)
    if minutes < 1:
        return f"{max(us // 1_000_000, 0)} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def iso(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def lines_of(facts: Iterable[tuple[str, str]]) -> str:
    """For plain text: labels in one column."""
    facts = list(facts)
    width = max((len(label) for label, _ in facts), default=0)
    return "\n".join(f"{label + ':':<{width + 1}} {value}" for label, value in facts)
