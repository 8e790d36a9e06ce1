"""Top-level fields of a JSON object taken out or put in, every other byte as it was: prompt caches live on that."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
import orjson

from gw.errors import Refusal

_KEY: Final = re.compile(rb'[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fields_of(body: bytes) -> dict[str, msgspec.Raw]:
    """The top-level fields, their values unread. Raises Refusal invalid_json."""
    try:
        return _FIELDS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refusal("invalid_json", f"The body is not a JSON object: {error}.") from error


def spliced(
    body: bytes,
    drop: Collection[str] = (),
    add: Mapping[str, Any] | None = None,
    fields: Mapping[str, msgspec.Raw] | None = None,
) -> bytes:
    """The body without the fields in `drop`, with those of `add` in place of its own, or at the end. A value of `add` in bytes is
    JSON text already. `fields`: what fields_of has said of this body. Raises Refusal: invalid_json, duplicate_key."""
    values = {name: value if isinstance(value, bytes) else orjson.dumps(value) for name, value in (add or {}).items()}
    fields = fields_of(body) if fields is None else fields
    if not values and not any(name in fields for name in drop):
        return body
    opening = body.index(b"{") + 1
    pieces: list[bytes] = []
    at = opening
    for name, raw in fields.items():
        key = _KEY.match(body, at)
        value = bytes(raw)
        if key is None or not body.startswith(value, key.end()) or orjson.loads(b'"%b"' % key[1]) != name:
            raise Refusal("duplicate_key", "The body has a field twice at its top level. Send each once.")
        value_end = key.end() + len(value)
        space = _SPACE.match(body, value_end)
        end = space.end() if space else value_end
        if name in values:
            pieces.append(body[at : key.end()] + values.pop(name) + body[value_end:end])
        elif name not in drop:
            pieces.append(body[at:end])
        at = end + 1  # behind the comma, or the closing brace
    closing = at - 1 if fields else body.rindex(b"}")
    if body[closing : closing + 1] != b"}":
        raise Refusal("duplicate_key", "The body has a field twice at its top level. Send each once.")
    pieces += [b"%b:%b" % (orjson.dumps(name), value) for name, value in values.items()]
    return b"%b%b%b" % (body[:opening], b",".join(pieces), body[closing:])
