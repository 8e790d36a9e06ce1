"""Patterns of filters for the database that has no GLOB."""

from collections.abc import Iterator

NEVER = "^(?!.*)$"


def regex_of(glob: str) -> str:
    """SQLite's GLOB as a regular expression of Postgres: `*`, `?`, `[...]` and `[^...]`; all else is itself."""
    parts = []
    at = 0
    while at < len(glob):
        one = glob[at]
        at += 1
        if one == "[":
            end = glob.find("]", at + (2 if glob.startswith("^]", at) else glob[at : at + 1] in ("]", "^")))
            if end < 0:
                return NEVER
            parts.append(_set(glob[at:end]))
            at = end + 1
        else:
            parts.append({"*": ".*", "?": "."}.get(one) or _literal(one))
    return f"^{''.join(parts)}$"


def _set(inside: str) -> str:
    """What stands between the brackets."""
    inverted = inside.startswith("^")
    members = "".join(_members(inside[inverted:]))
    if members:
        return f"[{'^' * inverted}{members}]"
    return "." if inverted else "(?!.*)"


def _members(inside: str) -> Iterator[str]:
    """Single characters and ranges; a range that runs backwards holds nothing but its beginning."""
    at = 0
    while at < len(inside):
        first, last = inside[at], inside[at + 2 : at + 3]
        if inside[at + 1 : at + 2] == "-" and last:
            yield f"{_literal(first)}-{_literal(max(first, last))}" if first <= last else _literal(first)
            at += 3
        else:
            yield _literal(first)
            at += 1


def _literal(one: str) -> str:
    return one if one.isascii() and one.isalnum() else f"\\U{ord(one):08x}"
