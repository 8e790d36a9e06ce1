"""What keys of `[[export]]` say about each other; part of `rules.py`."""

from collections.abc import Iterator

from gw.config.export_model import Export
from gw.config.locate import Path
from gw.config.model import Config
from gw.config.said import nearest
from gw.domain.column import matching
from gw.domain.exported import columns_of

Finding = tuple[Path, str]
STORE_KEYS = ("endpoint", "region", "credentials")


def problems(config: Config) -> Iterator[Finding]:
    """Every reason why these exports must not be run, but for duplicate names."""
    for position, export in enumerate(config.export):
        path = ("export", position)
        yield from _columns(export, path)
        if export.to.startswith("file:"):
            for key in STORE_KEYS:
                if getattr(export, key):
                    yield (*path, key), "is of a store, and this export goes to a folder"
        for name, secret in export.credentials.items():
            if secret.missing:
                yield (*path, "credentials"), f'"{name}": {secret.reason}'


def _columns(export: Export, path: Path) -> Iterator[Finding]:
    """Names that stand for no column of what is exported."""
    every = columns_of(export.what)
    for key in ("columns", "redact", "hash"):
        for pattern in getattr(export, key):
            found = matching(every, [pattern])
            if not found:
                names = [column.name for column in every]
                yield (*path, key), f'there is no column "{pattern}" in {export.what}{nearest(pattern, names)}'
            elif key != "columns" and not any(column.kind in ("text", "json") for column in found):
                yield (*path, key), f'"{pattern}" is not of text: leave it out of `columns` instead'
