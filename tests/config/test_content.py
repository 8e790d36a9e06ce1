"""[content]: what it may say, and whose calls are kept."""

import importlib.util
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from gw.config import content_rules
from gw.config.content_rules import stores
from gw.config.load import ConfigError, Loaded, parse

KEY = b64encode(bytes(32)).decode()


def read(text: str, **environ: str) -> Loaded:
    return parse(text, "config.toml", Path("/"), environ)


def refused(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, **environ)
    return str(caught.value)


def test_off_unless_it_is_said() -> None:
    config = read("").config
    assert config.content.store == "none" and not stores(config, key="yes", team="yes")


@pytest.mark.parametrize(
    ("store", "key", "team", "kept"),
    [
        ("chosen", "", "", False),
        ("chosen", "yes", "no", True),
        ("chosen", "", "yes", True),
        ("chosen", "no", "yes", False),
        ("all", "", "", True),
        ("all", "", "no", False),
        ("all", "yes", "no", True),
        ("none", "yes", "yes", False),
    ],
)
def test_the_key_says_it_before_its_team_before_everybody(store: str, key: str, team: str, kept: bool) -> None:
    assert stores(read(f'[content]\nstore = "{store}"').config, key=key, team=team) is kept


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[content.redact]]\nname = "a"\npattern = "(["', "content.redact.pattern: is no regular expression"),
        ('[[content.redact]]\nname = "a"\npattern = "x*"', "matches even where there is nothing"),
        ('[[content.redact]]\nname = "a"\npattern = "x"\n[[content.redact]]\nname = "a"\npattern = "y"', "duplicate name"),
        ('[content]\nencryption_key = "too short"', "content.encryption_key: must be 32 random bytes"),
        ('[content]\nencryption_key = "env:GW_LOST"', "GW_LOST is not set"),
        ('[content]\nstore = "some"', "must be one of"),
        ('[content]\nretention_days = -1', "0 to 36500 days"),
        ('[[team]]\nname = "a"\nstore_content = "maybe"', 'must be one of "", "yes", "no"'),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, said: str) -> None:
    assert said in refused(text)


@pytest.mark.parametrize("module", ["zstandard", "cryptography"])
def test_without_the_extra_it_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec

    def find(name: str) -> Any:
        return None if name == module else known(name)

    monkeypatch.setattr(content_rules, "find_spec", find)
    text = '[content]\nstore = "all"\nencryption_key = "env:GW_K"'
    assert f"{module} is missing): pip install 'gw[content]'" in refused(text, GW_K=KEY)
    assert read("").config.content.store == "none"


def test_with_a_key_search_is_off_and_says_so() -> None:
    loaded = read('[content]\nstore = "all"\nencryption_key = "env:GW_K"', GW_K=KEY)
    assert not loaded.config.content.searches
    assert any("search" in one.key and "is off" in one.message for one in loaded.source.warnings)
    assert not any("search" in one.key for one in read('[content]\nstore = "all"').source.warnings)


def test_a_wish_without_effect_is_said() -> None:
    loaded = read('[[team]]\nname = "a"\nstore_content = "yes"')
    assert any("has no effect" in one.message for one in loaded.source.warnings)
