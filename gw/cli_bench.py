"""`gw bench`: an open-loop load on a gateway, for operators who want figures of their own machine."""

import os
from typing import TYPE_CHECKING

import click

from gw import statusline

if TYPE_CHECKING:
    from gw.loadgen.trial import Trial


@click.command("bench", short_help="Measure a gateway under load.")
@click.option("--url", metavar="URL", help="The gateway [default: $GW_URL, else $ANTHROPIC_BASE_URL].")
@click.option("--key", metavar="KEY", help="Sent as x-api-key [default: $GW_KEY, else what Claude Code would send].")
@click.option("--rps", type=click.FloatRange(0.1, 100_000), default=10.0, show_default=True, help="Calls a second.")
@click.option("--seconds", type=click.FloatRange(0.1, 86_400), default=10.0, show_default=True, help="For how long.")
@click.option("--stream", is_flag=True, help="Ask for streams, and measure the time to their first byte, too.")
@click.option("--body-kb", type=click.FloatRange(0.2, 30_000), default=1.0, show_default=True, help="Size of a request, kB.")
@click.option("--model", default="claude-haiku-4-5", show_default=True, help="The model to ask for.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Of a call, seconds.")
@click.option("--yes", is_flag=True, help="Do not ask whether the calls may be made.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def bench(
    *,
    url: str | None,
    key: str | None,
    rps: float,
    seconds: float,
    body_kb: float,
    model: str,
    timeout_s: float,
    stream: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Send calls at a fixed rate to a gateway that speaks Anthropic's dialect, and say how long they took.

    The schedule is fixed beforehand: a call's time counts from the moment at which it was due, however long the gateway takes
    over those before it. If this machine cannot keep to the schedule, the times are worthless: the command says so and fails.

    Every call is real. Behind a gateway with a real upstream it is billed.
    """
    from msgspec import json  # noqa: PLC0415

    from gw.loadgen.trial import ask, trial  # noqa: PLC0415  (no other command needs it)

    headers = {"x-api-key": key} if key else statusline.credential(os.environ)
    where = (url or "").rstrip("/") or statusline.address(os.environ)
    if not where:
        raise click.ClickException("there is no gateway: give --url, or set GW_URL")
    if not headers:
        raise click.ClickException("there is no key: give --key, or set GW_KEY or ANTHROPIC_AUTH_TOKEN")
    if not yes:
        calls = f"{max(1, round(rps * seconds)):,} calls of {model} to {where}"
        click.confirm(f"{calls}: where the upstream is real they are billed. Go on?", abort=True, err=True)
    body = ask(model, round(body_kb * 1000), stream=stream)
    try:
        found = trial(where, headers, body, rps=rps, seconds=seconds, stream=stream, timeout_s=timeout_s)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.format(json.encode(found), indent=1).decode() if as_json else text_of(found))
    failures = sum(found.failed.values())
    if found.worthless or failures:
        raise click.ClickException(found.worthless or f"{failures:,} of {found.due:,} calls failed")


def text_of(found: "Trial") -> str:
    """For people."""
    pace = f"{found.answered / found.seconds:,.1f}/s, {found.connections} connections"
    lines = [f"{found.answered:,} of {found.due:,} calls answered in {found.seconds:.1f} s ({pace})"]
    lines += [f"failed: {count:,} x {why}" for why, count in found.failed.items()]
    lines += ["", " " * 24 + "".join(f"{name:>10}" for name in found.latency_ms)]
    rows = {
        "latency, ms": found.latency_ms,
        "to the first byte, ms": found.first_byte_ms,
        "generator late by, ms": found.late_ms,
    }
    lines += [f"{what:24}" + "".join(f"{value:10,.2f}" for value in spread.values()) for what, spread in rows.items() if spread]
    return "\n".join(lines)
