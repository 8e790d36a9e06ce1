"""Framing, rotation, and what happens when the disk refuses."""

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain.call import CallRecord
from gw.ledger import journal
from gw.ledger.frames import CLOSE, FRAME_HEAD, HEADER, OPEN, frame_of, replay, scan, seed_of
from gw.ledger.journal import JournalError, JournalWriter
from tests.ledger.disk import file_size_limit
from tests.ledger.records import begun, opened, record

SEED = seed_of("0123456789abcdef")


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.gwj"))


def closed_ids(paths: list[Path]) -> list[str]:
    return [payload.call_id for path in paths for _, payload, _ in replay(path) if isinstance(payload, CallRecord)]


def frames(payloads: list[bytes]) -> bytes:
    return b"".join(frame_of(CLOSE, payload, SEED) for payload in payloads)


def scanned(content: bytes) -> list[bytes]:
    return [bytes(frame.payload) for frame in scan(content, SEED)]


def test_what_was_appended_is_replayed_in_order(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "0-a")
    sent = [record("a", tags="gwjC"), record("b", billed_pusd=2**62, project="ü\x00")]
    writer.open_call(opened(7, begun("a")))
    for one in sent:
        writer.append(one)
    writer.close()
    (path,) = segments(tmp_path)
    kinds, payloads, ends = zip(*replay(path), strict=True)
    assert kinds == (HEADER, OPEN, CLOSE, CLOSE)
    assert payloads[0].worker == "0-a" and payloads[0].pid == os.getpid() and path.name.startswith(payloads[0].boot)
    assert payloads[1] == opened(7, begun("a")) and list(payloads[2:]) == sent
    assert ends[-1] == path.stat().st_size
    assert [payload for _, payload, _ in replay(path, ends[2])] == [sent[1]]


def test_truncated_at_every_byte_yields_exactly_the_whole_frames() -> None:
    payloads = [b"", b"x", b"gwjC" * 5, bytes(range(256)), b"end"]
    content = frames(payloads)
    bounds = [len(frames(payloads[:count])) for count in range(len(payloads) + 1)]
    for cut in range(len(content) + 1):
        whole = sum(1 for bound in bounds[1:] if bound <= cut)
        assert scanned(content[:cut]) == payloads[:whole]


def test_one_flipped_bit_costs_exactly_the_frame_it_is_in() -> None:
    payloads = [b"first", b"second", b"third"]
    content = frames(payloads)
    size = [len(frames([payload])) for payload in payloads]
    for at in range(len(content)):
        hit = 0 if at < size[0] else 1 if at < size[0] + size[1] else 2
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            assert scanned(bytes(damaged)) == [payload for index, payload in enumerate(payloads) if index != hit]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(max_size=60), max_size=6),
    st.lists(st.binary(max_size=60), max_size=6),
    st.binary(min_size=1, max_size=80),
)
def test_damage_between_frames_loses_no_frame_and_doubles_none(before: list[bytes], after: list[bytes], damage: bytes) -> None:
    assert scanned(frames(before) + damage + frames(after)) == before + after


def test_frame_image_inside_a_torn_payload_does_not_pass_for_a_frame() -> None:
    forged = frame_of(CLOSE, b"forged", 0) + frame_of(CLOSE, b"forged", seed_of("f" * 16))
    torn = frame_of(CLOSE, b"padding" + forged + b"more", SEED)[:-1]
    assert scanned(torn + frames([b"good"])) == [b"good"]


def test_absurd_length_is_damage_not_an_unfinished_frame() -> None:
    absurd = FRAME_HEAD.pack(CLOSE, 0xFFFFFFFF, 0)
    assert scanned(absurd + frames([b"good"])) == [b"good"]


def test_segments_rotate_and_the_current_one_is_locked(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "0-a", segment_bytes_max=900)
    for index in range(20):
        writer.append(record(f"c{index}"))
    paths = segments(tmp_path)
    assert len(paths) > 3
    assert [path.name[17:23] for path in paths] == [f"{number:06}" for number in range(1, len(paths) + 1)]
    assert all(path.stat().st_size <= 900 for path in paths)
    assert [_is_locked(path) for path in paths] == [False] * (len(paths) - 1) + [True]
    writer.close()
    assert not _is_locked(paths[-1])
    assert closed_ids(paths) == [f"c{index}" for index in range(20)]


@pytest.mark.parametrize("fsync", ["none", "interval", "always"])
def test_every_fsync_mode_writes_the_same_and_closes_cleanly(tmp_path: Path, fsync: journal.Fsync) -> None:
    writer = JournalWriter(tmp_path, "0-a", fsync=fsync, segment_bytes_max=3000, fsync_interval_ms=1)
    for index in range(50):
        writer.append(record(f"c{index}"))
    writer.close()
    writer.close()
    assert closed_ids(segments(tmp_path)) == [f"c{index}" for index in range(50)]
    assert not list(tmp_path.glob(".*"))


def test_refused_frame_is_cut_off_and_owed_and_written_once_when_the_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RECOVER_EVERY_NS", 0)
    writer = JournalWriter(tmp_path, "0-a")
    writer.append(record("a"))
    (path,) = segments(tmp_path)
    whole = path.stat().st_size
    with file_size_limit(whole + 100):
        with pytest.raises(JournalError, match="only 100 of"):
            writer.append(record("b"))
        assert not writer.healthy and writer.owed_count == 1
        assert path.stat().st_size == whole
    with file_size_limit(10):  # not even a new segment's header fits
        assert not writer.recover()
        with pytest.raises(JournalError):
            writer.open_call(opened(0, begun("x")))
        with pytest.raises(JournalError):
            writer.append(record("c"))
    assert writer.owed_count == 2
    assert writer.recover() and writer.healthy and writer.owed_count == 0
    writer.append(record("d"))
    writer.close()
    assert closed_ids(segments(tmp_path)) == ["a", "b", "c", "d"]
    assert not list(tmp_path.glob(".*")), "partial segments are removed"


def test_recovery_is_tried_at_most_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10**12]
    monkeypatch.setattr(journal.clock, "mono_ns", lambda: now[0])
    writer = JournalWriter(tmp_path, "0-a")
    with file_size_limit(0):
        for _ in range(3):
            with pytest.raises(JournalError):
                writer.append(record("a"))
    assert not writer.recover(), "the disk is fine again, but it is too early to try"
    now[0] += journal.RECOVER_EVERY_NS
    assert writer.recover()
    writer.close()
    assert closed_ids(segments(tmp_path)) == ["a"] * 3


def test_owed_frames_have_a_bound_and_what_exceeds_it_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "OWED_MAX", 2)
    writer = JournalWriter(tmp_path, "0-a")
    with file_size_limit(0):
        for index in range(5):
            with pytest.raises(JournalError):
                writer.append(record(f"c{index}"))
    assert (writer.owed_count, writer.lost_count) == (2, 3)
    writer.close()
    assert closed_ids(segments(tmp_path)) == ["c0", "c1"], "close tries once more"


def test_directory_that_cannot_be_written_is_a_journal_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot write a journal"):
        JournalWriter(tmp_path / "file" / "journal", "0-a")


def test_no_text_or_number_can_keep_a_record_out(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "0-a")
    writer.open_call(opened(0, begun("a", requested_model="\ud800")))
    writer.append(record("a", requested_model="x\ud800y", input_tokens=2**70))
    writer.close()
    (path,) = segments(tmp_path)
    *_, (_, last, _) = replay(path)
    assert isinstance(last, CallRecord)
    assert (last.requested_model, last.input_tokens) == ("x?y", 2**64 - 1)


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
