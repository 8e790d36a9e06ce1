"""`gw check`: is the configuration right, and what is in force?"""

import json
import sys

import click
from rich.console import Console
from rich.text import Text

from gw.config.effective import Row, assignment, comment_of, effective
from gw.config.load import ConfigError, Loaded, Problem, find, read
from gw.prices import override_problems

COMMENT_COLUMN = 48  # where origins begin, for values that leave room
STYLE_OF_NOTE = {"missing": "yellow", "literal": "yellow", "set": "green"}


@click.command()
@click.option(
    "--config", "config_path", metavar="PATH", help="Configuration file [default: $GW_CONFIG, else ./config.toml]."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(config_path: str | None, as_json: bool) -> None:
    """Validate the configuration and print what is in force, with the origin of every value.

    What is printed is itself a valid configuration. Secrets appear by reference only. Exit code 1, and every problem on
    stderr, if gw could not start with it.
    """
    try:
        loaded = read(find(config_path), extra_checks=[override_problems])
    except ConfigError as error:
        if as_json:
            click.echo(json.dumps({"valid": False, "problems": [_plain(problem) for problem in error.problems]}, indent=2))
        _complain(error.problems, "bold red")
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_report(loaded), indent=2, ensure_ascii=False))
        return
    Console(soft_wrap=True, highlight=False).print(_pretty(effective(loaded.config, loaded.source)), end="")
    _complain(loaded.source.warnings, "yellow", "warning: ")
    _summary(loaded)


def _report(loaded: Loaded) -> dict[str, object]:
    """The answer for programs: values as TOML literals, so that nothing is lost on the way."""
    rows = effective(loaded.config, loaded.source)
    return {
        "valid": True,
        "source": loaded.source.name,
        "fingerprint": loaded.config.fingerprint,
        "values": [
            {
                "key": ".".join(str(part) for part in (*row.path, row.key)),
                "value": row.value,
                "origin": row.origin,
                **({"secret": row.note} if row.note else {}),
            }
            for row in rows
        ],
        "warnings": [_plain(problem) for problem in loaded.source.warnings],
    }


def _plain(problem: Problem) -> dict[str, object]:
    return {"source": problem.source, "line": problem.line, "key": problem.key, "message": problem.message}


def _pretty(rows: list[Row]) -> Text:
    """TOML with aligned comments: defaults dim, what somebody set bright."""
    text = Text()
    last: tuple[str | int, ...] | None = None
    for row in rows:
        if row.path != last:
            text.append("\n" if last is not None else "").append(f"{row.header}\n", "bold cyan")
            last = row.path
        is_default = row.origin == "default"
        line = assignment(row)
        text.append(line, "dim" if is_default else "bold")
        text.append(" " * max(COMMENT_COLUMN - len(line), 2))
        text.append(f"# {comment_of(row)}\n", STYLE_OF_NOTE.get(row.note, "dim" if is_default else "cyan"))
    return text


def _complain(problems: list[Problem] | tuple[Problem, ...], style: str, prefix: str = "") -> None:
    """One line each on stderr; the words are `str(problem)`, only coloured."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for problem in problems:
        place = str(problem).removesuffix(problem.message)
        console.print(Text.assemble((prefix, style), (place, "bold"), (problem.message, "" if prefix else style)))


def _summary(loaded: Loaded) -> None:
    config = loaded.config
    counts = [
        _count(len(config.upstream), "upstream"),
        _count(len(config.key), "key"),
        _count(len(config.pricing.override), "price override"),
        _count(len(loaded.source.warnings), "warning"),
    ]
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("valid", "bold green"), f": {loaded.source.name} ({', '.join(counts)})"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
