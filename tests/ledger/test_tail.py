"""Reading journals into batches: what is proposed, what is left for later, what is passed over."""

from pathlib import Path

import msgspec
from msgspec.structs import astuple, fields

from gw.domain.call import CallRecord
from gw.ledger import frames, tail
from gw.ledger.frames import CLOSE, HEADER, OPEN, SegmentHeader, frame_of
from gw.ledger.journal import JournalWriter
from gw.ledger.store import Batch
from gw.ledger.tail import Tail
from tests.ledger.records import begun, opened, record

BOOT = "00000000000000aa"
SEED = frames.seed_of(BOOT)


def closed(call_id: str) -> bytes:
    return frame_of(CLOSE, msgspec.msgpack.encode(record(call_id)), SEED)


def write_segment(directory: Path, content: bytes, seq: int = 1, boot: str = BOOT, form: int = frames.FORMAT) -> Path:
    """A segment whose owner is gone."""
    header = frame_of(HEADER, msgspec.msgpack.encode(SegmentHeader(form, boot, "0-x", 1, 1)), frames.seed_of(boot))
    path = directory / f"{boot}-{seq:06}.gwj"
    path.write_bytes(header + content)
    return path


def ids(batch: Batch) -> list[str]:
    return [row[0] for row in batch.rows]


def take_all(reader: Tail, rows_max: int = 1000) -> list[str]:
    found: list[str] = []
    while not (batch := reader.take(rows_max)).empty:
        found += ids(batch)
        reader.committed(batch)
    return found


def test_live_segment_is_read_as_it_grows_and_stays(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, "0-a"), Tail(tmp_path)
    assert take_all(reader) == []
    for expected in (["a"], ["b", "c"]):
        for call_id in expected:
            writer.append(record(call_id))
        assert take_all(reader) == expected
    assert len(list(tmp_path.glob("*.gwj"))) == 1 and reader.lives() == {writer.boot}
    writer.close()
    take_all(reader)
    assert not list(tmp_path.glob("*.gwj")) and reader.lives() == set()


def test_nothing_moves_until_it_is_committed(tmp_path: Path) -> None:
    write_segment(tmp_path, closed("a") + closed("b"))
    reader = Tail(tmp_path)
    assert ids(reader.take(1000)) == ["a", "b"]
    batch = reader.take(1000)
    assert ids(batch) == ["a", "b"]
    reader.committed(batch)
    assert reader.take(1000).empty


def test_batches_are_bounded_and_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    sent = [f"c{index}" for index in range(25)]
    write_segment(tmp_path, b"".join(closed(call_id) for call_id in sent))
    reader, found = Tail(tmp_path), []
    while not (batch := reader.take(10)).empty:
        assert len(batch.rows) <= 10
        found += ids(batch)
        reader.committed(batch)
    assert found == sent


def test_restored_reader_goes_on_at_the_ledgers_offset(tmp_path: Path) -> None:
    path = write_segment(tmp_path, closed("a") + closed("b"))
    reader = Tail(tmp_path)
    assert reader.restore({path.name: path.stat().st_size - len(closed("b")), "gone.gwj": 5}) == ["gone.gwj"]
    assert ids(reader.take(1000)) == ["b"]


def test_long_backlog_of_one_worker_does_not_starve_another(tmp_path: Path) -> None:
    write_segment(tmp_path, b"".join(closed(f"c{index}") for index in range(100)))
    other = "00000000000000bb"
    frame = frame_of(CLOSE, msgspec.msgpack.encode(record("other")), frames.seed_of(other))
    write_segment(tmp_path, frame, boot=other)
    reader, found = Tail(tmp_path), []
    for _ in range(2):
        batch = reader.take(10)
        found += ids(batch)
        reader.committed(batch)
    assert "other" in found


def test_frame_on_its_way_in_a_live_segment_is_waited_for(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, "0-a"), Tail(tmp_path)
    writer.append(record("a"))
    (path,) = tmp_path.glob("*.gwj")
    frame = frame_of(CLOSE, msgspec.msgpack.encode(record("b")), frames.seed_of(writer.boot))
    with path.open("ab", buffering=0) as file:
        file.write(frame[:40])
        assert take_all(reader) == ["a"]
        file.write(frame[40:])
    assert take_all(reader) == ["b"]
    writer.close()


def test_torn_end_of_a_dead_segment_is_counted_and_the_file_freed(tmp_path: Path) -> None:
    path = write_segment(tmp_path, closed("a") + closed("b")[:-3])
    batch = Tail(tmp_path).take(1000)
    assert ids(batch) == ["a"]
    assert (batch.damaged_count, batch.damaged_bytes) == (1, len(closed("b")) - 3)
    assert batch.finished == [path.name]


