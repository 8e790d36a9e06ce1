"""A child and its supervisor: who is an orphan, and when a child gets its signals."""

import os
import signal
import subprocess
import sys

import pytest

from gw.ops.process import SUPERVISOR, orphaned, signals_held

CHILD = """
import signal
from gw.ops.process import release_signals
signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
print("up", flush=True)
input()
release_signals()
"""


@pytest.mark.parametrize(
    ("supervisor", "parent", "expected"),
    [(None, 1, False), ("17", 17, False), ("17", 1, True), ("17", 4, True), ("1", 1, False)],
)
def test_orphan_is_whose_parent_is_not_the_supervisor_which_may_be_process_1(
    monkeypatch: pytest.MonkeyPatch, supervisor: str | None, parent: int, expected: bool
) -> None:
    monkeypatch.delenv(SUPERVISOR, raising=False)
    if supervisor is not None:
        monkeypatch.setenv(SUPERVISOR, supervisor)
    monkeypatch.setattr(os, "getppid", lambda: parent)
    assert orphaned() is expected


def test_signal_waits_until_the_child_listens() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with signals_held():
        child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert child.stdout is not None and child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate("\n", timeout=20)
    assert (out, child.returncode) == ("told\n", 0)
