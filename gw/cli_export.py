"""`gw export`: what goes out of the ledger, by schedule or at once."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import orjson
from msgspec.structs import replace
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gw import clock
from gw.cli_fields import me
from gw.cli_ledger import (
    LedgerCommand,
    config_option,
    console,
    json_option,
    ledger_of,
    load_or_exit,
    past_us,
    utc_text,
)
from gw.config.export_model import Export, Format, What
from gw.config.model import Config
from gw.domain.schedule import next_after, parse_schedule
from gw.export import runs
from gw.export.adhoc import export_now
from gw.export.errors import ExportError
from gw.export.job import Job, job_of
from gw.export.job import Progress as Step
from gw.export.parts import added, totals_text
from gw.export.runs import Run
from gw.export.work import Wish, window, work
from gw.ledger.audit import note
from gw.ledger.store import Database
from gw.snapshot import pepper_of

Done = TypeVar("Done")
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@click.group()
def export() -> None:
    """Send calls, sums and charges to files, S3, GCS or Azure."""


@export.command("list", cls=LedgerCommand)
@config_option
@json_option
def list_exports(*, config_path: str | None, as_json: bool) -> None:
    """Show the configured exports, and how their last runs went."""
    config = load_or_exit(config_path)
    ledger = ledger_of(config)
    found = [(one, *_last(ledger, one.name)) for one in config.export]
    if as_json:
        for one, run, waits in found:
            line = {"name": one.name, "what": one.what, "to": one.to, "every": one.every, "waits": waits}
            _print_json({**line, "next": _next(one), "last": run_fields(run) if run else None})
        return
    if not found:
        click.echo("No exports are configured. Add an [[export]] to config.toml, or send something at once: gw export now --help")
        return
    table = _table("name", "what", "to", "every (UTC)", "last run (UTC)", "rows", "state")
    for one, run, waits in found:
        last = (utc_text(run.ended_us, seconds=False), f"{run.rows_count:,}") if run else ("never", "")
        state = f"{waits.status}: {waits.error}" if waits and waits.error else waits.status if waits else "done" if run else ""
        table.add_row(*map(Text, (one.name, one.what, one.to, one.every or "on request", *last, state)))
    console().print(table)


@export.command("runs", cls=LedgerCommand)
@click.argument("name", required=False, default="")
@config_option
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="Newest runs to show.")
@json_option
def list_runs(*, name: str, config_path: str | None, limit: int, as_json: bool) -> None:
    """Show what has gone out, newest first."""
    ledger = ledger_of(load_or_exit(config_path))
    with ledger.reading() as db:
        found = runs.runs(db, name, limit) if db is not None else []
    if as_json:
        for run in found:
            _print_json(run_fields(run))
        return
    table = _table("run", "export", "range", "rows", "size", "files", "billed USD", "ended (UTC)", "state")
    for run in found:
        totals = orjson.loads(run.totals)
        billed = totals.get("billed_usd", totals.get("BilledCost", ""))
        size = (f"{run.rows_count:,}", _size(run.bytes_count), str(run.objects_count))
        ended = utc_text(run.ended_us) if run.ended_us else ""
        state = f"{run.status}: {run.error}" if run.error else run.status
        table.add_row(*map(Text, (str(run.id), run.export, _range(run), *size, billed, ended, state)))
    console().print(table)


@export.command("run", cls=LedgerCommand)
@click.argument("name")
@config_option
@click.option("--since", metavar="WHEN", help="This window once more: from a span ago, or a date (UTC).")
@click.option("--until", metavar="WHEN", help="End of the window; without it, now.")
@json_option
def run_export(*, name: str, config_path: str | None, since: str | None, until: str | None, as_json: bool) -> None:
    """Run a configured export now: all that is due.

    With --since or --until, a window once more: calls into a folder of their own, days and hours as a new revision.
    """
    config = load_or_exit(config_path)
    known = {one.name: one for one in config.export}
    if name not in known:
        raise click.BadParameter(f'there is no export "{name}"; known: {", ".join(known) or "none"}', param_hint="NAME")
    now_us, ledger = clock.wall_us(), ledger_of(config)
    made = _job(known[name], config, Path(config.server.state_dir))
    low_us, high_us = past_us(since), past_us(until) or now_us
    actor = me()
    note(ledger, now_us, actor.name, actor.via, "run", "export", name, _span(since, until))

    def do(job: Job) -> list[Run]:
        wish = Wish(now_us, "request", actor.name)
        return window(ledger, job, low_us, high_us, wish) if since or until else work(ledger, job, wish)

    done = _shown(made, do, quiet=as_json)
    for run in done:
        if as_json:
            _print_json(run_fields(run))
        else:
            click.echo(f"run {run.id}: {_range(run)}, {run.rows_count:,} rows in {run.objects_count} files to {run.target}")
    if not done and not as_json:
        click.echo("Nothing new to export.")


@export.command("now", cls=LedgerCommand)
@config_option
@click.option("--what", type=click.Choice(get_args(What)), default="calls", show_default=True, help="What to export.")
@click.option("--format", "form", type=click.Choice(get_args(Format)), default="parquet", show_default=True, help="Form.")
@click.option("--to", required=True, metavar="PLACE", help="A folder, or s3://, gs://, az:// (credentials from the environment).")
@click.option("--since", default="all", show_default=True, metavar="WHEN", help="7d, 24h, a date (UTC) or 'all'.")
@click.option("--until", metavar="WHEN", help="A span ago, or a date (UTC); without it, now.")
@click.option("--bucket", type=click.Choice(["hour", "day"]), default="day", show_default=True, help="Of usage and focus.")
@click.option("--columns", default="*", metavar="LIST", help="Only these, comma-separated; may be patterns.")
@click.option("--redact", default="", metavar="LIST", help="Columns of text to leave empty.")
@click.option("--hash", "hashed", default="", metavar="LIST", help="Columns of text to replace by digests.")
@click.option("--rows-per-file", type=click.IntRange(1), default=500_000, show_default=True)
@click.option("--path", "template", default="", metavar="TEMPLATE", help="Folders of {what}, {date} and {hour}.")
@click.option("--endpoint", default="", metavar="URL", help="Of an S3-compatible store that is not AWS.")
@click.option("--region", default="", help="Of the bucket.")
@json_option
def now(*, config_path: str | None, since: str, until: str | None, as_json: bool, **given: Any) -> None:
    """Export a window of time at once. Nothing need be configured, and nothing is remembered."""
    config = load_or_exit(config_path)
    now_us, ledger = clock.wall_us(), ledger_of(config)
    settings = Export(
        name="now",
        what=given["what"],
        to=given["to"],
        format=given["form"],
        bucket=given["bucket"],
        rows_per_file=given["rows_per_file"],
        path=given["template"],
        endpoint=given["endpoint"],
        region=given["region"],
        columns=_words(given["columns"]),
        redact=_words(given["redact"]),
        hash=_words(given["hashed"]),
    )
    low_us, high_us = (0 if since == "all" else past_us(since)), past_us(until) or now_us
    actor, about = me(), {"what": settings.what, "to": settings.to, **_span(since, until)}
    with tempfile.TemporaryDirectory(prefix="gw-export-") as spool:
        job = _job(settings, config, Path(spool))
        note(ledger, now_us, actor.name, actor.via, "export_now", "export", "now", about)
        made = _shown(job, lambda job: export_now(ledger, job, low_us, high_us, now_us), quiet=as_json)
    totals = totals_text(added(part.totals for part in made.parts))
    rows, size = sum(part.rows for part in made.parts), sum(part.size for part in made.parts)
    if as_json:
        found = {"rows": rows, "bytes": size, "files": [part.name for part in made.parts], "totals": totals}
        _print_json({**found, "manifest": made.manifest, "target": made.target})
        return
    billed = totals.get("billed_usd", totals.get("BilledCost"))
    click.echo(f"{rows:,} rows in {len(made.parts)} files ({_size(size)}) to {made.target}")
    if billed is not None:
        click.echo(f"billed: {billed} USD")
    click.echo(f"manifest: {made.manifest}")


def _span(since: str | None, until: str | None) -> dict[str, str]:
    """As the audit tells of it: in the words of who asked."""
    return {name: text for name, text in (("since", since), ("until", until)) if text}


def run_fields(run: Run) -> dict[str, Any]:
    """For programs."""
    moments = {"planned": run.planned_us, "begun": run.begun_us, "ended": run.ended_us}
    return {
        "run": run.id,
        "export": run.export,
        "what": run.what,
        "range": _range(run),
        "revision": run.revision,
        "status": run.status,
        "error": run.error,
        "attempts": run.attempts,
        "rows": run.rows_count,
        "bytes": run.bytes_count,
        "files": run.objects_count,
        "totals": orjson.loads(run.totals),
        "target": run.target,
        "manifest": run.manifest,
        **{f"{name}_us": us for name, us in moments.items()},
    }


def _job(settings: Export, config: Config, state_dir: Path) -> Job:
    try:
        return job_of(settings, config, state_dir, pepper_of(config))
    except OSError as error:
        raise click.ClickException(str(error)) from error


def _shown(made: Job, do: Callable[[Job], Done], *, quiet: bool) -> Done:
    """Does it, with a line that says how far it is, where somebody looks."""
    with _line(hidden=quiet or not sys.stderr.isatty()) as tell:
        try:
            return do(replace(made, tell=tell))
        except ExportError as error:
            raise click.ClickException(str(error)) from error


@contextmanager
def _line(*, hidden: bool) -> Iterator[Callable[[Step], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(), transient=True, disable=hidden) as progress:
        task = progress.add_task("reading", total=None)

        def tell(step: Step) -> None:
            progress.update(task, description=f"{step.rows:,} rows", total=step.of_numbers or None, completed=step.numbers)

        yield tell


def _last(ledger: Database, name: str) -> tuple[Run | None, Run | None]:
    """The last run that is done, and the one that is not."""
    with ledger.reading() as db:
        if db is None:
            return None, None
        done = [run for run in runs.runs(db, name, 20) if run.status == "done"]
        return (done[0] if done else None), runs.unfinished(db, name)


def _next(one: Export) -> str | None:
    return utc_text(next_after(parse_schedule(one.every), clock.wall_us())) if one.every else None


def _range(run: Run) -> str:
    if run.chain:
        return f"{run.low:,} to {run.high:,}"
    text = f"{utc_text(run.low, seconds=False)} to {utc_text(run.high, seconds=False)}"
    return f"{text}, revision {run.revision}" if run.revision else text


def _size(count: int) -> str:
    for unit, name in UNITS:
        if count >= unit:
            return f"{count * 10 // unit / 10:.1f} {name}"
    return f"{count} bytes"


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        right = name in ("rows", "size", "files", "billed USD", "run")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def _print_json(fields: dict[str, Any]) -> None:
    click.echo(orjson.dumps(fields).decode())
