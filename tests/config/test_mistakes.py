"""Every mistake in a configuration is named, with its line, and no secret is repeated in the complaint."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from gw.config import locate
from gw.config.load import ConfigError, load, parse
from gw.config.model import Config
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


# --- what is wrong: the exact words -------------------------------------------------------------------------------

UPSTREAM = '[[upstream]]\nname = "a"\napi_key = "literal-key"\n'
KEY = f'[[key]]\nname = "k"\nsecret_hash = "{HASH}"\n'
OVERRIDE = '[[pricing.override]]\nname = "o"\n'

BROKEN: list[tuple[str, str]] = [
    # unknown keys, at every depth
    ('[[upstream]]\nname = "a"\nbase_ulr = "x"', 'config.toml:3: upstream.base_ulr: unknown key; did you mean "base_url"?'),
    ("[sever]\nport = 1", 'config.toml:1: sever: unknown key; did you mean "server"?'),
    ("[pricing.fallback]\ninptu = 1", 'config.toml:2: pricing.fallback.inptu: unknown key; did you mean "input"?'),
    ("\npassthrough = false", "config.toml:2: passthrough: unknown key; it belongs to [auth]"),
    (
        "[journal]\nxyzzy = { a = 1 }",
        "config.toml:2: journal.xyzzy: unknown key; known here: fsync, fsync_interval_ms, segment_bytes_max",
    ),
    # types
    ('[server]\nport = "8080"', 'config.toml:2: server.port: must be a whole number, not "8080"'),
    ("[server]\nport = true", "config.toml:2: server.port: must be a whole number, not true"),
    ("[server]\nport = 80.5", "config.toml:2: server.port: must be a whole number, not 80.5"),
    ('[auth]\npassthrough = "yes"', 'config.toml:2: auth.passthrough: must be true or false, not "yes"'),
    ("[server]\nping_interval_s = nan", "config.toml:2: server.ping_interval_s: must be a number, not nan"),
    ("[server]\ncontact = 5", "config.toml:2: server.contact: must be text in quotes, not 5"),
    ('[server]\ncontact = "a\\nb"', "config.toml:2: server.contact: contains a line break or another control character"),
    ("[server]\nport = { a = 1 }", "config.toml:2: server.port: must be a whole number, not a table"),
    (
        '[[upstream]]\nname = "a"\nmodels = "*"',
        'config.toml:3: upstream.models: must be a list of patterns such as ["*"], not "*"',
    ),
    ('[[upstream]]\nname = "a"\nmodels = ["*", 5]', "config.toml:3: upstream.models: must be text in quotes, not 5"),
    # ranges and choices
    ("[server]\nport = 99999", "config.toml:2: server.port: must be 1 to 65535, not 99999"),
    ("[server]\nping_interval_s = 0", "config.toml:2: server.ping_interval_s: must be 0.1 to 3600 s, not 0"),
    ("[server]\nbody_bytes_max = 1", "config.toml:2: server.body_bytes_max: must be 1024 to 1073741824 bytes, not 1"),
    (
        '[journal]\nfsync = "allways"',
        'config.toml:2: journal.fsync: must be one of "none", "interval", "always", not "allways"; did you mean "always"?',
    ),
    (
        '[[upstream]]\nname = "a"\napi = "chats"',
        'config.toml:3: upstream.api: must be one of "auto", "anthropic", "chat", "responses", "converse", "invoke", '
        'not "chats"; did you mean "chat"?',
    ),
    # shape
    ("server = 5", "config.toml:1: server: must be one table, [server], not 5"),
    ("[[server]]\nport = 1", "config.toml:1: server: must be one table, [server], not [[server]]"),
    (
        '[upstream]\nname = "a"',
        "config.toml:1: upstream: must be written [[upstream]], with double brackets: there may be several",
    ),
    ("[[team]]\n[[team]]\nname = 'b'", "config.toml:1: team.name: is required"),
    ("team = [5]", "config.toml:1: team: must be one table, [team], not 5"),
    # names and references
    (UPSTREAM + UPSTREAM, 'config.toml:5: upstream.name: duplicate name "a", also at config.toml:2'),
    ("[[team]]\nname = ''", "config.toml:2: team.name: must not be empty"),
    (
        "[[team]]\nname = 'a*'",
        'config.toml:2: team.name: must be letters, digits, . @ + : / _ - and single spaces between them, not "a*"',
    ),
    (f"[[team]]\nname = '{MINTED}'", "config.toml:2: team.name: looks like a secret, and names are shown to everyone"),
    (
        f"[[upstream]]\nname = 'a'\nauth = '{VALUE}'",
        'config.toml:3: upstream.auth: must be one of "", "x-api-key", "bearer", "api-key", "x-goog-api-key", "none", '
        'not "********"',
    ),
    (
        "[[customer]]\nname = 'acme'\n[[team]]\nname = 't'\ncustomer = 'acmee'",
        'config.toml:5: team.customer: there is no customer "acmee"; did you mean "acme"?',
    ),
    (f"{UPSTREAM}{KEY}team = 'x'", 'config.toml:7: key.team: there is no team "x"'),
    (f"{UPSTREAM}{KEY}upstreams = ['a', 'b']", 'config.toml:7: key.upstreams: there is no upstream "b"'),
    (f"{OVERRIDE}multiplier = 1\nteam = 'x'", 'config.toml:4: pricing.override.team: there is no team "x"'),
    (
        f"{OVERRIDE}multiplier = 1\nupstream = 'antropic'",
        'config.toml:4: pricing.override.upstream: there is no upstream "antropic"; did you mean "anthropic"?',
    ),
    # keys
    (
        f"{UPSTREAM}{KEY}[[key]]\nname = 'l'\nsecret_hash = '{HASH}'",
        'config.toml:9: key.secret_hash: key "k" has the same secret',
    ),
    (
        f"{UPSTREAM}[[key]]\nname = 'k'",
        'config.toml:4: key: key "k" has neither secret nor secret_hash; `gw key create` makes one',
    ),
    (f"{UPSTREAM}{KEY}secret = 'env:X'", 'config.toml:4: key: key "k" has both secret and secret_hash; keep one'),
    (
        f"{UPSTREAM}[[key]]\nname = 'k'\nsecret_hash = '{MINTED}'",
        "config.toml:6: key.secret_hash: must be the 64 hexadecimal digits that `gw key create` prints, not the key itself",
    ),
    (
        f"{UPSTREAM}[[key]]\nname = 'k'\nsecret = '{MINTED[:-1]}-'",
        "config.toml:6: key.secret: is not a virtual key (gwk_...); `gw key create` makes one",
    ),
    (
        f"{UPSTREAM}[[key]]\nname = 'k'\nsecret = '{MINTED[:-6]}{OTHER[-6:]}'",
        "config.toml:6: key.secret: is a damaged virtual key: its checksum does not fit",
    ),
    (
        f"{UPSTREAM}[[key]]\nname = 'k'\nsecret = 'env:ABSENT'",
        "config.toml:6: key.secret: environment variable ABSENT is not set or empty",
    ),
    (
        f"[[upstream]]\nname = 'a'\napi_key = ''\n{KEY}",
        'config.toml:3: upstream.api_key: is empty, and key "k" needs it',
    ),
    (
        f"{UPSTREAM}{KEY}models = []",
        'config.toml:7: key.models: is empty, so nothing would match; write ["*"] for everything',
    ),
    # patterns, dates, URLs, paths
    (
        "[[upstream]]\nname = 'a'\nmodels = ['opus[1m]']",
        'config.toml:3: upstream.models: pattern "opus[1m]": only * and ? are special, brackets are not supported',
    ),
    (
        "[[upstream]]\nname = 'a'\nmodels = ['']",
        'config.toml:3: upstream.models: the empty pattern matches nothing; write "*" for everything',
    ),
    (f"{UPSTREAM}{KEY}expires = 'soon'", 'config.toml:7: key.expires: must be a date such as 2027-01-31, not "soon"'),
    (f"{UPSTREAM}{KEY}expires = 20270131", "config.toml:7: key.expires: must be a date such as 2027-01-31, not 20270131"),
    (
        f"{UPSTREAM}{KEY}expires = 2027-01-31T10:00:00",
        "config.toml:7: key.expires: has no offset; write 2027-01-31T10:00:00Z for UTC",
    ),
    (f"{UPSTREAM}{KEY}expires = 1927-01-31", "config.toml:7: key.expires: must not be before 2000, not 1927-01-31"),
    (
        "[[upstream]]\nname = 'a'\nbase_url = 'api.x.com'",
        'config.toml:3: upstream.base_url: must begin with "https://" or "http://"',
    ),
    (
        "[[upstream]]\nname = 'a'\nbase_url = 'ftp://x'",
        'config.toml:3: upstream.base_url: must begin with "https://" or "http://", not "ftp:"',
    ),
    ("[[upstream]]\nname = 'a'\nbase_url = 'http://x:99999'", "config.toml:3: upstream.base_url: is not a URL"),
    ("[[upstream]]\nname = 'a'\nbase_url = 'https://[::1'", "config.toml:3: upstream.base_url: is not a URL"),
    ("[[upstream]]\nname = 'a'\nbase_url = 'https://'", "config.toml:3: upstream.base_url: has no valid host and port"),
    (
        f"[[upstream]]\nname = 'a'\nbase_url = 'https://u:{VALUE}@x'",
        "config.toml:3: upstream.base_url: must not contain a user name or password",
    ),
    ("[[upstream]]\nname = 'a'\nbase_url = 'https://x/?a'", 'config.toml:3: upstream.base_url: must not contain "?" or "#"'),
    (
        f"[[upstream]]\nname = 'a'\nproxy = 'http://u:{VALUE}@x'",
        "config.toml:3: upstream.proxy: must not contain a user name or password; put the whole URL behind env:NAME or file:PATH",
    ),
    (
        "[[upstream]]\nname = 'a'\nproxy = 'env:ABSENT'",
        "config.toml:3: upstream.proxy: environment variable ABSENT is not set or empty",
    ),
    (
        "[[upstream]]\nname = 'a'\nca_file = 'absent.pem'",
        "config.toml:3: upstream.ca_file: there is no file /base/absent.pem",
    ),
    (
        "[storage]\nurl = 'postgres://u:p@h/db'",
        "config.toml:2: storage.url: must not contain a password; put the whole address behind env:NAME or file:PATH",
    ),
    (
        "[storage]\nurl = 'postgresql:///db?user=u&password=p'",
        "config.toml:2: storage.url: must not contain a password; put the whole address behind env:NAME or file:PATH",
    ),
    ("[storage]\nurl = 'postgresql:db'", 'config.toml:2: storage.url: must begin with "postgresql://"'),
    ("[storage]\nurl = 'postgresql://h/d b'", 'config.toml:2: storage.url: must not contain "#" or spaces'),
    ("[storage]\nurl = 'env:GW_ABSENT'", "config.toml:2: storage.url: environment variable GW_ABSENT is not set or empty"),
    (
        "[storage]\nurl = 'gw.db'",
        'config.toml:2: storage.url: must be "sqlite:///" and the path of a file, or "postgresql://" and a database',
    ),
    (
        "[storage]\nurl = 'sqlite:///:memory:'",
        "config.toml:2: storage.url: must name a file, without options: several processes share it",
    ),
    ("[server]\nhost = 'a b'", 'config.toml:2: server.host: must be a host name or an IP address, not "a b"'),
    # headers and secrets
    ("[[upstream]]\nname = 'a'\nheaders = { 'a b' = '1' }", 'config.toml:3: upstream.headers: "a b" is not a header name'),
    ("[[upstream]]\nname = 'a'\nheaders = { Host = 'x' }", 'config.toml:3: upstream.headers: "Host" is set by gw itself'),
    ("[[upstream]]\nname = 'a'\nheaders = { X-A = 'x', x-a = 'y' }", 'config.toml:3: upstream.headers: "x-a" is given twice'),
    (
        "[[upstream]]\nname = 'a'\nheaders = { x-a = 'env:ABSENT' }",
        'config.toml:3: upstream.headers: "x-a": environment variable ABSENT is not set or empty',
    ),
    (
        f"[[upstream]]\nname = 'a'\nheaders = {{ x-a = \"{VALUE}\\n\" }}",
        'config.toml:3: upstream.headers: "x-a": the secret contains a line break, a control character or one outside ASCII',
    ),
    ("[[upstream]]\nname = 'a'\napi_key = 5", 'config.toml:3: upstream.api_key: must be text: "env:NAME" or "file:PATH"'),
    (
        "[[upstream]]\nname = 'a'\napi_key = '${ANTHROPIC_API_KEY}'",
        'config.toml:3: upstream.api_key: is not expanded; write "env:NAME" or "file:PATH"',
    ),
    ("[auth]\npepper = 'env:ABSENT'", "config.toml:2: auth.pepper: environment variable ABSENT is not set or empty"),
    ("[auth]\npepper = 'short'", "config.toml:2: auth.pepper: must have at least 16 characters"),
    # money
    (
        f"{OVERRIDE}multiplier = 0.85",
        'config.toml:3: pricing.override.multiplier: must be written in quotes, "0.85": a bare TOML float is not exact',
    ),
    (
        f"{OVERRIDE}input = '1,5'",
        'config.toml:3: pricing.override.input: must be a decimal number in quotes, such as "0.85", not "1,5"',
    ),
    (
        f"{OVERRIDE}input = true",
        'config.toml:3: pricing.override.input: must be a decimal number in quotes, such as "0.85", not true',
    ),
    (
        f"{OVERRIDE}input = '1.0000001'",
        "config.toml:3: pricing.override.input: finer than one pico-USD: Decimal('0.0000010000001')",
    ),
    (
        f"{OVERRIDE}input = -1",
        "config.toml:3: pricing.override.input: must be 0 to 1000000 USD per million tokens, not -1",
    ),
    (f"{OVERRIDE}multiplier = '101'", 'config.toml:3: pricing.override.multiplier: must be 0 to 100, not "101"'),
    (f"{OVERRIDE}multiplier = '0.1234567891'", "config.toml:3: pricing.override.multiplier: has more than 9 decimals"),
    (OVERRIDE, 'config.toml:1: pricing.override: override "o" changes nothing; give a multiplier or some rates'),
    (
        f"{OVERRIDE}multiplier = '1'\noutput = 3",
        'config.toml:1: pricing.override: override "o" has a multiplier and rates (output); keep one of the two',
    ),
    (
        f"{OVERRIDE}multiplier = '1'\nfrom = 2027-01-02\nuntil = 2027-01-02",
        "config.toml:5: pricing.override.until: must be later than from",
    ),
    (
        f"{OVERRIDE}multiplier = '1'\n{OVERRIDE}multiplier = '2'",
        'config.toml:5: pricing.override.name: duplicate name "o", also at config.toml:2',
    ),
    (
        "[pricing]\nunknown_model = 'fallback'\n[pricing.fallback]\ninput = 5\noutput = 25",
        'config.toml:3: pricing.fallback: unknown_model = "fallback" needs all five rates here; '
        "missing: cache_read, cache_write_5m, cache_write_1h",
    ),
    # not TOML
    ("[server]\nport 8080", "config.toml:2: not valid TOML: Expected '=' after a key in a key/value pair (column 6)"),
    ("[server]\n[server]", "config.toml:2: not valid TOML: Cannot declare ('server',) twice (column 8)"),
    ("a = " + "[" * 5000, "config.toml: not valid TOML: nested too deeply"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message[:60] for _, message in BROKEN])
def test_mistake_is_named_with_its_line_and_nothing_else_is(text: str, message: str) -> None:
    assert complaints(text) == [message]


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    assert complaints(
        """\
