"""The micro-benchmarks: there is one for every unit of gw/_fast, and all of them run. How fast is never a test's business."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MICRO = ROOT / "bench" / "micro"


def test_every_fast_unit_has_a_benchmark() -> None:
    units = {source.stem for source in (ROOT / "gw" / "_fast").glob("*.pyx")}
    measured = {group for source in MICRO.glob("bench_*.py") for group in re.findall(r'group="(\w+)"', source.read_text())}
    assert units - measured == set()


def test_the_benchmarks_run(tmp_path: Path) -> None:
    """Once each, unmeasured."""
    options = ["-q", "-o", "addopts=", "-o", "python_files=bench_*.py", "-p", "no:cacheprovider", "--benchmark-disable"]
    command = [sys.executable, "-m", "pytest", *options, f"--basetemp={tmp_path / 'runs'}", str(MICRO)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
