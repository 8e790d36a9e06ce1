"""Readers for the tables within [[upstream]]; part of `values.py`, which has the table of all of them."""

from typing import Any

import msgspec
from msgspec.structs import fields

from gw.config.said import LIKE_A_SECRET, nearest, shown
from gw.config.schema import Spec
from gw.domain.quirks import Quirks

CHARS_MAX = 300  # an inference profile's ARN has about 150
QUIRKS = {one.name: one for one in fields(Quirks)}
WORDS = {bool: "true or false", int: "a whole number", str: "text in quotes"}


def model_map(spec: Spec, raw: object, around: object) -> dict[str, str]:
    """Patterns on the left; each `*` on the right is what a `*` on the left stood for."""
    found = _names(raw)
    for left, right in found.items():
        if "[" in left or "]" in left:
            raise ValueError(f"pattern {shown(left)}: only * and ? are special, brackets are not supported")
        if right.count("*") > left.count("*"):
            raise ValueError(f"{shown(right)} has a * for which {shown(left)} has none")
        if "?" in right:
            raise ValueError(f"{shown(right)}: a ? stands for nothing here")
    return found


def deployments(spec: Spec, raw: object, around: object) -> dict[str, str]:
    found = _names(raw)
    for one in (*found, *found.values()):
        if "*" in one or "?" in one:
            raise ValueError(f"{shown(one)}: patterns are for model_map, a deployment is named in full")
    return found


def quirks(spec: Spec, raw: object, around: object) -> dict[str, Any]:
    """Those that are given, and no others."""
    if not isinstance(raw, dict):
        raise ValueError("must be a table such as { parallel_tools = false }")
    found = {}
    for name, value in raw.items():
        if name not in QUIRKS:
            hint = nearest(name, list(QUIRKS)) or "; docs/providers.md has the list"
            raise ValueError(f"{shown(name)} is no quirk that gw knows{hint}")
        try:
            found[name] = msgspec.convert(value, QUIRKS[name].type)
        except msgspec.ValidationError:
            wanted = WORDS.get(QUIRKS[name].type, 'a list such as ["a"]' if name != "extra" else "a table")
            raise ValueError(f"{name} must be {wanted}, not {shown(value)}") from None
    return found


def _names(raw: object) -> dict[str, str]:
    if not isinstance(raw, dict):
        raise ValueError('must be a table such as { "name" = "other name" }')
    for one in (*raw, *raw.values()):
        if not isinstance(one, str) or not one or len(one) > CHARS_MAX or not one.isprintable():
            raise ValueError(f"must hold names of at most {CHARS_MAX} characters in quotes, not {shown(one)}")
        if LIKE_A_SECRET.match(one) and one.startswith(("gwk_", "sk-")):
            raise ValueError("holds what looks like a secret")
    return raw


READERS = {"model_map": model_map, "deployments": deployments, "quirks": quirks}
