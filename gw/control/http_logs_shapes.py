"""What calls look like in JSON and CSV: every column of the log under its name (gw/ledger/log_columns.py)."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from gw.control.http_schema import Schema, closed
from gw.domain.text import defused
from gw.ledger.log_columns import BY_NAME, SAME
from gw.ledger.log_shown import SHOWN
from gw.ledger.store import Row


def csv_text(rows: Iterable[tuple[int, Row]], names: Sequence[str]) -> str:
    """With a head. Cells that a spreadsheet would run begin with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for _, row in rows:
        writer.writerow([_cell(SHOWN[name](row)) for name in names])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return defused(value) if isinstance(value, str) else value


_TYPES: dict[str, Schema] = {
    "text": {"type": "string"},
    "words": {"type": "string"},
    "number": {"type": "integer"},
    "money": {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
    "moment": {"type": ["string", "null"], "format": "date-time"},
    "flag": {"type": "boolean"},
}


def call_schema(*, whole: bool) -> Schema:
    """`whole`: every column is there; else those that were asked for."""
    properties: dict[str, Schema] = {
        "seq": {"type": "integer", "description": "Rises in the order in which calls came into the ledger."}
    }
    for name, column in BY_NAME.items():
        properties[name] = {**_TYPES[column.kind], **({"description": column.about} if column.about else {})}
    return closed(properties, list(properties) if whole else ["seq"], "A call.")


SAME_SAID = ", ".join(f"`{one}` is {other}" for one, other in SAME.items())
