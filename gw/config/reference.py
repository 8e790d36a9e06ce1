"""docs/config.md and the shipped config.toml, written from the model: `python -m gw.config.reference [markdown|toml]`.

Both are committed and a test compares them with what this writes, so neither can say anything that the code does not do.
"""

import sys
import textwrap
from collections.abc import Iterator

from msgspec import Struct

from gw.config import alert_model, routing_model, upstream_model
from gw.config.effective import literal
from gw.config.model import Config
from gw.config.schema import Spec, section_text, specs, variable_of, walk

COLUMNS = 110

# The keys that stand uncommented in config.toml: those that a first reader looks for.
ACTIVE = frozenset(
    [
        ("server", "host"),
        ("server", "port"),
        ("auth", "passthrough"),
        ("storage", "url"),
        ("upstream", "name"),
        ("upstream", "api_key"),
    ]
)
ACTIVE_TABLES = frozenset(["server", "auth", "storage", "journal", "pricing", "upstream"])

# What a table looks like in use; in config.toml as a comment, in docs/config.md as a block. A test reads them all.
EXAMPLES = {
    "budget": """\
[[budget]]  # ten dollars a day, Berlin time, for each virtual key
name = "each key"
key = "*"
each = true
limit_usd = "10"
window = "day"
time_zone = "Europe/Berlin"

[[budget]]  # all calls of Opus together, from the 15th to the 14th; warns only
name = "opus"
model = "claude-opus-*"
limit_usd = "5000"
anchor = 15
mode = "soft"
warn_at = [0.9]

[[budget]]  # a session that runs away stops here
name = "sessions"
session = "*"
limit_usd = "25"
window = "lifetime"
""",
    "limit": """\
[[limit]]  # each virtual key: 60 requests a minute, up to 20 at once
name = "pace"
key = "*"
each = true
requests = 60
burst = 20

[[limit]]  # a session runs at most 8 agents at a time
name = "agents"
session = "*"
parallel = 8

[[limit]]  # all together: 50 dollars an hour
name = "burn rate"
upstream = "*"
usd = "50"
per = "1h"
""",
    "export": """\
[[export]]  # every call, once, within the hour
name = "warehouse"
to = "s3://company-finops/gw"
region = "eu-central-1"
hash = ["session_id", "device"]

[[export]]  # charges for a FinOps tool, each day at half past three; a day that changes later is exported anew
name = "focus"
what = "focus"
to = "file:///srv/finops"
format = "csv"
every = "daily 03:30"
""",
}
EXAMPLES |= alert_model.EXAMPLES
EXAMPLES |= routing_model.EXAMPLES
EXAMPLES |= upstream_model.EXAMPLES

TOML_INTRODUCTION = """\
The configuration of gw. It works as it is: every key is here, with its default, and those that begin with # are off.
Claude Code is forwarded under its own credential; set ANTHROPIC_API_KEY for gw when you hand out virtual keys.

Secrets are written env:NAME or file:PATH. Relative paths start at the directory of this file.
Any key of [server], [auth], [storage], [journal], [pricing], [budgets], [routing], [tiers], [audit], [alerts],
[metrics], [content], [otel], [datadog] and [claude_telemetry] can also be set by a variable:
GW_SERVER_PORT=9000.
An unknown key stops the start. `gw check` shows what is in force and where it came from; docs/config.md says the rest."""

