"""`python -m bench.micro [WORD ...]`: every micro-benchmark (or those whose names hold one of the words) and one table of them.

Each is the fastest of its rounds, of one call from Python. Nothing fails because it was slow. The table is also written to
bench/results/micro.json, with the machine and the versions.
"""

import json
import os
import platform
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gw import __version__, _fast

HERE = Path(__file__).parent
RESULT = HERE.parent / "results" / "micro.json"
UNITS = sorted(source.stem for source in (HERE.parents[1] / "gw" / "_fast").glob("*.pyx"))
COLUMNS = ("ns", "GB/s", "takes")  # every other note stands behind them
OPTIONS = ["-q", "--no-header", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "python_files=bench_*.py"]
MEASURED = ["--benchmark-only", "--benchmark-quiet", "--benchmark-max-time=0.3", "--benchmark-min-rounds=7"]


def compiled() -> bool:
    """The glue, not only `_fast`: without it, what calls between Python modules is not what production runs."""
    spec = find_spec("gw.pipeline")
    return spec is not None and not str(spec.origin).endswith(".py")


def machine() -> dict[str, Any]:
    return {
        "gw": __version__,
        "fast": "C" if _fast.peek.__module__ == "gw._fast.jsonpeek" else "pure Python (GW_FAST=0)",
        "glue": "compiled" if compiled() else "not compiled: figures of groups that are not of gw/_fast are not production's",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.processor())


def measured(words: list[str]) -> list[dict[str, Any]]:
    """A row per benchmark. Exits if one of them could not be run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.json"
        chosen = ["-k", " or ".join(words)] if words else []
        code = pytest.main([str(HERE), *OPTIONS, *MEASURED, f"--benchmark-json={path}", *chosen])
        if code != pytest.ExitCode.OK:
            sys.exit(int(code))
        found = json.loads(path.read_text())["benchmarks"]
    return [{"group": one["group"] or "", "name": named(one), **one["extra_info"]} for one in found]


def named(one: dict[str, Any]) -> str:
    """`test_peek_at_300_kb[prose]` -> `peek at 300 kb: prose`."""
    name, _, rest = str(one["name"]).removeprefix("test_").partition("[")
    return name.replace("_", " ") + (f": {rest[:-1]}" if rest else "")


def table(rows: list[dict[str, Any]]) -> str:
    width = max(len(row["name"]) for row in rows) + 2
    lines = []
    group = None
    for row in sorted(rows, key=lambda row: row["group"]):
        if row["group"] != group:
            group = row["group"]
            lines.append(f"\n{group:{width}}{'ns':>12}{'GB/s':>8}{'bytes':>8}")
        rest = "  ".join(f"{name} {value}" for name, value in row.items() if name not in ("group", "name", *COLUMNS))
        ns = f"{row['ns']:,.1f}" if "ns" in row else ""
        lines.append(f"{row['name']:{width}}{ns:>12}{row.get('GB/s', ''):>8}{row.get('takes', ''):>8}  {rest}".rstrip())
    return "\n".join(lines)


def main() -> None:
    words = sys.argv[1:]
    rows = measured(words)
    about = machine()
    print("\n".join(f"{name:10} {value}" for name, value in about.items()))
    print(table(rows))
    print("\nns: of one call, or event. GB/s: of its bytes. bytes: of Python objects that it takes, what it returns included.")
    if not words:
        if missing := [unit for unit in UNITS if unit not in {row["group"] for row in rows}]:
            print(f"not measured: {', '.join(missing)}")
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps({"about": about, "rows": rows}, indent=1, ensure_ascii=False) + "\n")
        print(f"results: {RESULT.relative_to(HERE.parents[1])}")


if __name__ == "__main__":
    main()
