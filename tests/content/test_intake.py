"""From the spool into the database: each frame once, whoever is killed in between."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gw.content.intake import Intake
from gw.content.spool import ContentSpool
from gw.content.spooled import segments
from gw.ledger.content import content_database
from gw.ledger.store import StoreError
from tests.content.keeping import PLAIN, Store
from tests.content.session import Talk, stream_of
from tests.content.test_spool import ACCOUNT


def spooled(folder: Path, turns: int, seed: int = 1) -> dict[str, tuple[bytes, bytes]]:
    spool = ContentSpool(folder, "0-abcd")
    talk = Talk(seed)
    kept = {}
    for turn, body in enumerate(talk.bodies(turns)):
        call, answer = f"s{seed}c{turn}", stream_of(f"answer {turn} of {seed} " * 8)
        spool.request(call, ACCOUNT, talk.session, 1000 + turn, body, PLAIN)
        spool.whole(call, answer, b"")
        spool.end(call)
        kept[call] = body, answer
    spool.close()
    return kept


def taken(store: Store, folder: Path) -> int:
    intake = Intake(folder, store.database, store.keeper)
    total = 0
    while frames := intake.step():
        total += frames
    return total


def test_all_of_it_arrives_and_the_spool_is_empty(store: Store, tmp_path: Path) -> None:
    kept = spooled(tmp_path / "content", 10)
    assert taken(store, tmp_path / "content") == 20
    assert {call: store.raw(call) for call in kept} == kept
    assert segments(tmp_path / "content") == []
    with store.database.reading() as db:
        assert db is not None and db.execute("SELECT COUNT(*) FROM content_segment").fetchone() == (0,)


def test_there_may_be_no_spool_at_all(store: Store, tmp_path: Path) -> None:
    assert taken(store, tmp_path / "content") == 0


def test_a_worker_at_work_is_followed(sqlite: Store, tmp_path: Path) -> None:
    folder = tmp_path / "content"
    intake = Intake(folder, sqlite.database, sqlite.keeper)
    spool = ContentSpool(folder, "0-abcd")
    for number in range(3):
        spool.request(f"c{number}", ACCOUNT, "s1", number, b"{}", PLAIN)
        while sqlite.library.row(f"c{number}") is None:
            intake.step()
        assert len(segments(folder)) == 1
    spool.close()
    intake.step()
    assert segments(folder) == [] and intake.step() == 0


def test_two_that_take_in_at_once_count_nothing_twice(sqlite: Store, tmp_path: Path) -> None:
    kept = spooled(tmp_path / "content", 6)
    one, other = (Intake(tmp_path / "content", sqlite.database, Store(sqlite.address).keeper) for _ in range(2))
    total = 0
    while frames := one.step() + other.step():
        total += frames
    assert total == 12 and {call: sqlite.raw(call) for call in kept} == kept


def test_a_database_that_does_not_take_it_loses_nothing(sqlite: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = spooled(tmp_path / "content", 6)
    intake = Intake(tmp_path / "content", sqlite.database, sqlite.keeper)

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(type(sqlite.keeper), "end", full)
        with pytest.raises(StoreError):
            intake.step()
    while intake.step():
        pass
    assert {call: sqlite.raw(call) for call in kept} == kept


def test_one_call_that_cannot_be_taken_in_keeps_no_other_out(
    sqlite: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = spooled(tmp_path / "content", 4)
    take: Any = type(sqlite.keeper).take

    def stumble(self: object, db: object, sent: Any) -> None:
        take(self, db, sent)
        if sent.note.call_id == "s1c1":
            raise TypeError("a bug")

    monkeypatch.setattr(type(sqlite.keeper), "take", stumble)
    with caplog.at_level(logging.CRITICAL, "gw.content"):
        taken(sqlite, tmp_path / "content")
    assert {call: sqlite.raw(call) for call in kept} == kept
    assert sqlite.library.stats().counts["left_out"] == 2


COURIER = """
import os, sys
from pathlib import Path
from gw.content.intake import Intake
from gw.content import intake
from tests.content.keeping import Store
intake.BATCH_BYTES = 300_000
store = Store(sys.argv[1])
one = Intake(Path(sys.argv[2]), store.database, store.keeper)
print("up", flush=True)
while one.step():
    pass
print("done", flush=True)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_again_and_again_it_has_each_call_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """At moments that move through its work, within transactions and between them."""
    kept = {}
    for seed in (1, 2):
        kept |= spooled(tmp_path / "content", 45, seed)
    server: Any = request.getfixturevalue("server") if kind == "postgres" else None
    address = server.fresh() if server else f"sqlite:///{tmp_path / 'gw.db'}"
    kills = 0
    for delay_ms in (*range(5, 400, 45), 600_000):
        command = [sys.executable, "-c", COURIER, address, str(tmp_path / "content")]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as courier:
            assert courier.stdout is not None and courier.stdout.readline() == b"up\n"
            try:
                courier.wait(delay_ms / 1000)
                break
            except subprocess.TimeoutExpired:
                courier.send_signal(signal.SIGKILL)
                kills += 1
    store = Store(address)
    assert kills >= 1 and segments(tmp_path / "content") == []
    assert {call: store.raw(call) for call in kept} == kept
    assert store.library.stats().calls == len(kept)
    with store.database.reading() as db:
        assert db is not None
        assert db.execute("SELECT COUNT(*) FROM content_block").fetchone() == db.execute(
            "SELECT COUNT(DISTINCT hash) FROM content_block"
        ).fetchone()
    if server:
        database: Any = content_database(address)
        database.close()
        server.drop(address)
