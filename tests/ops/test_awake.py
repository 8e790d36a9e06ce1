"""A busy worker keeps processors awake where that is wanted; a machine that does not let it is told of once."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gw.ops import awake
from gw.ops.awake import Awake


class Stage:
    """A file in place of the kernel's device."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, device: Path) -> None:
        self.device = device
        monkeypatch.setattr(awake, "DEVICE", device)
        self.one = Awake()

    def tick(self, busy: float, *, wanted: bool = True) -> bool:
        """A tick of which so much was spent on the processor; whether somebody holds the device from then on."""
        self.one.look(busy, wanted=wanted)
        held = any(one.resolve() == self.device for one in Path("/proc/self/fd").iterdir())
        assert held == self.one.holds
        return held


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    device = tmp_path / "latency"
    device.touch()
    one = Stage(monkeypatch, device)
    yield one
    one.one.close()


def test_the_device_is_held_while_the_worker_is_busy(stage: Stage) -> None:
    assert not stage.tick(0.03)
    assert stage.tick(0.1)
    assert stage.device.read_bytes() == bytes(4), "no microsecond to wake up, as the kernel wants it: 32 bits"
    assert stage.tick(0.03)  # what is saved by it does not end it
    assert not stage.tick(0.01)
    assert stage.tick(0.9)
    stage.one.close()
    assert not stage.one.holds


def test_who_does_not_want_it_gets_none_and_a_reload_takes_it_back(stage: Stage) -> None:
    assert not stage.tick(0.9, wanted=False)
    assert stage.tick(0.9)
    assert not stage.tick(0.9, wanted=False)


def test_a_machine_without_it_is_told_of_once_until_a_reload(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.device.unlink()
    with caplog.at_level(logging.WARNING, "gw.awake"):
        assert not any(stage.tick(0.9) for _ in range(3))
        (said,) = caplog.messages
        assert "keep_awake has no effect" in said and str(stage.device) in said
        stage.tick(0.9, wanted=False)
        stage.device.touch()
        assert stage.tick(0.9)
