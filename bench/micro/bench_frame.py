"""A record from columns to the file: the frame, its checksum, the one write."""

import os
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each
from gw._fast import Frame, append, shown
from gw.domain.call import CallRecord

FRAME = pytest.mark.benchmark(group="frame")
WORDS = {"call_id": "gw_0193a1b2c3d4", "session_id": "9f0c1d7e-3f77-4a1b-8a54-0f4f4b0e8f11", "served_model": "claude-opus-5-5"}
TEXTS = [WORDS.get(name, "x" * 12) for name, kind in CallRecord.__annotations__.items() if kind is not int and kind is not bool]
NUMBERS = [210, 150, 48_210, 0, 0, 1_732_176_000_000_000, 43_094_000_000] * 5


def write_record(frame: Frame) -> bytes:
    """As many texts and numbers as a record has, of their sizes."""
    frame.begin(b"gwjC", len(TEXTS) + len(NUMBERS))
    for text in TEXTS:
        frame.text(text)
    for number in NUMBERS:
        frame.number(number)
    return frame.end()


@FRAME
def test_a_record_of_60_columns(benchmark: BenchmarkFixture) -> None:
    frame = Frame()
    each(benchmark, lambda: write_record(frame), size=len(write_record(frame)))


@FRAME
@pytest.mark.parametrize("kind", ["text", "number", "integer", "flag"])
def test_one_column(benchmark: BenchmarkFixture, kind: str) -> None:
    frame = Frame()
    write = getattr(frame, kind)
    value: object = "claude-opus-5-5" if kind == "text" else True if kind == "flag" else 43_094_000_000

    def fresh() -> None:
        frame.begin(b"gwjC", 1)
        for _ in range(100):
            write(value)

    each(benchmark, fresh, calls=10, events=100)


@FRAME
def test_a_text_from_outside(benchmark: BenchmarkFixture) -> None:
    frame = Frame()
    frame.begin(b"gwjC", 1)

    def fresh() -> None:
        frame.begin(b"gwjC", 1)
        frame.shown("claude-opus-5-5", 256)

    each(benchmark, fresh)


@pytest.mark.benchmark(group="heads")
@pytest.mark.parametrize("text", ["claude-opus-5-5", "naïve—字\x1b[31m"], ids=["plain", "not plain"])
def test_shown(benchmark: BenchmarkFixture, text: str) -> None:
    each(benchmark, lambda: shown(text, 64))


@pytest.mark.benchmark(group="append")
@pytest.mark.parametrize("size", [300, 1_000])
def test_a_write_to_the_end_of_a_file(benchmark: BenchmarkFixture, size: int, tmp_path: Path) -> None:
    """On the file system of temporary files; nothing is synced."""
    data = b"x" * size
    fd = os.open(tmp_path / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        each(benchmark, lambda: append(fd, data), size=size)
    finally:
        os.close(fd)
