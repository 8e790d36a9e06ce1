"""The only module that asks the operating system for the time.

Durations and deadlines use the monotonic clock, records and price dates the wall clock. Both are integers in
nanoseconds; the ledger stores wall time in microseconds (`wall_us`), which SQLite and Postgres both hold exactly.
"""

import time

mono_ns = time.monotonic_ns
wall_ns = time.time_ns
process_ns = time.process_time_ns  # processor time of this process, all threads

Number = int  # compiled, a C integer: clock.pxd


def wall_us() -> int:
    """UTC now, microseconds since 1970."""
    now: Number = wall_ns()
    return now // 1000
