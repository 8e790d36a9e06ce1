"""What a tap observed can be read from its memory by others, and after its process was killed."""

import os
import signal
import subprocess
import sys
import textwrap
from types import ModuleType
from typing import Any

import pytest

from gw._fast import usage as compiled
from gw._fast.ref import usage as pure
from gw.wire import anthropic
from tests._fast.streams import start, text
from tests._fast.twins import USAGE, named


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