[server]
prot = 1
port = 0
[[upstream]]
nmae = "a"
[[team]]
name = "t"
customer = "nobody"
[[key]]
name = "k"
team = "u"
secret_hash = "short"
""",
        {"GW_JOURNAL_FSYNC": "often", "ANTHROPIC_API_KEY": "x"},
    ) == [
        'config.toml:2: server.prot: unknown key; did you mean "port"?',
        "config.toml:3: server.port: must be 1 to 65535, not 0",
        "config.toml:4: upstream.name: is required",
        'config.toml:5: upstream.nmae: unknown key; did you mean "name"?',
        'config.toml:8: team.customer: there is no customer "nobody"',
        'config.toml:11: key.team: there is no team "u"',
        "config.toml:12: key.secret_hash: must be the 64 hexadecimal digits that `gw key create` prints, not the key itself",
        'environment: GW_JOURNAL_FSYNC: must be one of "none", "interval", "always", not "often"',
    ]


def test_reference_to_a_name_that_was_itself_refused_is_no_second_mistake() -> None:
    assert complaints(f"{UPSTREAM}[[team]]\nname = 'a*'\n{KEY}team = 'a*'") == [
        'config.toml:5: team.name: must be letters, digits, . @ + : / _ - and single spaces between them, not "a*"'
    ]


def test_file_that_cannot_be_read_is_a_problem_too(tmp_path: Path) -> None:
    (tmp_path / "latin1.toml").write_bytes(b'a = "\xe9"')
    cases = [
        ("absent.toml", "there is no such file"),
        ("", "cannot be read: Is a directory"),
        ("latin1.toml", "is not text in UTF-8"),
    ]
    for name, message in cases:
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / name, {})
        assert [str(problem) for problem in caught.value.problems] == [f"{tmp_path / name}: {message}"]


def test_callers_own_checks_are_asked_once_the_rest_is_right() -> None:
    def refuse(config: Config) -> Iterable[tuple[locate.Path, str]]:
        yield ("pricing", "override", 1), f"is tied with {config.pricing.override[0].name}"

    text = "[[pricing.override]]\nname = 'a'\nmultiplier = 1\n[[pricing.override]]\nname = 'b'\nmultiplier = 1\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, "config.toml", Path("/"), {}, [refuse])
    assert [str(problem) for problem in caught.value.problems] == ["config.toml:4: pricing.override: is tied with a"]
    with pytest.raises(ConfigError) as caught:
        parse(f"x = 1\n{text}", "config.toml", Path("/"), {}, [refuse])
    assert [problem.key for problem in caught.value.problems] == ["x"]
