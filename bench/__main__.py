"""`make bench` and `make bench-smoke`."""

import os
import sys

from bench.load import small


def main() -> None:
    if "--smoke" in sys.argv[1:]:
        os.environ.setdefault("BENCH_ROUNDS", "1")
        os.environ.setdefault("BENCH_SECONDS", "2")
        os.environ.setdefault("BENCH_FLOOR", "0")
    small.main()


main()
