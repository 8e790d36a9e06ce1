"""The secret that keys all digests: made once, kept to its owner, never replaced."""

import os
import stat
import threading
from pathlib import Path

import pytest

from gw.ops.pepper import load_pepper


def test_pepper_is_made_once_for_all_who_ask_at_once(tmp_path: Path) -> None:
    gate, found = threading.Barrier(8), []

    def ask() -> None:
        gate.wait()
        found.append(load_pepper(tmp_path / "state"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1 and len(found[0]) == 32
    assert load_pepper(tmp_path / "state") == found[0]
    assert os.listdir(tmp_path / "state") == ["pepper"]
    assert stat.S_IMODE((tmp_path / "state" / "pepper").stat().st_mode) == 0o600


def test_damaged_pepper_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_bytes(b"short")
    with pytest.raises(OSError, match="damaged"):
        load_pepper(tmp_path)
    assert (tmp_path / "pepper").read_bytes() == b"short"
