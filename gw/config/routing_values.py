"""Readers for the values of routing rules; part of `values.py`, which has the table of all of them."""

import re
from collections.abc import Callable

from gw.config.said import nearest, shown
from gw.config.schema import Spec
from gw.domain.condition import EFFORTS, KINDS, parse_range, parse_times

CHARS_MAX = 200
LIST_MAX = 200
WEIGHT_MAX = 1000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")


def _texts(raw: object) -> list[str]:
    """One text, or a list of them. Raises ValueError."""
    several = [raw] if isinstance(raw, str) and raw else [] if raw == "" else raw
    if not isinstance(several, list):
        raise ValueError(f'must be text, or a list such as ["a", "b*"], not {shown(raw)}')
    if len(several) > LIST_MAX:
        raise ValueError(f"has more than {LIST_MAX} elements")
    for one in several:
        if not isinstance(one, str) or not one or len(one) > CHARS_MAX or not one.isprintable():
            raise ValueError(f"must hold texts of at most {CHARS_MAX} characters, not {shown(one)}")
    return several


def names(spec: Spec, raw: object, around: object) -> tuple[str, ...]:
    """Patterns; `!` before one turns it round."""
    for pattern in (several := _texts(raw)):
        if "[" in pattern or "]" in pattern:
            raise ValueError(f"pattern {shown(pattern)}: only * and ? are special, brackets are not supported")
        if pattern == "!":
            raise ValueError('"!" turns nothing round: write the pattern behind it')
    return tuple(several)


def _one_of(words: tuple[str, ...]) -> Callable[[Spec, object, object], object]:
    def reader(spec: Spec, raw: object, around: object) -> tuple[str, ...]:
        for word in (several := _texts(raw)):
            if word not in words:
                raise ValueError(f"must be of {', '.join(words)}, not {shown(word)}{nearest(word, list(words))}")
        return tuple(several)

    return reader


def ranges(spec: Spec, raw: object, around: object) -> tuple[str, ...]:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    for text in (several := _texts(raw)):
        parse_range(text)
    return tuple(several)


def times(spec: Spec, raw: object, around: object) -> tuple[str, ...]:
    for text in (several := _texts(raw)):
        parse_times(text)
    return tuple(several)


def flag(spec: Spec, raw: object, around: object) -> bool | None:
    """true, false, or "" for whichever."""
    if raw == "" or raw is None:
        return None
    if not isinstance(raw, bool):
        raise ValueError(f"must be true or false, not {shown(raw)}")
    return raw


def patterns(spec: Spec, raw: object, around: object) -> dict[str, tuple[str, ...]]:
    """Header name -> patterns of which its value must match one; names in lower case."""
    if not isinstance(raw, dict):
        raise ValueError('must be a table such as { "x-app" = "cli*" }')
    found: dict[str, tuple[str, ...]] = {}
    for name, value in raw.items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"{shown(name)} is not a header name")
        try:
            found[name.lower()] = names(spec, value, around)
        except ValueError as error:
            raise ValueError(f'"{name}": {error}') from error
        if not found[name.lower()]:
            raise ValueError(f'"{name}": matches nothing; write "*" for any value')
    return found


def weights(spec: Spec, raw: object, around: object) -> dict[str, int]:
    """Name -> weight."""
    if not isinstance(raw, dict):
        raise ValueError("must be a table such as { platform = 3 }")
    for name, weight in raw.items():
        if not isinstance(weight, int) or isinstance(weight, bool) or not 1 <= weight <= WEIGHT_MAX:
            raise ValueError(f'"{name}": must be a whole number from 1 to {WEIGHT_MAX}, not {shown(weight)}')
    return raw


READERS: dict[str, Callable[[Spec, object, object], object]] = {
    "names": names,
    "kinds": _one_of(KINDS),
    "efforts": _one_of(EFFORTS),
    "ranges": ranges,
    "times": times,
    "flag": flag,
    "patterns": patterns,
    "weights": weights,
}
