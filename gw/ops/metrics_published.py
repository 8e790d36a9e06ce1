"""What the keeper tells /metrics and /healthz/accounting of every worker: `<state_dir>/metrics.msgpack`, replaced once a second.

It is also how the next keeper goes on: counters are kept in it with the number of the last row that they hold, so a keeper that
was killed is made up for from the ledger's rows behind that number (gw/metering.py).
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from gw.ops.metrics_figures import Counted

FILE = "metrics.msgpack"


class BudgetGauge(Struct, frozen=True, array_like=True):
    """One account of a budget, in the window of now. Amounts are nano-USD."""

    budget: str
    scope: str
    account: str
    mode: str
    limit_nusd: int
    settled_nusd: int
    reserved_nusd: int


class BudgetWindow(Struct, frozen=True, array_like=True):
    """The window of now; both 0 of one that never ends. Accounts beyond those that are shown, and sessions, in `hidden`."""

    budget: str
    start_us: int
    end_us: int
    hidden: int


class Sources(Struct, frozen=True):
    """How calls of a span of time were priced. `looked_us` 0: nobody has looked yet."""

    looked_us: int = 0
    hours: int = 0  # length of the span
    exact: int = 0
    observed: int = 0
    estimated: int = 0
    unpriced: int = 0
    unpriced_models: tuple[str, ...] = ()  # those with the most calls first


class Open(Struct, frozen=True):
    """What has begun and not ended, as the ledger and the shared state have it."""

    calls: int = 0  # begun, without a row yet
    oldest_call_us: int = 0  # when the oldest of them began; 0: there is none
    holds: int = 0  # of budgets, also of calls that run


class Published(Struct, frozen=True):
    written_us: int
    counted: Counted
    budgets: tuple[BudgetGauge, ...] = ()
    windows: tuple[BudgetWindow, ...] = ()
    sources: Sources = Sources()
    open: Open = Open()
    committed_us: int = 0  # when rows were last committed


encoded = msgspec.msgpack.Encoder().encode
decoded = msgspec.msgpack.Decoder(Published).decode


def write_published(state_dir: Path, published: bytes) -> None:
    """What `encoded` made. Raises OSError."""
    partial = state_dir / f".{FILE}.partial"
    partial.write_bytes(published)
    partial.replace(state_dir / FILE)


def read_published(state_dir: Path) -> Published | None:
    """None if none was written, or only one of another version."""
    try:
        return decoded((state_dir / FILE).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
