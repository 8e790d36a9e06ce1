"""The courier's end: spool to rows, spool to another collector; damage, outages and restarts in between."""

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gw.config.secret import Secret
from gw.config.telemetry_model import ClaudeTelemetry
from gw.domain.telemetry import Owner
from gw.ledger import telemetry
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from gw.ledger.telemetry import Place, places
from gw.ledger.telemetry_reports import Scope, groups, tools
from gw.telemetry import post
from gw.telemetry.post import Unavailable
from gw.telemetry.reports import Forwarder, Keeper
from gw.telemetry.spool import DIRECTORY, Parcel, Spool, names
from tests.support.databases import query
from tests.telemetry.client import JSON, PROTOBUF, TOOL_TURN, WORK, event, logs, metrics, point, total, traces
from tests.telemetry.sink import Says, Sink, sink
from tests.telemetry.test_otel import beside

OWNER = Owner("kid", "ada", "platform", "acme")
ROOMY = 1 << 30
TURN = logs(*TOOL_TURN)


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "gw.db")


@pytest.fixture
def other() -> Iterator[Sink]:
    with sink() as found:
        yield found


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "PAUSE_S", (0.01, 0.02))


def reported(state_dir: Path, *bodies: bytes, signal: str = "logs", kind: str = JSON, encoding: str = "") -> Spool:
    made = Spool(state_dir)
    for body in bodies:
        made.append(Parcel(1, signal, kind, encoding, OWNER, body), ROOMY)
    return made


def kept(database: Database) -> list[int]:
    """Rows: events, uses of tools."""
    return [query(database, f"SELECT COUNT(*) FROM telemetry_{table}")[0][0] for table in ("event", "tool")]


def test_what_was_spooled_becomes_rows_and_the_file_goes_once_its_worker_has(tmp_path: Path, database: Database) -> None:
    made = reported(tmp_path, gzip.compress(TURN), encoding="gzip")
    made.append(Parcel(1, "metrics", PROTOBUF, "", OWNER, metrics(*WORK, kind=PROTOBUF)), ROOMY)
    made.append(Parcel(1, "traces", JSON, "", OWNER, traces(3)), ROOMY)
    keeper = Keeper(ClaudeTelemetry(enabled=True), tmp_path, database)
    assert keeper.work() == 3 and kept(database) == [len(TOOL_TURN), 3]
    assert keeper.work() == 0 and len(names(tmp_path / DIRECTORY)) == 1  # it may still be written to
    made.append(Parcel(1, "logs", JSON, "", OWNER, TURN), ROOMY)
    made.close()
    assert keeper.work() == 1 and kept(database) == [len(TOOL_TURN), 3]  # the client had sent it twice
    assert keeper.work() == 0 and names(tmp_path / DIRECTORY) == []
    assert keeper.work() == 0 and places(database) == {}


def test_another_courier_goes_on_where_the_last_one_was(tmp_path: Path, ledger: SqliteDatabase) -> None:
    made = reported(tmp_path, TURN)
    assert Keeper(ClaudeTelemetry(enabled=True), tmp_path, ledger).work() == 1
    made.append(Parcel(1, "metrics", JSON, "", OWNER, metrics(*WORK)), ROOMY)
    assert Keeper(ClaudeTelemetry(enabled=True), tmp_path, ledger).work() == 1
    assert query(ledger, "SELECT commits FROM telemetry_session") == [(1,)]
    made.close()


@pytest.mark.parametrize("strange", [1e30, 9e18])
def test_numbers_beyond_any_column_keep_nothing_else_back(tmp_path: Path, database: Database, strange: float) -> None:
    costs = [total("cost.usage", point(strange, at=at, model=f"m{at}")) for at in range(6)]
    lasted = [event("tool_result", at, tool_name="Bash", duration_ms=str(strange), success=True) for at in range(12)]
    made = reported(tmp_path, metrics(*costs), signal="metrics")
    made.append(Parcel(1, "logs", JSON, "", OWNER, logs(*lasted)), ROOMY)
    far = event("user_prompt", 99) | {"timeUnixNano": str(2**64 - 1)}
    made.append(Parcel(1, "logs", JSON, "", OWNER, logs(far)), ROOMY)
    keeper = Keeper(ClaudeTelemetry(enabled=True), tmp_path, database)
    assert keeper.work() == 3
    (cost, longest, latest) = query(database, "SELECT MAX(estimated_pusd), MAX(calls), MAX(last_us) FROM telemetry_session, "
        "(SELECT calls FROM telemetry_tool) tools")[0]
    assert 2**60 <= cost <= 2**62 and isinstance(cost, int) and longest == 12 and latest <= 2**53
    (found,) = groups(database, "team", Scope(), 10)
    assert found.counts["estimated_pusd"] == cost and found.counts["prompts"] == 1
    (used,) = tools(database, "tool", Scope(), 10)
    assert (used.calls, used.duration_ms) == (12, 2**62)


