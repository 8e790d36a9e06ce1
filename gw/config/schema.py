"""What is known about each key, read off the model: one `Spec` per field, from which loader, reference and shipped file are made.

A field of the model says everything in its annotation: `Annotated[int, about("effect", low=1, high=65535, unit="bytes")]`.
Its `kind` chooses the reader in `values.py`; it follows from the type unless `about` names a narrower one.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from gw.config.secret import Secret

_KIND_OF_TYPE: dict[object, str] = {bool: "bool", int: "int", float: "float", str: "text", Path: "directory", Secret: "secret"}

_KIND_OF_ELEMENTS: dict[object, str] = {str: "globs", float: "fractions"}


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every table is: immutable, by name, closed."""


def about(
    effect: str,
    *,
    kind: str = "",
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    example: str | int | list[str] | None = None,
    default_of: Callable[[Mapping[str, object]], object] | None = None,
) -> Meta:
    """Effect in words, unit, inclusive range, and what config.toml shows where the default would say nothing. `default_of`: the
    default where it depends on what else stands in the table."""
    extra = {"kind": kind, "unit": unit, "example": example, "default_of": default_of}
    return Meta(description=effect, ge=low, le=high, extra=extra)


class Spec(Struct, frozen=True):
    """One key of one table."""

    key: str  # as written in TOML
    attribute: str  # as named in Python; differs for `from`
    kind: str  # names a reader of values.py; or table, or tables (an array of them)
    effect: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    default: object = None  # as TOML would say it: a list for a tuple, "" for nothing
    default_of: Callable[[Mapping[str, object]], object] | None = None  # instead, given the table as TOML has it
    example: object = None
    table: type[Struct] | None = None  # for kinds table and tables

    @property
    def scalar(self) -> bool:
        """One word of text can say it, so an environment variable can."""
        several = {"globs", "headers", "pairs", "fractions", "columns", "model_map", "deployments", "quirks", "weights"}
        return self.kind not in several | {"table", "tables"}

    @property
    def range_text(self) -> str:
        """What may stand there, for people: `1 to 65535 bytes`."""
        unit = f" {self.unit}" if self.unit else ""
        if self.kind == "choice":
            return ", ".join(f'"{choice}"' for choice in self.choices)
        if self.low is not None and self.high is not None:
            return f"{self.low:.12g} to {self.high:.12g}{unit}"
        return _KIND_TEXT[self.kind] + unit


_KIND_TEXT = {
    "bool": "true or false",
    "text": "text",
    "name": "a name, unique in its kind",
    "host": "host name or IP address",
    "directory": "path of a directory",
    "path": "path of a file",
    "url": "http or https URL",
    "proxy": "http or https URL, or env:NAME or file:PATH of one",
    "storage": "sqlite:///path or postgresql://user@host/name",
    "globs": "list of patterns with * and ?",
    "glob": "a pattern with * and ?",
    "headers": "table of header names and values",
    "pairs": "table of names and values",
    "secret": "env:NAME, file:PATH or the text itself",
    "hash": "64 hexadecimal digits",
    "moment": "date or date-time with offset",
    "rate": "decimal in quotes,",
    "multiplier": "decimal in quotes",
    "usd": "decimal in quotes,",
    "scope": "a name, or a pattern with * and ?",
    "window": "hour, day, week, month, year, lifetime, or a number with m, h, d, w, M or Y",
    "zone": "IANA time zone",
    "anchor": "a day, or a date and time",
    "per": "a number with s, m, h, d or w",
    "burst": "a number, in quotes where it has decimals",
    "fractions": "list of numbers, above 0 and at most 1",
    "columns": "list of names or patterns with * and ?",
    "target": "file:///folder, s3://, gs:// or az://",
    "schedule": "hourly, daily, a span of time or cron",
    "template": "folders with {what}, {name}, {date}, {hour}",
    "names": "a pattern with * and ?, ! before it for all others, or a list of them",
    "kinds": "main, subagent, background, or a list of them",
    "efforts": "none, minimal, low, medium, high, xhigh, max, or a list of them",
    "ranges": "a comparison such as < 8000, >= 200k, 100k..200k, or a list of them",
    "times": "days, hours and zone, or a list of them",
    "flag": "true or false",
    "patterns": "table of header names and patterns",
    "model_map": "table of patterns and names",
    "deployments": "table of names",
    "quirks": "table of options",
    "weights": "table of names and weights",
}


@cache
def specs(table: type[Struct]) -> tuple[Spec, ...]:
    """The keys of one table, in the order of the model."""
    return tuple(_spec(field) for field in msgspec.structs.fields(table))


def walk(table: type[Struct], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type[Struct], bool]]:
    """Every table below and including `table` as (path, type, is an array of tables), depth first, in the order of the model."""
    for spec in specs(table):
        if spec.table is not None:
            inner = (*path, spec.key)
            yield inner, spec.table, spec.kind == "tables"
            yield from walk(spec.table, inner)


def variable_of(section: str, key: str) -> str:
    """The environment variable that overrides a scalar key of a top-level table."""
    return f"GW_{section}_{key}".upper()


def section_text(table: type[Struct]) -> str:
    """The docstring of the table: what it is for, in one paragraph."""
    return " ".join((table.__doc__ or "").split())


def _spec(field: msgspec.structs.FieldInfo) -> Spec:
    kind_of_field, meta = field.type, Meta()
    if get_origin(kind_of_field) is Annotated:
        kind_of_field, meta = get_args(kind_of_field)
    extra = meta.extra or {}
    kind, choices, table = _kind(kind_of_field)
    default = field.default
    if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return Spec(
        key=field.encode_name,
        attribute=field.name,
        kind=extra.get("kind") or kind,
        effect=meta.description or "",
        unit=extra.get("unit", ""),
        low=None if meta.ge is None else float(meta.ge),
        high=None if meta.le is None else float(meta.le),
        choices=choices,
        required=field.required,
        default=None if field.required else _as_toml(default),
        default_of=extra.get("default_of"),
        example=extra.get("example"),
        table=table,
    )


def _kind(kind_of_field: object) -> tuple[str, tuple[str, ...], type[Struct] | None]:
    if get_origin(kind_of_field) is Literal:
        return "choice", get_args(kind_of_field), None
    if get_origin(kind_of_field) is tuple:
        inner = get_args(kind_of_field)[0]
        kind = _KIND_OF_ELEMENTS.get(inner, "tables")
        return kind, (), inner if kind == "tables" else None
    if get_origin(kind_of_field) is dict:
        return "headers", (), None
    if isinstance(kind_of_field, type) and issubclass(kind_of_field, Struct):
        return "table", (), kind_of_field
    return _KIND_OF_TYPE.get(kind_of_field, "moment"), (), None


def _as_toml(default: object) -> object:
    """A default of the model in the words of TOML, so that it goes through the same reader as everything that is written."""
    if isinstance(default, tuple):
        return [_as_toml(element) for element in default]
    if isinstance(default, Secret):
        return default.reference
    if isinstance(default, Struct):
        return {spec.key: getattr(default, spec.attribute) for spec in specs(type(default)) if spec.required}
    return "" if default is None else str(default) if isinstance(default, Path) else default
