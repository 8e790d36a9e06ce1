"""From what the ledger has to what a file shows: which columns, which of them blank or hashed."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from gw.domain.column import DECIMAL_SCALE, Column, matching
from gw.domain.exported import columns_of
from gw.domain.money import usd_text
from gw.export.errors import ExportError

Values = tuple[Any, ...]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DIGEST_BYTES = 16
TEXTUAL = ("text", "json")


class Shape:
    """`columns` are those of the file; `shaped` turns a row of all columns into one of these. Raises ExportError for names that
    stand for no column."""

    def __init__(self, what: str, wanted: Sequence[str], redact: Sequence[str], hashed: Sequence[str], key: bytes) -> None:
        every = columns_of(what)
        for pattern in (*wanted, *redact, *hashed):
            if not matching(every, [pattern]):
                raise ExportError(f'no column of {what} is called "{pattern}"')
        self.columns = matching(every, wanted)
        blank = {column.name for column in matching(every, redact) if column.kind in TEXTUAL}
        digested = {column.name for column in matching(every, hashed) if column.kind in TEXTUAL} - blank
        self.indexes = tuple(every.index(column) for column in self.columns)
        self._treated = tuple(
            (at, _blank(column) if column.name in blank else _digested(key))
            for at, column in enumerate(self.columns)
            if column.name in blank | digested
        )
        self._scaled = tuple((at, column.scale) for at, column in enumerate(self.columns) if column.scale != 1)
        self.redacted, self.hashed = tuple(sorted(blank)), tuple(sorted(digested))

    def shaped(self, row: Sequence[Any]) -> list[Any]:
        values = [row[index] for index in self.indexes]
        for at, scale in self._scaled:
            values[at] *= scale
        for at, treat in self._treated:
            values[at] = treat(values[at])
        return values


def _blank(column: Column) -> Callable[[Any], Any]:
    nothing = None if column.nullable else ""
    return lambda _: nothing


def _digested(key: bytes) -> Callable[[Any], Any]:
    """32 hex digits; nothing stays nothing."""

    @lru_cache(maxsize=4096)
    def digest(text: str) -> str:
        return blake2b(text.encode(), digest_size=DIGEST_BYTES, key=key[:64], person=b"gw-export").hexdigest()

    return lambda text: digest(text) if text else text


def decimal_text(units: int) -> str:
    """1e-12 units as an exact decimal number: no exponent, no trailing zeros."""
    return usd_text(units)


def moment_text(us: int) -> str:
    """`2026-11-21T10:00:00.000000Z`."""
    return (EPOCH + timedelta(microseconds=us)).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def text_form(column: Column) -> Callable[[Any], Any] | None:
    """How a value is written in CSV and JSON; None: as it is."""
    assert DECIMAL_SCALE == 12, "decimal_text writes pico"
    if column.kind == "decimal":
        return lambda value: None if value is None else decimal_text(value)
    if column.kind == "moment":
        return lambda value: moment_text(value) if value else None
    if column.kind == "second":  # FOCUS, attribute DateTimeFormat: YYYY-MM-DDTHH:mm:ssZ
        return lambda value: f"{moment_text(value)[:19]}Z"
    if column.kind == "bool":
        return lambda value: None if value is None else bool(value)
    if column.kind == "json":
        return lambda value: value or None
    return None
