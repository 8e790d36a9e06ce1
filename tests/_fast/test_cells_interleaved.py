"""The C of cells and buckets under random schedules: any process may go on, or die, at every access to shared memory. Each of
these scenarios has been seen to fail when a line that it guards was taken out of the headers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.requires import need

FAST = Path(__file__).parents[2] / "gw" / "_fast"
SOURCE = Path(__file__).with_name("interleave.c")
RUNS = {"one_cell": 300_000, "hold_or_forget": 200_000, "settle_once": 100_000, "grants": 50_000}


@pytest.fixture(scope="module")
def interleave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    need("a C compiler", compiler is not None, "apt-get install gcc")
    program = tmp_path_factory.mktemp("interleave") / "interleave"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wno-unused-value", "-Werror", f"-I{FAST}"]
    subprocess.run([str(compiler), *flags, str(SOURCE), "-o", str(program)], check=True)
    return program


@pytest.mark.parametrize("scenario", RUNS)
def test_no_schedule_breaks_it(scenario: str, interleave: Path) -> None:
    done = subprocess.run([str(interleave), scenario, str(RUNS[scenario])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
