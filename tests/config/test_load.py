"""What a configuration means, where it came from, and that every mistake in it is named with its line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gw.config.load import ConfigError, Problem, find, load, parse, read
from gw.config.model import Config
from gw.config.schema import Spec, specs, variable_of, walk
from gw.config.values import raw_from_text
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


# --- what is right -----------------------------------------------------------------------------------------------


def test_no_file_means_the_defaults_and_one_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(None, {})
    assert (config.server.host, config.server.port, config.auth.passthrough) == ("127.0.0.1", 8080, True)
    assert [(upstream.name, upstream.address) for upstream in config.upstream] == [
        ("anthropic", "https://api.anthropic.com")
    ]
    assert config.upstream[0].api_key.missing and not config.auth.pepper.reference
    assert config == config_of("", base=tmp_path)


def test_paths_start_at_the_directory_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "etc" / "gw.toml"
    file.parent.mkdir()
    (file.parent / "ca.pem").touch()
    file.write_text('[[upstream]]\nname = "a"\nca_file = "ca.pem"\n')
    config = load(file, {})
    assert config.server.state_dir == file.parent / ".gw"
    assert config.storage.address == f"sqlite:///{file.parent}/.gw/gw.db"
    assert config.upstream[0].ca_file == str(file.parent / "ca.pem")
    assert config_of('storage.url = "sqlite:////var/gw.db"').storage.address == "sqlite:////var/gw.db"


def test_dates_are_instants_in_utc() -> None:
    config = config_of(
        f"""
        [[key]]
        name = "a"
        secret_hash = "{HASH}"
        active = false
        expires = 2027-01-31
        [[pricing.override]]
        name = "o"
        multiplier = "0.85"
        from = 2027-01-01T02:00:00+02:00
        until = "2027-06-30"
        """
    )
    assert config.key[0].expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert config.key[0].expires_us == 1_801_353_600_000_000
    override = config.pricing.override[0]
    assert (override.from_, override.until) == (datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 6, 30, tzinfo=UTC))
    assert (override.from_us, override.until_us) == (1_798_761_600_000_000, 1_814_313_600_000_000)
    assert (override.upstream, override.model, override.key, override.team) == ("*", "*", "", "")


def test_never_and_always_are_zero() -> None:
    config = config_of(f'[[key]]\nname = "a"\nsecret_hash = "{HASH}"\nactive = false\nexpires = ""\n')
    assert (config.key[0].expires, config.key[0].expires_us) == (None, 0)


def test_money_is_kept_as_text_and_a_whole_number_will_do() -> None:
    config = config_of('[[pricing.override]]\nname = "o"\ninput = 4\noutput = "20.25"\ncache_read = "0"\n')
    override = config.pricing.override[0]
    assert (override.input, override.output, override.cache_read, override.cache_write_5m) == ("4", "20.25", "0", "")


def test_secrets_come_from_environment_file_or_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    config = config_of(
        """
        [[upstream]]
        name = "a"
        api_key = "env:SOME_KEY"
        proxy = "env:PROXY"
        headers = { X-Env = "prod", x-token = "file:token" }
        [[upstream]]
        name = "b"
        api_key = ""
        """,
        {"SOME_KEY": VALUE, "PROXY": "http://user:pass@proxy:3128"},
        tmp_path,
    )
    first, second = config.upstream
    assert first.api_key.reveal() == VALUE
    assert first.proxy.reveal() == "http://user:pass@proxy:3128"
    assert {name: value.reveal() for name, value in first.headers.items()} == {"x-env": "prod", "x-token": "from-file"}
    assert not second.api_key and not second.api_key.missing


def test_missing_api_key_does_not_stop_the_start_while_no_virtual_key_needs_it() -> None:
    text = '[[upstream]]\nname = "a"\napi_key = "env:ABSENT"\n'
    loaded = parse(text, "config.toml", Path("/base"), {})
    assert loaded.config.upstream[0].api_key.missing
    assert [str(problem) for problem in loaded.source.warnings] == [
        "config.toml:3: upstream.api_key: environment variable ABSENT is not set or empty: virtual keys cannot use this upstream"
    ]
    key = f'[[key]]\nname = "ci"\nsecret_hash = "{HASH}"\n'
    assert complaints(text + key) == [
        'config.toml:3: upstream.api_key: environment variable ABSENT is not set or empty, and key "ci" needs it'
    ]
    config_of(f"{text}{key}active = false\n")
    config_of(f'{text}[[upstream]]\nname = "b"\napi_key = "env:B"\n{key}', {"B": "x"})


def test_windows_line_ends_and_byte_order_mark_are_tolerated(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 9000\r\n")
    assert load(file, {}).server.port == 9000
    file.write_bytes(b"[server]\r\n\r\nprot = 9000\r\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert caught.value.problems == [Problem(3, "server.prot", 'unknown key; did you mean "port"?', str(file))]


UPSTREAM = '[[upstream]]\nname = "a"\napi_key = "literal-key"\n'
KEY = f'[[key]]\nname = "k"\nsecret_hash = "{HASH}"\n'


# --- warnings ------------------------------------------------------------------------------------------------------


def test_what_is_probably_not_meant_is_warned_of() -> None:
    text = f"""\
