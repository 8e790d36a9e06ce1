"""The way of content to the courier: what was put arrives whole and in order, encrypted or not; what does not fit is said."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from gw.clock import mono_ns
from gw.config.content_model import Content
from gw.content import spool as spooling
from gw.content.spool import ANSWER, DROPPED, REQUEST, ContentSpool
from gw.content.spooled import Read, Sent, read, segments
from gw.content.vault import ContentError, vault_of
from gw.domain.account import Account
from tests.content.keeping import PLAIN, content, key

ACCOUNT = Account(key_id="kid", key_name="ci", team="platform", stores_content=True)
LOTS = 1 << 40


def no_key(data: bytes, kind: bytes) -> bytes:
    raise ContentError("no key")


def everything(folder: Path, settings: Content = PLAIN) -> Read:
    return read(folder, {}, LOTS, vault_of(settings).unseal if settings.encryption_key else no_key)


def call(spool: ContentSpool, number: int, body: bytes = b"the body", settings: Content = PLAIN, *parts: bytes) -> None:
    spool.request(f"c{number}", ACCOUNT, "s1", 1000 + number, body, settings)
    feed = spool.beside(f"c{number}", len, b"")
    for part in parts:
        assert feed(part) == len(part)
    spool.end(f"c{number}")


def kinds(sent: list[Sent]) -> list[tuple[bytes, str, bytes]]:
    return [(one.kind, one.note.call_id, one.body) for one in sent]


def test_requests_and_answers_arrive_in_order(tmp_path: Path) -> None:
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    call(spool, 1, b"one", PLAIN, b"an ", b"answer")
    call(spool, 2, b"two")
    spool.close()
    found = everything(tmp_path / "content")
    assert kinds(found.sent) == [(REQUEST, "c1", b"one"), (ANSWER, "c1", b"an answer"), (REQUEST, "c2", b"two")]
    note = found.sent[1].note
    assert (note.key_id, note.key_name, note.team, note.session_id, note.started_us, note.size) == (
        "kid", "ci", "platform", "s1", 1001, 9,
    )  # fmt: skip
    assert found.damaged == 0 and len(found.over) == 1


def test_a_spool_that_nobody_uses_makes_nothing(tmp_path: Path) -> None:
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    spool.end("c1")
    spool.whole("c1", b"x", b"")
    assert spool.beside("c1", len, b"") is len
    spool.close()
    assert not (tmp_path / "content").exists()


def test_whole_answers_and_encodings_arrive(tmp_path: Path) -> None:
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    spool.request("c1", ACCOUNT, "", 1, b"{}", PLAIN)
    spool.whole("c1", b"zipped", b"gzip")
    spool.end("c1")
    spool.close()
    assert everything(tmp_path / "content").sent[1].note.encoding == "gzip"


def test_a_stream_of_many_pieces_is_one_frame(tmp_path: Path) -> None:
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    call(spool, 1, b"{}", PLAIN, *[b"piece %d " % number for number in range(5000)])
    spool.close()
    assert everything(tmp_path / "content").sent[1].body == b"".join(b"piece %d " % number for number in range(5000))


def test_what_is_too_long_is_said_and_not_kept(tmp_path: Path) -> None:
    settings = content(max_bytes_per_call=1024)
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    call(spool, 1, b"x" * 1025, settings, b"fits")
    call(spool, 2, b"fits", settings, b"y" * 1000, b"y" * 25)
    spool.close()
    sent = everything(tmp_path / "content").sent
    assert [one.kind for one in sent] == [DROPPED, ANSWER, REQUEST, DROPPED]
    assert [(one.note.what, one.note.reason, one.note.size) for one in sent if one.kind == DROPPED] == [
        ("request", "too_large", 1025),
        ("answer", "too_large", 1025),
    ]


def test_when_its_room_is_used_up_content_is_dropped_and_said(tmp_path: Path) -> None:
    settings = content(spool_mb=1)
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    for number in range(30):
        call(spool, number, os.urandom(100_000), settings)
    spool.close()
    sent = everything(tmp_path / "content").sent
    assert len(sent) == 30 and 8 <= sum(one.kind == REQUEST for one in sent) <= 11
    assert {one.note.reason for one in sent if one.kind == DROPPED} == {"spool_full"}
    assert sum(path.stat().st_size for path in (tmp_path / "content").iterdir()) < 1.1 * (1 << 20)


def test_a_directory_that_cannot_be_written_costs_the_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was dropped is said as soon as it can be."""
    folder = tmp_path / "content"
    folder.write_text("a file in its place")
    spool = ContentSpool(folder, "0-abcd")
    call(spool, 1)
    until(lambda: spool._writer is not None and spool._writer.taken == len(b"the body"))
    folder.unlink()
    call(spool, 2)
    spool.close()
    assert kinds(everything(folder).sent) == [(DROPPED, "c1", b""), (REQUEST, "c2", b"the body")]


def test_a_queue_that_is_full_drops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "QUEUE_BYTES_MAX", 10)
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    go = Event()
    monkeypatch.setattr(spooling.Writer, "run", waiting(go, spooling.Writer.run))
    call(spool, 1)
    call(spool, 2)
    go.set()
    spool.close()
    sent = everything(tmp_path / "content").sent
    assert [(one.kind, one.note.reason) for one in sent] == [(REQUEST, ""), (DROPPED, "spool_full")]


