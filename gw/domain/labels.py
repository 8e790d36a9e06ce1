"""The labels by which metrics of calls may be told apart. Sessions and agents are never among them: they have no end."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

LABELS = ("customer", "team", "key", "upstream", "model", "project")  # in the order in which they stand
DEFAULT_LABELS = ("customer", "team", "key", "upstream", "model")  # a project is whatever a client says


def labels_of(patterns: Iterable[str]) -> tuple[str, ...]:
    """Those that one of the patterns names."""
    wanted = tuple(patterns)
    return tuple(label for label in LABELS if any(fnmatchcase(label, pattern) for pattern in wanted))
