"""The types that stand in the dashboard's comments are true: what every view shares fully, views but for what the API answers."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.requires import need

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".cache" / "typescript"
COMPILER = PLACE / "node_modules" / "typescript"
VERSION = "5.9.3"
# Of the package as npm publishes it; npm holds what it fetches against this, and writes it down.
INTEGRITY = "sha512-jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw=="
SECONDS = 120


def checked(folder: Path, project: Path) -> list[str]:
    """What is wrong, a line each."""
    node = shutil.which("node")
    need("node", node is not None, "apt-get install nodejs")
    need("typescript", (COMPILER / "bin" / "tsc").is_file(), f"npm install --prefix .cache/typescript typescript@{VERSION}")
    assert node is not None
    command = [node, str(COMPILER / "bin" / "tsc"), "--pretty", "false", "-p", str(project)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode in (0, 1, 2), done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("project", ["tsconfig.core.json", "tsconfig.json"])
def test_every_type_in_the_comments_holds(project: str) -> None:
    assert checked(ROOT, Path(__file__).with_name(project)) == []


def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.js").write_text("/** @param {number} amount */\nexport const twice = (amount) => amount.twice;\n")
    settings = {"extends": str(Path(__file__).with_name("tsconfig.core.json")), "include": [str(tmp_path / "wrong.js")]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    (said,) = checked(tmp_path, tmp_path / "tsconfig.json")
    assert said.startswith("wrong.js(2,") and "'twice'" in said


def test_the_compiler_is_the_one_that_was_looked_at() -> None:
    need("typescript", COMPILER.is_dir(), f"npm install --prefix .cache/typescript typescript@{VERSION}")
    kept = json.loads((PLACE / "package-lock.json").read_text())["packages"]["node_modules/typescript"]
    assert (kept["version"], kept["integrity"]) == (VERSION, INTEGRITY)