[server]
host = "0.0.0.0"
[auth]
pepper = "sixteen characters"
[[upstream]]
name = "a"
api_key = "{VALUE}"
base_url = "http://10.0.0.1"
[[key]]
name = "k"
secret = "{MINTED}"
upstreams = ["a", "b*"]
[[pricing.override]]
name = "o"
key = "kk"
multiplier = "0.5"
"""
    literal = "the secret stands in the file itself; env:NAME or file:PATH keeps it out"
    assert [str(problem) for problem in parse(text, "config.toml", Path("/"), {}).source.warnings] == [
        "config.toml:2: server.host: opens gw to the network, and with auth.passthrough anyone there may send calls through it",
        f"config.toml:4: auth.pepper: {literal}",
        f"config.toml:7: upstream.api_key: {literal}",
        f"config.toml:11: key.secret: {literal}",
        "config.toml:8: upstream.base_url: is not encrypted: credentials and prompts cross the network in the clear",
        'config.toml:12: key.upstreams: no upstream matches "b*"',
        'config.toml:15: pricing.override.key: there is no key "kk" in this file; did you mean "k"? (it may be in the database)',
    ]


def test_nothing_is_warned_of_in_a_careful_configuration() -> None:
    text = "[[upstream]]\nname = 'a'\nbase_url = 'http://127.0.0.1:9000/x/'\napi_key = 'env:K'\n"
    loaded = parse(text, "config.toml", Path("/"), {"K": "x", "GW_AUTH_PEPPER": "sixteen characters"})
    assert loaded.source.warnings == ()
    assert loaded.config.upstream[0].base_url == "http://127.0.0.1:9000/x"


# --- variables -----------------------------------------------------------------------------------------------------


def test_variable_overrides_the_file_and_the_file_the_default() -> None:
    text = '[server]\nport = 9000\nhost = "localhost"\n'
    loaded = parse(
        text, "config.toml", Path("/"), {"GW_SERVER_PORT": "9001", "GW_AUTH_PASSTHROUGH": "false", "GW_UNRELATED": "x"}
    )
    assert (loaded.config.server.port, loaded.config.server.host, loaded.config.auth.passthrough) == (
        9001,
        "localhost",
        False,
    )
    origins = loaded.source.origins
    assert origins[("server", "port")] == "GW_SERVER_PORT"
    assert origins[("server", "host")] == "config.toml:3"
    assert origins[("server", "workers")] == "default"
    assert origins[("upstream", 0, "name")] == "default"


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("GW_SERVER_PORT", "abc", 'must be a whole number, not "abc"'),
        ("GW_SERVER_PORT", "99999", "must be 1 to 65535, not 99999"),
        ("GW_SERVER_PORT", "", 'must be a whole number, not ""'),
        ("GW_AUTH_PASSTHROUGH", "maybe", 'must be true or false, not "maybe"'),
        ("GW_SERVER_PING_INTERVAL_S", "inf", "must be a number, not inf"),
        ("GW_JOURNAL_FSYNC", "Always", 'must be one of "none", "interval", "always", not "Always"; did you mean "always"?'),
        ("GW_STORAGE_URL", "gw.db", 'must be "sqlite:///" and the path of a file, or "postgresql://" and a database'),
        ("GW_AUTH_PEPPER", "env:ABSENT", "environment variable ABSENT is not set or empty"),
        ("GW_SERVER_PROT", "1", 'unknown variable; did you mean "GW_SERVER_PORT"?'),
    ],
)
def test_wrong_variable_is_named(variable: str, text: str, message: str) -> None:
    assert complaints("", {variable: text}) == [f"environment: {variable}: {message}"]


def test_variable_that_the_file_refers_to_is_not_unknown() -> None:
    config = config_of("[[upstream]]\nname = 'a'\napi_key = 'env:GW_AUTH_UPSTREAM'\n", {"GW_AUTH_UPSTREAM": "x"})
    assert config.upstream[0].api_key.reveal() == "x"


def test_wrong_value_in_the_file_is_named_although_a_variable_hides_it() -> None:
    assert complaints("[server]\nport = 0", {"GW_SERVER_PORT": "9000"}) == [
        "config.toml:2: server.port: must be 1 to 65535, not 0"
    ]


PLAIN = {"server", "auth", "storage", "journal", "pricing", "budgets", "metrics"}
SCALARS = [(path[0], spec) for path, table, _ in walk(Config) if len(path) == 1 for spec in specs(table) if spec.scalar]
OVERRIDABLE = [(section, spec) for section, spec in SCALARS if section in PLAIN]


@pytest.mark.parametrize(
    ("section", "spec"), OVERRIDABLE, ids=[variable_of(section, spec.key) for section, spec in OVERRIDABLE]
)
def test_every_scalar_of_the_plain_tables_can_be_set_by_its_variable(section: str, spec: Spec) -> None:
    text = str(spec.default).lower() if spec.kind == "bool" else str(spec.default)
    loaded = parse("", "config.toml", Path("/"), {variable_of(section, spec.key): text})
    assert loaded.config == config_of("", base=Path("/"))
    assert loaded.source.origins[(section, spec.key)] == variable_of(section, spec.key)
    assert raw_from_text(spec, text) == spec.default


# --- reload --------------------------------------------------------------------------------------------------------


def test_same_text_and_environment_give_the_same_configuration() -> None:
    text = f"{UPSTREAM}headers = {{ x-a = '1' }}\n{KEY}expires = 2027-01-01\n"
    assert config_of(text) == config_of(text)
    assert config_of(text).fingerprint == config_of(text).fingerprint
    assert len(config_of(text).fingerprint) == 32


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("[server]\nport = 8081", {}),
        ("", {"GW_SERVER_PORT": "8081"}),
        ("", {"ANTHROPIC_API_KEY": VALUE}),
        ("[[customer]]\nname = 'c'", {}),
        ("[[upstream]]\nname = 'anthropic'\nheaders = { x = 'y' }", {}),
    ],
)
def test_fingerprint_changes_with_any_value_and_with_any_secret(text: str, environ: dict[str, str]) -> None:
    assert config_of(text, environ).fingerprint != config_of("").fingerprint
    assert config_of(text, environ) != config_of("")


def test_rotated_secret_behind_the_same_reference_is_a_change() -> None:
    one, other = config_of("", {"ANTHROPIC_API_KEY": "one"}), config_of("", {"ANTHROPIC_API_KEY": "other"})
    assert one != other and one.fingerprint != other.fingerprint


def test_which_file_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find(None, {}) is None
    (tmp_path / "config.toml").touch()
    assert find(None, {}) == Path("config.toml")
    assert find(None, {"GW_CONFIG": "other.toml"}) == Path("other.toml")
    assert find("mine.toml", {"GW_CONFIG": "other.toml"}) == Path("mine.toml")
    assert read(Path("config.toml"), {}).source.name == "config.toml"
