"""Whatever stands in a configuration: it is taken or refused with its line, and no secret is ever repeated."""

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.config.load import ConfigError, parse
from gw.config.model import Config
from gw.config.schema import specs, walk
from gw.domain.key import mint

MINTED = mint().text
OTHER = mint().text
VALUE = "sk-ant-api03-do-not-show"
HASH = "0123456789abcdef" * 4


def config_of(text: str, environ: dict[str, str] | None = None, base: Path = Path("/base")) -> Config:
    return parse(text, "config.toml", base, environ or {}).config


def complaints(text: str, environ: dict[str, str] | None = None, base: Path = Path("/base")) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "config.toml", base, environ or {})
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


# --- properties ----------------------------------------------------------------------------------------------------

TABLES = [("server", "[server]"), ("pricing", "[pricing]"), ("pricing.fallback", "[pricing.fallback]"), ("auth", "[auth]")]
WORDS = st.from_regex(r"[a-z][a-z_0-9]{0,12}", fullmatch=True)
KNOWN = {spec.key for _, table, _ in walk(Config) for spec in specs(table)} | {spec.key for spec in specs(Config)}


@given(
    st.sampled_from(TABLES),
    WORDS.filter(lambda word: word not in KNOWN),
    st.integers(0, 20),
    st.sampled_from(["1", "'x'", "[1,\n2]", "{}"]),
)
def test_unknown_key_is_found_on_its_line(table: tuple[str, str], word: str, above: int, value: str) -> None:
    name, header = table
    text = (
        f"{'# padding' + chr(10) if above else ''}{chr(10) * above}{header}\n\n{word} = {value}\n[journal]\nfsync = 'none'\n"
    )
    with pytest.raises(ConfigError) as caught:
        config_of(text)
    (problem,) = caught.value.problems
    assert problem.key == f"{name}.{word}"
    assert problem.message.startswith("unknown key; ")
    assert problem.line is not None and text.splitlines()[problem.line - 1].startswith(f"{word} = ")


TOML_VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**40), 2**40),
        st.floats(),
        st.sampled_from(
            ["", "x", "*", "env:X", "env:", "file:x", "https://h", "none", "2027-01-01", "sqlite:///x", "\u2028"]
        ),
        st.dates(),
        st.datetimes(),
        st.times(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["name", "a", "input"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=300)
@given(st.data())
def test_any_value_under_any_key_is_taken_or_refused_but_never_a_crash(data: st.DataObject) -> None:
    path, table, many = data.draw(st.sampled_from(list(walk(Config))))
    spec = data.draw(st.sampled_from(specs(table)))
    element: dict[str, object] = {spec.key: data.draw(TOML_VALUES)}
    document: object = [element] if many else element
    for part in reversed(path):
        document = {part: document}
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(tomllib, "loads", lambda text: document)
    try:
        config_of("")
    except ConfigError as error:
        assert error.problems
        assert all(problem.key and problem.message for problem in error.problems)
    finally:
        monkeypatch.undo()


def test_secrets_are_in_no_text_of_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(f"{VALUE}-file")
    text = f"""
        auth.pepper = "{VALUE}-pepper"
        [[upstream]]
        name = "a"
        api_key = "{VALUE}"
        proxy = "env:PROXY"
        headers = {{ x-a = "{VALUE}", x-b = "file:s", x-c = "env:VARIABLE" }}
        [[key]]
        name = "k"
        secret = "{MINTED}"
        """
    environ = {"PROXY": f"http://u:{VALUE}@h", "VARIABLE": VALUE}
    loaded = parse(text, "config.toml", tmp_path, environ)
    seen = f"{loaded} {loaded.config!r} {loaded.config!s} {loaded.source.warnings} {loaded.config.fingerprint}"
    for secret in (VALUE, MINTED, MINTED[4:]):
        assert secret not in seen
    with pytest.raises(TypeError):
        msgspec.json.encode(loaded.config)


@given(
    st.sampled_from(
        [
            "api_key",
            "headers",
            "proxy",
            "base_url",
            "auth",
            "ca_file",
            "region",
            "api_kye",
            "models",
            "name",
            "provider",
            "pool_max",
        ]
    ),
    st.booleans(),
)
def test_secrets_are_in_no_complaint(key: str, nested: bool) -> None:
    value = f'{{ x = "{VALUE}\\n" }}' if nested else f'"http://{VALUE}:x@\\n"'
    with pytest.raises(ConfigError) as caught:
        config_of(f"[[upstream]]\n{key} = {value}\n")
    assert VALUE not in f"{caught.value} {caught.value!r} {caught.value.problems!r}"
