"""The snapshot: everything a worker needs to serve calls, immutable, swapped whole.

Published by the supervisor before the first worker starts and by the keeper whenever configuration, virtual keys or
prices change: `<state_dir>/snapshot.msgpack` holds the validated text of the configuration (secrets stay references) and
what the database defines; the version word in the state file then moves. A worker that sees the word move loads the
file, builds a new Snapshot beside the old one and swaps one reference; calls keep the snapshot they began with.
"""

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from gw.accounts import accounts
from gw.admit.auth import Authenticator
from gw.budgets import book_of as budget_book_of
from gw.config.combined import combined
from gw.config.load import parse
from gw.config.model import Config
from gw.config.routing_model import Tiers
from gw.deployment import Deployment
from gw.domain.budget_book import BudgetBook
from gw.domain.stored import LeftOut, Stored
from gw.domain.tariff import Rung, rung_at
from gw.domain.tenure import Tenures
from gw.ops.pepper import load_pepper
from gw.prices import book_of
from gw.pricing.book import PriceBook
from gw.wire.headers import Device

FILE = "snapshot.msgpack"


class Published(Struct, frozen=True):
    version: int
    config_text: str
    config_name: str  # what complaints call the file
    config_base: str  # directory of its relative paths
    stored: Stored  # what the database defines
    left_out: tuple[LeftOut, ...]  # of that, by the judgement of whoever published it
    prices: str  # path of the price data in use; "" = the embedded snapshot
    reread: int = 0  # grows when secrets and files are to be read again although the text is the same
    published_us: int = 0  # when, by the wall clock; rises from one to the next
    tenures: Tenures = {}  # when each budget was in force in this run


class Snapshot:
    """What one worker serves with. Raises ConfigError or ValueError if it cannot be built; then the old one stays."""

    def __init__(self, published: Published, *, before: "Snapshot | None" = None) -> None:
        """`before`: the snapshot in force. What was not asked to change is kept: the configuration with its secrets and
        connections, so that a file that vanished meanwhile cannot keep a revoked key alive; and the price book."""
        self.published = published
        self.version = published.version
        self.published_us = published.published_us
        self.source = (published.config_text, published.reread)
        same = before is not None and before.source == self.source
        file = before.file_config if before is not None and same else config_of(published)
        config = combined(file, published.stored, published.left_out)
        self.file_config: Config = file  # as the file alone has it
        self.config: Config = config  # with what the database defines
        self.prices_key = prices_key(published, config)
        if before is not None and before.prices_key == self.prices_key:
            self.book: PriceBook = before.book
        else:
            self.book = book_of(config.pricing, Path(published.prices) if published.prices else None).prepare()
        pepper = self.pepper = pepper_of(config)
        kept = before.deployments if before is not None and same else None
        self.deployments: tuple[Deployment, ...] = kept or tuple(map(Deployment, config.upstream))
        # Whether a call may go to more than one place, or to one that more is to be known of than its address and key.
        self.routed = bool(
            len(self.deployments) > 1
            or not all(one.plain for one in self.deployments)
            or config.route
            or config.rule
            or config.tiers != Tiers()
            or any(one.reroutes for one in config.budget)
        )
        opened = accounts(file, config, published.stored, published.left_out, pepper)
        self.authenticator = Authenticator(
            opened, pepper, passthrough=config.auth.passthrough, stores_content=config.content.store == "all"
        )
        self.device = Device(pepper)
        self.budget_book: BudgetBook = budget_book_of(config)
        self.governed = bool(self.budget_book.budgets or self.budget_book.limits)
        # What every call asks for.
        self.body_bytes_max = config.server.body_bytes_max
        self.key_needs_price = config.pricing.unknown_model in ("", "deny")
        self.passthrough_needs_price = config.pricing.unknown_model == "deny"
        self.propagates = config.otel.propagate

    def rates(self, deployment: str, model: str, prompt_tokens: int) -> Rung | None:
        """What tokens of a call there cost, at the usual card; None if no price is known."""
        place = next((one for one in self.deployments if one.name == deployment), None)
        if place is None:
            return None
        sent = place.place.model_behind(place.model_sent(model))
        terms = self.book.terms(place.provider, place.name, place.region, sent, "", "", self.published_us)
        tariff = self.book.tariff(terms)
        return rung_at(tariff.usual, prompt_tokens) if tariff is not None else None


def config_of(published: Published) -> Config:
    """Of the file alone. Secrets are resolved in this process's environment. Raises ConfigError."""
    return parse(published.config_text, published.config_name, Path(published.config_base), os.environ).config


def pepper_of(config: Config) -> bytes:
    """The secret that keys all digests: as configured, else the state directory's own."""
    if config.auth.pepper:
        return blake2b(config.auth.pepper.reveal().encode(), digest_size=32).digest()
    return load_pepper(Path(config.server.state_dir))


def prices_key(published: Published, config: Config) -> bytes:
    """Equal keys mean equal price books, so that a reload may keep the book it has."""
    return blake2b(repr((published.prices, config.pricing)).encode(), digest_size=16).digest()


def publish(state_dir: Path, published: Published, announce: Callable[[int], None]) -> None:
    """Writes the file atomically, then announces its version."""
    target = state_dir / FILE
    partial = target.with_suffix(f".{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(published))
    partial.replace(target)
    announce(published.version)


def read(state_dir: Path) -> Published:
    return msgspec.msgpack.decode((state_dir / FILE).read_bytes(), type=Published)
