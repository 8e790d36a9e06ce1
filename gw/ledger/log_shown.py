"""How calls are shown to programs: values as JSON has them, under the names of the log's columns. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

from gw.domain.money import usd_text
from gw.domain.shown import iso
from gw.ledger.log_columns import BY_NAME, Column, column_of
from gw.ledger.store import Row

Shown = Callable[[Row], Any]
# What a list shows when nobody asks for other columns.
USUAL = (
    "call_id",
    "ended_at",
    "outcome",
    "status",
    "error",
    "key",
    "team",
    "customer",
    "project",
    "model",
    "upstream",
    "session_id",
    "agent_id",
    "prompt_id",
    "stream",
    "stop_reason",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "billed_usd",
    "duration_ms",
    "ttft_ms",
    "usage_source",
    "unpriced",
    "failed_attempts",
)


def shown(column: Column) -> Shown:
    """The value of a row as JSON has it: moments as text or null, money as decimal text."""
    value = column.value
    if column.kind == "moment":
        return lambda row: iso(at) if (at := value(row)) else None
    if column.kind == "money":
        return lambda row: usd_text(value(row))
    if column.kind == "flag":
        return lambda row: bool(value(row))
    return value


SHOWN: dict[str, Shown] = {name: shown(column) for name, column in BY_NAME.items()}


def fields_of(text: str) -> tuple[list[str], list[str]]:
    """`"call_id,cost_usd"` -> names of columns, and those that there are not. `*`: all; "": the usual ones."""
    if not text:
        return list(USUAL), []
    names, unknown = list[str](), list[str]()
    for one in (part.strip() for part in text.split(",")):
        column = column_of(one)
        if one == "*":
            names += BY_NAME
        elif column is None:
            unknown.append(one)
        else:
            names.append(column.name)
    return list(dict.fromkeys(names)), unknown


def call_json(seq: int, row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {"seq": seq, **{name: SHOWN[name](row) for name in names}}
