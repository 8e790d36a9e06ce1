"""Holds the gateway to account for a run: its ledger against the invoice, and what it says of its own work."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.load import books
from bench.load.contender import Contender
from bench.load.contenders import GatewayContender
from bench.load.ground import Ground, Once

US = 1_000_000
PARTS = {"governance": "governance", "overhead": "all"}  # figure -> part in gw_overhead_seconds


class Accounts:
    """Of one scenario. Only runs whose every request is waited for can be compared to the token."""

    def __init__(self, ground: Ground, scenario: str) -> None:
        self._ground = ground
        self._scenario = scenario
        self._own: dict[str, float] = {}

    @contextmanager
    def of(self, contender: Contender) -> Iterator[str]:
        """Gives the name of the run, by which its sessions must begin; for the gateway, compares the books afterwards."""
        run = self._ground.run_name(self._scenario, contender)
        if not isinstance(contender, GatewayContender):
            yield run
            return
        invoice, before = self._ground.upstream.charged(), books.get(contender, "/metrics")
        yield run
        self._own = own_work(before, books.get(contender, "/metrics"))
        charged = self._ground.upstream.charged().less(invoice)
        self._ground.results.ledger.append(books.compare(contender, self._scenario, run, charged))

    def add_to(self, made: Once, contender: Contender) -> None:
        """What the gateway said of its own work in the run just over, if it says so."""
        if isinstance(contender, GatewayContender):
            made.figures.update(self._own)


def own_work(before: str, after: str) -> dict[str, float]:
    """Figures between two pages of /metrics."""
    buckets = books.since(books.overhead(before), books.overhead(after))
    figures = {}
    for name, part in PARTS.items():
        if found := buckets.get(part):
            figures[f"{name}_p50_us"] = books.quantile(found, 0.5) * US
            figures[f"{name}_p99_us"] = books.quantile(found, 0.99) * US
    calls = buckets["all"][-1][1] if buckets.get("all") else 0
    if calls:
        begun = books.parts(before)
        figures |= {f"part_{part}_us": (sum_s - begun.get(part, 0)) / calls * US for part, sum_s in books.parts(after).items()}
    return figures
