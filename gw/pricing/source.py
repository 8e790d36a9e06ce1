"""Where price data lies: a directory with `source.json` and the data file it names. Embedded and synced data look alike."""

from datetime import date
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

SNAPSHOT = Path(__file__).parent / "snapshot"


class Source(Struct, frozen=True):
    """Header of a data file; unknown fields are ignored, so that an older gw can read a newer one's."""

    file: str
    label: str  # stands in the price version of every row
    date: str  # the day the data was taken, ISO
    sha256: str  # of the file's bytes, hex
    source: str = ""
    licence: str = ""
    etag: str = ""


def read_source(directory: Path) -> Source:
    """Raises OSError or ValueError."""
    try:
        source = msgspec.json.decode((directory / "source.json").read_bytes(), type=Source)
        date.fromisoformat(source.date)
    except msgspec.DecodeError as error:
        raise ValueError(f"{directory / 'source.json'}: {error}") from error
    if Path(source.file).name != source.file:
        raise ValueError(f"{directory / 'source.json'}: the data file must lie beside it, not at {source.file!r}")
    return source


def read_body(directory: Path, source: Source) -> bytes:
    """The data file's bytes. Raises OSError, or ValueError if they are not those that were stored."""
    body = (directory / source.file).read_bytes()
    if sha256(body).hexdigest() != source.sha256:
        raise ValueError(f"{directory / source.file}: damaged (its SHA-256 is not the one in source.json)")
    return body


def read_data(path: Path | None) -> tuple[bytes, str]:
    """(bytes, label) of a data file or of a directory with `source.json`; None = the embedded snapshot. The label of a file
    that its `source.json` no longer names, because newer data came meanwhile, is its name. Raises OSError or ValueError."""
    directory = path or SNAPSHOT
    if directory.is_dir():
        source = read_source(directory)
        return read_body(directory, source), source.label
    source = read_source(directory.parent)
    if source.file == directory.name:
        return read_body(directory.parent, source), source.label
    return directory.read_bytes(), directory.stem
