"""The configuration as it is in force: every key, its value, and where the value came from. Secrets appear by reference only.

`toml_text` of the result is itself a valid configuration that means the same (for all but literal secrets; a test loads it).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path as File

from msgspec import Struct

from gw.config.load import Source
from gw.config.locate import Path
from gw.config.model import Config
from gw.config.schema import Spec, specs
from gw.config.secret import MASK, Secret


class Row(Struct, frozen=True):
    """One key. `header` is `[server]` or `[[upstream]]`, `path` its home with positions, `value` a TOML literal."""

    header: str
    path: Path
    key: str
    value: str
    origin: str  # "default", "config.toml:12" or "GW_SERVER_PORT"
    note: str = ""  # for a secret: set, missing, literal


def effective(config: Config, source: Source) -> list[Row]:
    """Every key of every table, in the order of the model."""
    return list(_rows(config, (), source.origins))


def _rows(table: Struct, path: Path, origins: Mapping[Path, str], *, many: bool = False) -> Iterator[Row]:
    name = ".".join(part for part in path if isinstance(part, str))
    header = f"[[{name}]]" if many else f"[{name}]"
    inner = []
    for spec in specs(type(table)):
        value = getattr(table, spec.attribute)
        if spec.table is not None:
            inner.append((spec, value))
            continue
        here = (*path, spec.key)
        yield Row(header, path, spec.key, literal(value), origins.get(here, "default"), _note(spec, value))
    for spec, value in inner:
        if spec.kind == "table":
            yield from _rows(value, (*path, spec.key), origins)
        else:
            for position, element in enumerate(value):
                yield from _rows(element, (*path, spec.key, position), origins, many=True)


def literal(value: object) -> str:
    """A value of the model as TOML writes it; a literal secret as a mask."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Secret):
        return _quoted(MASK if value.reference == "literal" else value.reference)
    if isinstance(value, File):
        return _quoted(str(value))
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_quoted(key)} = {literal(inner)}" for key, inner in value.items()) + " }" if value else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(literal(element) for element in value)}]"
    return '""' if value is None else _quoted(value) if isinstance(value, str) else str(value)


def toml_text(rows: Sequence[Row]) -> str:
    """The rows as TOML, with origin and note as comments; `comment_of` says how they are worded."""
    lines: list[str] = []
    last: Path | None = None
    for row in rows:
        if row.path != last:
            lines += ["", row.header] if lines else [row.header]
            last = row.path
        lines.append(f"{assignment(row)}  # {comment_of(row)}")
    return "\n".join(lines) + "\n"


def assignment(row: Row) -> str:
    return f"{row.key} = {row.value}"


def comment_of(row: Row) -> str:
    return f"{row.note}, {row.origin}" if row.note else row.origin


def _note(spec: Spec, value: object) -> str:
    if isinstance(value, Secret) and value.reference and spec.kind != "storage":
        return "literal" if value.reference == "literal" else "set" if value else "missing"
    return ""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
