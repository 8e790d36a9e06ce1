"""Publishes snapshots: at the start by the supervisor, afterwards by the keeper when anything they are made of changes.

A reload is a new snapshot or nothing: a configuration that cannot be used is logged and stays out, with the reason in
`problem`; the one in force stays.
"""

import logging
import os
from pathlib import Path

from gw import clock
from gw.budgets import not_enforced
from gw.config.load import ConfigError, parse
from gw.config.model import Config
from gw.ledger.keys import keys_version, list_keys
from gw.ops.state import StateFile, Word
from gw.prices import override_problems
from gw.pricing.sync import best_file
from gw.snapshot import FILE, Published, Snapshot, publish, read

log = logging.getLogger("gw.publish")

CHECKS = [override_problems, not_enforced]


class Publisher:
    """Remembers what was published last. `check` is cheap when nothing changed: three stats and a one-row query."""

    def __init__(self, state: StateFile, state_dir: Path, config_path: Path | None, storage: Path) -> None:
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
        self.problem = ""  # why the configuration on disk is not the one in force; "" if it is

    def check(self, *, forced: bool = False) -> bool:
        """Publishes if anything changed (or `forced`); True if it did. Raises ConfigError only at the first time."""
        prices = best_file(self._state_dir)
        seen = (self._file_at_rest(forced=forced), keys_version(self._storage), prices)
        if self._published is not None and _stamp(self._state_dir / FILE) != self._stamp:
            log.error("someone changed or removed the published snapshot; publishing it anew")
            forced = True
        if seen == self._seen and not forced:
            return False
        text = self._read()
        usable = text is not None and self._usable(text)
        if not usable and self.snapshot is None:
            raise ValueError(self.problem)
        self._seen = seen
        if usable and text is not None:
            fresh = self._fresh(text, prices, self._reread + forced)
        else:
            fresh = self._fresh(self._text, prices, self._reread)
        if self._published is not None and not forced and _content(fresh) == _content(self._published):
            return False
        try:
            self.snapshot = Snapshot(fresh, before=self.snapshot)
        except (ConfigError, ValueError, OSError) as error:
            self._complain(str(error))
            if self.snapshot is None:
                raise
            fresh = self._fresh(
                self._text, prices, self._reread
            )  # the keys, revoked ones above all, go out with the configuration in force
            if self._published is not None and _content(fresh) == _content(self._published):
                return False
            self.snapshot = Snapshot(fresh, before=self.snapshot)
        self._text, self._reread = fresh.config_text, fresh.reread
        publish(self._state_dir, fresh, self._announce)
        self._published, self._stamp = fresh, _stamp(self._state_dir / FILE)
        return True

    def _fresh(self, text: str, prices: Path | None, reread: int) -> Published:
        return Published(
            version=self._state.words[Word.SNAPSHOT_VERSION] + 1,
            config_text=text,
            config_name=str(self._path) if self._path else "built-in defaults",
            config_base=self._base,
            keys=tuple(list_keys(self._storage)),
            prices=str(prices) if prices else "",
            reread=reread,
            published_us=max(clock.wall_us(), self._published.published_us + 1 if self._published else 0),
        )

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

    def _usable(self, text: str) -> bool:
        try:
            config = parse(text, str(self._path or "built-in defaults"), Path(self._base), os.environ, CHECKS).config
        except ConfigError as error:
            self._complain(str(error))
            return False
        self.problem = ""
        self._warn_of_restart(config)
        return True

    def _complain(self, problem: str) -> None:
        self.problem = problem
        log.error("the configuration on disk is not taken, the one in force stays:\n%s", problem)

    def _warn_of_restart(self, config: Config) -> None:
        """Some keys are read at the start only."""
        if self.snapshot is None:
            return
        old, new = self.snapshot.config, config
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
    return published.config_text, published.keys, published.prices
