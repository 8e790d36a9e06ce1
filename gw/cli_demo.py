"""`gw demo`: gw in front of a fake Anthropic upstream, with sample Claude Code sessions flowing through it."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from gw.clock import mono_ns, wall_us
from gw.demo.audit import Audit, audit
from gw.demo.gateway import Gateway, GatewayFailed, free_port
from gw.demo.scripts import by_prompt
from gw.demo.site import LEDGER, STATE, prepare
from gw.demo.traffic import Seat, Tally, keep_going
from gw.demo.upstream import UpstreamThread
from gw.domain.money import usd_rounded, usd_text
from gw.ledger import reports
from gw.ledger.sqlite import SqliteDatabase
from gw.made_up import DAYS, write_history
from gw.ops.admin_token import load_admin_token

REPORT_EVERY_S = 5.0
UNITS_S = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """`30s`, `5m`, `1h`, or a number of seconds; value in whole seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip()
        number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS_S else (text, "s")
        if not number.isdecimal() or not int(number):
            self.fail(f"{text!r} is not a duration such as 30s, 5m or 1h", param, ctx)
        return int(number) * UNITS_S[unit]


@click.command("demo", short_help="Run gw with sample sessions: no key needed.")
@click.option(
    "--sessions", type=click.IntRange(1, 200), default=6, show_default=True, help="Simulated developers at work at once."
)
@click.option("--for", "for_s", type=Duration(), help="Stop after this long (30s, 5m); without it, run until Ctrl-C.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Where gw listens; 0 takes any free port."
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Directory of the configuration, the keys and the ledger.",
)
@click.option(
    "--history",
    "days",
    type=click.IntRange(0, 365),
    default=DAYS,
    show_default=True,
    help="Days of made-up calls before today in a new ledger; 0: none.",
)
def demo(sessions: int, for_s: int | None, port: int, directory: Path, days: int) -> None:
    """Run gw in front of a fake Anthropic upstream with sample sessions flowing: everything to see, no key needed."""
    with UpstreamThread(by_prompt) as upstream:
        port = port or free_port()
        config, seats = prepare(directory, upstream_url=upstream.base_url, port=port)
        if made_up := write_history(directory, config, seats, days):
            click.echo(f"{made_up:,} calls of {days} days are made up, so that pages have something to say (--history 0: none)")
        gateway = Gateway(config, port, directory / "gw.log", {})
        try:
            with gateway:
                greeting = _where_to_look(gateway, config, upstream.base_url, seats)
                asyncio.run(_flow(greeting, gateway.base_url, seats, upstream, sessions=sessions, for_s=for_s))
                click.echo("\nstopping ...")
        except GatewayFailed as error:
            raise click.ClickException(str(error)) from error
    subprocess.run([sys.executable, "-m", "gw", "usage", "--by", "team", "--config", str(config)], check=False)
    records, _ = reports.logs(SqliteDatabase(directory / LEDGER), limit=2**31)
    result = audit(records, upstream.invoice.lines())
    click.echo(_verdict(result))
    click.echo(f"Kept in {directory}; look again with: gw usage --config {config}")
    if not result.good:
        sys.exit(1)


def _verdict(result: Audit) -> str:
    """The ledger beside the upstream's own invoice."""
    if not result.good:
        wrong = f"{len(result.differing)} differ, {len(result.missing)} have no row"
        return f"THE LEDGER IS NOT THE INVOICE: {wrong}: {', '.join((*result.differing, *result.missing)[:10])}"
    lines = [
        f"{result.exact_count} whole answers: ledger ${usd_text(result.exact_ledger_pusd)} = the upstream's own invoice "
        f"${usd_text(result.exact_invoice_pusd)}, to the pico-dollar, call by call."
    ]
    if result.cut_count:
        lines.append(
            f"{result.cut_count} cut short: ledger ${usd_text(result.cut_ledger_pusd)} as observed, "
            f"invoice ${usd_text(result.cut_invoice_pusd)} as produced."
        )
    return "\n".join(lines)


def _where_to_look(gateway: Gateway, config: Path, upstream_url: str, seats: list[Seat]) -> str:
    return "\n".join(
        [
            f"gw            {gateway.base_url}  (log: {gateway.log})",
            f"fake upstream {upstream_url}  (its own invoice: {upstream_url}/__invoice)",
            f"dashboard     {gateway.base_url}/  (sign in with {load_admin_token(config.parent / STATE).text})",
            "",
            "Look, in another terminal:",
            f"  gw usage --by team --config {config}",
            f"  gw usage --by model --config {config}",
            f"  gw usage --by agent --config {config}",
            f"  gw logs --follow --config {config}",
            f"  curl -s {gateway.base_url}/metrics",
            "Or send Claude Code through it (answers are made up; no money is spent):",
            f"  export ANTHROPIC_BASE_URL={gateway.base_url}/anthropic",
            f"  export ANTHROPIC_AUTH_TOKEN=$(cat {config.parent / 'keys' / seats[0].name})",
            "",
            "Ctrl-C stops everything.",
        ]
    )


async def _flow(
    greeting: str, base_url: str, seats: list[Seat], upstream: UpstreamThread, *, sessions: int, for_s: int | None
) -> None:
    """Sessions until the time is up or a signal comes; one line of news every few seconds."""
    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    click.echo(greeting)  # from here on Ctrl-C is an orderly end
    tally = Tally()
    seed = f"{wall_us()}:{os.getpid()}"
    began = mono_ns()
    work = keep_going(f"{base_url}/anthropic", seats, tally, sessions=sessions, seed=seed)
    traffic = asyncio.create_task(work, name="demo-traffic")
    stopped = asyncio.create_task(done.wait(), name="demo-stop")
    try:
        while not done.is_set() and not traffic.done():
            passed = (mono_ns() - began) / 1e9
            if for_s is not None and passed >= for_s:
                break
            wait_s = REPORT_EVERY_S if for_s is None else min(REPORT_EVERY_S, for_s - passed)
            await asyncio.wait([traffic, stopped], timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            spent = usd_rounded(upstream.invoice.total_pusd(), 4)
            click.echo(f"{(mono_ns() - began) // 10**9:>5} s   {tally.line()}   invoice ${spent}")
    finally:
        traffic.cancel()
        stopped.cancel()
        results = await asyncio.gather(traffic, stopped, return_exceptions=True)
    if isinstance(results[0], Exception):
        raise results[0]
