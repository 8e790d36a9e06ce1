"""What customers, teams, keys, budgets and limits look like in JSON, read off the model of the configuration: every key, its
range and what it means are said there, once (gw/config/model.py). Pure.

Money is a decimal string in USD, a moment is a date-time in UTC; what is not set is "" or null.
"""

from functools import cache
from typing import Any, Literal

from msgspec import Struct

from gw.config.budget_model import Budget, Limit
from gw.config.model import Customer, Key, Team
from gw.config.schema import Spec, section_text, specs
from gw.config.values import NAME_CHARS_MAX, TEXT_CHARS_MAX
from gw.control.http_body import MONEY, nullable
from gw.control.http_listing import Column
from gw.control.service import Kind

Schema = dict[str, Any]
TABLES: dict[Kind, type[Struct]] = {"customer": Customer, "team": Team, "key": Key, "budget": Budget, "limit": Limit}
PLURALS: dict[Kind, str] = {"customer": "customers", "team": "teams", "key": "keys", "budget": "budgets", "limit": "limits"}
HIDDEN = frozenset({"secret", "secret_hash"})  # keys of the API are minted by gw
SOURCES = ("config", "database")
MONEY_OR_NOTHING = MONEY.replace("^", "^(").replace("$", ")?$")
NAME = r"^[\w.@+:/-]+( [\w.@+:/-]+)*$"

_TYPES: dict[str, Schema] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "choice": {"type": "string"},
    "usd": {"type": "string"},
    "text": {"type": "string", "maxLength": TEXT_CHARS_MAX},
    "name": {"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX, "pattern": NAME},
    "scope": {"type": "string", "maxLength": TEXT_CHARS_MAX},
    "window": {"type": "string", "maxLength": 40},
    "zone": {"type": "string", "maxLength": 80},
    "anchor": {"type": "string", "maxLength": 26, "pattern": r"^[0-9T:. -]*$"},
    "per": {"type": "string", "pattern": "^[1-9][0-9]{0,8}[smhdw]$"},
    "burst": {"type": "string", "pattern": r"^([0-9]{1,12}(\.[0-9]{1,9})?)?$"},
    "moment": {"type": ["string", "null"], "format": "date-time"},
    "globs": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX}, "minItems": 1},
    "fractions": {"type": "array", "items": {"type": "number", "minimum": 0.0001, "maximum": 1}},
}
_COLUMN_KINDS: dict[str, Literal["text", "money", "number", "bool"]] = {"usd": "money", "int": "number", "bool": "bool"}
_SORTED = frozenset({"name", "text", "choice", "scope", "moment", "window", "zone", "per", "usd", "int", "bool"})
_SEARCHED = frozenset({"name", "text", "scope"})
_FILTERED = frozenset({"text", "choice", "scope", "window", "bool"})


@cache
def fields(kind: Kind) -> tuple[Spec, ...]:
    """What can be written and read of this kind, in the order of the model."""
    return tuple(spec for spec in specs(TABLES[kind]) if spec.key not in HIDDEN)


@cache
def columns(kind: Kind) -> tuple[Column, ...]:
    """What a list of this kind can be sorted, filtered and searched by."""
    own = tuple(
        Column(
            spec.key,
            _COLUMN_KINDS.get(spec.kind, "text"),
            choices=spec.choices,
            filtered=spec.kind in _FILTERED,
            searched=spec.kind in _SEARCHED,
            effect=spec.effect,
        )
        for spec in fields(kind)
        if spec.kind in _SORTED
    )
    source = Column("source", "text", choices=SOURCES, filtered=True, effect="Where it is defined.")
    return (*own, source, Column("version", "number"), Column("created_at", "text"), Column("updated_at", "text"))


def written(kind: Kind, *, partial: bool) -> Schema:
    """The schema of a body: of POST, or (`partial`) of PATCH, where null sets a field back to its default."""
    known = [spec for spec in fields(kind) if not (partial and spec.key == "name")]
    properties = {spec.key: _property(spec, null=nullable(spec, partial=partial)) for spec in known}
    required = [] if partial else [spec.key for spec in fields(kind) if spec.required]
    return closed(properties, required, section_text(TABLES[kind]))


def shown(kind: Kind) -> Schema:
    """The schema of one of this kind as answered: every field is there."""
    properties = {spec.key: _as_shown(spec) for spec in fields(kind)}
    properties |= {
        "source": {"enum": list(SOURCES), "description": "`config` is defined in config.toml, and changed only there."},
        "version": {"type": "integer", "description": "Grows with each change, over all of them; 0: of the configuration file."},
        "problem": {"type": "string", "description": 'Why it is not in force; "" if it is.'},
        "created_at": _moment("When it was made; null: in the configuration file."),
        "updated_at": _moment("When it was changed last."),
    }
    if kind == "key":
        properties["public_id"] = {
            "type": ["string", "null"],
            "description": "Names it in logs; null: of the configuration file.",
        }
        properties["revoked_at"] = _moment("Since when it is refused for good; null: it is not.")
        properties["overlap_until"] = _moment("Until when the secret before the last rotation is good; null: it is not.")
    return closed(properties, list(properties), section_text(TABLES[kind]))


def _moment(about: str) -> Schema:
    return {"type": ["string", "null"], "format": "date-time", "description": about}


def table_schema(table: type[Struct]) -> Schema:
    """Of a table inside another."""
    required = [spec.key for spec in specs(table) if spec.required]
    return closed({spec.key: _property(spec) for spec in specs(table)}, required, section_text(table))


def closed(properties: dict[str, Schema], required: list[str], description: str = "") -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"description": description, **schema} if description else schema


def _property(spec: Spec, *, null: bool = False) -> Schema:
    if spec.table is not None:
        schema: Schema = {"type": "array", "items": table_schema(spec.table), "description": section_text(spec.table)}
    else:
        schema = {**_typed(spec), "description": _described(spec)}
        if not spec.required:
            schema["default"] = None if spec.kind == "moment" else spec.default
    if null and schema["type"] != ["string", "null"]:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema


def _as_shown(spec: Spec) -> Schema:
    """Of what was taken, by whatever rules there were then: its type alone."""
    if spec.table is not None:
        return _property(spec)
    typed = _typed(spec)
    kept: Schema = {word: typed[word] for word in ("type", "enum", "format") if word in typed}
    if "items" in typed:
        kept["items"] = {"type": typed["items"]["type"]}
    return {**kept, "description": _described(spec)}


def _typed(spec: Spec) -> Schema:
    schema = dict(_TYPES[spec.kind])
    if spec.kind == "usd":
        schema["pattern"] = MONEY if spec.required else MONEY_OR_NOTHING
    if spec.choices:
        schema["enum"] = list(spec.choices)
    if spec.low is not None:
        schema["minimum"] = int(spec.low) if spec.kind == "int" else spec.low
    if spec.high is not None:
        schema["maximum"] = int(spec.high) if spec.kind == "int" else spec.high
    if spec.required and spec.kind == "moment":
        schema["type"] = "string"
    if spec.example is not None and spec.kind != "moment":
        schema["examples"] = [spec.example]
    return schema


def _described(spec: Spec) -> str:
    return f"{spec.effect} In {spec.unit}." if spec.unit else spec.effect
