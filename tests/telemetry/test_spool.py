"""The spool between workers and courier: whole frames in order, within its bound, whoever dies."""

import os
from pathlib import Path

import pytest

from gw.domain.telemetry import Owner
from gw.telemetry import spool
from gw.telemetry.spool import DIRECTORY, HEAD, Parcel, Spool, SpoolFull, is_sealed, names, read, waiting_bytes

OWNER = Owner("kid", "ada", "platform", "acme")
ROOMY = 1 << 30


def parcel(body: bytes) -> Parcel:
    return Parcel(1, "logs", "application/json", "gzip", OWNER, body)


def bodies(state_dir: Path) -> list[bytes]:
    folder = state_dir / DIRECTORY
    found = [one.parcel for name in names(folder) for one in read(folder / name, 0)]
    return [one.body for one in found if one is not None]


def test_what_is_appended_is_read_in_order_as_it_came(tmp_path: Path) -> None:
    made = Spool(tmp_path)
    for number in range(5):
        made.append(parcel(b"\x00\xff%d" % number), ROOMY)
    folder = tmp_path / DIRECTORY
    (name,) = names(folder)
    found = list(read(folder / name, 0))
    assert [one.parcel for one in found] == [parcel(b"\x00\xff%d" % number) for number in range(5)]
    assert [one.parcel for one in read(folder / name, found[2].end)] == [one.parcel for one in found[3:]]
    assert (folder.stat().st_mode & 0o777, (folder / name).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_file_is_sealed_once_nobody_writes_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "FILE_BYTES_MAX", 300)
    made = Spool(tmp_path)
    for number in range(6):
        made.append(parcel(b"x" * 80 + b"%d" % number), ROOMY)
    files = [tmp_path / DIRECTORY / name for name in names(tmp_path / DIRECTORY)]
    assert len(files) >= 3 and [is_sealed(path) for path in files] == [True] * (len(files) - 1) + [False]
    made.close()
    assert is_sealed(files[-1]) and [body[-1:] for body in bodies(tmp_path)] == [b"%d" % number for number in range(6)]


def test_it_takes_no_more_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "LOOK_EVERY_NS", 0)
    one, other = Spool(tmp_path), Spool(tmp_path)
    one.append(parcel(b"x" * 400), 1000)
    with pytest.raises(SpoolFull, match="as much waits as may wait"):
        other.append(parcel(b"x" * 600), 1000)  # all workers together
    assert waiting_bytes(tmp_path / DIRECTORY) < 1000
    for name in names(tmp_path / DIRECTORY):
        (tmp_path / DIRECTORY / name).unlink()
    other.append(parcel(b"x" * 600), 1000)
    one.append(parcel(b"y"), 1000)  # whose file is gone: it begins another
    assert sorted(map(len, bodies(tmp_path))) == [1, 600]


def test_a_full_disk_is_said_and_leaves_no_torn_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Spool(tmp_path)
    made.append(parcel(b"first"), ROOMY)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, frame: write(fd, frame[:10]))
    with pytest.raises(SpoolFull, match="disk is full"):
        made.append(parcel(b"second"), ROOMY)
    monkeypatch.undo()
    made.append(parcel(b"third"), ROOMY)
    assert bodies(tmp_path) == [b"first", b"third"]


def test_damage_ends_its_file_and_a_frame_on_its_way_is_waited_for(tmp_path: Path) -> None:
    made = Spool(tmp_path)
    made.append(parcel(b"first"), ROOMY)
    made.append(parcel(b"second"), ROOMY)
    made.close()
    path = tmp_path / DIRECTORY / names(tmp_path / DIRECTORY)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert [one.parcel.body for one in read(path, 0) if one.parcel] == [b"first"]
    path.write_bytes(whole[:-3] + b"???")
    found = list(read(path, 0))
    assert [one.parcel and one.parcel.body for one in found] == [b"first", None] and found[-1].end == len(whole)
    path.write_bytes(HEAD.pack(2**31, 0) + whole)
    assert [one.parcel for one in read(path, 0)] == [None]


def test_there_is_nothing_before_somebody_reports(tmp_path: Path) -> None:
    Spool(tmp_path).close()
    assert names(tmp_path / DIRECTORY) == [] and waiting_bytes(tmp_path / DIRECTORY) == 0 and not list(tmp_path.iterdir())
