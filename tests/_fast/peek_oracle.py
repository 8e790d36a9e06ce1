"""What the peek must say of a body: json.loads, strictly, and the rules over its pairs."""

import json
from typing import Any

from tests._fast.twins import agree_on_peek

STRUCTURAL = ("not_object", "invalid_json", "trailing_data")


class Pairs(list[tuple[str, Any]]):
    """An object, its keys in order and as often as they came."""

    def last(self, key: str) -> Any:
        return dict(self).get(key)


def refuse(name: str) -> None:
    raise ValueError(name)


class Number(str):
    """A number as it was written."""


def loads(body: bytes) -> Any:
    """Strictly: no NaN, no invalid UTF-8. Raises ValueError."""
    return json.loads(body.decode(), object_pairs_hook=Pairs, parse_constant=refuse, parse_int=Number, parse_float=Number)


def printable(text: Any) -> str | None:
    if not isinstance(text, str) or isinstance(text, Number):
        return None
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def marks(value: Any, *, top: bool = True) -> list[int]:
    """The TTLs of all cache_control objects outside the client's own words; 0: unknown."""
    found = []
    if isinstance(value, Pairs):
        for key, inner in value:
            if key == "cache_control" and isinstance(inner, Pairs):
                # A null says nothing, so 5m; the last ttl counts.
                ttl = inner.last("ttl")
                found.append(5 if ttl is None else {"5m": 5, "1h": 60}.get(ttl, 0) if printable(ttl) is not None else 0)
            elif key != "metadata" if top else key not in ("input", "input_schema") or not isinstance(inner, list):
                found += marks(inner, top=False)
    elif isinstance(value, list):
        for inner in value:
            found += marks(inner, top=False)
    return found


def expected(value: Pairs) -> dict[str, Any]:
    """All fields but error_offset; of a body with an error of meaning only that."""
    count: dict[str, int] = {}
    for key, inner in value:
        count[key] = count.get(key, 0) + 1
        if key in ("model", "stream", "max_tokens") and count[key] > 1:
            return {"error": f"duplicate_{key}"}
        if key == "model" and not printable(inner):
            return {"error": "bad_model"}
        if key == "stream" and not (inner is None or isinstance(inner, bool)):
            return {"error": "bad_stream"}
        if key == "max_tokens" and not (isinstance(inner, Number) and inner.isdigit() and int(inner) < 2**63):
            return {"error": "bad_max_tokens"}
    metadata = value.last("metadata")
    ttls = set(marks(value))
    return {
        "error": "",
        "model": printable(value.last("model")),
        "stream": bool(value.last("stream")),
        "max_tokens": int(value.last("max_tokens") or -1) if value.last("max_tokens") != "0" else 0,
        "ttl": ttls.pop() if len(ttls) == 1 else 0,
        "has_cache_control": bool(marks(value)),
        "user_id": printable(metadata.last("user_id")) if isinstance(metadata, Pairs) else None,
        "speed": printable(value.last("speed")) or "",
        "service_tier": printable(value.last("service_tier")) or "",
        "key_count": len(value),
    }


def judge(body: bytes) -> None:
    """The peek says of this body what json.loads and the rules say."""
    found = agree_on_peek(body)
    try:
        value = loads(body)
    except ValueError:
        assert found["error"] in STRUCTURAL, body
        return
    if not isinstance(value, Pairs):
        assert found["error"] == "not_object", body
        return
    wanted = expected(value)
    assert {name: found[name] for name in wanted} == wanted, body
    if found["model"] is not None:
        raw = body[found["model_start"] : found["model_end"]]
        assert printable(json.loads(raw.decode())) == found["model"]
