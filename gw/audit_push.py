"""The courier's part in the SIEM: each entry of the audit goes to each sink, in order, at least once.

A sink's place is kept under `siem:<name>` and moves when a batch has been taken; killed in between, the same batch goes again,
with the same ids. A sink that does not take it is asked again, ever later; the others do not wait for it.
"""

import asyncio
import logging

from gw.alerts.deliver import backoff_us
from gw.config.alert_model import Siem
from gw.courier import Desk
from gw.ledger.audit import AuditRow, first_since, rows_from
from gw.ledger.cursor import move_cursor, read_cursor
from gw.ledger.store import Database
from gw.siem.sink import Sink, SinkError, sink_of

log = logging.getLogger("gw.siem")

BATCH_MAX = 100
LOOK_S = 1.0
FAR_US = 2**62


async def push(desk: Desk, siem: Siem) -> None:
    sink = sink_of(siem)
    try:
        await _push(desk.database, siem, sink)
    finally:
        await sink.close()


async def _push(database: Database, siem: Siem, sink: Sink) -> None:
    name = f"siem:{siem.name}"
    done = await asyncio.to_thread(_begin, database, name, from_start=siem.from_start)
    failures = 0
    while True:
        rows = await asyncio.to_thread(_next, database, done)
        if not rows:
            await asyncio.sleep(LOOK_S)
            continue
        try:
            await sink.send(rows)
        except SinkError as error:
            pause_us = backoff_us(failures, error.after_s)
            failures += 1
            log.warning(
                "%s does not take the audit from entry %d on (%s); again in %d s", name, rows[0].id, error, pause_us // 10**6
            )
            await asyncio.sleep(pause_us / 1e6)
            continue
        if failures:
            log.info("%s takes the audit again", name)
        failures, done = 0, rows[-1].id
        await asyncio.to_thread(move_cursor, database, name, done)


def _begin(database: Database, name: str, *, from_start: bool) -> int:
    """The last entry that it has taken; for one that is new, the last there is, which is written down at once."""
    done = read_cursor(database, name)
    if done >= 0:
        return done
    with database.reading() as db:
        done = 0 if from_start or db is None else first_since(db, FAR_US) - 1
    move_cursor(database, name, done)
    return done


def _next(database: Database, done: int) -> list[AuditRow]:
    with database.reading() as db:
        if db is None:
            return []
        return [row for row, _ in zip(rows_from(db, done + 1), range(BATCH_MAX), strict=False)]
