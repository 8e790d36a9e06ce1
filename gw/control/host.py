"""What the control API needs of the worker that it runs in."""

from pathlib import Path
from typing import Protocol

from gw.admit.auth import Authenticator
from gw.config.model import Config
from gw.domain.budget_book import BudgetBook
from gw.ops.state import StateFile
from gw.pricing.book import PriceBook


class Origin(Protocol):
    """Where a snapshot came from: the text of the configuration, what complaints call it, where its relative paths start."""

    @property
    def config_text(self) -> str: ...
    @property
    def config_name(self) -> str: ...
    @property
    def config_base(self) -> str: ...


class Served(Protocol):
    """The snapshot in force in this worker."""

    @property
    def version(self) -> int: ...
    @property
    def published_us(self) -> int: ...
    @property
    def config(self) -> Config: ...
    @property
    def file_config(self) -> Config: ...
    @property
    def published(self) -> Origin: ...
    @property
    def pepper(self) -> bytes: ...
    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def budget_book(self) -> BudgetBook: ...
    @property
    def book(self) -> PriceBook: ...


class Host(Protocol):
    """`gw.worker.Worker`. Its attributes may be read from any thread: each is one reference, swapped whole."""

    @property
    def state_dir(self) -> Path: ...
    @property
    def state(self) -> StateFile: ...
    @property
    def snapshot(self) -> Served: ...
    def call_id(self) -> str: ...
