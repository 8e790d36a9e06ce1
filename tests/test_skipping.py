"""What a run says of what it did not run, and that nothing is skipped where that is forbidden."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest, house

SUITE = """
import pytest
from tests.requires import need

def test_needy():
    need("The moon", False, "apt-get install moon")

@pytest.mark.skip(reason="on a whim")
def test_whim(): ...

def test_runs(): ...
"""


def run(folder: Path, suite: str, *, forbid: bool) -> subprocess.CompletedProcess[str]:
    """A run of `suite` under this project's conftest, in a process of its own."""
    shutil.copy(conftest.__file__, folder / "conftest.py")
    (folder / "test_suite.py").write_text(suite)
    environ = {name: value for name, value in os.environ.items() if name != "GW_TEST_FORBID_SKIP"}
    environ |= {"PYTHONPATH": str(house.ROOT)} | ({"GW_TEST_FORBID_SKIP": "1"} if forbid else {})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)


def test_the_end_of_a_run_names_each_skipped_suite_and_its_remedy(tmp_path: Path) -> None:
    ran = run(tmp_path, SUITE, forbid=False)
    assert ran.returncode == pytest.ExitCode.OK, ran.stdout
    summary = ran.stdout.split("Skipped suites")[1]
    assert "The moon is missing; to enable: apt-get install moon\n    1 skipped in test_suite.py" in summary
    assert "on a whim" in summary


def test_where_skipping_is_forbidden_a_missing_thing_fails_its_test(tmp_path: Path) -> None:
    ran = run(tmp_path, SUITE, forbid=True)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert "FAILED test_suite.py::test_needy" in ran.stdout


@pytest.mark.parametrize(
    "suite",
    [
        "import pytest\n\n@pytest.mark.skip(reason='on a whim')\ndef test_whim(): ...\n\ndef test_runs(): ...\n",
        "import pytest\n\npytest.importorskip('no_such_module')\n",
    ],
    ids=["one test", "a whole file"],
)
def test_where_skipping_is_forbidden_any_other_skip_fails_the_run(tmp_path: Path, suite: str) -> None:
    ran = run(tmp_path, suite, forbid=True)
    assert ran.returncode != pytest.ExitCode.OK
    assert "GW_TEST_FORBID_SKIP=1" in ran.stdout


def test_a_run_without_skips_says_nothing_of_them(tmp_path: Path) -> None:
    ran = run(tmp_path, "def test_runs(): ...\n", forbid=True)
    assert ran.returncode == pytest.ExitCode.OK
    assert "Skipped suites" not in ran.stdout
