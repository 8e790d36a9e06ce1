"""What one export needs to run: its settings as configured, with the target and the key of its digests."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from gw.config.export_model import Export
from gw.config.model import Config, wall_us_of
from gw.export.parts import Layout
from gw.export.shape import Shape
from gw.export.target import Target, target_of

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
BY_PERIOD = ("usage", "focus")  # exported period by period; the others by number
SPOOL_DIRECTORY = "export"
KEY_PREFIX = b"gw export "


class Stop(Exception):
    """The process is to end, or somebody said so: the run stays where it is, to be gone on with."""


class Progress(NamedTuple):
    """How far a run is."""

    export: str
    rows: int
    objects: int
    of_numbers: int  # how many numbers the range has; 0: not known
    numbers: int  # how many of them are passed


Tell = Callable[[Progress], None]


class Job(Struct, frozen=True):
    """`settings` holds secrets; nothing of it is written anywhere but what `manifest.py` names."""

    settings: Export
    spool: Path  # files are made here
    hash_key: bytes
    providers: Mapping[str, str]  # upstream -> provider
    stopped: Callable[[], bool] = lambda: False
    tell: Tell = lambda _: None

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def what(self) -> str:
        return self.settings.what

    @property
    def bucket_us(self) -> int:
        return HOUR_US if self.settings.bucket == "hour" else DAY_US

    @property
    def since_us(self) -> int:
        return wall_us_of(self.settings.since)

    def shape(self) -> Shape:
        """Raises ExportError."""
        one = self.settings
        return Shape(one.what, one.columns, one.redact, one.hash, self.hash_key)

    def target(self) -> Target:
        """Raises ExportError."""
        one = self.settings
        credentials = {name: secret.reveal() for name, secret in one.credentials.items()}
        return target_of(one.to, endpoint=one.endpoint, region=one.region, credentials=credentials)

    def layout(self, mark: str = "", prefix: str = "") -> Layout:
        one = self.settings
        return Layout(prefix + template_of(one), one.format, one.rows_per_file, one.bytes_per_file, mark)


def template_of(settings: Export) -> str:
    hourly = settings.what == "calls" or (settings.what in BY_PERIOD and settings.bucket == "hour")
    template = settings.path or f"{{what}}/dt={{date}}{'/hour={hour}' if hourly else ''}"
    return template.replace("{what}", settings.what).replace("{name}", safe(settings.name))


def safe(name: str) -> str:
    """As a folder."""
    return "".join(one if one.isalnum() or one in "._=@+-" else "_" for one in name)


def job_of(settings: Export, config: Config, state_dir: Path, pepper: bytes) -> Job:
    """`pepper`: this gateway's; digests of exports are keyed by it, and are not those of virtual keys."""
    providers = {one.name: one.provider for one in config.upstream}
    return Job(settings, state_dir / SPOOL_DIRECTORY / safe(settings.name), KEY_PREFIX + pepper, providers)


