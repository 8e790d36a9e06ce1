"""Compiling by a profile: what is learned reaches the compiler, and where nothing can be learned gw is built without."""

import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from tests import house

SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md", "gw/__init__.py")
BUSY = "from gw._fast.seek import holds; assert all(holds(b'x' * 999 + b'end', b'end') for _ in range(9999))"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """tools/profile over a tree of one compiled module, with one line in place of the benchmarks."""
    headers = [str(header.relative_to(house.ROOT)) for header in (house.ROOT / "gw" / "_fast").glob("*.h")]
    for name in (*SOURCES, "gw/_fast/seek.pyx", *headers):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(house.ROOT / name, tmp_path / name)
    (tmp_path / "gw" / "_fast" / "__init__.py").touch()
    (tmp_path / "gw" / "_fast" / "glue.txt").touch()
    bench = tmp_path / "bench" / "micro"
    bench.mkdir(parents=True)
    for package in (bench, bench.parent):
        (package / "__init__.py").touch()
    (bench / "busy.py").write_text(BUSY)
    loader = SourceFileLoader("profile_tool", str(house.ROOT / "tools" / "profile"))
    made: Any = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(made)
    monkeypatch.setattr(made, "ROOT", tmp_path)
    monkeypatch.setattr(made, "TRAINING", ("busy",))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.chdir(tmp_path)
    return made


def built(folder: Path) -> bytes:
    """The module's own code, as `make` compiles it."""
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, check=True, capture_output=True)
    (module,) = (folder / "gw" / "_fast").glob("seek.*.so")
    taken = folder / "text"
    subprocess.run(["objcopy", "-O", "binary", "--only-section=.text", str(module), str(taken)], check=True)
    return taken.read_bytes()


def test_what_was_learned_is_what_the_compiler_lays_out_by(tool: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = built(tmp_path)
    tool.main()
    assert "learned of 1 modules" in capsys.readouterr().out
    assert not list(tmp_path.glob("gw/**/*.so")), "what was built without must not pass for up to date"
    assert len(list((tmp_path / "build" / "profile").glob("*seek.gcda"))) == 1
    learned = built(tmp_path)
    assert learned != plain
    subprocess.run([sys.executable, "-c", BUSY], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, check=True)
    tool.PROFILE.rename(tmp_path / "elsewhere")
    next(tmp_path.glob("build/lib.*/gw/_fast/seek.*.so")).unlink()
    assert built(tmp_path) == plain, "the profile alone makes the difference"


def test_where_nothing_can_be_learned_gw_is_built_without(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench" / "micro" / "busy.py").write_text("raise SystemExit('no such thing')")
    with pytest.raises(SystemExit, match="no such thing"):
        tool.main()
    assert not tool.PROFILE.exists() and not tool.TREE.exists()
    monkeypatch.setenv("CC", "false")
    with pytest.raises(SystemExit, match="build_ext"):
        tool.main()
    monkeypatch.delenv("CC")
    assert built(tmp_path)


def test_every_training_is_a_benchmark_that_the_image_has_what_it_needs_for(tool: Any) -> None:
    """The image is built from `gw`, `bench` and the core's packages: no tests, no pytest."""
    fresh = SourceFileLoader("profile_words", str(house.ROOT / "tools" / "profile"))
    words: Any = module_from_spec(spec_from_loader(fresh.name, fresh))  # type: ignore[arg-type]
    fresh.exec_module(words)
    modules = sorted({training.split()[0] for training in words.TRAINING})
    probe = "import sys; sys.modules.update(dict.fromkeys(('tests', 'pytest', 'hypothesis'))); " + "; ".join(
        f"import bench.micro.{module}" for module in modules
    )
    subprocess.run([sys.executable, "-c", probe], cwd=house.ROOT, check=True)
    assert (house.ROOT / "deploy" / "Containerfile").read_text().count("tools/profile") == 3
