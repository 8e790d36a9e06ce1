"""A chat client's body that passes, made to fit what its upstream refuses or does not know: a cap under its other name, fields
that it has no words for. Every other byte stays.

Only what would be refused changes: what a server reads over may stay, and how a client speaks of thinking, tools and pictures is
between it and the upstream.
"""

from __future__ import annotations

import orjson

from gw.domain.quirks import Quirks
from gw.translate.form import Json
from gw.translate.splice import fields_of, spliced

CAPS = ("max_tokens", "max_completion_tokens")
_OWN = ("seed", "user")


def fitted(body: bytes, quirks: Quirks, lost: list[str]) -> bytes:
    """What is left out is added to `lost`. Raises Refusal: invalid_json, duplicate_key."""
    if not _any(quirks) or (_cap_alone(quirks) and b"max_tokens" not in body):
        return body
    fields = fields_of(body)
    drop: list[str] = []
    add: Json = {}
    wanted = quirks.max_tokens_field or "max_tokens"
    caps = [name for name in CAPS if name in fields]
    if caps:
        raw = bytes(fields[wanted if wanted in caps else caps[0]])
        if quirks.max_tokens_field and quirks.thinking != "no":  # models that do not think take either name
            drop += [name for name in caps if name != wanted]
            add |= {wanted: raw} if wanted not in caps else {}
        if quirks.max_tokens_most and raw.isdigit() and int(raw) > quirks.max_tokens_most:
            add[wanted if wanted in add else caps[0]] = quirks.max_tokens_most
    for name, other in (("seed", quirks.seed_field), ("user", quirks.user_field)):
        if name in fields and other and other != name:
            drop.append(name)
            add |= {other: bytes(fields[name])} if other not in fields else {}
    gone = [name for name in quirks.fields_dropped if name in fields and name not in drop]
    lost += [name for name in gone if name not in lost]
    add |= {name: orjson.dumps(value) for name, value in quirks.extra.items() if name not in fields}
    return spliced(body, [*drop, *gone], add, fields) if drop or gone or add else body


def _cap_alone(quirks: Quirks) -> bool:
    """The cap's name is all there is to do, as at OpenAI."""
    rest = quirks.fields_dropped or quirks.extra or quirks.max_tokens_most
    return not rest and quirks.max_tokens_field == "max_completion_tokens" and (quirks.seed_field, quirks.user_field) == _OWN


def _any(quirks: Quirks) -> bool:
    """Something of what is done here is asked for."""
    cap = quirks.max_tokens_field and quirks.thinking != "no"
    renamed = (quirks.seed_field, quirks.user_field) != _OWN
    return bool(cap or renamed or quirks.max_tokens_most or quirks.fields_dropped or quirks.extra)
