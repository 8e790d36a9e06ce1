"""Exports of calls: each row once, as the ledger has it, in every form; and again after whatever happens."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gw.export.work import Wish, window, work
from gw.ledger.audit import read_audit
from gw.ledger.store import Database
from tests.export.ground import (
    DAY_US,
    HOUR_US,
    LATER_US,
    adjust,
    arrived,
    call,
    files,
    fill,
    job,
    ledger,
    manifests,
    note,
    once,
    rows_of,
    usd,
)
from tests.ledger.records import NOON_US

MONEY = ("list", "billed", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "tools", "other")
NOW = Wish(LATER_US)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_exported(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the ledger, by the rules of docs/exports.md, written down here a second time."""
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("_pusd"):
            shown[f"{name[:-5]}_usd"] = usd(value)
        elif name == "at_most_nusd":
            shown["at_most_usd"] = usd(value * 1000)
        elif name.endswith("_us"):
            shown[f"{name[:-3]}_at"] = EPOCH + timedelta(microseconds=value) if value else None
        else:
            shown[name] = bool(value) if name == "stream" else value
    return shown


def test_parquet_equals_the_ledger_to_the_last_digit(database: Database, tmp_path: Path) -> None:
    odd = {"project": 'a "quoted", \n line', "billed_pusd": 2**62 + 1, "list_pusd": 1, "first_byte_us": 0}
    fill(database, [*(call(number) for number in range(250)), call(250, **odd)])
    (run,) = work(database, job(tmp_path), NOW)
    assert (run.status, run.rows_count, run.low, run.high) == ("done", 251, 1, 251)
    assert sorted(arrived(tmp_path), key=lambda row: row["seq"]) == [as_exported(row) for row in ledger(database)]


@pytest.mark.parametrize("form", ["jsonl.zst", "csv", "csv.zst"])
def test_text_forms_hold_the_same(tmp_path: Path, database: Database, form: str) -> None:
    fill(database, [call(number, project="=1+1, ünï\r\n", billed_pusd=number) for number in range(50)])
    work(database, job(tmp_path, format=form), NOW)
    found = {int(row["seq"]): row for row in arrived(tmp_path)}
    for row in map(as_exported, ledger(database)):
        for name, value in row.items():
            text = found[row["seq"]][name]
            if isinstance(value, Decimal):
                assert isinstance(text, str) and Decimal(text) == value and "E" not in text
            elif isinstance(value, datetime):
                assert text.endswith("Z") and datetime.fromisoformat(text) == value
            elif form.startswith("csv"):
                assert text == ("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
            else:
                assert text == value


def test_each_run_begins_where_the_last_ended(database: Database, tmp_path: Path) -> None:
    made = job(tmp_path)
    fill(database, [call(number) for number in range(10)])
    first = work(database, made, NOW)
    assert work(database, made, NOW) == []
    fill(database, [call(number) for number in range(10, 25)])
    second = work(database, made, NOW)
    assert [(run.low, run.high) for run in (*first, *second)] == [(1, 10), (11, 25)]
    assert list(once(tmp_path)) == list(range(1, 26))


def test_files_lie_in_the_hour_in_which_calls_ended(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(150)])
    work(database, job(tmp_path, rows_per_file=40), NOW)
    folders: dict[str, list[Path]] = {}
    for file in files(tmp_path):
        folders.setdefault(file.parent.relative_to(tmp_path / "out").as_posix(), []).append(file)
    assert set(folders) == {f"calls/dt=2026-11-01/hour={hour}" for hour in (12, 13, 14)}
    assert [len(folders[f"calls/dt=2026-11-01/hour={hour}"]) for hour in (12, 13, 14)] == [2, 2, 1]


def test_the_manifest_names_every_file_and_adds_up(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(150)])
    work(database, job(tmp_path, rows_per_file=40), NOW)
    (manifest,) = manifests(tmp_path)
    assert {one["path"] for one in manifest["objects"]} == {
        file.relative_to(tmp_path / "out").as_posix() for file in files(tmp_path)
    }
    assert manifest["rows"] == sum(one["rows"] for one in manifest["objects"]) == 150
    assert manifest["range"] == {"seq": [1, 150]}
    assert Decimal(manifest["totals"]["billed_usd"]) == usd(sum(row["billed_pusd"] for row in ledger(database)))
    assert {"name": "billed_usd", "type": "decimal(38,12)", "nullable": False} in manifest["columns"]
    for one in manifest["objects"]:
        assert (tmp_path / "out" / one["path"]).stat().st_size == one["bytes"]


