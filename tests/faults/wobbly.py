"""`gw serve` whose wall clock stands an hour back while the file named by GW_TEST_EARLIER exists."""

import os
from pathlib import Path

from gw import cli, clock

HOUR_US = 3_600_000_000
MARK = Path(os.environ["GW_TEST_EARLIER"])
right_us = clock.wall_us

clock.wall_us = lambda: right_us() - (HOUR_US if MARK.exists() else 0)

if __name__ == "__main__":
    cli.main()
