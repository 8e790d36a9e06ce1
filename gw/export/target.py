"""Where files go: a folder, or a bucket through obstore. Everything foreign becomes an ExportError here, without secrets.

A file appears whole or not at all: in a folder by a temporary name, fsync and a rename; in a store by its own put, which for a
large file is a multipart upload that is visible only when it is complete.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from gw.domain.target import SCHEMES, check_target, folder_of_target
from gw.export.errors import ExportError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK_BYTES = 8 << 20
UPLOADS_AT_ONCE = 2  # chunks of one file: what is held in memory
RETRIES_MAX = 8
RETRY_S = 120  # in all, for one request
REQUEST_S = 60
SECRET_LIKE = re.compile(r"(?i)(signature|credential|token|secret|key)=[^&\s\"]+")


class Target(Protocol):
    """All raise ExportError. Names are paths below the target, with `/`."""

    @property
    def name(self) -> str:
        """For people and for the record of a run."""
        ...

    def put(self, name: str, file: Path) -> None:
        """In the place of what is there."""
        ...

    def size(self, name: str) -> int:
        """Bytes; -1: there is no such file."""
        ...

    def remove(self, name: str) -> None:
        """Nothing happens if it is not there."""
        ...


def target_of(address: str, *, endpoint: str = "", region: str = "", credentials: Mapping[str, str] | None = None) -> Target:
    """Raises ExportError where it cannot be, or the extra is missing. A bare path is a folder."""
    if "://" not in address:
        return FolderTarget(Path(address))
    try:
        check_target(address)
    except ValueError as error:
        raise ExportError(f'"{address}" {error}') from error
    if address.startswith("file://"):
        return FolderTarget(Path(folder_of_target(address)))
    return StoreTarget(address, endpoint, region, credentials or {})


class FolderTarget:
    """On a local disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    @property
    def name(self) -> str:
        return self._folder.as_uri()

    def put(self, name: str, file: Path) -> None:
        place = self._folder / name
        partial = place.with_name(f".{place.name}.partial")
        with _disk_errors():
            place.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as source, partial.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
            partial.replace(place)
            for folder in _new_entries(self._folder, place):
                _sync(folder)

    def size(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return -1
        except OSError as error:
            raise ExportError(str(error)) from error

    def remove(self, name: str) -> None:
        with _disk_errors():
            (self._folder / name).unlink(missing_ok=True)


class StoreTarget:
    """S3, GCS or Azure. One that cannot be reached is tried again for two minutes, then by the next attempt of the run."""

    def __init__(self, address: str, endpoint: str, region: str, credentials: Mapping[str, str]) -> None:
        parts = urlsplit(address)
        self.name = f"{address.rstrip('/')}{f' at {endpoint}' if endpoint else ''}"
        self._prefix = parts.path.strip("/")
        try:
            self._store = _store(parts.scheme, parts.netloc, endpoint, region, credentials)
        except ImportError as error:
            raise ExportError(f"{parts.scheme}:// needs obstore ({error}): pip install 'gw[export]'") from error

    def put(self, name: str, file: Path) -> None:
        import obstore  # noqa: PLC0415 - an extra

        with _store_errors(f"cannot write {name}"):
            multipart = file.stat().st_size > CHUNK_BYTES
            obstore.put(
                self._store,
                self._path(name),
                file,
                use_multipart=multipart,
                chunk_size=CHUNK_BYTES,
                max_concurrency=UPLOADS_AT_ONCE,
            )

    def size(self, name: str) -> int:
        import obstore  # noqa: PLC0415 - an extra

        with _store_errors(f"cannot look at {name}"):
            try:
                return obstore.head(self._store, self._path(name))["size"]
            except FileNotFoundError:
                return -1

    def remove(self, name: str) -> None:
        import obstore  # noqa: PLC0415 - an extra

        with _store_errors(f"cannot delete {name}"):
            try:
                obstore.delete(self._store, self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


def _store(scheme: str, bucket: str, endpoint: str, region: str, credentials: Mapping[str, str]) -> "ObjectStore":
    """What is not given comes from the environment or the machine's role, as obstore finds it."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra
    from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415

    options: dict[str, Any] = {
        "client_options": {"allow_http": endpoint.startswith("http://"), "timeout": timedelta(seconds=REQUEST_S)},
        "retry_config": {"max_retries": RETRIES_MAX, "retry_timeout": timedelta(seconds=RETRY_S)},
    }
    settings: dict[str, Any] = dict(credentials)
    if endpoint:
        settings["base_url" if scheme == "gs" else "endpoint"] = endpoint
    if region and scheme == "s3":
        settings["region"] = region
    try:
        if scheme == "s3":
            return S3Store(bucket, **options, **settings)
        if scheme == "gs":
            return GCSStore(bucket, **options, **settings)
        assert scheme == "az", f"check_target let {scheme} pass; known: {SCHEMES}"
        return AzureStore(bucket, **options, **settings)
    except (BaseError, TypeError, ValueError) as error:
        raise ExportError(f"the store refuses its settings: {_words(error)}") from error


@contextmanager
def _store_errors(what: str) -> Iterator[None]:
    from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        raise ExportError(f"{what}: {_words(error)}") from error


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(str(error)) from error


def _words(error: Exception) -> str:
    """One line, as short as may be; a signed address in it loses its signature."""
    text = " ".join(str(error).split()).partition(" Debug source:")[0]
    return SECRET_LIKE.sub(r"\1=...", text)[:400]


def _new_entries(root: Path, place: Path) -> Iterator[Path]:
    """The folders that may have got a new entry, innermost first."""
    folder = place.parent
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent
    yield root


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
