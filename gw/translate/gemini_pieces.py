"""Arguments of a function call that Vertex AI streams in pieces (`partialArgs`): each names a place by its JSON path and brings
a value, or the next piece of a text. They are put together and told whole: pieces of an object are no pieces of its JSON text."""

import re
from itertools import pairwise
from typing import Any, Final

from gw.translate.form import Json
from gw.translate.loose import objects, text

INDEX_MOST: Final = 10_000
STEPS_MOST: Final = 64
_STEP: Final = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")


class Pieces:
    def __init__(self, seed: Any) -> None:
        self.args: Json = dict(seed) if isinstance(seed, dict) else {}
        self._open: set[str] = set()  # paths of texts that go on

    def add(self, pieces: Any) -> None:
        """Of one functionCall. What cannot be placed is left out."""
        for piece in objects(pieces):
            path = text(piece.get("jsonPath"))
            steps = _steps(path)
            if not steps:
                continue
            if isinstance(piece.get("stringValue"), str):
                self._put(steps, piece["stringValue"], joined=path in self._open)
            elif "numberValue" in piece:
                number = piece["numberValue"]
                self._put(
                    steps, int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 1 << 53 else number
                )
            elif "boolValue" in piece:
                self._put(steps, piece["boolValue"])
            elif "nullValue" in piece:
                self._put(steps, None)
            if piece.get("willContinue") is True:
                self._open.add(path)
            else:
                self._open.discard(path)

    def _put(self, steps: list[str | int], value: Any, *, joined: bool = False) -> None:
        here: Any = self.args
        for step, following in pairwise(steps):
            inner = _get(here, step)
            if not isinstance(inner, list if isinstance(following, int) else dict):
                inner = [] if isinstance(following, int) else {}
                _set(here, step, inner)
            here = inner
        given = _get(here, steps[-1])
        _set(here, steps[-1], given + value if joined and isinstance(given, str) else value)


def _steps(path: str) -> list[str | int]:
    """`$.a[0]['b c']` -> a, 0, "b c"; [] for what is no such path."""
    steps: list[str | int] = []
    at = 1
    while path.startswith("$") and at < len(path) and len(steps) < STEPS_MOST:
        found = _STEP.match(path, at)
        if found is None:
            return []
        name, index, single, double = found.groups()
        quoted = single if single is not None else double
        if index is not None and (int(index) > INDEX_MOST or not steps):
            return []
        steps.append(int(index) if index is not None else name if name is not None else re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    return steps if at >= len(path) else []


def _get(here: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return here[step] if step < len(here) else None
    return here.get(step)


def _set(here: Any, step: str | int, value: Any) -> None:
    if isinstance(step, int):
        here.extend([None] * (step + 1 - len(here)))
    here[step] = value
