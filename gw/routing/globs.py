"""Patterns of `*` and `?`, compiled to the cheapest test that does: most are a name, or a name's beginning."""

import re
from collections.abc import Callable
from fnmatch import translate

Matches = Callable[[str], bool]


def matcher(patterns: tuple[str, ...], *, normal: Callable[[str], str] = str) -> Matches:
    """Of a list one must match, and none of those with `!` before it. `normal` is applied to the patterns; names are given in
    their normal form."""
    wanted = tuple(_one(normal(one)) for one in patterns if not one.startswith("!"))
    refused = tuple(_one(normal(one[1:])) for one in patterns if one.startswith("!"))
    exact = frozenset(normal(one) for one in patterns if not one.startswith("!"))
    if not refused and not any("*" in one or "?" in one for one in exact):
        return exact.__contains__
    if not refused and len(wanted) == 1:
        return wanted[0]

    def several(name: str) -> bool:
        return (not wanted or any(test(name) for test in wanted)) and not any(test(name) for test in refused)

    return several


def _one(pattern: str) -> Matches:
    if "*" not in pattern and "?" not in pattern:
        return pattern.__eq__
    if pattern == "*":
        return bool  # nothing matches ""
    beginning = pattern[:-1]
    if pattern.endswith("*") and "*" not in beginning and "?" not in beginning:
        return lambda name: name.startswith(beginning)
    match = re.compile(translate(pattern)).match
    return lambda name: match(name) is not None


def catcher(pattern: str) -> re.Pattern[str]:
    """A pattern whose `*` are groups, in any case, for `filled`."""
    parts = ("(.*)" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def filled(template: str, caught: tuple[str, ...]) -> str:
    """`template` with each `*` replaced by what the next `*` of the pattern stood for; a last one stands for the rest."""
    parts = template.split("*")
    text = parts[0]
    for nth, part in enumerate(parts[1:]):
        text += (caught[min(nth, len(caught) - 1)] if caught else "") + part
    return text
