"""One run, from its plan to its manifest. Killed anywhere, it is begun again and comes to the same end.

    files are made one by one: noted in the database, put, marked as stored; one that is there already is not put again
    what earlier attempts of this run have put, and this one has not made, is deleted
    the manifest is put
    what earlier revisions of this period have put is deleted
    the run is done: one transaction

So whoever reads manifests sees each row once at any moment; whoever reads whole folders does so while no run is under way.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from gw import clock
from gw.export import manifest as manifests
from gw.export import runs, sources, usage
from gw.export.errors import ExportError
from gw.export.job import Job, Progress, Stop
from gw.export.parts import Part, Parts
from gw.export.runs import Run, Stored
from gw.export.sources import Pages
from gw.export.target import Target
from gw.ledger.store import Database, StoreError


class ExportBusy(ExportError):
    """Another process works on this export."""


@contextmanager
def sole(job: Job) -> Iterator[None]:
    """One process at a time; the lock goes with the process. Raises ExportBusy, ExportError."""
    try:
        job.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (job.spool / "lock").open("a+")
    except OSError as error:
        raise ExportError(str(error)) from error
    with file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ExportBusy(f'another process works on the export "{job.name}"') from None
        yield


def perform(database: Database, job: Job, run: Run) -> Run:
    """An attempt, under `sole`. Raises ExportError or StoreError, which is then noted with the run, and Stop."""
    try:
        target = job.target()
        run = runs.begin(database, run, target.name, clock.wall_us())
        return _attempt(database, job, run, target)
    except (ExportError, StoreError, OSError) as error:
        _note_failure(database, run, str(error))
        if isinstance(error, OSError):
            raise ExportError(str(error)) from error
        raise


def _note_failure(database: Database, run: Run, words: str) -> None:
    try:
        runs.fail(database, run, words, clock.wall_us())
    except StoreError:
        return  # the run is still there, and says that it is running; whoever goes on with it does not mind


def _attempt(database: Database, job: Job, run: Run, target: Target) -> Run:
    shape = job.shape()
    before = {one.path: one for one in runs.objects(database, run.id) if one.target == target.name}
    parts: list[Part] = []
    with spool(job) as folder:
        mark = f"r{run.revision}" if run.revision else ""
        prefix = "" if run.chain or run.revision else f"window-{run.id:06d}/"
        pages = watched(job, run, pages_of(database, job, run))
        with closing(Parts(folder, job.layout(mark, prefix), shape).of(pages)) as made:
            for part in made:
                _put(database, run, target, part, before.get(part.name))
                parts.append(part)
                part.file.unlink()
        _remove(database, target, [(run.id, one) for path, one in before.items() if path not in {part.name for part in parts}])
        place = manifests.name_of(run, job.settings.bucket)
        file = folder / "manifest.json"
        file.write_bytes(manifests.manifest(job, run, shape, parts))
        target.put(place, file)
    kept = {part.name for part in parts}
    _remove(database, target, [(run_id, one) for run_id, one in runs.replaced(database, run) if one.path not in kept])
    _leave(database, run, target)
    runs.finish(database, run, parts, place, clock.wall_us())
    with database.reading() as db:
        assert db is not None, "there is a run, so there is a ledger"
        finished = runs.run_of(db, run.id)
    assert finished is not None, "it was finished just now"
    return finished


def pages_of(database: Database, job: Job, run: Run) -> Pages:
    """The rows of a run's range."""
    if run.what == "focus":
        return sources.focus(database, run.low, run.high, job.bucket_us, job.providers)
    if run.what == "usage":
        return usage.sums(database, run.low, run.high, job.bucket_us)
    return (sources.by_number if run.chain else sources.within)(database, run.what, run.low, run.high)


def watched(job: Job, run: Run, pages: Pages) -> Pages:
    """Says how far it is; raises Stop between two pages, when that is wanted."""
    rows = 0
    of_numbers = run.high - run.low + 1 if run.chain else 0
    for page in pages:
        if job.stopped():
            raise Stop
        yield page
        rows += len(page)
        job.tell(Progress(job.name, rows, 0, of_numbers, min(page[-1].number - run.low + 1, of_numbers) if of_numbers else 0))


def _put(database: Database, run: Run, target: Target, part: Part, before: Stored | None) -> None:
    if before is not None and before.state == "stored" and before.sha256 == part.sha256 and target.size(part.name) == part.size:
        return
    runs.note(database, run, part)
    target.put(part.name, part.file)
    runs.mark(database, run.id, target.name, part.name, "stored")


def _remove(database: Database, target: Target, unwanted: list[tuple[int, Stored]]) -> None:
    """At another target nothing can be deleted: `_leave` says so."""
    for run_id, one in unwanted:
        if one.target == target.name and one.state in ("made", "stored"):
            target.remove(one.path)
            runs.mark(database, run_id, target.name, one.path, "gone")


def _leave(database: Database, run: Run, target: Target) -> None:
    """What lies where this export went to before its configuration changed is not ours to reach any more."""
    for one in runs.objects(database, run.id):
        if one.target != target.name and one.state in ("made", "stored"):
            runs.mark(database, run.id, one.target, one.path, "left")


@contextmanager
def spool(job: Job) -> Iterator[Path]:
    """An empty folder; what a killed attempt has left there goes. Readable by the gateway alone."""
    folder = job.spool / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
