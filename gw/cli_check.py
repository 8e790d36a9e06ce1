"""`gw check`: is the configuration right, and what is in force?"""

import json
import sys

import click
from msgspec import to_builtins
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from gw import clock
from gw.budgets import budgets_of, limits_of
from gw.cli_check_upstreams import Said, lines_of, said_of
from gw.config.combined import judge, told
from gw.config.effective import Row, assignment, comment_of, effective
from gw.config.load import ConfigError, Loaded, Problem, find, read
from gw.config.model import Config
from gw.domain.budget import Budget, effective_limit_nusd
from gw.domain.limit import NUSD_PER_UNIT, Limit
from gw.domain.money import PUSD_PER_NUSD, usd_text
from gw.domain.window import bounds, describe, next_reset_text
from gw.ledger.control import read_stored
from gw.ledger.database import database_of
from gw.ledger.store import StoreError
from gw.prices import override_problems

COMMENT_COLUMN = 48  # where origins begin, for values that leave room
STYLE_OF_NOTE = {"missing": "yellow", "literal": "yellow", "set": "green"}


@click.command(short_help="Validate the configuration and print what is in force.")
@click.option("--config", "config_path", metavar="PATH", help="Configuration file [default: $GW_CONFIG, else ./config.toml].")
@click.option("--reach", is_flag=True, help="Also fetch each upstream's credential, and see whether its address answers.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(config_path: str | None, reach: bool, as_json: bool) -> None:
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
    loaded = replace(loaded, source=replace(loaded.source, warnings=(*loaded.source.warnings, *_out_of_force(loaded.config))))
    try:
        upstreams = said_of(loaded.config, reach=reach)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        report = _report(loaded) | {"upstreams": [to_builtins(one) for one in upstreams]}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    Console(soft_wrap=True, highlight=False).print(_pretty(effective(loaded.config, loaded.source)), end="")
    _complain(loaded.source.warnings, "yellow", "warning: ")
    _summary(loaded, upstreams)


def _out_of_force(config: Config) -> list[Problem]:
    """What the database defines and this configuration does not let be."""
    try:
        stored = read_stored(database_of(config.storage.address))
        return [Problem(None, "", told(one), "database") for one in judge(config, stored)]
    except StoreError as error:
        return [Problem(None, "", f"cannot be looked at: {error}", "database")]


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


def _summary(loaded: Loaded, upstreams: list[Said]) -> None:
    config = loaded.config
    counts = [
        _count(len(config.upstream), "upstream"),
        _count(len(config.key), "key"),
        _count(len(config.pricing.override), "price override"),
        _count(len(config.budget), "budget"),
        _count(len(config.limit), "limit"),
        _count(len(loaded.source.warnings), "warning"),
    ]
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    now_us = clock.wall_us()
    for one in upstreams:
        first, *wrong = lines_of(one)
        console.print(Text.assemble(("upstream ", "cyan"), first))
        for line in wrong:
            console.print(Text(line, "yellow"))
    for kind, lines in (
        ("budget", [_budget_text(budget, now_us) for budget in budgets_of(config)]),
        ("limit", [_limit_text(limit) for limit in limits_of(config)]),
    ):
        for line in lines:
            console.print(Text.assemble((f"{kind} ", "cyan"), line))
    console.print(Text.assemble(("valid", "bold green"), f": {loaded.source.name} ({', '.join(counts)})"))


def _budget_text(budget: Budget, now_us: int) -> str:
    """`platform: team "platform", $2500 monthly, hard, reserves typical, resets Dec 1 00:00 CET`."""
    limit = usd_text(effective_limit_nusd(budget, now_us) * PUSD_PER_NUSD)
    end_us = bounds(budget.window, now_us)[1]
    reset = f", resets {next_reset_text(end_us, budget.window.time_zone)}" if end_us else ""
    return (
        f"{budget.id}: {_scope_text(budget)}, ${limit} {describe(budget.window)}, {budget.mode}, reserves {budget.reserve}{reset}"
    )


def _limit_text(limit: Limit) -> str:
    """`bursts: key "ci", 60 requests per 60 s, at most 120 at once`."""
    if limit.kind == "parallel":
        return f"{limit.id}: {_scope_text(limit)}, {limit.amount} calls at once"
    amount, burst = (
        f"${usd_text(units * NUSD_PER_UNIT * PUSD_PER_NUSD)}" if limit.kind == "usd" else str(units)
        for units in (limit.amount, limit.burst)
    )
    kind = "" if limit.kind == "usd" else f" {limit.kind.replace('_', ' ')}"
    return f"{limit.id}: {_scope_text(limit)}, {amount}{kind} per {limit.per_ns // 10**9} s, at most {burst} at once"


def _scope_text(rule: Budget | Limit) -> str:
    scope = rule.scope
    each = "each " if scope.kind == "session" or (scope.each and scope.is_pattern) else ""
    of = f' of key "{scope.key}"' if scope.key else ""
    name = "" if each and scope.name == "*" else f' "{scope.name}"'
    return f"{each}{scope.kind}{name}{of}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