def test_columns_are_chosen_blanked_and_hashed(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(14)])
    columns = ("seq", "session_id", "team", "key*", "billed_usd")
    made = job(tmp_path, columns=columns, hash=("session_id", "key_id"), redact=("team",))
    work(database, made, NOW)
    rows = arrived(tmp_path)
    assert list(rows[0]) == ["seq", "key_id", "key_name", "team", "session_id", "billed_usd"]
    assert {row["team"] for row in rows} == {""}
    digests = {row["session_id"] for row in rows}
    assert len(digests) == 7 and all(len(one) == 32 and "session" not in one for one in digests)
    assert manifests(tmp_path)[0]["hashed"] == ["key_id", "session_id"]


def test_since_leaves_out_what_was_before(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(150)])
    since = datetime.fromtimestamp((NOON_US + HOUR_US) // 10**6, UTC)
    work(database, job(tmp_path, since=since), NOW)
    assert list(once(tmp_path)) == list(range(61, 151))


def test_a_window_goes_beside_the_chain(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(150)])
    made = job(tmp_path)
    work(database, made, NOW)
    before = files(tmp_path)
    (run,) = window(database, made, NOON_US + HOUR_US, NOON_US + 2 * HOUR_US, NOW)
    again = [file for file in files(tmp_path) if file not in before]
    assert run.rows_count == 60 and all("window-" in file.as_posix() for file in again)
    assert work(database, made, NOW) == []


def test_adjustments_and_audit_go_by_their_own_numbers(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(3)])
    adjust(database, "call-000001", NOON_US, -5)
    note(database, "renamed")
    for what in ("audit", "adjustments"):  # each export but that of the audit itself is noted there
        (run,) = work(database, job(tmp_path, name=what, what=what), NOW)
        assert (run.low, run.high, run.rows_count) == (1, 1, 1)
    rows = {file.parts[-3]: row for file in files(tmp_path) for row in rows_of(file)}
    assert rows["adjustments"]["billed_usd"] == usd(-5) and rows["adjustments"]["call_id"] == "call-000001"
    assert rows["audit"]["actor"] == "renamed" and rows["audit"]["after"] == '{"x":1}'


def test_every_export_is_noted_and_that_of_the_audit_makes_no_work_for_the_next(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(3)])
    work(database, job(tmp_path), NOW)
    (noted,) = read_audit(database, 9)
    assert (noted.actor, noted.via, noted.action, noted.kind, noted.name) == ("gw", "gw", "export", "export", "warehouse")
    assert json.loads(noted.after_json) == {"run": 1, "what": "calls", "rows": 3, "to": (tmp_path / "out").as_uri()}
    audit = job(tmp_path, name="trail", what="audit")
    assert [len(work(database, audit, NOW)) for _ in range(3)] == [1, 0, 0]
    assert work(database, audit, NOW._replace(reason="request", asked_by="ada")) == []
    window(database, audit, 0, NOW.now_us, NOW._replace(reason="window", asked_by="ada"))
    assert [(one.actor, one.name) for one in read_audit(database, 9)] == [("ada", "trail"), ("gw", "warehouse")]


def test_a_day_goes_out_when_it_is_over_and_again_when_it_changes(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(20)])
    made = job(tmp_path, what="usage")
    noon_next = Wish(NOON_US + HOUR_US)
    assert work(database, made, noon_next) == []
    (run,) = work(database, made, NOW)
    assert (run.revision, run.high - run.low, run.reason) == (1, DAY_US, "schedule")
    assert work(database, made, NOW) == []
    before = {row["billed_usd"] for row in arrived(tmp_path)}
    fill(database, [call(20, ended_us=NOON_US)])
    (again,) = work(database, made, NOW)
    assert again.revision == 2
    rows = arrived(tmp_path)
    assert sum(row["calls"] for row in rows) == 21 and {row["billed_usd"] for row in rows} != before
    assert sum(row["billed_usd"] for row in rows) == usd(sum(row["billed_pusd"] for row in ledger(database)))
    assert [one["range"]["revision"] for one in manifests(tmp_path)] == [1, 2]
