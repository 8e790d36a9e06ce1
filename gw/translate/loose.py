"""Reading JSON that others wrote: what is missing or of another type is the empty value of the type that was expected.

JavaScript cuts texts within a character: of one beyond the first 65,536 (most emoji) a half then stands by itself, as an escape,
and no UTF-8 has a word for it. The next event of a stream begins with the other half, mostly (`Halves`); else it is lost.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from gw.translate.form import Json

LOST: Final = rb"\ufffd"
# A pair, a half by itself, or any other escape: read in this order, a backslash is never taken for the beginning of another.
_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
_QUOTE: Final = b'"'
SHALLOW_SIZE = 2 * 254  # what is no longer cannot be nested deeper than orjson writes


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def text_at(source: Json, *names: str) -> str:
    """The first of these fields that is a text and not empty."""
    for name in names:
        value = source.get(name)
        if value and isinstance(value, str):
            return value
    return ""


def object_at(source: Json, name: str) -> Json:
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> Iterator[Json]:
    """The objects of a list."""
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def count_at(source: Json, name: str) -> int:
    """A whole number of at least 0; JavaScript's 12.0 is one."""
    value = source.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def json_text(value: Any) -> str:
    """As compact JSON text. A text is taken for JSON text already."""
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()


def read_json(data: str | bytes) -> Any:
    """Halves of characters are lost. Raises ValueError for what is no JSON, or is nested so deeply that nothing of it could be
    written again: orjson reads four times as deep as it writes."""
    try:
        return _read(data)
    except ValueError:
        return _read(_mended(data.encode() if isinstance(data, str) else data, lambda half, at, end: LOST))


def loaded(data: str | bytes) -> Any:
    """None for what `read_json` does not read."""
    try:
        return read_json(data)
    except ValueError:
        return None


class Halves:
    """Reads the events of one stream: a half at the end of a text waits for the other, at the beginning of a later one."""

    __slots__ = ("_high",)

    def __init__(self) -> None:
        self._high = b""

    def read(self, data: bytes) -> Any:
        """Raises ValueError as `read_json`."""
        try:
            return _read(data)
        except ValueError:
            return _read(_mended(data, lambda half, at, end: self._half(half, data[at - 1 : at], data[end : end + 1])))

    def loaded(self, data: bytes) -> Any:
        """None for what `read` does not read."""
        try:
            return self.read(data)
        except ValueError:
            return None

    def _half(self, half: bytes, before: bytes, behind: bytes) -> bytes:
        if half[3:4] in b"89abAB":
            if behind != _QUOTE:
                return LOST
            self._high = half
            return b""
        if before != _QUOTE or not self._high:
            return LOST
        whole, self._high = self._high + half, b""
        return whole


def _read(data: str | bytes) -> Any:
    read = orjson.loads(data)
    if len(data) > SHALLOW_SIZE:
        try:
            orjson.dumps(read)
        except TypeError as error:
            raise ValueError("it is nested too deeply") from error
    return read


def _mended(data: bytes, mend: Callable[[bytes, int, int], bytes]) -> bytes:
    """With `mend(half, start, end)` in place of each half. Raises ValueError if there is none."""

    def mended(match: re.Match[bytes]) -> bytes:
        return match[0] if match[1] is None else mend(match[0], *match.span())

    found = _ESCAPE.sub(mended, data) if b"\\ud" in data or b"\\uD" in data else data
    if found == data:
        raise ValueError("it is no JSON")
    return found
