"""Publishes snapshots: at the start by the supervisor, afterwards by the keeper when anything they are made of changes.

A reload is a new snapshot or nothing: a configuration that cannot be used is logged and stays out, with the reason in
`problem`; the one in force stays.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from gw import clock
from gw.config.combined import judge, told
from gw.config.load import ConfigError, parse
from gw.config.model import Config
from gw.domain.stored import LeftOut
from gw.domain.tenure import Tenures, budget_key, tenures_of
from gw.ledger.control import control_version, read_stored
from gw.ledger.store import Database, StoreError
from gw.ops.state import StateFile, Word
from gw.prices import override_problems
from gw.pricing.sync import best_file
from gw.snapshot import FILE, Published, Snapshot, publish, read

log = logging.getLogger("gw.publish")

CHECKS = [override_problems]


class Publisher:
    """Remembers what was published last. `check` is cheap when nothing changed: three stats and a one-row query."""

    def __init__(self, state: StateFile, state_dir: Path, config_path: Path | None, storage: Database) -> None:
        self._state = state
        self._state_dir = state_dir
        self._path = config_path
        self._storage = storage
        self._base = str(config_path.absolute().parent if config_path else Path.cwd())
        self._seen: tuple[object, ...] = ()
        self._looked = self._rests = _stamp(config_path)
        self._stamp: tuple[int, ...] | None = ()  # of the published file
        self._text = ""  # of the configuration in force
        self._reread = 0
        self._published: Published | None = None
        self.snapshot: Snapshot | None = None
        self._complaint = ""  # why the configuration on disk is not the one in force; "" if it is
        self.seed: Callable[[Snapshot], None] | None = None  # called before a snapshot is published; StoreError: not now
        self.since_us = 0  # when budgets of the first snapshot came into force, if that is not the first of this run

    @property
    def problem(self) -> str:
        """What of the configuration, or of the hard budgets of the database, is not in force, and why; "" if all is."""
        return "\n".join([*([self._complaint] if self._complaint else []), *(told(one) for one in self.left_out if one.opens)])

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the database defines and is not in force."""
        return self._published.left_out if self._published is not None else ()

    def check(self, *, forced: bool = False) -> bool:
        """Publishes if anything changed (or `forced`); True if it did. Raises ConfigError only at the first time, and StoreError
        or OSError, after which the next look begins anew."""
        prices = best_file(self._state_dir)
        seen = (self._file_at_rest(forced=forced), control_version(self._storage), prices)
        if self._published is not None and _stamp(self._state_dir / FILE) != self._stamp:
            log.error("someone changed or removed the published snapshot; publishing it anew")
            forced = True
        if seen == self._seen and not forced:
            return False
        text = self._read()
        config = self._usable(text) if text is not None else None
        if config is None and self.snapshot is None:
            raise ValueError(self.problem)
        self._seen = seen
        if config is not None and text is not None:
            fresh = self._fresh(text, config, prices, self._reread + forced)
        else:
            fresh = self._still(prices)
        if self._published is not None and not forced and _content(fresh) == _content(self._published):
            return False
        try:
            snapshot = Snapshot(fresh, before=self.snapshot)
        except (ConfigError, ValueError, OSError) as error:
            self._complain(str(error))
            if self.snapshot is None:
                raise
            fresh = self._still(prices)
            if self._published is not None and _content(fresh) == _content(self._published):
                return False
            snapshot = Snapshot(fresh, before=self.snapshot)
        try:
            self._publish(snapshot)
        except (StoreError, OSError):
            self._seen = ()
            raise
        return True

    def _publish(self, snapshot: Snapshot) -> None:
        """Budgets that come into force with it know what is spent before any worker can ask."""
        fresh = snapshot.published = replace(snapshot.published, tenures=self._tenures(snapshot))
        if self.seed is not None:
            self.seed(snapshot)
        publish(self._state_dir, fresh, self._announce)
        self._tell(fresh.left_out)
        self._published, self._stamp = fresh, _stamp(self._state_dir / FILE)
        self.snapshot, self._text, self._reread = snapshot, fresh.config_text, fresh.reread

    def _tenures(self, snapshot: Snapshot) -> Tenures:
        budgets = snapshot.budget_book.budgets
        if self._published is not None:
            before = self._published.tenures
        else:
            before = {budget_key(budget): (self.since_us,) for budget in budgets if self.since_us}
        return tenures_of(before, budgets, snapshot.published_us)

    def _still(self, prices: Path | None) -> Published:
        """What the database says, revoked keys above all, with the configuration in force."""
        assert self.snapshot is not None, "nothing is in force"
        return self._fresh(self._text, self.snapshot.file_config, prices, self._reread)

    def _fresh(self, text: str, config: Config, prices: Path | None, reread: int) -> Published:
        stored = read_stored(self._storage)
        return Published(
            version=self._state.words[Word.SNAPSHOT_VERSION] + 1,
            config_text=text,
            config_name=str(self._path) if self._path else "built-in defaults",
            config_base=self._base,
            stored=stored,
            left_out=judge(config, stored),
            prices=str(prices) if prices else "",
            reread=reread,
            published_us=max(clock.wall_us(), self._last_us() + 1),
        )

    def _last_us(self) -> int:
        """Of this run or the last: rows of the last must not seem to have known the rules of this one."""
        if self._published is not None:
            return self._published.published_us
        try:
            return read(self._state_dir).published_us
        except (OSError, ValueError):
            return 0

    def _file_at_rest(self, *, forced: bool) -> tuple[int, ...]:
        """The file's stamp, once two looks in a row agree: a file that is written in place is empty for a moment, and an
        empty one is a valid configuration that lets everybody through."""
        stamp, before = _stamp(self._path), self._looked
        self._looked = stamp
        if forced or self._published is None or stamp == before:
            self._rests = stamp
        return self._rests

    def adopt(self, published: Published, snapshot: Snapshot) -> None:
        """Goes on from what another process has published, which may have died before it announced it."""
        self._published, self.snapshot = published, snapshot
        self._text, self._reread = published.config_text, published.reread
        stamp = _stamp(self._state_dir / FILE)
        self._stamp = stamp if self._stands(published) else None  # None: changed since it was read, so `check` publishes anew
        if published.version > self._state.words[Word.SNAPSHOT_VERSION]:
            self._announce(published.version)

    def _stands(self, published: Published) -> bool:
        try:
            return read(self._state_dir) == published
        except (OSError, ValueError):
            return False

    def _announce(self, version: int) -> None:
        self._state.words[Word.SNAPSHOT_VERSION] = version

    def _read(self) -> str | None:
        if self._path is None:
            return ""
        try:
            return self._path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self._complain(f"{self._path}: {error}")
            return None

    def _usable(self, text: str) -> Config | None:
        try:
            config = parse(text, str(self._path or "built-in defaults"), Path(self._base), os.environ, CHECKS).config
        except ConfigError as error:
            self._complain(str(error))
            return None
        self._complaint = ""
        self._warn_of_restart(config)
        return config

    def _complain(self, problem: str) -> None:
        self._complaint = problem
        log.error("the configuration on disk is not taken, the one in force stays:\n%s", problem)

    def _tell(self, left_out: tuple[LeftOut, ...]) -> None:
        """Once of each. A hard budget that is not in force is an error: calls go on, and nobody counts them against it."""
        for one in left_out:
            if one not in self.left_out:
                log.log(logging.ERROR if one.opens else logging.WARNING, "%s", told(one))

    def _warn_of_restart(self, config: Config) -> None:
        """Some keys are read at the start only."""
        if self.snapshot is None:
            return
        old, new = self.snapshot.file_config, config
        for name in ("host", "port", "workers", "state_dir"):
            if getattr(old.server, name) != getattr(new.server, name):
                log.warning("[server] %s has changed; it takes effect at the next start", name)
        for name in ("storage", "journal"):
            if getattr(old, name) != getattr(new, name):
                log.warning("[%s] has changed; it takes effect at the next start", name)


def _stamp(path: Path | None) -> tuple[int, ...]:
    """Differs whenever the file was written, replaced or removed."""
    if path is None:
        return ()
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _content(published: Published) -> tuple[object, ...]:
    """All but the version."""
    return published.config_text, published.stored, published.left_out, published.prices
