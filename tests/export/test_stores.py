"""Exports to S3, in moto's word of it: whole, and once, though the store errs, connections break and processes are killed."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gw.config.secret import Secret
from gw.export import target
from gw.export.errors import ExportError
from gw.export.job import Job
from gw.export.run import ExportBusy
from gw.export.work import Wish, work
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from tests.export.ground import LATER_US, call, fill, job, ledger, rows_in, usd
from tests.export.stores import BUCKET, CREDENTIALS, Fault, Store, hop, moto

NOW = Wish(LATER_US)
CHUNK = 5 << 20  # the least part of a multipart upload that S3 takes


@pytest.fixture(scope="module")
def running() -> Iterator[Store]:
    with moto() as store:
        yield store


@pytest.fixture
def store(running: Store) -> Store:
    running.clear()
    return running


def s3(folder: Path, endpoint: str, **settings: Any) -> Job:
    credentials = {name: Secret(name, value) for name, value in CREDENTIALS.items()}
    return job(folder, to=f"s3://{BUCKET}/gw", endpoint=endpoint, region="us-east-1", credentials=credentials, **settings)


def whole(store: Store, database: Database) -> None:
    """What the manifests name is there, byte by byte, and nothing else; and it is the ledger, each row once."""
    there = store.objects()
    manifests = [json.loads(content) for name, content in there.items() if "_manifests" in name]
    named = {f"gw/{one['path']}": one["bytes"] for manifest in manifests for one in manifest["objects"]}
    assert {name: len(content) for name, content in there.items() if "_manifests" not in name} == named
    rows = [row for name, content in there.items() if "_manifests" not in name for row in rows_in(name, content)]
    assert sorted(int(row["seq"]) for row in rows) == [row["seq"] for row in ledger(database)]
    assert sum(Decimal(row["billed_usd"]) for row in rows) == usd(sum(row["billed_pusd"] for row in ledger(database)))


def test_parquet_to_s3(store: Store, database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(200)])
    (run,) = work(database, s3(tmp_path, store.endpoint), NOW)
    assert run.rows_count == 200 and run.target == f"s3://{BUCKET}/gw at {store.endpoint}"
    whole(store, database)


@pytest.mark.parametrize("fault", ["error", "reset", "reset_in_body", "lost_answer"])
def test_a_store_that_errs_now_and_then_gets_everything(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """Every third request, uploads of large files in parts among them."""
    database = SqliteDatabase(tmp_path / "gw.db")
    monkeypatch.setattr(target, "CHUNK_BYTES", CHUNK)
    fill(database, [call(number, tags="x" * 2000, ended_us=LATER_US - number) for number in range(3500)])
    made = []

    def choose(count: int, method: str, path: str) -> Fault:
        made.append((method, path))
        return fault if count % 3 == 2 else ""

    with hop(store.port, choose) as endpoint:
        _until_done(database, s3(tmp_path, endpoint, format="csv", rows_per_file=10_000))
    whole(store, database)
    assert any("uploadId" in path or "uploads" in path for _, path in made), "no file was sent in parts"


def test_a_store_that_is_down_fails_the_run_and_the_next_attempt_ends_it(
    store: Store, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "RETRIES_MAX", 1)
    fill(database, [call(number) for number in range(300)])
    random, down = Random(3), [True]
    with hop(store.port, lambda *_: "error" if down[0] and random.random() < 0.7 else "") as endpoint:
        made = s3(tmp_path, endpoint, rows_per_file=20)
        with pytest.raises(ExportError, match=r"cannot (write|look)"):
            work(database, made, NOW)
        down[0] = False
        (run,) = work(database, made, NOW)
    assert run.attempts == 2
    whole(store, database)


def test_a_wrong_bucket_is_said_without_secrets(store: Store, database: Database, tmp_path: Path) -> None:
    fill(database, [call(1)])
    credentials = {"access_key_id": Secret("x", "AKIATEST"), "secret_access_key": Secret("y", "very-secret-value")}
    made = job(tmp_path, to="s3://no-such-bucket/x", endpoint=store.endpoint, region="us-east-1", credentials=credentials)
    with pytest.raises(ExportError) as caught:
        work(database, made, NOW)
    assert "NoSuchBucket" in str(caught.value) and "very-secret-value" not in str(caught.value)


def _until_done(database: Database, made: Job) -> None:
    for _ in range(20):
        try:
            work(database, made, NOW)
        except ExportBusy:
            raise
        except ExportError:
            continue
        return
    pytest.fail("twenty attempts were not enough")
