"""The pure twin of flat.pyx."""

from typing import Any


def flattened(rows: list[tuple[Any, ...]], before: int) -> list[Any]:
    if not isinstance(rows, list):
        raise TypeError("a list of rows is needed")
    if not all(isinstance(row, tuple) for row in rows):
        raise TypeError("a row is a tuple")
    return [value for number, row in enumerate(rows, before + 1) for value in (*row, number)]
