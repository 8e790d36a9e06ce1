"""The shipped config.toml and docs/config.md say what the model says."""

import re
import tomllib
from pathlib import Path

import pytest
from msgspec import Struct

from gw.config.load import load, parse
from gw.config.model import Config
from gw.config.reference import ACTIVE, EXAMPLES, main, markdown_text, toml_text
from gw.config.schema import Spec, section_text, specs, walk
from gw.config.values import READERS
from gw.domain.key import mint

ROOT = Path(__file__).parents[2]
TABLES = list(walk(Config))
KEYS = [(path, spec) for path, table, _ in TABLES for spec in specs(table) if spec.table is None]


def uncommented(text: str) -> str:
    """Every key and header that is off, turned on."""
    return re.sub(r"(?m)^#(?=\[|[a-z_0-9]+ = )", "", text)


def test_shipped_file_is_written_from_the_model() -> None:
    assert (ROOT / "config.toml").read_text() == toml_text(), "run: python -m gw.config.reference toml > config.toml"


def test_reference_is_written_from_the_model() -> None:
    assert (ROOT / "docs/config.md").read_text() == markdown_text(), (
        "run: python -m gw.config.reference markdown > docs/config.md"
    )


def test_shipped_file_loads_and_equals_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shipped, defaults = load(ROOT / "config.toml", {}), load(None, {})
    assert shipped == defaults
    assert shipped.fingerprint == defaults.fingerprint
    assert shipped.auth.passthrough and [upstream.name for upstream in shipped.upstream] == ["anthropic"]


@pytest.mark.parametrize(("path", "spec"), KEYS, ids=[".".join((*path, spec.key)) for path, spec in KEYS])
def test_every_key_stands_in_the_shipped_file_with_its_default(path: tuple[str, ...], spec: Spec) -> None:
    document: object = tomllib.loads(uncommented(toml_text()))
    for part in path:
        document = document[part]  # type: ignore[index]
        document = document[0] if isinstance(document, list) else document
    expected = spec.default if spec.example is None else spec.example
    assert document[spec.key] == expected  # type: ignore[index]
    assert (".".join(path), spec.key) not in ACTIVE or re.search(rf"(?m)^{spec.key} = ", toml_text())


def test_shipped_file_with_everything_turned_on_is_valid(tmp_path: Path) -> None:
    environ = {"GW_CI_KEY": mint().text, "ANTHROPIC_API_KEY": "x"}
    config = parse(uncommented(toml_text()), "config.toml", tmp_path, environ).config
    several = (config.upstream, config.customer, config.team, config.key, config.pricing.override, config.budget, config.limit)
    assert [len(part) for part in several] == [1] * 7
    assert len(config.budget[0].increase) == 1


@pytest.mark.parametrize("table", EXAMPLES)
def test_example_is_valid_and_stands_in_both(table: str, tmp_path: Path) -> None:
    config = parse(EXAMPLES[table], "config.toml", tmp_path, {}).config
    assert len(getattr(config, table)) == EXAMPLES[table].count(f"[[{table}]]") > 0
    assert f"```toml\n{EXAMPLES[table]}```" in markdown_text()
    first = EXAMPLES[table].splitlines()[1]
    assert f"\n#   {first}\n" in toml_text()


@pytest.mark.parametrize(("path", "spec"), KEYS, ids=[".".join((*path, spec.key)) for path, spec in KEYS])
def test_every_key_says_effect_range_and_default(path: tuple[str, ...], spec: Spec) -> None:
    assert spec.effect.endswith("."), "an effect is a sentence"
    assert spec.range_text
    assert spec.kind in READERS
    assert (spec.low is not None and spec.high is not None) == (spec.kind in {"int", "float"})
    line = next(line for line in section_of(path).splitlines() if line.startswith(f"| `{spec.key}` |"))
    assert spec.effect in line and spec.range_text in line
    if spec.key.endswith(("_s", "_ms", "_h")):
        assert spec.unit == spec.key.rpartition("_")[2]


def section_of(path: tuple[str, ...]) -> str:
    name = ".".join(path)
    return re.split(rf"## `\[?\[{re.escape(name)}\]\]?`", markdown_text())[1].partition("\n## ")[0]


@pytest.mark.parametrize("table", [table for _, table, _ in TABLES])
def test_every_table_says_what_it_is_for(table: type[Struct]) -> None:
    assert section_text(table).endswith(".")


def test_command_writes_either_and_refuses_a_third(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toml"]) == 0
    assert capsys.readouterr().out == toml_text()
    assert main([]) == 0
    assert capsys.readouterr().out == markdown_text()
    assert main(["yaml"]) == 2
    assert "usage" in capsys.readouterr().err
