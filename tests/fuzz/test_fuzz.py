"""A bounded, coverage-guided run of each fuzzer: no crash, no hang, no drift between the twins."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requires import need

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("target", "runs"), [("fuzz_tap", 2_000), ("fuzz_peek", 30_000), ("fuzz_weigh", 20_000)])
def test_fuzzing_finds_nothing(target: str, runs: int, tmp_path: Path) -> None:
    need("atheris", importlib.util.find_spec("atheris") is not None, "pip install 'atheris>=3.0'")
    command = [
        sys.executable,
        "-m",
        f"tests.fuzz.{target}",
        "--runs",
        str(runs),
        "--seconds",
        "20",
        "--corpus",
        str(tmp_path / "corpus"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    finished = re.search(r"Done (\d+) (?:runs )?in", done.stderr)
    assert finished and int(finished[1]) > 100, done.stderr[-2000:]