MARKDOWN_INTRODUCTION = """\
# Configuration

Written by `python -m gw.config.reference markdown > docs/config.md` from `gw/config/model.py`; do not edit.

gw reads the file named by `--config`, else by `GW_CONFIG`, else `config.toml` in the working directory. Without any, all
defaults below apply, with one upstream named `anthropic`. `gw check` validates the file and prints what is in force: each
value, and whether it is the default, a line of the file or a variable.

- **Mistakes** stop the start, all of them named at once:
  `config.toml:12: upstream.base_ulr: unknown key; did you mean "base_url"?`
- **Secrets** are written `env:NAME` or `file:PATH`. A secret in the file itself works, with a warning; none is ever printed.
  A missing `api_key` does not stop the start while no virtual key needs it.
- **Paths** that are relative start at the directory of the file.
- **Variables** override single keys of the tables `[server]`, `[auth]`, `[storage]`, `[journal]`, `[pricing]`, `[budgets]`,
  `[routing]`, `[tiers]`, `[audit]`, `[alerts]`, `[metrics]`, `[content]`, `[otel]`, `[datadog]` and `[claude_telemetry]`, as
  named below; they are checked like the file, and an unknown `GW_SERVER_...` is an error too.
- **Money** is written in quotes (`"0.85"`) or as a whole number; a bare TOML float is refused, because it is not exact.
- **Dates** are TOML dates (`2027-01-31`, meaning 00:00 UTC) or date-times with an offset. Spans are half-open: from <= t < until.
- **Patterns** know `*` and `?`; case matters where nothing else is said. Brackets are refused: `opus[1m]` would not match the
  model of that name.
- An empty text means "not set"."""


def toml_text() -> str:
    """The shipped config.toml."""
    lines = [f"# {line}".rstrip() for line in TOML_INTRODUCTION.splitlines()]
    for path, table, many in walk(Config):
        lines += ["", *_toml_table(path, table, many=many)]
    return "\n".join(lines) + "\n"


def markdown_text() -> str:
    """docs/config.md."""
    lines = MARKDOWN_INTRODUCTION.splitlines()
    for path, table, many in walk(Config):
        lines += ["", f"## `{_header(path, many=many)}`", "", section_text(table), ""]
        lines += _markdown_table(path, [spec for spec in specs(table) if spec.table is None])
        if example := EXAMPLES.get(".".join(path)):
            lines += ["", "```toml", *example.splitlines(), "```"]
    return "\n".join(lines) + "\n"


def _header(path: tuple[str, ...], *, many: bool) -> str:
    name = ".".join(path)
    return f"[[{name}]]" if many else f"[{name}]"


def _toml_table(path: tuple[str, ...], table: type[Struct], *, many: bool) -> Iterator[str]:
    name = ".".join(path)
    yield from _comment(section_text(table))
    yield f"{'' if name in ACTIVE_TABLES else '#'}{_header(path, many=many)}"
    for spec in specs(table):
        if spec.table is None:
            yield from _comment(f"{spec.effect} {_range(spec)}")
            yield f"{'' if (name, spec.key) in ACTIVE else '#'}{spec.key} = {_written(spec)}"
    if name in EXAMPLES:
        yield "# For example:"
        yield from (f"#   {line}".rstrip() for line in EXAMPLES[name].splitlines())


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, COLUMNS - 2, break_on_hyphens=False)]


def _range(spec: Spec) -> str:
    """What may stand there, and the default where an example stands in its place."""
    if spec.kind in {"bool", "text"}:
        return ""
    differs = spec.example is not None and not spec.required
    return f"({spec.range_text}{'; default ' + literal(spec.default) if differs else ''})"


def _written(spec: Spec) -> str:
    return literal(spec.default if spec.example is None else spec.example)


def _markdown_table(path: tuple[str, ...], keys: list[Spec]) -> Iterator[str]:
    with_variables = len(path) == 1 and all(spec.kind == "table" for spec in specs(Config) if spec.key == path[0])
    titles = ["key", "default", "range", "effect", *(["variable"] if with_variables else [])]
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    for spec in keys:
        default = "required" if spec.required else f"`{literal(spec.default)}`"
        cells = [f"`{spec.key}`", default, spec.range_text, spec.effect]
        if with_variables:
            cells.append(f"`{variable_of(path[0], spec.key)}`" if spec.scalar else "")
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main(arguments: list[str]) -> int:
    """Writes one of the two to standard output; 2 for an unknown word."""
    writers = {"markdown": markdown_text, "toml": toml_text}
    writer = writers.get(arguments[0] if arguments else "markdown")
    if writer is None:
        sys.stderr.write("usage: python -m gw.config.reference [markdown|toml]\n")
        return 2
    sys.stdout.write(writer())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
