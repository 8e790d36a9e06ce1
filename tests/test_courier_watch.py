"""The courier's duties for alerts and the audit, in a real courier: told once through what
fails, signed, tried out on request."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import astuple

from gw import alerting, audit_keeping, clock, courier
from gw.alerts import store
from gw.audit import record as record_of_audit
from gw.audit.anchor import anchors_in
from gw.audit.record import verify
from gw.audit.sign import signer_of
from gw.config.load import parse
from gw.courier import Courier, Desk
from gw.courier_main import APPOINT
from gw.courier_watch import ALERT_TEST, ERRANDS
from gw.domain.stored import Stored
from gw.ledger import errand
from gw.ledger.audit import note
from gw.ledger.errand import Errand
from gw.ledger.store import Batch, Database
from gw.ops.state import STATE_FILE, StateFile
from gw.snapshot import Published, publish
from tests.alerts.sinks import web
from tests.ledger.records import record
from tests.support.databases import address_of

CONFIG = """
[server]
state_dir = "."
[storage]
url = "{storage}"
[audit]
anchor_file = "anchors.jsonl"
[alerts]
every_s = 1
[[notify]]
name = "ops"
kind = "webhook"
url = "{hook}"
[[notify]]
name = "gone"
kind = "webhook"
url = "http://127.0.0.1:1/"
[[alert]]
name = "prices"
kind = "unpriced_model"
notify = ["ops"]
[[alert]]
name = "everywhere"
kind = "accounting_drift"
"""


class Ground:
    def __init__(self, folder: Path, database: Database, config: str) -> None:
        database.prepare()
        self.database, self.folder = database, folder
        self.state = StateFile(folder / STATE_FILE, create=True)
        self.published = Published(1, config, "config.toml", str(folder), Stored(), (), "")
        publish(folder, self.published, lambda _: None)

    async def work_until(self, reached: Callable[[], bool]) -> None:
        """A courier's life."""
        made = Courier(Desk(self.folder, self.state, self.database, self.published), APPOINT, ERRANDS)
        stop = asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        try:
            async with asyncio.timeout(20):
                while not reached():
                    await asyncio.sleep(0.02)
        finally:
            stop.set()
            await task


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "LOOK_S", 0.02)
    monkeypatch.setattr(alerting, "SEND_EVERY_S", 0.02)
    monkeypatch.setattr(audit_keeping, "LOOK_S", 0.05)
    monkeypatch.setattr(alerting, "backoff_us", lambda attempts, after_s: 10_000)


async def put(database: Database, **more: Any) -> None:
    ledger = database.store()
    await ledger.open()
    now_us = clock.wall_us()
    await ledger.commit(Batch(rows=[astuple(record("c1", started_us=now_us - 1000, ended_us=now_us, **more))]))
    await ledger.close()


async def test_an_alert_is_decided_once_and_told_at_least_once_through_failures_and_restarts(
    tmp_path: Path, database: Database
) -> None:
    async with web("500", "reset", "429 0", "503") as server:
        ground = Ground(tmp_path, database, CONFIG.format(storage=address_of(database), hook=server.url()))
        await put(database, price_version="unpriced", requested_model="claude-next")
        await ground.work_until(lambda: _attempts(database) >= 2)
        await ground.work_until(lambda: bool(_delivered(database)))
        assert len(server.got) == 5
        assert len({one.headers["idempotency-key"] for one in server.got}) == 1
        assert server.got[-1].json["title"] == 'Model "claude-next" has no price: 1 call in the last day counts as $0'
        with database.reading() as db:
            assert db is not None
            (row,) = store.alerts(db, 10)
            (delivery,) = store.deliveries(db, row.id)
        assert (delivery.outcome, delivery.attempts) == ("sent", 5)


def _attempts(database: Database) -> int:
    with database.reading() as db:
        assert db is not None
        return int(db.execute("SELECT COALESCE(SUM(attempts), 0) FROM alert_outbox").fetchone()[0])


def _delivered(database: Database) -> list[tuple[object, ...]]:
    with database.reading() as db:
        assert db is not None
        return db.execute("SELECT id FROM alert_outbox WHERE outcome = 'sent'").fetchall()


