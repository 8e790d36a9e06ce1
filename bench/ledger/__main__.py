"""Makes a ledger of synthetic calls.

    python -m bench.ledger --to sqlite:///big.db [--calls 5000000] [--days 90] [--until 2026-11-22]

`--to` is an empty ledger, or one that an earlier run of this was about to fill: then it goes on there. Calls end before `--until`
(a day, UTC; the default is fixed, so that two runs make the same ledger).
"""

import argparse
from datetime import UTC, datetime

from bench.ledger.fill import DAYS, run
from gw import clock

CALLS = 5_000_000
UNTIL = "2026-11-22"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description="Makes a ledger of synthetic calls.")
    parser.add_argument("--to", required=True, metavar="URL", help="sqlite:///FILE or postgresql://...")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--until", default=UNTIL, metavar="DATE")
    given = parser.parse_args()
    until_us = int(datetime.fromisoformat(given.until).replace(tzinfo=UTC).timestamp()) * 1_000_000
    begun_ns = clock.mono_ns()
    written = run(given.to, given.calls, until_us=until_us, days=given.days)
    seconds = (clock.mono_ns() - begun_ns) / 1e9
    print(f"{written:,} calls in {seconds:.0f} s, {written / max(seconds, 0.001):,.0f} a second, indexes included")


if __name__ == "__main__":
    main()