def waiting(go: Event, run: object) -> object:
    def wait(self: object) -> None:
        go.wait(10)
        run(self)  # type: ignore[operator]

    return wait


def until(reached: object) -> None:
    deadline = mono_ns() + 10_000_000_000
    while not reached():  # type: ignore[operator]
        assert mono_ns() < deadline
        Event().wait(0.005)


def test_with_a_key_the_spool_holds_nothing_in_the_clear(tmp_path: Path) -> None:
    settings = content(encryption_key=key(1))
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    call(spool, 1, b"the word is zanzibar", settings, b"zanzibar it ", b"is")
    spool.close()
    spilled = b"".join(path.read_bytes() for path in (tmp_path / "content").iterdir())
    assert b"zanzibar" not in spilled and b"platform" not in spilled and len(spilled) > 100
    found = everything(tmp_path / "content", settings)
    assert kinds(found.sent) == [(REQUEST, "c1", b"the word is zanzibar"), (ANSWER, "c1", b"zanzibar it is")]
    assert everything(tmp_path / "content").damaged == 2  # without the key
    former = content(encryption_key=key(2), former_encryption_key=key(1))
    assert len(everything(tmp_path / "content", former).sent) == 2


def test_segments_follow_each_other_and_end_when_nobody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "SEGMENT_BYTES_MAX", 1000)
    monkeypatch.setattr(spooling, "IDLE_S", 0.01)
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    for number in range(9):
        call(spool, number, b"x" * 300)
    until(lambda: len(everything(tmp_path / "content").over) == len(segments(tmp_path / "content")) >= 3)
    assert [one.note.call_id for one in everything(tmp_path / "content").sent] == [f"c{number}" for number in range(9)]
    call(spool, 9)
    spool.close()
    assert len(everything(tmp_path / "content").sent) == 10


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    for number in range(5):
        call(spool, number, b"x" * 1000)
    spool.close()
    offsets: dict[str, int] = {}
    seen = []
    while (found := read(tmp_path / "content", offsets, 1500, no_key)).sent:
        seen += [one.note.call_id for one in found.sent]
        offsets |= found.offsets
    assert seen == [f"c{number}" for number in range(5)] and found.over


def segment(folder: Path) -> Path:
    (path,) = [folder / name for name in segments(folder)]
    return path


@pytest.mark.parametrize("damage", ["middle", "length", "tail", "magic"])
def test_damage_costs_the_frame_that_it_hit(tmp_path: Path, damage: str) -> None:
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    for number in range(3):
        call(spool, number, b"the body of %d, " % number + b"gwsQ" * 10)
    spool.close()
    path = segment(tmp_path / "content")
    bytes_ = bytearray(path.read_bytes())
    second = bytes_.index(b"gwsQ", bytes_.index(b"body of 0") + 60)
    at = {"middle": bytes_.index(b"body of 1"), "length": second + 6, "magic": second, "tail": len(bytes_) - 1}[damage]
    bytes_[at] ^= 0xFF
    path.write_bytes(bytes_)
    found = everything(tmp_path / "content")
    wanted = ["c0", "c1"] if damage == "tail" else ["c0", "c2"]
    assert [one.note.call_id for one in found.sent] == wanted
    assert found.damaged == 1 and found.over == [path.name]


def test_a_frame_on_its_way_is_waited_for(tmp_path: Path) -> None:
    spool = ContentSpool(tmp_path / "content", "0-abcd")
    call(spool, 1)
    call(spool, 2)
    spool.close()
    path = segment(tmp_path / "content")
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with path.open("rb") as worker:  # still held
        fcntl.flock(worker, fcntl.LOCK_EX)
        found = everything(tmp_path / "content")
        assert ([one.note.call_id for one in found.sent], found.damaged, found.over) == (["c1"], 0, [])
        path.write_bytes(whole)
        assert [one.note.call_id for one in read(path.parent, found.offsets, LOTS, no_key).sent] == ["c2"]


WORKER = """
import sys
from pathlib import Path
from gw.config.content_model import Content
from gw.content.spool import ContentSpool
from gw.domain.account import Account
spool = ContentSpool(Path(sys.argv[1]), "0-abcd")
settings = Content(store="all")
for number in range(10**9):
    spool.request(f"c{number}", Account(key_name="ci"), "s1", number, b"%d " % number * 2000, settings)
    spool.end(f"c{number}")
    while spool._given - spool._writer.taken > 20_000:
        pass
    if number == 100:
        print("going", flush=True)
"""


def test_what_was_spooled_survives_the_workers_death(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path / "content")], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None and worker.stdout.readline() == b"going\n"
        worker.send_signal(signal.SIGKILL)
    found = everything(tmp_path / "content")
    numbers = [int(one.note.call_id[1:]) for one in found.sent]
    assert len(numbers) > 10 and numbers == list(range(len(numbers)))
    assert all(one.body == b"%d " % number * 2000 for number, one in enumerate(found.sent))
    assert len(found.over) == len(segments(tmp_path / "content"))
