"""The courier's exports: each a duty with a schedule of its own; and the errand of those that are asked for.

The work is SQL, files and uploads, so it is done in a thread; the duty waits, and tells it when to stop.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from gw import clock
from gw.config.export_model import Export
from gw.config.model import Config
from gw.courier import Desk, Duty, ErrandFailed, Performer
from gw.domain.schedule import next_after, parse_schedule
from gw.export import runs
from gw.export.errors import ExportError
from gw.export.job import Job, Stop, job_of
from gw.export.run import ExportBusy
from gw.export.runs import Run
from gw.export.work import Wish, pending, window, work
from gw.ledger.errand import Errand
from gw.snapshot import pepper_of

ERRAND = "export"
LOOK_S = 20.0  # the longest sleep: the clock of the wall may be set
BUSY_S = 60.0  # until the next try, while another process works on it
PATIENT_S, FREE_LOOK_S = 20.0, 0.1  # how long who asks for one waits for that, looking so often
_log = logging.getLogger("gw.export")


def appoint(config: Config) -> Iterable[Duty]:
    """One duty for each export that has a schedule."""
    providers = tuple((one.name, one.provider) for one in config.upstream)
    for export in config.export:
        if export.every:
            yield Duty(f"export {export.name}", (export, providers), _on_schedule(export))


def _on_schedule(export: Export) -> Callable[[Desk], Any]:
    schedule = parse_schedule(export.every)

    async def run(desk: Desk) -> None:
        job = job_of(export, desk.config, desk.state_dir, pepper_of(desk.config))
        last_us = await asyncio.to_thread(_last_planned, desk, job)
        due_us = next_after(schedule, last_us) if last_us else 0
        while True:
            now_us = clock.wall_us()
            if now_us < due_us:
                await asyncio.sleep(min(LOOK_S, (due_us - now_us) / 1e6))
                continue
            try:
                await _worked(job, partial(_due, desk, now_us))
            except ExportBusy:
                await asyncio.sleep(BUSY_S)
                continue
            except ExportError as error:
                raise OSError(str(error)) from error  # the courier pauses, says so, and begins this anew
            due_us = next_after(schedule, now_us)

    return run


def _due(desk: Desk, now_us: int, job: Job) -> list[Run]:
    return work(desk.database, job, Wish(now_us))


def _last_planned(desk: Desk, job: Job) -> int:
    """When this export was last planned; 0: there is something to be done at once."""
    if pending(desk.database, job):
        return 0
    with desk.database.reading() as db:
        return runs.last_planned_us(db, job.name) if db is not None else 0


async def perform_export(desk: Desk, errand: Errand) -> dict[str, Any]:
    """An export that was asked for: what is due; with `since_us` and `until_us` that window once more."""
    found = [one for one in desk.config.export if one.name == errand.name]
    if not found:
        raise ErrandFailed(f'there is no export "{errand.name}" any more')
    job = job_of(found[0], desk.config, desk.state_dir, pepper_of(desk.config))
    low_us, high_us = errand.fields.get("since_us", 0), errand.fields.get("until_us", 0)
    wish = Wish(clock.wall_us(), "request", errand.asked_by)

    def do(job: Job) -> list[Run]:
        if low_us or high_us:
            return window(desk.database, job, low_us, high_us or wish.now_us, wish)
        return work(desk.database, job, wish)

    try:
        done = await _once_free(job, do)
    except ExportError as error:
        raise ErrandFailed(str(error)) from error
    return {"runs": [run.id for run in done], "rows": sum(run.rows_count for run in done)}


async def _once_free(job: Job, do: Callable[[Job], list[Run]]) -> list[Run]:
    """What is asked for while the schedule's own run is under way comes after it."""
    patient_ns = clock.mono_ns() + int(PATIENT_S * 1e9)
    while True:
        try:
            return await _worked(job, do)
        except ExportBusy:
            if clock.mono_ns() >= patient_ns:
                raise
        await asyncio.sleep(FREE_LOOK_S)


ERRANDS: Mapping[str, Performer] = {ERRAND: perform_export}


async def _worked(job: Job, do: Callable[[Job], list[Run]]) -> list[Run]:
    """In a thread, which is waited for when this is cancelled: it stops between two pages."""
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(do, replace(job, stopped=stop.is_set)))
    try:
        done = await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        if (error := task.exception()) is not None and not isinstance(error, Stop):
            _log.warning("export %s: %s", job.name, error)
        raise
    for run in done:
        _log.info("export %s: run %d, %d rows in %d files to %s", job.name, run.id, run.rows_count, run.objects_count, run.target)
    return done
