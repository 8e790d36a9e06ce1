"""What clients report, on its way from the workers to the courier: append-only files in `<state_dir>/telemetry`.

A file `<boot>-<seq:06>.gwt` belongs to one life of one worker, who holds a flock on it while it may still be written to. It is
a run of frames: length of the payload (u32 little-endian), its CRC-32 (u32), the payload (msgpack array of `Parcel`). A frame
is one `write`, so the death of the process leaves it whole or absent; a torn one (full disk) is cut off again. Nothing is
synced: it is telemetry.

The bodies stand there as they came, so that they can be sent on byte for byte.
"""

import fcntl
import os
import re
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct

from gw import clock
from gw.domain.telemetry import Owner

DIRECTORY = "telemetry"
NAME = re.compile(r"[0-9a-f]{16}-[0-9]{6,}\.gwt")
HEAD = struct.Struct("<II")
FILE_BYTES_MAX = 8 << 20  # then a new one is begun, so that this one can go when it is read
FRAME_BYTES_MAX = (64 << 20) + 4096  # above what [claude_telemetry] body_bytes_max allows: damage
LOOK_EVERY_NS = 1_000_000_000


class SpoolFull(Exception):
    """The bound is reached, or the disk does not take it."""


class Parcel(Struct, frozen=True, array_like=True):
    """One request of a client."""

    at_us: int
    signal: str  # logs, metrics, traces
    content_type: str
    encoding: str  # gzip, deflate or ""
    owner: Owner
    body: bytes


class Read(NamedTuple):
    parcel: Parcel | None  # None: a frame that nobody understands
    end: int  # of its frame, from the file's beginning


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Parcel).decode


class Spool:
    """One worker's end. Not for two threads at a time."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / DIRECTORY
        self._boot = secrets.token_hex(8)
        self._seq = 0
        self._fd = -1
        self._size = 0
        self._used = 0
        self._look_ns = 0

    def append(self, parcel: Parcel, bytes_max: int) -> None:
        """Raises SpoolFull: it was not kept."""
        payload = _encode(parcel)
        frame = HEAD.pack(len(payload), crc32(payload)) + payload
        try:
            if self._waiting() + len(frame) > bytes_max:
                raise SpoolFull("as much waits as may wait")
            if self._fd < 0 or self._size + len(frame) > FILE_BYTES_MAX or not os.fstat(self._fd).st_nlink:
                self._begin()
            if os.write(self._fd, frame) != len(frame):
                os.ftruncate(self._fd, self._size)
                raise SpoolFull("the disk is full")
        except OSError as error:
            raise SpoolFull(str(error.strerror or error)) from error
        self._size += len(frame)
        self._used += len(frame)

    def close(self) -> None:
        """Lets the file go; another `append` begins a new one."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _waiting(self) -> int:
        """Bytes of all workers' files, at most a second old."""
        now_ns = clock.mono_ns()
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_EVERY_NS
            self._used = waiting_bytes(self._directory)
        return self._used

    def _begin(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._seq += 1
        path = self._directory / f"{self._boot}-{self._seq:06}.gwt"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.close()
        self._fd, self._size = fd, 0


def waiting_bytes(directory: Path) -> int:
    total = 0
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                total += entry.stat().st_size
    return total


def names(directory: Path) -> list[str]:
    """Of the files that are there, each life's in the order of its writing."""
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if NAME.fullmatch(path.name))


def is_sealed(path: Path) -> bool:
    """Nobody writes there any more. Ask before reading: what is read afterwards is then all of it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)
        return True
    finally:
        os.close(fd)


def read(path: Path, start: int) -> Iterator[Read]:
    """The whole frames from there on, one by one. Behind damage nothing can be found, so the rest of the file is passed over."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at = start
        while True:
            file.seek(at)
            head = file.read(HEAD.size)
            if len(head) < HEAD.size:
                return
            size, crc = HEAD.unpack(head)
            payload = file.read(size) if size <= FRAME_BYTES_MAX else b""
            if size <= FRAME_BYTES_MAX and len(payload) < size:
                return  # on its way
            if size > FRAME_BYTES_MAX or crc32(payload) != crc:
                yield Read(None, os.fstat(file.fileno()).st_size)
                return
            at += HEAD.size + size
            try:
                yield Read(_decode(payload), at)
            except msgspec.MsgspecError:
                yield Read(None, at)
