"""Times that are claimed, on a machine that has other work too.

On a quiet machine a claim is taken at its word. On one whose processes wait for a core, as this suite's own do beside each
other, each step takes several times as long, and what is judged is that it comes at all in a time of that order.
"""

import os
from contextlib import suppress
from pathlib import Path

QUIET_PERCENT = 10.0  # of the last ten seconds in which somebody waited for a core
BUSY = 8  # times as long


def busy() -> bool:
    """Whether processes wait for a core: as Linux says, elsewhere by how many want one."""
    with suppress(OSError):
        some = Path("/proc/pressure/cpu").read_text().split()
        return float(some[1].removeprefix("avg10=")) > QUIET_PERCENT
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def allowed(claimed: float) -> float:
    """As much as that may be at the moment: seconds, or what passes in them."""
    return claimed * BUSY if busy() else claimed
