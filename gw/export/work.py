"""What an export has to do now: the runs that are due, one after the other, each planned in a transaction of its own."""

from typing import Any, NamedTuple

from gw.export import runs, sources
from gw.export.job import BY_PERIOD, Job
from gw.export.run import perform, sole
from gw.export.runs import Due, Run, Series
from gw.ledger.cursor import read_cursor
from gw.ledger.store import Connection, Database

NUMBERS_MAX = 1_000_000  # of one run: what is done again, at the most, after a crash
TOUCHED_ROWS = 20_000  # looked at in one go
SETTLED_US = 60_000_000  # after its end, before a period is taken: calls of its last seconds are in the ledger then


class Wish(NamedTuple):
    """Who wants it, and when."""

    now_us: int
    reason: str = "schedule"  # or request, window
    asked_by: str = ""


def work(database: Database, job: Job, wish: Wish) -> list[Run]:
    """All that is due now; what comes meanwhile is for the next time. Raises ExportError, StoreError, Stop."""
    database.prepare()
    done = []
    with sole(job):
        last = _last(database, job)
        while (run := _next(database, job, last, wish)) is not None:
            done.append(perform(database, job, run))
    return done


def window(database: Database, job: Job, low_us: int, high_us: int, wish: Wish) -> list[Run]:
    """What happened in [low, high) once more: rows that go by number beside their chain, in a folder of their own; of periods
    that lie within, a new revision in the place of the one before. Raises as `work`."""
    database.prepare()
    with sole(job):
        _look(database, job)
        with database.changing() as db:
            _give_up(db, job, wish.now_us)
            planned = _plan_window(db, job, low_us, high_us, wish)
        return [perform(database, job, run) for run in planned]


def pending(database: Database, job: Job) -> bool:
    """Whether a run waits to be gone on with."""
    with database.reading() as db:
        return db is not None and runs.unfinished(db, job.name) is not None


def _last(database: Database, job: Job) -> int:
    """Of numbers: the greatest that there is now. Of periods: which of them are touched, is looked up."""
    if job.what in BY_PERIOD:
        _look(database, job)
        return 0
    return sources.newest(database, job.what)


def _next(database: Database, job: Job, last: int, wish: Wish) -> Run | None:
    low_least = sources.first_since(database, job.what, job.since_us) if job.since_us and job.what not in BY_PERIOD else 1
    with database.changing() as db:
        _give_up(db, job, wish.now_us)
        if (run := runs.unfinished(db, job.name)) is not None:
            return run
        if job.what in BY_PERIOD:
            return _plan_period(db, job, wish)
        end = runs.chain_end(db, job.name, job.what)
        low = end + 1 if end >= 0 else low_least
        if low > last:
            return None
        return runs.plan(db, **_known(job, wish), chain=True, low=low, high=min(last, low + NUMBERS_MAX - 1))


def _known(job: Job, wish: Wish) -> dict[str, Any]:
    return {
        "export": job.name,
        "what": job.what,
        "reason": wish.reason,
        "asked_by": wish.asked_by,
        "planned_us": wish.now_us,
    }


def _plan_period(db: Connection, job: Job, wish: Wish) -> Run | None:
    series = _series(job)
    since_us = job.since_us - job.since_us % series.length_us
    due = runs.due_periods(db, series, over_us=wish.now_us - SETTLED_US, since_us=since_us)
    return _planned(db, job, due[0], wish) if due else None


def _plan_window(db: Connection, job: Job, low_us: int, high_us: int, wish: Wish) -> list[Run]:
    wish = wish._replace(reason="window")
    if job.what not in BY_PERIOD:
        return [runs.plan(db, **_known(job, wish), low=low_us, high=high_us)]
    periods = runs.periods_within(db, _series(job), low_us, min(high_us, wish.now_us - SETTLED_US))
    return [_planned(db, job, due, wish) for due in periods]


def _planned(db: Connection, job: Job, due: Due, wish: Wish) -> Run:
    end_us = due.start_us + job.bucket_us
    return runs.plan(db, **_known(job, wish), low=due.start_us, high=end_us, touched=due.touched, revision=due.revision + 1)


def _series(job: Job) -> Series:
    return Series(job.name, job.what, job.bucket_us)


def _give_up(db: Connection, job: Job, now_us: int) -> None:
    """A run of another kind, or of periods of another length, than the export is of now cannot be gone on with."""
    while (run := runs.unfinished(db, job.name)) is not None:
        if run.what == job.what and (not run.revision or run.high - run.low == job.bucket_us):
            return
        runs.give_up(db, run, f"given up: the export is of {job.what} by {job.settings.bucket} now", now_us)


def _look(database: Database, job: Job) -> None:
    """Which periods are touched by what came since the last look: calls, and adjustments to calls of any age."""
    if job.what not in BY_PERIOD:
        return
    for of in ("calls", "adjustments"):
        cursor = f"export:{job.name}:{job.what}:{job.settings.bucket}:{of}"
        seen = max(read_cursor(database, cursor), 0)
        while True:
            starts, last = sources.touched_after(database, of, seen, job.bucket_us, TOUCHED_ROWS)
            if last == seen:
                break
            with database.changing() as db:
                runs.touch(db, _series(job), sorted(starts), cursor, last)
            seen = last
