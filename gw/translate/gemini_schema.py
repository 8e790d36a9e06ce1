"""JSON Schema as Gemini takes it, and Gemini's OpenAPI subset as JSON Schema.

One keyword that Gemini does not know fails a whole request, so what is written is made of those that all its versions take;
what they cannot say becomes looser, never stricter than was asked, except that "any value" is a text, number or truth value.

Sources: the references of `parametersJsonSchema`, `responseJsonSchema` and Schema, and what users report of their 400s, as
read in November 2026.
"""

from typing import Any, Final

from gw.translate.form import Json

NODES_MAX: Final = 5_000  # of one cleaned schema: references that fan out would grow without end
DEPTH_MAX: Final = 64
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_FORMATS: Final = {
    "string": frozenset({"date-time", "enum"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}
_BOUNDS: Final = ("minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "pattern")
_ANYTHING: Final = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}


def cleaned(schema: Any) -> Json:
    """A JSON Schema for `parametersJsonSchema` and `responseJsonSchema`: references inlined, only keywords that Gemini knows.
    Recursion ends in an object of any kind. Never raises."""
    return _Cleaner(schema).clean(schema, (), 0)


class _Cleaner:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes_left = NODES_MAX

    def clean(self, schema: Any, within: tuple[str, ...], depth: int) -> Json:
        """`within`: the references that are being followed."""
        self._nodes_left -= 1
        if not isinstance(schema, dict):
            return dict(_ANYTHING)
        if self._nodes_left < 0 or depth > DEPTH_MAX:
            return {"type": "object"}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            found = self._find(reference)
            if reference in within or not isinstance(found, dict):
                return _described({"type": "object"}, schema)
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return self.clean({**found, **beside}, (*within, reference), depth + 1)
        if isinstance(schema.get("allOf"), list):
            schema = self._merged(schema, within)
        return self._plain(schema, within, depth)

    def _find(self, reference: str) -> Any:
        """What a reference within this schema names, or None."""
        if not reference.startswith("#"):
            return None
        here = self._root
        for step in reference[1:].strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if name:
                here = here.get(name) if isinstance(here, dict) else None
        return here

    def _merged(self, schema: Json, within: tuple[str, ...]) -> Json:
        """allOf as one schema: properties and required of all, of the rest the last."""
        parts = [part for part in schema["allOf"] if isinstance(part, dict)]
        found: Json = {}
        for given in (*parts, {key: value for key, value in schema.items() if key != "allOf"}):
            reference = given.get("$ref")
            target = self._find(reference) if isinstance(reference, str) and reference not in within else None
            part = {key: value for key, value in given.items() if key != "$ref"}
            part = {**target, **part} if isinstance(target, dict) else part
            properties = {**_object(found, "properties"), **_object(part, "properties")}
            required = [*_list(found, "required"), *_list(part, "required")]
            found |= {key: value for key, value in part.items() if key != "allOf"}
            if properties:
                found["properties"] = properties
            if required:
                found["required"] = required
        return found

    def _plain(self, schema: Json, within: tuple[str, ...], depth: int) -> Json:
        found: Json = _described({}, schema)
        choices = _list(schema, "anyOf") or _list(schema, "oneOf")
        types, nullable = _types(schema)
        if choices and not schema.get("properties"):
            return self._choice(found, choices, nullable, within, depth)
        if len(types) > 1:
            return found | {"anyOf": [self._typed(one, schema, within, depth) for one in (*types, *["null"] * nullable)]}
        if not types:
            return found | ({"type": "null"} if nullable else dict(_ANYTHING))
        found |= self._typed(types[0], schema, within, depth)
        if nullable:
            found["type"] = [types[0], "null"]
        return found

    def _choice(self, found: Json, choices: list[Any], nullable: bool, within: tuple[str, ...], depth: int) -> Json:
        """Alternatives; a single one beside null is that one, nullable."""
        others = [one for one in choices if not (isinstance(one, dict) and one.get("type") == "null")]
        nullable = nullable or len(others) < len(choices)
        shapes = [self.clean(one, within, depth + 1) for one in others]
        if len(shapes) == 1:
            only = {**shapes[0], **found}
            if nullable and isinstance(only.get("type"), str):
                only["type"] = [only["type"], "null"]
            return only
        return found | {"anyOf": [*shapes, *[{"type": "null"}] * nullable]}

    def _typed(self, kind: str, schema: Json, within: tuple[str, ...], depth: int) -> Json:
        found: Json = {"type": kind}
        if kind == "object":
            self._object(found, schema, within, depth)
        elif kind == "array":
            first = _list(schema, "prefixItems") or _list(schema, "items")
            items = schema.get("items") if isinstance(schema.get("items"), dict) else first[0] if first else None
            found["items"] = self.clean(items, within, depth + 1) if items else {"type": "string"}
        elif kind != "null":
            _scalar(found, kind, schema)
        for name in _BOUNDS:
            value = schema.get(name)
            if _bound_fits(name, kind) and value is not None and not isinstance(value, bool):
                found.setdefault(name, value)
        return found

    def _object(self, found: Json, schema: Json, within: tuple[str, ...], depth: int) -> None:
        properties = _object(schema, "properties")
        if not properties:
            return
        found["properties"] = {name: self.clean(one, within, depth + 1) for name, one in properties.items()}
        required = [name for name in dict.fromkeys(map(str, _list(schema, "required"))) if name in properties]
        if required:
            found["required"] = required


def _types(schema: Json) -> tuple[list[str], bool]:
    """(its types but null, whether null is one of them); guessed from what else is there where it has none."""
    given = schema.get("type")
    words = [str(one).lower() for one in given] if isinstance(given, list) else [given.lower()] if isinstance(given, str) else []
    types = [word for word in dict.fromkeys(words) if word in _TYPES and word != "null"]
    nullable = "null" in words or schema.get("nullable") is True
    if words:
        return types, nullable
    values = [schema["const"]] if "const" in schema else _list(schema, "enum")
    if "properties" in schema or "additionalProperties" in schema:
        types = ["object"]
    elif "items" in schema or "prefixItems" in schema:
        types = ["array"]
    elif values:
        types = list(dict.fromkeys(_type_of(value) for value in values if value is not None))
        nullable = nullable or None in values
    return types, nullable


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) else "number"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "string"


def _scalar(found: Json, kind: str, schema: Json) -> None:
    """Values, format and open bounds of a text, a number or a truth value."""
    values = [schema["const"]] if "const" in schema else _list(schema, "enum")
    if kind == "string":
        allowed: list[Any] = [one for one in values if isinstance(one, str) and one]  # Gemini refuses the empty one
        whole = all(one is None or (isinstance(one, str) and one) for one in values)
    else:
        allowed = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
        whole = len(allowed) == sum(one is not None for one in values)
    if allowed and whole and kind != "boolean":
        found["enum"] = list(dict.fromkeys(allowed))
    if schema.get("format") in _FORMATS.get(kind, ()):
        found["format"] = schema["format"]
    for name, step, closed in (("exclusiveMinimum", 1, "minimum"), ("exclusiveMaximum", -1, "maximum")):
        value = schema.get(name)
        if kind in ("integer", "number") and isinstance(value, int | float) and not isinstance(value, bool):
            found[closed] = value + step if kind == "integer" and isinstance(value, int) else value


def _bound_fits(name: str, kind: str) -> bool:
    if name in ("minimum", "maximum"):
        return kind in ("integer", "number")
    return kind == "array" if name.endswith("Items") else kind == "string"


def _described(found: Json, schema: Json) -> Json:
    for name in ("title", "description"):
        value = schema.get(name)
        if isinstance(value, str) and value:
            found[name] = value
    return found


def _object(schema: Json, name: str) -> Json:
    value = schema.get(name)
    return value if isinstance(value, dict) else {}


def _list(schema: Json, name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


# --- from Gemini ----------------------------------------------------------------------------------------------------

_COUNTS: Final = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_KEPT: Final = frozenset({"title", "description", "format", "enum", "required", "default", "minimum", "maximum", "pattern"})


def json_schema(schema: Any) -> Json:
    """Gemini's Schema object (types in capitals, `nullable`, int64 as text; keys in camelCase) as JSON Schema."""
    if not isinstance(schema, dict):
        return {}
    found: Json = {key: value for key, value in schema.items() if key in _KEPT and value is not None}
    if found.get("format") == "enum":
        del found["format"]
    kind = schema.get("type")
    if isinstance(kind, str) and kind.lower() in _TYPES:
        found["type"] = [kind.lower(), "null"] if schema.get("nullable") is True and kind.lower() != "null" else kind.lower()
    elif isinstance(kind, list):
        found["type"] = [one.lower() for one in kind if isinstance(one, str)]
    for name in _COUNTS & schema.keys():
        value = schema[name]
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal() and len(value) < 19):
            found[name] = int(value)
    if isinstance(schema.get("items"), dict):
        found["items"] = json_schema(schema["items"])
    for name in ("anyOf", "prefixItems"):
        if isinstance(schema.get(name), list):
            found[name] = [json_schema(one) for one in schema[name]]
    for name, own in (("properties", "properties"), ("defs", "$defs"), ("$defs", "$defs")):
        if isinstance(schema.get(name), dict):
            found[own] = {key: json_schema(one) for key, one in schema[name].items()}
    more = schema.get("additionalProperties")
    if isinstance(more, bool | dict):
        found["additionalProperties"] = more if isinstance(more, bool) else json_schema(more)
    for name in ("ref", "$ref"):
        if isinstance(schema.get(name), str):
            found["$ref"] = schema[name].replace("#/defs/", "#/$defs/")
    if schema.get("nullable") is True and "anyOf" in found and "type" not in found:
        found["anyOf"] = [*found["anyOf"], {"type": "null"}]
    if schema.get("nullable") is True and "enum" in found and None not in found["enum"]:
        found["enum"] = [*found["enum"], None]
    if "example" in schema:
        found["examples"] = [schema["example"]]
    return found
