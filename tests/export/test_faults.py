"""Exports that are killed: at every step, by a signal, between any two runs. What has arrived in the end is each row once."""

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gw.export import run as running
from gw.export import runs
from gw.export.errors import ExportError
from gw.export.job import Job, Stop
from gw.export.target import FolderTarget
from gw.export.work import Wish, window, work
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database, StoreError
from tests.export.ground import DAY_US, HOUR_US, LATER_US, arrived, call, files, fill, job, ledger, manifests, once, usd
from tests.ledger.records import NOON_US

NOW = Wish(LATER_US)
STEPS = [(FolderTarget, "put"), (FolderTarget, "remove"), (runs, "begin"), (runs, "note"), (runs, "mark"), (runs, "finish")]


class Killed(BaseException):
    """What nothing catches, as nothing catches SIGKILL."""


class Tripwire:
    """Ends the process, as it were, at the n-th step: before it is taken, or when it is and nobody has heard of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1  # never
        self.count = 0
        for home, name in STEPS:
            monkeypatch.setattr(home, name, self._wired(getattr(home, name)))

    def _wired(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*args: Any) -> Any:
            self._pass()
            result = step(*args)
            self._pass()
            return result

        return taken

    def _pass(self) -> None:
        self.count += 1
        if self.left == 0:
            self.left = -1
            raise Killed
        self.left -= 1


def whole(folder: Path, database: Database) -> None:
    """Each row has arrived once, and the manifests say just that."""
    seqs = [row["seq"] for row in ledger(database)]
    assert list(once(folder)) == seqs
    named = sorted(one["path"] for manifest in manifests(folder) for one in manifest["objects"])
    assert named == [file.relative_to(folder / "out").as_posix() for file in files(folder)]
    ranges = sorted(tuple(manifest["range"]["seq"]) for manifest in manifests(folder))
    assert [low for low, _ in ranges] == [1, *(high + 1 for _, high in ranges[:-1])] and ranges[-1][1] == seqs[-1]


def test_killed_at_any_step_a_run_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = SqliteDatabase(tmp_path / "gw.db")
    fill(database, [call(number) for number in range(30)])
    wire = Tripwire(monkeypatch)
    work(database, job(tmp_path / "clean", rows_per_file=12), NOW)
    steps, expected = wire.count, [file.relative_to(tmp_path / "clean") for file in files(tmp_path / "clean")]
    assert steps > 20
    for step in range(steps):
        folder = tmp_path / f"killed{step}"
        made = job(folder, name=f"at step {step}", rows_per_file=12)
        wire.left = step
        with pytest.raises(Killed):
            work(database, made, NOW)
        done = work(database, made, NOW)
        assert len(done) == 1 or step == steps - 1, "only a run whose end was written is not gone on with"
        whole(folder, database)
        assert [file.relative_to(folder) for file in files(folder)] == expected


def test_killed_between_writing_a_file_and_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    fill(database, [call(number) for number in range(30)])
    made = job(tmp_path, rows_per_file=12)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(Killed))
        work(database, made, NOW)
    work(database, made, NOW)
    whole(tmp_path, database)
    assert not list(tmp_path.rglob("part*.partial"))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), rounds=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), min_size=1, max_size=5))
def test_whatever_is_killed_while_calls_go_on_each_arrives_once(
    seed: int, rounds: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round: so many calls come, then a run that dies at that step, if it has so many."""
    random, folder, number = Random(seed), tmp_path_factory.mktemp("export"), 0
    database = SqliteDatabase(folder / "gw.db")
    with monkeypatch.context() as patch:
        wire = Tripwire(patch)
        for calls, step in rounds:
            fill(database, [call(number + one, ended_us=NOON_US + random.randrange(5 * HOUR_US)) for one in range(calls)])
            number += calls
            made = job(folder, rows_per_file=random.choice([3, 12, 50]), format=random.choice(["jsonl.zst", "csv"]))
            wire.left = step
            with suppress(Killed):
                work(database, made, NOW)
            wire.left = -1
        work(database, made, NOW)
    whole(folder, database)


