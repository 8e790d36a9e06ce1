"""`make bench` and `make bench-smoke`: runs the scenarios, prints the tables, writes bench/results."""

import os
import platform
import signal
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from bench.load import contenders, results, scenarios, targets, units
from bench.load.contender import ContenderFailed, cores
from bench.load.ground import Collected, Ground, Options, say

RESULTS = Path(__file__).resolve().parents[1] / "results"
ROUNDS, SMOKE_ROUNDS = 5, 2


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[SCENARIO]...")
@click.option("--smoke", is_flag=True, help="Some seconds of each: that all of it works, and that no ratio is far off.")
@click.option("--rounds", type=click.IntRange(1, 100), help=f"Interleaved rounds [default: {ROUNDS}, smoke {SMOKE_ROUNDS}].")
@click.option("--seconds", type=click.FloatRange(1), help="Length of a round [default: as each scenario says].")
@click.option(
    "--soak", "soak_s", type=click.FloatRange(10), default=600.0, show_default=True, help="Length of the soak, seconds."
)
@click.option("--peers", default="litellm,portkey", show_default=True, help="Other gateways to compare with; empty for none.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write [default: bench/results/NAME.json].")
def main(
    names: tuple[str, ...], smoke: bool, rounds: int | None, seconds: float | None, soak_s: float, peers: str, output: Path | None
) -> None:
    """gw beside nginx, a bare ASGI proxy and other gateways, in the same run.

    SCENARIO: small (or small.closed, small.open, small.alone), awake, routed, workers, big, turn, streams, mixed, storm, soak;
    without one, all.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is stopped on the way out
    wanted = tuple(name for name in peers.split(",") if name) if not smoke else ()
    try:
        picked = scenarios.SMOKE if smoke and not names else scenarios.chosen(names)
        contenders.available(wanted)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    options = Options(
        picked, rounds or (SMOKE_ROUNDS if smoke else ROUNDS), seconds or 0.0, soak_s, smoke, ("nginx", "bare", "gw", *wanted)
    )
    started = datetime.now(UTC)
    found = Collected(absent=contenders.absent(options.names))
    for name, why in found.absent.items():
        say(f"{name}: {why}")
    try:
        run(options, found)
    except ContenderFailed as error:
        raise click.ClickException(str(error)) from error
    made = collected(options, found, started)
    path = output or RESULTS / f"{'smoke' if smoke else '+'.join(names) or 'all'}.json"
    results.write(made, path)
    render(made, path)
    click.echo(targets.table(made.targets))
    for note in made.notes:
        click.echo(f"note: {note}")
    click.echo(f"results: {path}")
    if reasons := targets.broken(made.targets, found, smoke=smoke):
        click.echo("\n".join(f"FAILED: {reason}" for reason in reasons), err=True)
        sys.exit(1)


def run(options: Options, found: Collected) -> None:
    """Each upstream's scenarios on contenders that were started for them."""
    if len(set(cores())) < 2:
        found.notes.append("one core alone: gateway, upstream and generator share it, so only the ratios say something")
    if not options.smoke:
        found.units = units.measure()
    for playing, kinds in ((False, scenarios.ANSWERING), (True, scenarios.PLAYING)):
        mine = [name for name in kinds if name in options.scenarios]
        if mine:
            with Ground(options, found, playing=playing) as ground:
                for name in mine:
                    kinds[name](ground)


def collected(options: Options, found: Collected, started: datetime) -> results.Results:
    return results.Results(
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        machine=machine(),
        versions=found.versions,
        scenarios=found.scenarios,
        targets=targets.judge(found, smoke=options.smoke),
        ledger=found.ledger,
        notes=[*found.notes, *late(found)],
        absent=found.absent,
    )


def late(found: Collected) -> list[str]:
    """Rounds that do not count, in words."""
    return [
        f"{name}, {contender}, round {number}: its times do not count: {one.note}"
        for name, scenario in found.scenarios.items()
        for contender, measured in scenario.contenders.items()
        for number, one in enumerate(measured.rounds, 1)
        if one.note
    ]


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    first, second = cores()
    return {
        "cpu": cpu_model(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "placing": f"contenders on core {first}; generator (SCHED_FIFO where allowed), upstream and keeper on core {second}",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def render(made: results.Results, path: Path) -> None:
    """The report beside the file of results, if there is a renderer."""
    if find_spec("bench.load.report") is not None:
        import_module("bench.load.report").write(made, path)


if __name__ == "__main__":
    main()
