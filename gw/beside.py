"""Models that a request names beside its own: who takes over when it declines, who advises it, who draws.

A key that may not use all models must not reach the others by these fields. Keys that may are never asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gw.domain.account import Account
from gw.errors import Refusal
from gw.routing.plan import plan
from gw.translate.loose import loaded

# Without one of these (a key may be written in escapes) a body names no other model: then it need not be read.
_SIGNS = (b'"fallbacks"', b'"models"', b"advisor", b"image_generation", b"\\u00")


def must_be_allowed(account: Account, body: bytes) -> None:
    """Raises Refusal (model_not_allowed, invalid_json)."""
    if not account.any_model:
        _must_be(account, body)


def _must_be(account: Account, body: bytes) -> None:
    if not any(sign in body for sign in _SIGNS):
        return
    read = loaded(body)
    if not isinstance(read, dict):  # the upstream may be one that can read it
        raise Refusal("invalid_json", "The body is not a JSON object, or is nested more than 250 levels deep.")
    for name in _named(read):
        if not account.may_use_model(name):
            plan(account, name, ())  # refuses, in the words that it has for it


def _named(read: dict[str, Any]) -> Iterator[str]:
    """`fallbacks` of Anthropic may be a word for models that nobody names here; `models` are OpenRouter's."""
    for field in ("fallbacks", "models"):
        others = read.get(field)
        if isinstance(others, str):
            yield others
        yield from _of(others)
    yield from _of(read.get("tools"))


def _of(entries: Any) -> Iterator[str]:
    for one in entries if isinstance(entries, list) else ():
        name = one.get("model") if isinstance(one, dict) else one
        if isinstance(name, str):
            yield name
