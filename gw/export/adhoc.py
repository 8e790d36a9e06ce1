"""An export at once: a window of time to a target, with its manifest, and nothing written in the database."""

from contextlib import closing
from typing import NamedTuple

from gw.export import manifest as manifests
from gw.export import sources, usage
from gw.export.job import BY_PERIOD, DAY_US, Job
from gw.export.parts import Part, Parts
from gw.export.run import spool, watched
from gw.export.runs import Run
from gw.export.sources import Pages
from gw.ledger.store import Database


class Made(NamedTuple):
    parts: list[Part]
    manifest: str  # its path below the target
    target: str


def export_now(database: Database, job: Job, low_us: int, high_us: int, now_us: int) -> Made:
    """What happened in [low, high); of usage and focus whole periods. Raises ExportError, StoreError, Stop."""
    target, shape = job.target(), job.shape()
    run = Run(
        id=0,
        export=job.name,
        what=job.what,
        chain=False,
        low=low_us,
        high=high_us,
        revision=0,
        touched=0,
        status="running",
        reason="request",
        asked_by="",
        target=target.name,
        attempts=1,
        error="",
        planned_us=now_us,
        begun_us=now_us,
        ended_us=0,
        rows_count=0,
        bytes_count=0,
        objects_count=0,
        totals="{}",
        manifest="",
    )
    parts: list[Part] = []
    with spool(job) as folder:
        pages = watched(job, run, _pages(database, job, low_us, high_us))
        with closing(Parts(folder, job.layout(), shape).of(pages)) as made:
            for part in made:
                target.put(part.name, part.file)
                part.file.unlink()
                parts.append(part)
        place = manifests.name_of(run, job.settings.bucket)
        file = folder / "manifest.json"
        file.write_bytes(manifests.manifest(job, run, shape, parts))
        target.put(place, file)
    return Made(parts, place, target.name)


def _pages(database: Database, job: Job, low_us: int, high_us: int) -> Pages:
    if job.what not in BY_PERIOD:
        yield from sources.within(database, job.what, low_us, high_us)
        return
    first = sources.first_us(database, low_us)
    start_us, bucket_us = first - first % job.bucket_us, job.bucket_us
    while start_us < high_us:  # a day at a time: sums of a year would not fit in memory
        end_us = min(start_us - start_us % DAY_US + DAY_US, high_us + -high_us % bucket_us)
        if job.what == "focus":
            yield from sources.focus(database, start_us, end_us, bucket_us, job.providers)
        else:
            yield from usage.sums(database, start_us, end_us, bucket_us)
        start_us = end_us
