"""Ways to take the disk away from a running gateway and to give it back.

`limit`: the kernel refuses the given processes any file longer than so many bytes (RLIMIT_FSIZE); needs no privilege.
`disk`: a small file system of its own, really full; needs the right to mount, so it is tried only where that is given.
"""

import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

BALLAST = "ballast"


@contextmanager
def limited(pids: Sequence[int], size: int) -> Iterator[None]:
    """Inside, these processes cannot write beyond offset `size` of any file."""
    for pid in pids:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of `size` ("16m") at `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Inside, the file system of `folder` takes not one page more."""
    ballast = folder / BALLAST
    try:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield
    finally:
        ballast.unlink()


@cache
def can_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with TemporaryDirectory() as folder, suppress(OSError, subprocess.CalledProcessError), small_disk(Path(folder), "1m"):
        return True
    return False


WAYS = ("limit", "disk") if can_mount() else ("limit",)
