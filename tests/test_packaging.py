"""What a fresh machine gets: few and locked dependencies, a core that starts with nothing else, complete packages, licences."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import house
from tests.support import core_only

ROOT = house.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
DIRECT_MAX = 15
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
GROUPS: dict[str, list[str]] = {"core": PROJECT["project"]["dependencies"], **EXTRAS, **PROJECT["dependency-groups"]}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")
ENTRY = re.compile(r"^[a-z0-9][a-z0-9.-]*==\S+( ; .+)?( --hash=sha256:[0-9a-f]{64})+$")
BUILT_FROM = {".pyx", ".pxd", ".c", ".so", ".pyc", ".txt"}


def entries(lock: Path) -> list[str]:
    """The packages of a lock file, each with its hashes on one line."""
    text = lock.read_text().replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins(lock: Path) -> dict[str, str]:
    return {match[1]: match[2] for entry in entries(lock) if (match := PIN.match(entry))}


def test_core_has_few_direct_dependencies() -> None:
    assert len(PROJECT["project"]["dependencies"]) <= DIRECT_MAX


def test_every_group_is_locked_and_every_lock_is_a_group() -> None:
    assert {lock.stem for lock in LOCKS} == set(GROUPS)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_is_pinned_and_hashed(lock: Path) -> None:
    assert [entry for entry in entries(lock) if not ENTRY.match(entry)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_no_registry_and_no_machine(lock: Path) -> None:
    betrays = re.compile(r"://|--index|--find-links|--trusted|(^|\s)[./]")
    assert [line for line in lock.read_text().splitlines() if betrays.search(line)] == []


@pytest.mark.parametrize("group", GROUPS)
def test_a_lock_satisfies_its_group(group: str) -> None:
    locked = pins(ROOT / "requirements" / f"{group}.txt")
    wanted = [Requirement(line) for line in GROUPS[group]]
    assert [str(need) for need in wanted if not need.specifier.contains(locked.get(canonicalize_name(need.name), "0"))] == []


def test_the_tests_run_with_the_versions_the_gateway_runs_with() -> None:
    core = {package: pin for name in ("core", *EXTRAS) for package, pin in pins(ROOT / "requirements" / f"{name}.txt").items()}
    for lock in LOCKS:
        shared = {package: version for package, version in pins(lock).items() if package in core}
        assert shared == {package: core[package] for package in shared}, lock.name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def isolation() -> list[str]:
    """The command that takes the network away, where this machine has one; the guard in Python holds everywhere."""
    command = ["unshare", "--net", "--map-root-user"]
    works = shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if works else []


def guarded(folder: Path) -> dict[str, str]:
    """An environment in which every Python is a core installation."""
    core_only.write_guard(folder, set(pins(ROOT / "requirements" / "core.txt")))
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def test_the_guard_takes_away_the_test_packages_and_the_network(tmp_path: Path) -> None:
    environ = guarded(tmp_path)
    attempts = {
        "import pytest": "No module named 'pytest' in a core installation",
        "import socket; socket.create_connection(('192.0.2.1', 80))": "192.0.2.1 is not loopback",
        "import granian, msgspec, click": "",
    }
    for code, complaint in attempts.items():
        ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
        assert complaint in ran.stderr and bool(complaint) == bool(ran.returncode), ran.stderr


def test_core_starts_with_no_extra_installed_and_no_network(tmp_path: Path) -> None:
    port = free_port()
    environ = guarded(tmp_path) | {
        "GW_SERVER_PORT": str(port),
        "GW_SERVER_WORKERS": "1",
        "GW_SERVER_STATE_DIR": str(tmp_path / "state"),
        "GW_STORAGE_URL": f"sqlite:///{tmp_path / 'gw.db'}",
    }
    command = [*isolation(), sys.executable, core_only.__file__, str(ROOT / "config.toml"), str(port)]
    ran = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_built_package_holds_every_file_of_gw(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    packed = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    wanted = {path for path in house.files("gw") if Path(path).suffix not in BUILT_FROM}
    assert sorted(wanted - packed) == []


def test_licence_and_notices_are_whole_and_packaged() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License\n" in licence and "Version 2.0, January 2004" in licence and "END OF TERMS AND CONDITIONS" in licence
    assert PROJECT["project"]["license"] == "Apache-2.0"
    for name in [*PROJECT["project"]["license-files"], "SECURITY.md", "CHANGELOG.md", PROJECT["project"]["readme"]]:
        assert (ROOT / name).stat().st_size > 0, name


def test_vendored_data_is_named_in_the_notices() -> None:
    notices = (ROOT / "THIRD_PARTY_NOTICES.md").read_text()
    vendored = [path for path in house.files("gw") if Path(path).name.startswith("LICENSE.")]
    assert [path for path in vendored if Path(path).name.removeprefix("LICENSE.") not in notices] == []
