"""Columns of what is exported, and how their values travel. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

Kind = Literal["text", "json", "int", "bool", "moment", "second", "decimal"]
# decimal: an int of 1e-12 units, 38 digits in all; of money: pico-USD. moment: UTC microseconds; second: likewise, a whole one,
# which text shows without a fraction. json: text that is JSON.
DECIMAL_DIGITS, DECIMAL_SCALE = 38, 12


class Column(NamedTuple):
    name: str
    kind: Kind = "text"
    source: str = ""  # field of the ledger it comes from
    scale: int = 1  # what a value of the ledger is multiplied by
    money: bool = False  # summed up in the manifest
    nullable: bool = True


def matching(columns: Sequence[Column], patterns: Sequence[str]) -> tuple[Column, ...]:
    """Those that one of the patterns (`*` and `?`) names."""
    return tuple(column for column in columns if any(fnmatchcase(column.name, pattern) for pattern in patterns))