def test_damage_larger_than_a_chunk_is_passed_over(tmp_path: Path) -> None:
    hole = bytes(2 * tail.CHUNK_BYTES + 12345)
    write_segment(tmp_path, closed("a") + hole + closed("b"))
    reader = Tail(tmp_path)
    batch = reader.take(1000)
    assert ids(batch) == ["a", "b"]
    assert batch.damaged_bytes == len(hole)


def test_frames_across_chunk_ends_are_read_whole(tmp_path: Path) -> None:
    wide = [frame_of(CLOSE, msgspec.msgpack.encode(record(f"c{index}", tags="x" * 700_001)), SEED) for index in range(9)]
    write_segment(tmp_path, b"".join(wide))
    batch = Tail(tmp_path).take(1000)
    assert ids(batch) == [f"c{index}" for index in range(9)] and batch.damaged_count == 0


def test_poison_frames_are_set_aside_and_block_nothing(tmp_path: Path) -> None:
    poison = [
        frame_of(CLOSE, b"\xc1 no msgpack", SEED),
        frame_of(CLOSE, msgspec.msgpack.encode([1, 2]), SEED),
        frame_of(CLOSE, b"\x91\xa2\xff\xfe", SEED),  # an array of one string that is no UTF-8
        frame_of(b"gwj?", b"a kind of tomorrow", SEED),
        frame_of(CLOSE, msgspec.msgpack.encode(record("big", input_tokens=2**63)), SEED),
    ]
    write_segment(tmp_path, closed("a") + b"".join(poison) + closed("b"))
    batch = Tail(tmp_path).take(1000)
    assert ids(batch) == ["a", "b"]
    assert [one.frame for one in batch.rejected] == poison and batch.damaged_count == 0


def test_a_beginning_that_cannot_be_read_is_set_aside_unless_its_end_has_come(tmp_path: Path) -> None:
    poison = frame_of(OPEN, msgspec.msgpack.encode([1, "a", "messages"]), SEED)
    path = write_segment(tmp_path, poison + closed("b") + poison + closed("a"))
    assert Tail(tmp_path).take(1000).rejected == []
    start = path.stat().st_size
    with path.open("ab") as file:
        file.write(poison)
    batch = Tail(tmp_path).take(1000)
    assert ids(batch) == ["b", "a"] and not batch.opened
    assert batch.rejected == [(path.name, start, poison)]


def test_a_record_of_an_older_gw_has_its_defaults(tmp_path: Path) -> None:
    full = astuple(record("a"))
    older = full[: tail.COLUMNS.index("gw_version")]
    write_segment(tmp_path, closed("b") + frame_of(CLOSE, msgspec.msgpack.encode(older), SEED) + closed("c"))
    batch = Tail(tmp_path).take(1000)
    assert ids(batch) == ["b", "a", "c"] and len(batch.rows[1]) == len(full)
    assert batch.rows[1] == (*older, "", "", *full[len(older) + 2 :])


def test_rows_are_as_msgspec_reads_them(tmp_path: Path) -> None:
    found = record("a", team="Zürich", tags="\n", input_tokens=2**63 - 1, billed_pusd=-(2**63) + 1, stream=True)
    write_segment(tmp_path, frame_of(CLOSE, msgspec.msgpack.encode(found), SEED))
    (row,) = Tail(tmp_path).take(1000).rows
    assert row == astuple(found) and [type(value) for value in row] == [field.type for field in fields(CallRecord)]


def test_segments_of_one_life_are_read_in_order(tmp_path: Path) -> None:
    for seq in (1, 2, 10):
        write_segment(tmp_path, closed(f"s{seq}"), seq=seq)
    assert take_all(Tail(tmp_path), rows_max=1) == ["s1", "s2", "s10"]


def test_segment_of_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = write_segment(tmp_path, closed("a"), form=frames.FORMAT + 1)
    reader = Tail(tmp_path)
    assert reader.take(1000).empty and reader.foreign == {path.name} and path.exists()


def test_damaged_header_costs_nothing_but_the_header(tmp_path: Path) -> None:
    path = write_segment(tmp_path, closed("a"))
    content = bytearray(path.read_bytes())
    content[14] ^= 0xFF
    path.write_bytes(content)
    assert take_all(Tail(tmp_path)) == ["a"]


def test_call_opened_and_closed_in_one_batch_never_shows_as_open(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "0-a")
    writer.open_call(opened(1, begun("a")))
    writer.open_call(opened(2, begun("b")))
    writer.append(record("a"))
    batch = Tail(tmp_path).take(1000)
    assert ids(batch) == ["a"] and list(batch.opened) == ["b"]
    writer.close()


def test_other_files_in_the_directory_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".0000000000000001-000001.gwj.partial").touch()
    (tmp_path / "rejected").mkdir()
    reader = Tail(tmp_path)
    assert reader.take(1000).empty and reader.behind_bytes() == 0
    reader.sweep()
    assert (tmp_path / ".0000000000000001-000001.gwj.partial").exists(), "it may still get its name"
