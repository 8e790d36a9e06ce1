"""From the bytes of a body to the values that the service is given: one JSON object, known fields, each fit by itself.

Each value is read by the reader that the configuration file has for it; only what TOML has other words for than JSON is
told apart here. What fields say about each other is the service's to judge. Pure.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gw.config.said import nearest
from gw.config.schema import Spec, specs
from gw.config.values import Surroundings, read_value
from gw.control.problem import FieldError, Problem, all_invalid

Values = dict[str, Any]


NOWHERE = Surroundings({}, Path())  # no field of the API refers to a file or a variable
MONEY = r"^[0-9]{1,10}(\.[0-9]{1,9})?$"  # as the configuration has it: to a nano-USD


class Expected(NamedTuple):
    types: tuple[type, ...]
    said: str


_TEXT = Expected((str,), "text in quotes")
_EXPECTED: dict[str, Expected] = {
    "bool": Expected((bool,), "true or false"),
    "int": Expected((int,), "a whole number"),
    "float": Expected((int, float), "a number"),
    "globs": Expected((list,), 'a list of patterns such as ["*"]'),
    "fractions": Expected((list,), "a list of numbers such as [0.5, 0.8]"),
    "tables": Expected((list,), "a list of objects"),
    "usd": Expected((str,), 'an amount with at most 9 decimals in quotes, such as "2500"'),
}


def json_object(body: bytes, *, optional: bool = False) -> Values:
    """Raises Problem. `optional`: no body at all is an empty object."""
    if not body and optional:
        return {}
    try:
        value = msgspec.json.decode(body)  # the stricter of the two about what is JSON
        json.loads(body, object_pairs_hook=_once)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem("invalid_json", f"The body cannot be read: {str(error)[:200]}.") from error
    if not isinstance(value, dict):
        raise Problem("invalid_json", "The body is not a JSON object.")
    return value


def checked(values: Values, known: Sequence[Spec], *, partial: bool) -> Values:
    """The values that were given, where every field is known and of its type. `partial`: nothing is required, and null stands
    for the default. Raises Problem with all that is wrong."""
    errors: list[FieldError] = []
    found = _object(values, known, "", errors, partial=partial)
    if errors:
        raise all_invalid(errors)
    return found


def _object(values: Values, known: Sequence[Spec], before: str, errors: list[FieldError], *, partial: bool) -> Values:
    by_key = {spec.key: spec for spec in known}
    found: Values = {}
    for key, value in values.items():
        spec = by_key.get(key)
        if spec is None:
            near = nearest(key, list(by_key)) or f"; known here: {', '.join(by_key)}"
            errors.append(FieldError("body", before + key[:80], f"unknown field{near}"))
        elif value is None and nullable(spec, partial=partial):
            found[key] = None
        else:
            found[key] = _value(spec, value, before + key, errors)
    if not partial:
        missing = [spec.key for spec in known if spec.required and spec.key not in values]
        errors += [FieldError("body", before + key, "is required") for key in missing]
    return found


def nullable(spec: Spec, *, partial: bool) -> bool:
    """Whether null may be sent: for no moment at all, and for the default of what is there."""
    return not spec.required and (partial or spec.kind == "moment")


def _value(spec: Spec, value: Any, field: str, errors: list[FieldError]) -> Any:
    expected = _EXPECTED.get(spec.kind, _TEXT)
    if spec.kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)  # JSON has one kind of number
    wrong = not isinstance(value, expected.types) or (isinstance(value, bool) and spec.kind != "bool")
    if wrong or (spec.kind == "usd" and not re.fullmatch(MONEY, value) and (value or spec.required)):
        errors.append(FieldError("body", field, f"must be {expected.said}"))
    elif spec.kind == "moment" and not value.strip():
        errors.append(FieldError("body", field, "must be a date or a date-time; null is never"))
    elif spec.table is not None and isinstance(value, list):
        return [_element(spec, one, f"{field}.{index}", errors) for index, one in enumerate(value)]
    else:
        try:
            read_value(spec, value, NOWHERE)
        except ValueError as error:
            errors.append(FieldError("body", field, str(error)))
    return value


def _element(spec: Spec, value: Any, field: str, errors: list[FieldError]) -> Any:
    assert spec.table is not None
    if not isinstance(value, dict):
        errors.append(FieldError("body", field, "must be an object"))
        return {}
    return _object(value, specs(spec.table), f"{field}.", errors, partial=False)


def _once(pairs: list[tuple[str, Any]]) -> Values:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'"{next(name for name in names if names.count(name) > 1)[:80]}" is there twice')
    return found
