"""Reading JSON that others wrote: what is missing or of another type is the empty value of the type that was expected."""

from collections.abc import Iterator
from typing import Any

import orjson

from gw.translate.form import Json

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
    """Raises ValueError for what is no JSON, or is nested so deeply that nothing of it could be written again: orjson reads four
    times as deep as it writes."""
    read = orjson.loads(data)
    if len(data) > SHALLOW_SIZE:
        try:
            orjson.dumps(read)
        except TypeError as error:
            raise ValueError("it is nested too deeply") from error
    return read


def loaded(data: str | bytes) -> Any:
    """None for what `read_json` does not read."""
    try:
        return read_json(data)
    except ValueError:
        return None