async def test_a_test_tells_what_each_channel_answered(tmp_path: Path, database: Database) -> None:
    async with web() as server:
        ground = Ground(tmp_path, database, CONFIG.format(storage=address_of(database), hook=server.url()))
        with database.changing() as db:
            for number, name in enumerate(("everywhere", "nowhere")):
                errand.ask(db, Errand(f"e{number}", ALERT_TEST, name, {}, clock.wall_us(), "ann"))
        await ground.work_until(lambda: all(one.done_us for one in _errands(database)))
        (got,) = server.got
    assert got.json["event"] == "test" and got.json["title"] == 'this channel hears of alert "everywhere"; nothing is wrong'
    first, second = _errands(database)
    assert first.outcome == "done"
    assert [(one["channel"], one["ok"]) for one in first.answer["channels"]] == [("ops", True), ("gone", False)]
    assert first.answer["channels"][0]["said"] == "HTTP 200: ok"
    assert (second.outcome, second.answer) == ("failed", {"error": 'there is no [[alert]] "nowhere" in force'})
    with database.reading() as db:
        assert db is not None and store.alerts(db, 10) == [], "a test is no alert"


def _errands(database: Database) -> list[Errand]:
    with database.reading() as db:
        assert db is not None
        return [one for name in ("e0", "e1") if (one := errand.find(db, name)) is not None]


async def test_the_audit_is_signed_at_once_then_daily_and_handed_out(tmp_path: Path, database: Database) -> None:
    ground = Ground(tmp_path, database, CONFIG.format(storage=address_of(database), hook="http://127.0.0.1:1/"))
    for number in range(3):
        note(database, clock.wall_us(), "ann", "api", "sign_in", "sign_in", f"192.0.2.{number}")
    file = tmp_path / "anchors.jsonl"
    await ground.work_until(lambda: file.exists() and bool(file.read_text()))
    note(database, clock.wall_us(), "ann", "api", "sign_in", "sign_in", "192.0.2.9")
    await ground.work_until(lambda: (tmp_path / "courier.json").exists())
    (anchor,) = anchors_in(file.read_text().splitlines(), "file")
    assert (anchor.first_id, anchor.last_id, anchor.algorithm) == (1, 3, "ed25519")
    report = verify(database, signer_of("", tmp_path, b"p" * 32), [anchor])
    assert report.is_whole and (report.rows, report.signed_id) == (4, 3)
    assert json.loads(file.read_text())["key_id"] == report_key(tmp_path)


def report_key(folder: Path) -> str:
    return signer_of("", folder, b"p" * 32).key_id


def test_signing_is_due_once_in_its_time(database: Database, tmp_path: Path) -> None:
    database.prepare()
    signer = signer_of("", tmp_path, b"p" * 32)
    day = 24 * audit_keeping.HOUR_US
    assert audit_keeping.sign_if_due(database, signer, 24, day) is None, "there is nothing to sign"
    note(database, 1, "ann", "api", "sign_in", "sign_in", "h")
    assert audit_keeping.sign_if_due(database, signer, 24, day) is not None
    note(database, 2, "ann", "api", "sign_in", "sign_in", "h")
    assert audit_keeping.sign_if_due(database, signer, 24, 2 * day - 1) is None
    made = audit_keeping.sign_if_due(database, signer, 24, 2 * day)
    assert made is not None and (made.first_id, made.last_id) == (2, 2)


def test_more_than_one_signature_holds_is_signed_by_several_at_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of many looks at data would else never be signed to its end."""
    for module in (audit_keeping, record_of_audit):
        monkeypatch.setattr(module, "ROWS_MAX", 2)
    database.prepare()
    for number in range(1, 6):
        note(database, number, "ann", "api", "sign_in", "sign_in", "h")
    signer = signer_of("", tmp_path, b"p" * 32)
    made = audit_keeping.sign_if_due(database, signer, 24, 24 * audit_keeping.HOUR_US)
    assert made is not None and (made.id, made.first_id, made.last_id) == (3, 5, 5)
    report = verify(database, signer, [])
    assert report.is_whole and (report.anchors, report.signed_id) == (3, 5)


def test_every_duty_has_its_settings(tmp_path: Path) -> None:
    config = parse(CONFIG.format(storage="sqlite:///x.db", hook="http://h/"), "config.toml", tmp_path, {}).config
    same = parse(CONFIG.format(storage="sqlite:///x.db", hook="http://h/"), "config.toml", tmp_path, {}).config
    for appoint in APPOINT:
        assert [(one.name, one.settings) for one in appoint(config)] == [(one.name, one.settings) for one in appoint(same)]