def test_a_day_exported_anew_is_never_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a period the second revision takes the place of the first, wherever the run that brings it is killed."""
    wire = Tripwire(monkeypatch)
    for step in range(0, 40, 3):
        folder = tmp_path / str(step)
        folder.mkdir()
        database, made = SqliteDatabase(folder / "gw.db"), job(folder, what="focus")
        fill(database, [call(number) for number in range(9)])
        work(database, made, NOW)
        fill(database, [call(number, ended_us=NOON_US + number) for number in range(9, 12)])
        wire.left = step
        try:
            work(database, made, NOW)
        except Killed:
            work(database, made, NOW)
        wire.left = -1
        assert sum(row["BilledCost"] for row in arrived(folder)) == usd(sum(row["billed_pusd"] for row in ledger(database)))
        assert [one["range"]["revision"] for one in manifests(folder)] == [1, 2]


KILLED = """
import sys
from pathlib import Path
from gw.export.work import Wish, work
from gw.ledger.database import database_of
from tests.export.ground import LATER_US, job
print("begins", flush=True)
work(database_of(sys.argv[1]), job(Path(sys.argv[2]), rows_per_file=150, format="jsonl.zst"), Wish(LATER_US))
"""


def test_a_process_that_is_killed_again_and_again(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "gw.db")
    fill(database, [call(number) for number in range(6000)])
    random, killed = Random(5), 0
    command = [sys.executable, "-c", KILLED, f"sqlite:///{database.path}", str(tmp_path)]
    for _ in range(12):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline()
            try:
                process.wait(timeout=0.05 + random.random() * 0.25)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
        if process.returncode == 0:
            break
    assert killed >= 2
    work(database, job(tmp_path, rows_per_file=150, format="jsonl.zst"), NOW)
    whole(tmp_path, database)


def test_a_failure_is_noted_and_the_run_gone_on_with(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(5)])
    made = job(tmp_path)
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(ExportError):
        work(database, made, NOW)
    with database.reading() as db:
        assert db is not None
        run = runs.unfinished(db, made.name)
    assert run is not None and run.status == "failed" and run.attempts == 1 and "out" in run.error
    (tmp_path / "out").unlink()
    (done,) = work(database, made, NOW)
    assert (done.id, done.status, done.attempts, done.error) == (run.id, "done", 2, "")
    whole(tmp_path, database)


def test_two_processes_do_not_export_at_once(database: Database, tmp_path: Path) -> None:
    fill(database, [call(1)])
    made = job(tmp_path)
    with running.sole(made), pytest.raises(running.ExportBusy):
        work(database, made, NOW)


def test_a_run_that_is_stopped_is_gone_on_with(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(20)])
    made = job(tmp_path)
    with pytest.raises(Stop):
        work(database, Job(made.settings, made.spool, made.hash_key, made.providers, stopped=lambda: True), NOW)
    work(database, made, NOW)
    whole(tmp_path, database)


def test_a_database_that_goes_away_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = SqliteDatabase(tmp_path / "gw.db")
    fill(database, [call(number) for number in range(30)])
    made = job(tmp_path, rows_per_file=10)
    with monkeypatch.context() as patch, pytest.raises(StoreError):
        patch.setattr(runs, "mark", lambda *_: (_ for _ in ()).throw(StoreError("gone")))
        work(database, made, NOW)
    work(database, made, NOW)
    whole(tmp_path, database)


def test_a_target_that_changes_in_the_middle_gets_the_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = SqliteDatabase(tmp_path / "gw.db")
    fill(database, [call(number) for number in range(30)])
    wire = Tripwire(monkeypatch)
    wire.left = 8
    with pytest.raises(Killed):
        work(database, job(tmp_path / "old", rows_per_file=10), NOW)
    work(database, job(tmp_path / "new", rows_per_file=10), NOW)
    whole(tmp_path / "new", database)


def test_a_window_of_days_is_exported_anew(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(5)])
    made = job(tmp_path, what="usage")
    work(database, made, NOW)
    (run,) = window(database, made, NOON_US - DAY_US, NOON_US + DAY_US, NOW)
    assert run.revision == 2 and len(files(tmp_path)) == 1
