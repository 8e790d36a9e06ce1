"""The courier's part in the content store: takes in what workers have spooled, lets go of what is too old, encrypts anew."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from gw import clock
from gw.config.model import Config
from gw.content.intake import Intake
from gw.content.spool import DIRECTORY
from gw.content.store import Keeper
from gw.content.sweep import Which, drop, forget_words, is_due, seal_anew, sweep
from gw.content.vault import ContentError, Vault, vault_of
from gw.courier import Desk, Duty
from gw.ledger.content import ContentDatabase, content_database
from gw.snapshot import pepper_of

log = logging.getLogger("gw.content")

IDLE_S = 0.25
TIDY_EVERY_NS = 600_000_000_000
US_PER_DAY = 86_400_000_000


def content_duties(config: Config) -> Iterable[Duty]:
    """Also while nothing is to be kept any more: what was kept grows old."""
    if config.content.store != "none" or has_kept(config):
        yield Duty("content", (config.content, config.storage.address), keep_content, pressing=config.content.store != "none")


def has_kept(config: Config) -> bool:
    """Something is on its way, or was kept beside a ledger in SQLite."""
    database = content_database(config.storage.address) if config.storage.address.startswith("sqlite") else None
    path: Path | None = getattr(database, "path", None)
    spool = Path(config.server.state_dir) / DIRECTORY
    return (path is not None and path.exists()) or (spool.is_dir() and any(spool.iterdir()))


async def keep_content(desk: Desk) -> None:
    """Until it is cancelled. Raises StoreError, and OSError where the extra or the key is missing."""
    content, database = desk.config.content, content_database(desk.config.storage.address)
    try:
        keeper = Keeper(content, pepper_of(desk.config), database)
        tidying = Tidying(content.retention_days, database, vault_of(content), searches=content.searches)
    except ContentError as error:
        raise OSError(str(error)) from error
    intake = Intake(desk.state_dir / DIRECTORY, database, keeper)
    while True:
        busy = await asyncio.to_thread(intake.step)
        if not busy:
            busy = await asyncio.to_thread(tidying.step)
        if not busy:
            await asyncio.sleep(IDLE_S)


class Tidying:
    """What is done while nothing comes in, a piece at a time."""

    def __init__(self, retention_days: int, database: ContentDatabase, vault: Vault, *, searches: bool) -> None:
        self._retention_us = retention_days * US_PER_DAY
        self._database = database
        self._vault = vault
        self._searches = searches
        self._due_ns = 0
        self._sealed = 0  # block after which encryption goes on; -1: all is as it should be
        self._broken = ""

    def step(self) -> bool:
        """Whether there is more to do at once. Raises StoreError."""
        now_ns = clock.mono_ns()
        if now_ns < self._due_ns:
            return False
        if self._sealed >= 0 and self._seal():
            return True
        if not self._searches:
            forget_words(self._database)
        if self._retention_us:
            before_us = clock.wall_us() - self._retention_us
            if drop(self._database, self._vault, Which(before_us=before_us)):
                return True
        if is_due(self._database):
            gone = sweep(self._database, self._vault)
            log.info("content: %d blocks that no call needs any more are gone", gone)
            if is_due(self._database):
                return True
        self._due_ns = now_ns + TIDY_EVERY_NS
        return False

    def _seal(self) -> bool:
        try:
            self._sealed = seal_anew(self._database, self._vault, self._sealed) or -1
        except ContentError as error:
            log.error("content: what is kept cannot be encrypted anew: %s; is former_encryption_key missing?", error)
            self._sealed = -1
        return self._sealed >= 0
