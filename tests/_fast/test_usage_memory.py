"""What a tap observed can be read from its memory by others, and after its process was killed; to feed it takes no memory."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gw._fast import usage as compiled
from gw._fast.ref import usage as pure
from gw.wire import anthropic
from tests._fast.streams import other_delta, start, text
from tests._fast.twins import USAGE, named, pieces
from tests.requires import need


@pytest.mark.parametrize("module", USAGE)
def test_observed_words_can_be_read_by_others(module: ModuleType) -> None:
    memory = bytearray(module.OBSERVED_BYTES + 8)
    with pytest.raises(ValueError, match="no tap"):
        module.observed_from(memory)
    tap = module.Tap(60, memoryview(memory)[8:])
    usage = {
        "input_tokens": 7,
        "cache_creation_input_tokens": 30,
        "speed": "fast",
        "inference_geo": "us",
        "service_tier": "standard",
    }
    tap.feed(start(**usage) + text("abc"))
    expected = named(tap.reading()) | {"model": "", "message_id": "", "tier": ""}
    for other in (compiled, pure):
        assert named(other.observed_from(memoryview(memory)[8:])) == expected
    assert (expected["write_1h"], expected["text_bytes"], expected["speed"], expected["geo"]) == (30, 3, "fast", "us")


@pytest.mark.parametrize("module", USAGE)
def test_unfit_memory_is_refused(module: ModuleType) -> None:
    with pytest.raises(ValueError, match="128 bytes"):
        module.Tap(0, bytearray(127))
    with pytest.raises(BufferError):
        module.Tap(0, bytes(128))
    with pytest.raises(ValueError, match="0, 5 or 60"):
        module.Tap(7)
    with pytest.raises(TypeError):
        module.Tap().feed("text")


def test_a_killed_process_leaves_what_it_observed(tmp_path: Any) -> None:
    path = tmp_path / "observed"
    path.write_bytes(bytes(compiled.OBSERVED_BYTES))
    script = textwrap.dedent("""
        import mmap, os, sys
        from gw._fast import Tap
        with open(sys.argv[1], "r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        tap = Tap(0, memory)
        tap.feed(sys.stdin.buffer.read(int(sys.argv[2])))
        print("fed", flush=True)
        sys.stdin.buffer.read()
    """)
    stream = start(input_tokens=7, output_tokens=1) + text("abcd") + text("efgh")[:-8]
    command = [sys.executable, "-c", script, str(path), str(len(stream))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(stream)
        process.stdin.flush()
        assert process.stdout.readline() == b"fed\n"
        os.kill(process.pid, signal.SIGKILL)
    reading = anthropic.reading_from_memory(path.read_bytes())
    assert (reading.usage.input_tokens, reading.usage.output_tokens, reading.text_bytes) == (7, 1, 4)
    assert (reading.started, reading.finished, reading.content_empty) == (True, False, False)


# -- to feed it takes no memory: not for an event, not for a piece of one

LETTERS = (" the", 'a\n"b"', "é—字", "😀", "x" * 400)
DELTAS = b"".join(
    [
        *(text(letters) for letters in LETTERS),
        *(other_delta("thinking_delta", thinking=letters) for letters in LETTERS),
        *(other_delta("input_json_delta", partial_json=letters) for letters in LETTERS),
        text("\x01 in an escape of six").replace(b"\x01", b"\\u0001"),
    ]
)
SPLITS = {
    "whole events": [event + b"\n\n" for event in DELTAS.split(b"\n\n") if event],
    "many events": [DELTAS * 8],
    "in hundreds": list(pieces(DELTAS, range(0, len(DELTAS), 100))),
    "in sevens": list(pieces(DELTAS, range(0, len(DELTAS), 7))),
    "byte by byte": list(pieces(DELTAS, range(len(DELTAS)))),
}


def running() -> compiled.Tap:
    tap = compiled.Tap()
    tap.feed(start(input_tokens=5) + text("a"))
    return tap


def peak_bytes(call: Callable[[bytes], object], chunks: list[bytes]) -> int:
    """What Python's allocators give at most, at any moment of the loop."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for chunk in chunks:
            call(chunk)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def blocks_kept(call: Callable[[bytes], object], chunks: list[bytes]) -> int:
    """Blocks of the whole process that are there after the loop and were not before it."""
    before = sys.getallocatedblocks()
    for chunk in chunks:
        call(chunk)
    return sys.getallocatedblocks() - before


ROUNDS = 5  # Other threads of the process allocate too; the least of several rounds is the loop's.


@pytest.mark.parametrize("split", SPLITS)
def test_an_event_takes_no_object(split: str) -> None:
    chunks, tap = SPLITS[split] * 50, running()
    seen = tap.text_bytes
    # isascii makes no object, so what it takes is the loop's own.
    of_the_loop = min(peak_bytes(bytes.isascii, chunks) for _ in range(ROUNDS))
    assert min(peak_bytes(tap.feed, chunks) for _ in range(ROUNDS)) == of_the_loop
    assert min(blocks_kept(tap.feed, chunks) for _ in range(ROUNDS)) <= 2, "of the loop"
    assert tap.text_bytes > seen and not tap.reading()[-1]


COUNTING = """
#include <stddef.h>
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
static long taken;
long allocations(void) { return taken; }
void *malloc(size_t size) { taken++; return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { taken++; return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { taken++; return __libc_realloc(old, size); }
"""


def test_an_event_allocates_nothing_at_all(tmp_path: Path) -> None:
    """Counted where all memory comes from, Python's and C's: ten times the events take as many allocations."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    need("a C compiler", compiler is not None, "apt-get install gcc")
    need("glibc", platform.libc_ver()[0] == "glibc", "run on Linux with glibc")
    source, library = tmp_path / "counting.c", tmp_path / "counting.so"
    source.write_text(COUNTING)
    subprocess.run([str(compiler), "-shared", "-fPIC", "-O1", "-fno-builtin", str(source), "-o", str(library)], check=True)
    script = textwrap.dedent("""
        import ctypes
        from tests._fast.test_usage_memory import SPLITS, running
        allocations = ctypes.CDLL(None).allocations
        def taken_by(feed, chunks):
            before = allocations()
            for chunk in chunks:
                feed(chunk)
            return allocations() - before
        for split, chunks in SPLITS.items():
            tap = running()
            few, many = chunks * 10, chunks * 100
            taken_by(tap.feed, few)
            print(split, taken_by(tap.feed, many) - taken_by(tap.feed, few), sep=": ")
        copies = taken_by(bytearray, many) - taken_by(bytearray, few)
        print("a copy of each", round(copies / (len(many) - len(few))), sep=": ")
    """)
    env = os.environ | {"LD_PRELOAD": str(library), "PYTHONMALLOC": "malloc", "GW_FAST": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*(f"{split}: 0" for split in SPLITS), "a copy of each: 2"]
