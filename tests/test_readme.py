"""What the README tells people to type works with the configuration as shipped."""

import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gw.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TYPED = ["gw key create alice", "gw usage --by session --since 1d"]  # stand in a block to paste
NAMED = ["gw check", "gw version"]  # stand in the table of commands


def test_readme_still_says_what_is_tried_here() -> None:
    typed = [line.partition("#")[0].strip() for line in README.splitlines() if line.startswith("gw ")]
    assert typed == TYPED
    assert all(f"| `{line}` |" in README for line in NAMED)


def test_commands_that_need_no_server_work_as_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "config.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("GW_CONFIG", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for line in TYPED + NAMED:
        result = CliRunner().invoke(main, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"
    assert (tmp_path / ".gw" / "gw.db").exists()