def test_what_cannot_be_read_keeps_nothing_else_back(tmp_path: Path, ledger: SqliteDatabase) -> None:
    made = reported(tmp_path, b"no json", b'{"resourceLogs":3}', TURN)
    made.close()
    path = tmp_path / DIRECTORY / names(tmp_path / DIRECTORY)[0]
    path.write_bytes(path.read_bytes() + b"\x01\x00\x00\x00\x00\x00\x00\x00?")  # a frame whose sum does not fit
    keeper = Keeper(ClaudeTelemetry(enabled=True), tmp_path, ledger)
    assert keeper.work() == 4 and kept(ledger) == [len(TOOL_TURN), 3]
    assert keeper.work() == 0 and names(tmp_path / DIRECTORY) == []


def test_texts_are_kept_where_they_are_asked_for(tmp_path: Path, ledger: SqliteDatabase) -> None:
    reported(tmp_path, TURN).close()
    Keeper(ClaudeTelemetry(enabled=True, texts=True), tmp_path, ledger).work()
    assert "a secret plan" in repr(query(ledger, "SELECT more FROM telemetry_event"))


def test_old_rows_go_and_are_looked_for_now_and_then(tmp_path: Path, ledger: SqliteDatabase, monkeypatch: Any) -> None:
    asked: list[int] = []
    monkeypatch.setattr(telemetry, "retire", lambda _, before_us: asked.append(before_us) or False)
    keeper = Keeper(ClaudeTelemetry(enabled=True, retention_days=30), tmp_path, ledger)
    keeper.work()
    keeper.work()
    Keeper(ClaudeTelemetry(enabled=True, retention_days=0), tmp_path, ledger).work()
    assert len(asked) == 1


def forwarding(url: str, **more: Any) -> ClaudeTelemetry:
    return ClaudeTelemetry(enabled=True, forward_url=url, forward_headers={"x-token": Secret("literal", "t")}, **more)


async def test_every_request_goes_on_byte_for_byte(tmp_path: Path, ledger: SqliteDatabase, other: Sink) -> None:
    packed = gzip.compress(TURN)
    made = reported(tmp_path, packed, encoding="gzip")
    made.append(Parcel(1, "metrics", PROTOBUF, "", OWNER, b"\x00\x01anything"), ROOMY)
    settings = forwarding(other.url)
    (name,) = names(tmp_path / DIRECTORY)
    done = (tmp_path / DIRECTORY / name).stat().st_size
    await beside(Forwarder(settings, tmp_path, ledger).run(), lambda: name in (at := places(ledger)) and at[name].sent == done)
    one, two = other.taken
    assert (one.path, one.raw, one.headers["content-encoding"], one.headers["content-type"]) == ("/v1/logs", packed, "gzip", JSON)
    assert (two.path, two.raw, two.headers["content-type"]) == ("/v1/metrics", b"\x00\x01anything", PROTOBUF)
    assert two.headers["x-token"] == "t"
    keeper = Keeper(settings, tmp_path, ledger)
    made.close()
    while keeper.work():
        pass
    assert names(tmp_path / DIRECTORY) == []


async def test_a_file_waits_for_the_collector_that_is_away(tmp_path: Path, ledger: SqliteDatabase, other: Sink) -> None:
    reported(tmp_path, TURN, TURN).close()
    settings = forwarding(other.url)
    other.answer = lambda _: Says(503)
    with pytest.raises(Unavailable):
        await Forwarder(settings, tmp_path, ledger).run()
    keeper = Keeper(settings, tmp_path, ledger)
    while keeper.work():
        pass
    (name,) = names(tmp_path / DIRECTORY)
    assert places(ledger)[name] == Place(places(ledger)[name].kept, 0)  # kept, not sent
    other.answer = lambda _: Says()
    done = (tmp_path / DIRECTORY / name).stat().st_size
    await beside(Forwarder(settings, tmp_path, ledger).run(), lambda: places(ledger)[name].sent == done)
    assert len(other.taken) == 2
    assert keeper.work() == 0 and names(tmp_path / DIRECTORY) == []


async def test_a_half_full_spool_is_not_kept_waiting(tmp_path: Path, ledger: SqliteDatabase, other: Sink) -> None:
    reported(tmp_path, b"x" * (600 << 10)).close()
    other.answer = lambda _: Says(503)
    settings = forwarding(other.url, spool_bytes_max=1 << 20)
    await beside(Forwarder(settings, tmp_path, ledger).run(), lambda: any(one.sent for one in places(ledger).values()))
    assert other.taken == []


async def test_the_duty_runs_on(tmp_path: Path, ledger: SqliteDatabase) -> None:
    made = reported(tmp_path, TURN)
    ledger.prepare()
    await beside(Keeper(ClaudeTelemetry(enabled=True), tmp_path, ledger).run(), lambda: kept(ledger)[0] > 0)
    made.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
