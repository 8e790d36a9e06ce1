"""`awake`: the same calls on a machine whose processors do not sleep between them, as gw's `[server] keep_awake` asks the kernel.

Asked here for all contenders alike, so that what they add is compared under the same conditions.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.load.ground import PEERS, Ground
from bench.load.scenarios import small, turn
from gw.ops.awake import DEVICE, Awake

OPEN_S = 20


def alone(ground: Ground) -> None:
    """One connection, as `small.alone`."""
    with kept_awake(ground, "awake.alone") as able:
        if able:
            small.alone(ground, "awake.alone")


def open_loop(ground: Ground) -> None:
    """5,000 requests per second, as `small.open`."""
    with kept_awake(ground, "awake.open") as able:
        if able:
            small.open_loop(ground, "awake.open", OPEN_S, without=PEERS)


def turns(ground: Ground) -> None:
    """200 turns per second, as `turn`."""
    with kept_awake(ground, "awake.turn") as able:
        if able:
            turn.run(ground, "awake.turn", without=PEERS)


@contextmanager
def kept_awake(ground: Ground, name: str) -> Iterator[bool]:
    """Whether the kernel lets us."""
    one = Awake()
    one.hold()
    try:
        if not one.holds:
            ground.results.notes.append(f"{name}: not measured, for want of the right to write to {DEVICE}")
        yield one.holds
    finally:
        one.close()
