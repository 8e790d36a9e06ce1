"""What only time can show; the last file of this folder, so that the time has passed meanwhile."""

import asyncio

from tests.flow.client import call
from tests.hostile.ground import Ground
from tests.hostile.loris import HEAD_S, LORIS, Loris


def test_heads_that_drip_and_connections_that_say_nothing_are_closed_in_time(house: Ground, loris: Loris) -> None:
    """They were there while the other files did what they do, and hindered none of it."""
    loris.wait()
    assert len(loris.lives) == LORIS
    assert min(loris.lives) >= HEAD_S - 1 and max(loris.lives) <= HEAD_S + 10
    assert asyncio.run(call(house.port, "/healthz", method="GET")).status == 200
