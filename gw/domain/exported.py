"""What exports hold: the columns of each kind, with their types. Pure.

A value travels as the ledger has it (money as pico-USD, moments as UTC microseconds, 0 for never) until it is written; what a
file then shows is decided by the column's kind alone, so that every form says the same.
"""

from msgspec.structs import fields

from gw.domain.call import CallRecord
from gw.domain.column import Column
from gw.domain.focus import FOCUS
from gw.domain.rolled import AMOUNTS, DIMENSIONS, TOKENS, TOOLS

WHATS = ("calls", "adjustments", "usage", "focus", "audit")


def _call_column(name: str, kind: object) -> Column:
    if name.endswith("_pusd"):
        return Column(f"{name[:-5]}_usd", "decimal", name, money=True, nullable=False)
    if name.endswith("_nusd"):
        return Column(f"{name[:-5]}_usd", "decimal", name, 1000, nullable=False)
    if name.endswith("_us"):
        return Column(f"{name[:-3]}_at", "moment", name)
    if kind is bool:
        return Column(name, "bool", name, nullable=False)
    return Column(name, "int" if kind is int else "text", name, nullable=False)


CALLS = (
    Column("seq", "int", "seq", nullable=False),
    *(_call_column(field.name, field.type) for field in fields(CallRecord)),
)
_ADJUSTED = tuple(name.removesuffix("_pusd") for name in AMOUNTS)
_ADJUSTMENT_TEXTS = ("customer", "team", "key_name", "key_id", "upstream", "requested_model", "project", "session_id")
ADJUSTMENTS = (
    Column("seq", "int", "seq", nullable=False),
    Column("id", "text", "id", nullable=False),
    Column("call_id", "text", "call_id", nullable=False),
    Column("at", "moment", "at_us"),
    *(Column(name, "text", name, nullable=False) for name in ("actor", "reason", "old_version", "new_version")),
    *(Column(f"{name}_usd", "decimal", f"{name}_pusd", money=True, nullable=False) for name in _ADJUSTED),
    Column("ended_at", "moment", "ended_us"),
    Column("charged_at", "moment", "charged_us"),
    *(Column(name, "text", name, nullable=False) for name in _ADJUSTMENT_TEXTS),
)
"""What repricing adds to calls that went out before: signed differences. A call has cost its row and all of these together."""
AUDIT = (
    Column("id", "int", "id", nullable=False),
    Column("at", "moment", "at_us"),
    *(Column(name, "text", name, nullable=False) for name in ("actor", "via", "action", "kind", "name")),
    Column("before", "json", "before_json"),
    Column("after", "json", "after_json"),
    Column("prev_hash", "text", "prev_hash", nullable=False),
    Column("hash", "text", "hash", nullable=False),
)

_USAGE_COUNTS = (
    "calls",
    "requests",
    "failed",
    "unpriced",
    "observed",
    "estimated",
    *TOKENS,
    *TOOLS,
)
USAGE = (
    Column("period_start", "moment", nullable=False),
    Column("period_end", "moment", nullable=False),
    *(Column(name, "int" if name == "status" else "text", name, nullable=False) for name in DIMENSIONS),
    *(Column(name, "int", name, nullable=False) for name in _USAGE_COUNTS),
    *(Column(f"{name}_usd", "decimal", f"{name}_pusd", money=True, nullable=False) for name in _ADJUSTED),
)
"""Sums by everything that the rollups keep; adjustments count in the period in which their call ended."""


def columns_of(what: str) -> tuple[Column, ...]:
    """All columns of a kind of export, in their order."""
    return {"calls": CALLS, "adjustments": ADJUSTMENTS, "audit": AUDIT, "usage": USAGE, "focus": FOCUS}[what]
