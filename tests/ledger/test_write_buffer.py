"""Frames that wait in memory: read while they wait, never twice, and not lost wherever their writer dies."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gw.domain.call import CallRecord
from gw.ledger import journal, write_buffer
from gw.ledger.frames import HEADER, frame_of, replay, seed_of
from gw.ledger.journal import JournalError, JournalWriter
from gw.ledger.tail import Tail
from tests.ledger.disk import file_size_limit
from tests.ledger.records import begun, opened, record
from tests.ledger.test_tail import take_all

ROOT = Path(__file__).resolve().parents[2]
DIES_SOON_S = 60


def writer_of(directory: Path, **more: int) -> JournalWriter:
    return JournalWriter(directory, "0-a", on_waiting=lambda: None, **more)


def die(writer: JournalWriter) -> None:
    """All that the kernel does for a process that is killed: its lock is free, its memory is as it was."""
    os.close(writer._fd)
    writer._fd = -1


def segment_of(directory: Path) -> Path:
    (path,) = directory.glob("*.gwj")
    return path


def closed_ids(path: Path) -> list[str]:
    return [payload.call_id for _, payload, _ in replay(path) if isinstance(payload, CallRecord)]


def test_who_waits_is_read_at_once_and_only_once(tmp_path: Path) -> None:
    told: list[int] = []
    writer, reader = JournalWriter(tmp_path, "0-a", on_waiting=lambda: told.append(1)), Tail(tmp_path)
    empty = segment_of(tmp_path).stat().st_size
    writer.open_call(opened(1, begun("a")))
    assert list(reader.take(10).opened) == ["a"]
    writer.append(record("a"))
    writer.append(record("b"))
    assert len(told) == 1 and segment_of(tmp_path).stat().st_size == empty
    assert take_all(reader) == ["a", "b"]
    writer.drain()
    assert closed_ids(segment_of(tmp_path)) == ["a", "b"] and take_all(reader) == []
    writer.append(record("c"))
    assert len(told) == 2 and take_all(reader) == ["c"]
    writer.close()
    assert closed_ids(segment_of(tmp_path)) == ["a", "b", "c"] and take_all(reader) == []
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_read_a_part_goes_on_in_memory(tmp_path: Path) -> None:
    writer, reader = writer_of(tmp_path), Tail(tmp_path)
    for call_id in ("a", "b", "c", "d"):
        writer.append(record(call_id))
    batch = reader.take(2)
    assert [row[0] for row in batch.rows] == ["a", "b"]
    reader.committed(batch)
    writer.drain()
    writer.append(record("e"))
    assert take_all(reader) == ["c", "d", "e"]
    writer.close()


@pytest.mark.parametrize("mode", ["always", "interval"])
def test_who_wants_each_frame_on_the_disk_has_none_in_memory(tmp_path: Path, mode: journal.Fsync) -> None:
    writer = JournalWriter(tmp_path, "0-a", fsync=mode, on_waiting=lambda: pytest.fail("nothing waits"))
    writer.append(record("a"))
    assert closed_ids(segment_of(tmp_path)) == ["a"] and not list(tmp_path.glob("*.buffer"))
    writer.close()


def test_what_a_dead_writer_left_in_memory_is_added_to_its_file(tmp_path: Path) -> None:
    writer, reader = writer_of(tmp_path), Tail(tmp_path)
    writer.append(record("a"))
    writer.drain()
    writer.append(record("b"))
    writer.append(record("c"))
    die(writer)
    path = segment_of(tmp_path)
    buffer = next(tmp_path.glob("*.buffer"))
    waiting = buffer.read_bytes()
    write_buffer.complete(tmp_path, path.name[:16], 1, path)
    assert closed_ids(path) == ["a", "b", "c"] and not buffer.exists()
    whole = path.read_bytes()
    buffer.write_bytes(waiting)  # who added it died before it was removed
    write_buffer.complete(tmp_path, path.name[:16], 1, path)
    assert path.read_bytes() == whole and not buffer.exists()
    assert take_all(reader) == ["a", "b", "c"] and not list(tmp_path.iterdir())


def test_it_may_die_after_any_byte_of_a_write(tmp_path: Path) -> None:
    """Of what waits, the file has any part; by the words, none of it is written yet."""
    writer = writer_of(tmp_path / "whole")
    for call_id in ("a", "b"):
        writer.append(record(call_id))
    waiting = writer._buffer
    assert waiting is not None
    path, buffer = segment_of(tmp_path / "whole"), next((tmp_path / "whole").glob("*.buffer"))
    head, words = path.read_bytes(), buffer.read_bytes()
    writer.drain()
    whole = path.read_bytes()
    die(writer)
    for cut in range(len(head), len(whole) + 1):
        folder = tmp_path / f"{cut}"
        folder.mkdir()
        (folder / path.name).write_bytes(whole[:cut])
        (folder / buffer.name).write_bytes(words)
        write_buffer.complete(folder, path.name[:16], 1, folder / path.name)
        assert (folder / path.name).read_bytes() == whole
        assert take_all(Tail(folder)) == ["a", "b"] and not list(folder.iterdir())


def test_it_may_die_between_the_words(tmp_path: Path) -> None:
    """The file has all; the words still say so of all, or of nothing at the old place, or of nothing at the new."""
    writer = writer_of(tmp_path)
    writer.append(record("a"))
    path, buffer = segment_of(tmp_path), next(tmp_path.glob("*.buffer"))
    before = bytearray(buffer.read_bytes())
    writer.drain()
    after = buffer.read_bytes()
    whole = path.read_bytes()
    die(writer)
    for length, base in ((before, before), (after, before), (after, after)):
        words = bytes(before[:8]) + bytes(base[8:16]) + bytes(length[16:24])
        buffer.write_bytes(words + after[24:])
        write_buffer.complete(tmp_path, path.name[:16], 1, path)
        assert path.read_bytes() == whole


def test_a_new_segment_begins_with_nothing_waiting(tmp_path: Path) -> None:
    writer, reader = writer_of(tmp_path, segment_bytes_max=1500), Tail(tmp_path)
    sent = [f"c{number:03}" for number in range(60)]
    for call_id in sent:
        writer.append(record(call_id))
    assert len(list(tmp_path.glob("*.gwj"))) > 5
    assert take_all(reader) == sent
    die(writer)
    assert take_all(reader) == [] and not list(tmp_path.iterdir())


def test_more_than_there_is_room_for_is_written_at_once(tmp_path: Path) -> None:
    writer, reader = writer_of(tmp_path), Tail(tmp_path)
    sent = [record(f"c{number}", tags="x" * 9000) for number in range(100)]  # 900 KB, room for 256
    for one in sent:
        writer.append(one)
    writer.append(record("long", tags="x" * 300_000))
    writer.append(record("last"))
    die(writer)
    assert take_all(reader) == [*(one.call_id for one in sent), "long", "last"]


@pytest.mark.parametrize(
    ("room", "meanwhile"), [(40, ["a", "b"]), (50, ["a"])], ids=["no room for a segment", "no room for more than its header"]
)
def test_a_disk_that_does_not_take_it_costs_nothing_that_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, meanwhile: list[str]
) -> None:
    writer, reader = writer_of(tmp_path), Tail(tmp_path)
    writer.append(record("a"))
    writer.drain()
    written = segment_of(tmp_path).stat().st_size
    with file_size_limit(room):
        writer.append(record("b"))
        assert writer.healthy
        with pytest.raises(JournalError):
            writer.drain()
        assert not writer.healthy and next(tmp_path.glob("*-000001.gwj")).stat().st_size == written
        with pytest.raises(JournalError):
            writer.append(record("c"))
        with pytest.raises(JournalError):
            writer.open_call(opened(1, begun("d")))
        with pytest.raises(JournalError):
            writer.drain()
    assert take_all(reader) == meanwhile  # what stands at the end of the segment is read from memory
    now = [time.monotonic_ns() + journal.RECOVER_EVERY_NS]
    monkeypatch.setattr(journal.clock, "mono_ns", lambda: now[0])
    assert writer.recover() and writer.owed_count == 0
    writer.append(record("e"))
    assert take_all(reader) == ["b", "c", "e"]  # b once more, as its key tells
    die(writer)
    assert take_all(reader) == [] and not list(tmp_path.iterdir())


def test_a_writer_that_dies_while_it_goes_on_from_a_bad_segment_loses_nothing(tmp_path: Path) -> None:
    """The new segment stands, and what waits was of the old one."""
    writer, reader = writer_of(tmp_path), Tail(tmp_path)
    writer.append(record("a"))
    writer._begin_segment()
    die(writer)
    assert take_all(reader) == ["a"] and not list(tmp_path.iterdir())


def test_a_reader_with_an_old_list_of_segments_adds_nothing(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    old = segment_of(tmp_path)
    writer._begin_segment()
    writer._empty()
    writer.append(record("a"))
    before = old.read_bytes()
    write_buffer.complete(tmp_path, old.name[:16], 1, old)
    reader = Tail(tmp_path)
    assert reader._is_complete(old) and old.read_bytes() == before
    assert take_all(reader) == ["a"] and list(tmp_path.glob("*.buffer"))
    writer.close()


def test_a_disk_that_has_no_room_for_what_the_dead_left_keeps_their_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer, reader = writer_of(tmp_path), Tail(tmp_path)
    writer.append(record("a"))
    die(writer)
    with file_size_limit(segment_of(tmp_path).stat().st_size):
        assert take_all(reader) == ["a"]  # as if it lived
        assert take_all(reader) == []
        assert caplog.text.count("lacks calls that a dead worker left") == 1
    assert segment_of(tmp_path) and take_all(reader) == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [0, 10, -5])
def test_a_file_that_does_not_go_on_as_the_buffer_begins_gets_all_of_it(tmp_path: Path, kept: int) -> None:
    """The power went: the file has lost its end, or has another one."""
    writer = writer_of(tmp_path)
    writer.append(record("a"))
    writer.drain()
    writer.append(record("b"))
    die(writer)
    path = segment_of(tmp_path)
    path.write_bytes(path.read_bytes()[:kept] + b"garbage" if kept >= 0 else path.read_bytes() + b"gwjC\xff\x03\0\0torn")
    assert take_all(Tail(tmp_path)) == (["b"] if kept >= 0 else ["a", "b"]) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [(2, 5, 5), (1, -9, 5), (1, 10**9, 5), (1, 0, -1), (1, 0, 10**9), (0, 0, 0)])
def test_words_that_cannot_be_harm_nothing_that_is_written(tmp_path: Path, words: tuple[int, int, int]) -> None:
    boot = "00000000000000aa"
    seed = seed_of(boot)
    path = tmp_path / f"{boot}-000001.gwj"
    frames = frame_of(HEADER, b"\x95\x01\xa0\xa0\x01\x01", seed)
    path.write_bytes(frames)
    content = write_buffer._WORDS.pack(*words)
    (tmp_path / f"{boot}.buffer").write_bytes(content + bytes(write_buffer.BUFFER_BYTES - len(content)))
    assert take_all(Tail(tmp_path)) == [] and not list(tmp_path.iterdir())


def test_buffers_without_a_segment_are_rubbish_after_a_while(tmp_path: Path) -> None:
    writer, reader = writer_of(tmp_path), Tail(tmp_path)
    alone = tmp_path / "00000000000000bb.buffer"
    alone.write_bytes(b"")
    reader.sweep()
    assert alone.exists()
    for path in tmp_path.glob("*.buffer"):
        os.utime(path, (1, 1))
    reader.sweep()
    assert [path.stem for path in tmp_path.glob("*.buffer")] == [writer.boot]
    writer.close()


def test_a_directory_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot write a journal"):
        writer_of(tmp_path / "file")
    with file_size_limit(1000), pytest.raises(JournalError, match="cannot write a journal"):
        writer_of(tmp_path / "full")
    assert not list((tmp_path / "full").iterdir())


def test_a_reader_beside_a_busy_writer_sees_each_frame_once_and_in_order(tmp_path: Path) -> None:
    """Another process writes, drains and begins segments as fast as it can; then it is killed."""
    notes, dice = tmp_path / "notes", random.Random(20261122)
    directory = tmp_path / "journal"
    command = [sys.executable, "-m", "tests.ledger.appending", str(directory), str(notes), str(dice.randrange(2, 9))]
    child = subprocess.Popen(command, cwd=ROOT)
    reader, found = Tail(directory), []
    give_up = time.monotonic() + DIES_SOON_S
    try:
        while len(found) < 30_000 and time.monotonic() < give_up:
            found += take_all(reader, dice.randrange(1, 300))
    finally:
        child.kill()
        child.wait()
    found += take_all(reader)
    noted = notes.read_text().split()
    assert len(found) > 1000 and found == sorted(found) and len(set(found)) == len(found)
    assert set(noted) <= set(found) and len(found) - len(noted) <= 1
    assert not [*directory.glob("*.gwj"), *directory.glob("*.buffer")]  # but for a segment that had no name yet
