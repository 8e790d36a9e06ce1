"""What is in force is printed whole, with its origin, and means the same when it is read again."""

import tomllib
from pathlib import Path

from gw.config.effective import Row, effective, toml_text
from gw.config.load import parse
from gw.config.model import Config
from gw.config.schema import specs, walk

HASH = "0123456789abcdef" * 4
TEXT = f"""\
[server]
port = 9000
contact = "the \\"gw\\" team \\\\o/"
connections_max = 5
[pricing.fallback]
input = 5
[[pricing.override]]
name = "o"
multiplier = "0.85"
from = 2027-01-01
[[upstream]]
name = "a"
api_key = "env:A_KEY"
connect_timeout_s = 0.5
headers = {{ "x-a" = "env:A_HEADER", "x.b" = "file:b" }}
[[upstream]]
name = "b"
models = ["x*", "y"]
proxy = "http://proxy:3128"
[[key]]
name = "k"
secret_hash = "{HASH}"
expires = 2027-01-31T12:30:00.5+02:00
[[budget]]
name = "b"
key = "k"
limit_usd = "0.000000001"
anchor = 15
warn_at = [0.5, 1]
[[budget.increase]]
limit_usd = 5
until = 2027-01-31
reason = "spring"
[[budget]]
name = "c"
session = "*"
limit_usd = 25
warn_at = []
[[limit]]
name = "l"
team = "*"
usd = "0.50"
burst = 2
"""
ENVIRON = {"A_KEY": "secret-a", "A_HEADER": "secret-h", "GW_SERVER_WORKERS": "3"}


def rows_of(text: str, base: Path, environ: dict[str, str]) -> tuple[Config, list[Row]]:
    loaded = parse(text, "config.toml", base, environ)
    return loaded.config, effective(loaded.config, loaded.source)


def row(rows: list[Row], *path: str | int) -> Row:
    (found,) = [row for row in rows if (*row.path, row.key) == path]
    return found


def test_each_value_says_where_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("secret-b")
    _, rows = rows_of(TEXT, tmp_path, ENVIRON)
    assert row(rows, "server", "port") == Row("[server]", ("server",), "port", "9000", "config.toml:2")
    assert row(rows, "server", "workers").origin == "GW_SERVER_WORKERS"
    assert row(rows, "server", "host").origin == "default"
    assert row(rows, "upstream", 0, "connect_timeout_s") == Row(
        "[[upstream]]", ("upstream", 0), "connect_timeout_s", "0.5", "config.toml:14"
    )
    assert row(rows, "upstream", 1, "name").origin == "config.toml:17"
    assert row(rows, "pricing", "override", 0, "from").value == "2027-01-01T00:00:00Z"
    assert row(rows, "server", "drain_timeout_s").value == "30"
    assert row(rows, "server", "ping_interval_s").value == "15"


def test_secrets_appear_by_reference_with_their_state(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("secret-b")
    _, rows = rows_of(TEXT, tmp_path, ENVIRON)
    assert (row(rows, "upstream", 0, "api_key").value, row(rows, "upstream", 0, "api_key").note) == ('"env:A_KEY"', "set")
    assert row(rows, "upstream", 0, "headers").value == '{ "x-a" = "env:A_HEADER", "x.b" = "file:b" }'
    assert (row(rows, "upstream", 1, "api_key").value, row(rows, "upstream", 1, "api_key").note) == (
        '"env:ANTHROPIC_API_KEY"',
        "missing",
    )
    assert (row(rows, "upstream", 1, "proxy").value, row(rows, "upstream", 1, "proxy").note) == ('"********"', "literal")
    assert (row(rows, "auth", "pepper").value, row(rows, "auth", "pepper").note) == ('""', "")
    assert "secret-" not in toml_text(rows)


def test_every_key_of_the_schema_is_printed_once(tmp_path: Path) -> None:
    more = "[[content.redact]]\nname='r'\npattern='p'\n"
    more += "[[siem]]\nname='s'\nkind='syslog'\nurl='udp://h:514'\n[[notify]]\nname='n'\nkind='slack'\nurl='https://h'\n"
    more += "[[alert]]\nname='a'\nkind='unpriced_model'\n"
    more += "[[export]]\nname='e'\nto='s3://bucket/e'\n"
    more += "[[route]]\nmodel='m'\n[[route.candidates]]\nupstream='a'\n[[tiers.override]]\nteam='t'\n"
    more += "[[rule]]\nname='r'\n[[rule.when.any]]\nstream=true\n[[rule.do.candidates]]\nupstream='a'\n"
    more += "[[upstream]]\nname='u'\n[[upstream.credential]]\nname='one'\napi_key='env:A_KEY'\n"
    _, rows = rows_of("[[customer]]\nname='c'\n[[team]]\nname='t'\n" + more + TEXT.replace("file:b", "b"), tmp_path, ENVIRON)
    printed = {(tuple(part for part in row.path if isinstance(part, str)), row.key) for row in rows}
    assert printed == {(path, spec.key) for path, table, _ in walk(Config) for spec in specs(table) if spec.table is None}
    assert len({(row.path, row.key) for row in rows}) == len(rows)


def test_what_is_printed_is_a_configuration_that_means_the_same(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("secret-b")
    config, rows = rows_of(TEXT.replace("http://proxy:3128", ""), tmp_path, ENVIRON)
    printed = toml_text(rows)
    tomllib.loads(printed)
    again = parse(printed, "config.toml", tmp_path, {"A_KEY": "secret-a", "A_HEADER": "secret-h"}).config
    assert again == config
    assert again.fingerprint == config.fingerprint
