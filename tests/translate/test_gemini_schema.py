"""JSON Schema for Gemini, and Gemini's schemas as JSON Schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.translate.gemini_schema import NODES_MAX, cleaned, json_schema

KNOWN = {
    "type", "title", "description", "format", "enum", "items", "properties", "required", "anyOf", "minimum", "maximum",
    "minItems", "maxItems", "minLength", "maxLength", "pattern",
}  # fmt: skip
S, N, B = {"type": "string"}, {"type": "number"}, {"type": "boolean"}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"$schema": "x", "type": "object", "additionalProperties": False, "properties": {}}, {"type": "object"}),
        (of(a={"const": "x"}), of(a={"type": "string", "enum": ["x"]})),
        (of(a={"const": 3}), of(a={"type": "integer", "enum": [3]})),
        (of(a={"type": "string", "enum": ["a", ""]}), of(a=S)),
        (of(a={"enum": ["a", None]}), of(a={"type": ["string", "null"], "enum": ["a"]})),
        (of(a={"type": "integer", "exclusiveMinimum": 0}), of(a={"type": "integer", "minimum": 1})),
        (of(a={"type": "number", "exclusiveMaximum": 1.5}), of(a={"type": "number", "maximum": 1.5})),
        (of(a={"type": "string", "format": "uri"}), of(a=S)),
        (of(a={"type": "string", "format": "date-time"}), of(a={"type": "string", "format": "date-time"})),
        (of(a={"type": ["string", "null"]}), of(a={"type": ["string", "null"]})),
        (of(a={"type": ["string", "number"]}), of(a={"anyOf": [S, N]})),
        (of(a={"anyOf": [{"type": "string"}, {"type": "null"}]}), of(a={"type": ["string", "null"]})),
        (of(a={"oneOf": [S, N, {"type": "null"}]}), of(a={"anyOf": [S, N, {"type": "null"}]})),
        (of(a={}), of(a={"anyOf": [S, N, B]})),
        (of(a=True), of(a={"anyOf": [S, N, B]})),
        (of(a={"type": "array"}), of(a={"type": "array", "items": S})),
        (of(a={"type": "array", "uniqueItems": True, "items": N}), of(a={"type": "array", "items": N})),
        (of(a={"type": "object", "additionalProperties": S}), of(a={"type": "object"})),
        ({**of(a=S), "required": ["a", "b", "a"]}, {**of(a=S), "required": ["a"]}),
        ({**of(a=S), "anyOf": [{"required": ["a"]}]}, of(a=S)),
        ({"properties": {"a": S}}, of(a=S)),
        (
            {**of(a={"$ref": "#/$defs/A", "description": "mine"}), "$defs": {"A": {"type": "string", "description": "its"}}},
            of(a={"type": "string", "description": "mine"}),
        ),
        (
            {"definitions": {"A": of(x=S)}, "allOf": [{"$ref": "#/definitions/A"}, {**of(y=N), "required": ["y"]}]},
            {**of(x=S, y=N), "required": ["y"]},
        ),
        (of(a={"$ref": "https://elsewhere"}), of(a={"type": "object"})),
    ],
)
def test_what_gemini_does_not_know_is_said_otherwise_or_left_out(given: Any, expected: Any) -> None:
    assert cleaned(given) == expected


def test_recursion_ends_in_any_object() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}, "name": S}}
    inner = of(next={"type": "object"}, name=S)
    assert cleaned(tree) == of(next=inner, name=S)


def test_names_of_properties_are_never_taken_for_keywords() -> None:
    odd = of(const=S, **{"$ref": S, "format": N, "additionalProperties": B})
    assert cleaned(odd) == odd


def nodes(schema: Any) -> int:
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return 1 + sum(nodes(one) for one in inner)


def test_references_that_fan_out_stay_bounded() -> None:
    levels = {f"L{n}": of(**{f"p{i}": {"$ref": f"#/$defs/L{n + 1}"} for i in range(10)}) for n in range(12)}
    assert nodes(cleaned({"$ref": "#/$defs/L0", "$defs": {**levels, "L12": S}})) <= 12 * NODES_MAX


words = st.sampled_from(
    ["type", "anyOf", "oneOf", "allOf", "$ref", "$defs", "properties", "items", "enum", "const", "required", "format", "string",
     "object", "array", "null", "#", "#/$defs/a", "a", "nullable", "exclusiveMinimum", "minItems", "prefixItems"]
)  # fmt: skip
wild = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


def check(schema: Any) -> None:
    assert schema.keys() <= KNOWN and ("type" in schema or "anyOf" in schema)
    assert set(schema.get("required", [])) <= schema.get("properties", {}).keys()
    for one in [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]:
        check(one)
    if "array" in schema.get("type", ""):
        check(schema["items"])


@given(wild)
def test_whatever_comes_only_known_keywords_leave(schema: Any) -> None:
    check(cleaned(schema))
    json_schema(schema)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"type": "STRING", "nullable": True, "enum": ["a"], "format": "enum"},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"type": "ARRAY", "items": {"type": "NUMBER"}, "maxItems": "3"}, {"type": "array", "items": N, "maxItems": 3}),
        ({"type": "TYPE_UNSPECIFIED", "example": 1}, {"examples": [1]}),
        ({"anyOf": [{"type": "STRING"}], "nullable": True}, {"anyOf": [S, {"type": "null"}]}),
        ({"ref": "#/defs/A", "defs": {"A": {"type": "BOOLEAN"}}}, {"$ref": "#/$defs/A", "$defs": {"A": B}}),
        (7, {}),
    ],
)
def test_gemini_schemas_as_json_schema(given: Any, expected: Any) -> None:
    assert json_schema(given) == expected
