"""JSON Schemas as Anthropic's strict modes take them: closed objects, and no keyword that its grammar does not know.

Source: structured outputs, limits of JSON Schema, as read in November 2026.
"""

from typing import Any, Final

import orjson

from gw.translate.form import Json

# Bounds that the grammar does not know: they are told to the model in the description instead.
TOLD: Final = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties", "contains",
)  # fmt: skip
_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf", "allOf")
DEPTH_MAX: Final = 100


def closed_schema(schema: Json, depth: int = 0) -> Json:
    """Objects take no fields that they do not name; what the grammar cannot check stands in words. Beyond DEPTH_MAX as it is."""
    if depth > DEPTH_MAX:
        return schema
    found: Json = {}
    told: Json = {}
    for name, value in schema.items():
        if name in _MAPS and isinstance(value, dict):
            found[name] = {key: _part(part, depth) for key, part in value.items()}
        elif name == "items":
            found[name] = _part(value, depth)
        elif name in _LISTS and isinstance(value, list):
            found["anyOf" if name == "oneOf" else name] = [_part(part, depth) for part in value]
        elif name in TOLD or (name == "minItems" and value not in (0, 1)):
            told[name] = value
        else:
            found[name] = value
    if found.get("type") == "object" or "properties" in found:
        found["additionalProperties"] = False
    if told:
        words = orjson.dumps(told).decode()
        found["description"] = f"{found['description']} {words}" if found.get("description") else words
    return found


def _part(value: Any, depth: int) -> Any:
    return closed_schema(value, depth + 1) if isinstance(value, dict) else value
