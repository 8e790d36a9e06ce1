"""Live tails, in the keeper: who watches gets each call that it asked for, some 100 ms after its commit.

Calls are read back from the ledger by their number, so that each comes once and with its number, whatever became of the commit;
only while somebody watches. A call is encoded once for all who show the same columns, and each watcher's filter is asked of the
row. Nobody is waited for: a watcher that has not taken HELD_BYTES_MAX of what was written to it loses what comes, is told how
many calls that were, and goes on with what comes then.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import orjson

from gw.ledger.log_filter import FilterError, LogScope, parse
from gw.ledger.log_match import Test, matcher
from gw.ledger.log_shown import call_json
from gw.ledger.sequence import highest, rows_after
from gw.ledger.store import Database, Row, StoreError
from gw.live import framing
from gw.live.framing import LENGTH, SOCKET_FILE, SUBSCRIPTION_BYTES_MAX, BadSubscription, Subscription

log = logging.getLogger("gw.live")

BATCH_S = 0.1  # calls are told in batches
ROWS_MAX = 500  # read at once
CATCH_UP_MAX = 20_000  # calls after which a watcher may go on; of what is farther back it is told how many it has lost
HELD_BYTES_MAX = 1 << 20
WATCHERS_MAX = 256
SUBSCRIBE_S = 5.0
QUIET_S = 0.02  # between two reads while behind

Numbered = tuple[int, Row]
Look = tuple[framing.Style, tuple[str, ...]]


class Watcher:
    """One connection of a worker."""

    def __init__(self, wanted: Subscription, writer: asyncio.StreamWriter) -> None:
        """Raises FilterError."""
        scope = LogScope(*wanted.scope)  # type: ignore[arg-type]  # the worker's own words
        self.test: Test = matcher(parse(wanted.query, wanted.now_us).within(scope))
        self.style = wanted.style
        self.fields = wanted.fields
        self.current = False  # it has caught up: every batch is for it
        self._writer = writer
        self._lost = 0

    def offer(self, last: int, seqs: tuple[int, ...], frame: bytes) -> None:
        """A frame with these calls; `last`: the number up to which this is all. Never waits."""
        if self._writer.is_closing() or not (seqs or self._lost):
            return
        held = self._writer.transport.get_write_buffer_size()
        if held > HELD_BYTES_MAX:
            self._lost += len(seqs)
            return
        if self._lost:
            before = seqs[0] - 1 if seqs else last
            self._writer.write(framing.frame(before, framing.lost(self.style, before, self._lost)))
            self._lost = 0
        if seqs:
            self._writer.write(frame)

    def begin(self, seq: int) -> None:
        """What comes is behind this call."""
        self._writer.write(framing.frame(seq, framing.at(self.style, seq)))

    def miss(self, seq: int, count: int) -> None:
        """So many calls, whatever they are, are not told."""
        self._writer.write(framing.frame(seq, framing.lost(self.style, seq, count)))

    async def settle(self) -> None:
        """Until what was written is taken, or nearly."""
        await self._writer.drain()


class Hub:
    """Opened and closed by the keeper, whose commits nudge it."""

    def __init__(self, state_dir: Path, database: Database) -> None:
        self._path = state_dir / SOCKET_FILE
        self._database = database
        self._watchers: set[Watcher] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._seq = 0  # up to here all current watchers were told
        self._server: asyncio.Server | None = None
        self._teller: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises OSError."""
        self._path.unlink(missing_ok=True)  # of a keeper that was killed
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        self._path.chmod(0o600)
        self._teller = asyncio.create_task(self._tell(), name="live-tails")

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.wait([self._teller])
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving, timeout=SUBSCRIBE_S)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def moved(self) -> None:
        """Something was committed."""
        if self._watchers:
            self._news.set()

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    # --- a watcher's life -----------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            async with asyncio.timeout(SUBSCRIBE_S):
                (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if size > SUBSCRIPTION_BYTES_MAX or len(self._watchers) >= WATCHERS_MAX:
                    return
                wanted = framing.read_subscription(await reader.readexactly(size))
            watcher = Watcher(wanted, writer)
        except (TimeoutError, OSError, EOFError, BadSubscription, FilterError):
            return
        else:
            with suppress(asyncio.CancelledError):  # the hub ends: nobody waits for this task's own end
                await self._watch(watcher, wanted.after, reader)
        finally:
            self._serving.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _watch(self, watcher: Watcher, after: int, reader: asyncio.StreamReader) -> None:
        """Until the worker closes its side."""
        self._watchers.add(watcher)
        catching = asyncio.create_task(self._catch_up(watcher, after), name="live-catch-up")
        try:
            while await reader.read(1024):
                pass
        except OSError:
            return
        finally:
            self._watchers.discard(watcher)
            catching.cancel()
            await asyncio.wait([catching])

    async def _catch_up(self, watcher: Watcher, after: int) -> None:
        """Tells what has come since, then lets the watcher join those who are current."""
        while True:
            try:
                newest = await asyncio.to_thread(self._highest)
                break
            except StoreError:
                await asyncio.sleep(1)
        if not any(one.current for one in self._watchers):
            self._seq = max(self._seq, newest)
        at = newest if after < 0 else min(after, newest)
        if newest - at > CATCH_UP_MAX:
            watcher.miss(newest - CATCH_UP_MAX, newest - CATCH_UP_MAX - at)
            at = newest - CATCH_UP_MAX
        watcher.begin(at)
        with suppress(OSError):
            while at < self._seq:
                rows = await self._read(at, self._seq)
                if not rows:
                    break
                at = rows[-1][0]
                self._deliver(rows, [watcher])
                await watcher.settle()
            watcher.current = True  # nothing was awaited since `at` was compared
            watcher.offer(self._seq, (), b"")
            self._news.set()

    # --- telling ---------------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            rows: list[Numbered] = await self._read(self._seq) if any(one.current for one in self._watchers) else []
            if rows:
                self._seq = rows[-1][0]
                self._deliver(rows, [one for one in self._watchers if one.current])
            if len(rows) == ROWS_MAX:
                self._news.set()
                await asyncio.sleep(QUIET_S)
            else:
                await asyncio.sleep(BATCH_S)

    def _deliver(self, rows: list[Numbered], watchers: Iterable[Watcher]) -> None:
        """A call is encoded once for all who are to see it alike, and so is a batch."""
        last = rows[-1][0]
        shown: dict[Look, dict[int, bytes]] = {}
        frames: dict[tuple[Look, tuple[int, ...]], bytes] = {}
        for watcher in watchers:
            look = watcher.style, watcher.fields
            made = shown.setdefault(look, {})
            found = [(seq, row) for seq, row in rows if watcher.test(row)]
            for seq, row in found:
                if seq not in made:
                    made[seq] = framing.call(watcher.style, seq, orjson.dumps(call_json(seq, row, watcher.fields)))
            seqs = tuple(seq for seq, _ in found)
            if (look, seqs) not in frames:
                frames[look, seqs] = framing.frame(last, framing.calls(watcher.style, [made[seq] for seq in seqs]))
            watcher.offer(last, seqs, frames[look, seqs])

    async def _read(self, after: int, until: int = 0) -> list[Numbered]:
        """The next rows; none while the database cannot be read."""
        try:
            rows = await asyncio.to_thread(self._rows, after)
        except StoreError as error:
            log.warning("live tails stand still: %s", error)
            await asyncio.sleep(1)
            self._news.set()
            return []
        return [one for one in rows if one[0] <= until] if until else rows

    def _rows(self, after: int) -> list[Numbered]:
        with self._database.reading() as db:
            return rows_after(db, after, ROWS_MAX) if db is not None else []

    def _highest(self) -> int:
        with self._database.reading() as db:
            return highest(db) if db is not None else 0
