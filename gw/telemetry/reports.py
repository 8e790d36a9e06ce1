"""The courier's end of the spool: what clients reported becomes rows; and, where it is configured, goes on to another collector.

Both have their own place in each file, in the database; a file goes when it is dealt with by all. What is kept counts once:
rows and place are one transaction. What is sent on may be sent twice, if this process dies in between.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from gw import clock
from gw.config.telemetry_model import ClaudeTelemetry
from gw.domain.telemetry import Owner, Told
from gw.errors import Refusal
from gw.ledger import telemetry
from gw.ledger.store import Database
from gw.telemetry import spool
from gw.telemetry.claude import Unreadable, read
from gw.telemetry.post import Post, Unavailable, revealed, shown
from gw.telemetry.spool import Parcel
from gw.wire.body import readable

LOOK_S = 1.0
PARCELS_MAX = 100  # of a transaction
RETIRE_EVERY_NS = 600_000_000_000
UNPACKED_MAX = 1 << 26  # the most that `body_bytes_max` can say: the worker has held it to what it said then
US_PER_DAY = 86_400_000_000
PATHS = {"logs": "/v1/logs", "metrics": "/v1/metrics", "traces": "/v1/traces"}

_log = logging.getLogger("gw.telemetry")


class Keeper:
    """Spool -> rows."""

    def __init__(self, settings: ClaudeTelemetry, state_dir: Path, database: Database) -> None:
        self._settings = settings
        self._directory = state_dir / spool.DIRECTORY
        self._database = database
        self._retire_ns = 0

    async def run(self) -> None:
        """Until cancelled. Raises StoreError, OSError; ImportError for protobuf without the extra."""
        while True:
            busy = await asyncio.to_thread(self.work)
            if not busy:
                await asyncio.sleep(LOOK_S)

    def work(self) -> int:
        """One look at each file; answers how many requests were read."""
        if self._settings.retention_days and clock.mono_ns() >= self._retire_ns:
            before_us = clock.wall_us() - self._settings.retention_days * US_PER_DAY
            if not telemetry.retire(self._database, before_us):
                self._retire_ns = clock.mono_ns() + RETIRE_EVERY_NS
        places = telemetry.places(self._database)
        present = spool.names(self._directory)
        count, gone = 0, [name for name in places if name not in present]
        for name in present:
            sealed = spool.is_sealed(self._directory / name)
            place = places.get(name, telemetry.Place())
            read_count, kept = self._read(name, place.kept)
            count += read_count
            if sealed and not read_count and self._is_over(name, kept, place.sent):
                (self._directory / name).unlink(missing_ok=True)
                gone.append(name)
        if gone:
            telemetry.forget_places(self._database, gone)
        return count

    def _is_over(self, name: str, kept: int, sent: int) -> bool:
        """A torn frame at its end never comes any more."""
        size = (self._directory / name).stat().st_size
        return not self._settings.forward_url or sent >= kept or sent >= size

    def _read(self, name: str, start: int) -> tuple[int, int]:
        """(how many requests were read, up to where)."""
        told: list[tuple[Owner, Told]] = []
        count, end = 0, start
        for one in spool.read(self._directory / name, start):
            count, end = count + 1, one.end
            if one.parcel is None:
                _log.error("damage in %s; the rest of it is passed over", name)
            else:
                told += self._told(one.parcel)
            if count >= PARCELS_MAX:
                break
        if end != start:
            telemetry.keep(self._database, told, name, end)
        return count, end

    def _told(self, parcel: Parcel) -> Iterable[tuple[Owner, Told]]:
        try:
            body = readable(parcel.body, parcel.encoding.encode("latin-1"), UNPACKED_MAX)
            found = read(parcel.signal, parcel.content_type, body, texts=self._settings.texts)
        except (Unreadable, Refusal) as error:
            _log.warning('telemetry of the key "%s" is passed over: %s', parcel.owner.key_name, error)
            return []
        return [(parcel.owner, found)]


class Forwarder:
    """Spool -> another collector, byte for byte."""

    def __init__(self, settings: ClaudeTelemetry, state_dir: Path, database: Database) -> None:
        self._settings = settings
        self._directory = state_dir / spool.DIRECTORY
        self._database = database

    async def run(self) -> None:
        """Until cancelled. Raises StoreError, OSError."""
        settings = self._settings
        headers = revealed(settings.forward_headers)
        post = Post(headers, timeout_s=settings.forward_timeout_s, ca_file=settings.forward_ca_file, compress=False)
        try:
            while True:
                if not await self._pass(post):
                    await asyncio.sleep(LOOK_S)
        finally:
            await post.close()

    async def _pass(self, post: Post) -> int:
        places = await asyncio.to_thread(telemetry.places, self._database)
        count = 0
        for name in await asyncio.to_thread(spool.names, self._directory):
            place = places.get(name, telemetry.Place())
            for one in await asyncio.to_thread(self._next, name, place.sent):
                if one.parcel is not None:
                    await self._send(post, one.parcel)
                await asyncio.to_thread(telemetry.move_sent, self._database, name, one.end)
                count += 1
        return count

    def _next(self, name: str, start: int) -> list[spool.Read]:
        found = []
        for one in spool.read(self._directory / name, start):
            found.append(one)
            if len(found) >= PARCELS_MAX:
                break
        return found

    async def _send(self, post: Post, parcel: Parcel) -> None:
        """Where nobody takes it, it waits; but not so long that there is no room for what comes."""
        headers = {"content-type": parcel.content_type}
        headers["content-encoding"] = parcel.encoding or "identity"
        try:
            answer = await post.send(self._settings.forward_url + PATHS[parcel.signal], parcel.body, headers)
        except Unavailable:
            if await asyncio.to_thread(spool.waiting_bytes, self._directory) <= self._settings.spool_bytes_max // 2:
                raise
            _log.error("telemetry is not sent on: the spool is half full, and nobody takes it")
            return
        if not answer.taken:
            _log.warning("telemetry is refused where it is sent on, and passed over: %s", shown(answer))
