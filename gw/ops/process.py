"""What every child process of the gateway does at its start."""

import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PR_SET_PDEATHSIG = 1
GC_THRESHOLDS = (20_000, 20, 50)  # the default of 700 collects at every 15th call
SUPERVISOR = "GW_SUPERVISOR"  # variable in the children's environment: the supervisor's process id


def die_with_supervisor(number: signal.Signals) -> None:
    """From here on this process gets the signal when the supervisor is gone, however it went, so that no orphan serves.

    Linux tells at once (and means the thread that forked: the supervisor's main one); elsewhere `orphaned` has to be asked.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if orphaned():
        os.kill(os.getpid(), number)


def orphaned() -> bool:
    """The supervisor is gone. Not asked by "is my parent 1": in a container the supervisor itself is process 1."""
    supervisor = os.environ.get(SUPERVISOR)
    return supervisor is not None and os.getppid() != int(supervisor)


def in_the_background() -> None:
    """This process takes its share of the machine, but does not interrupt those that answer calls whenever it wakes up."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def collect_seldom() -> None:
    """What is loaded by now is for ever (price book, modules): no collection has to walk it again. And what comes leaves few
    cycles behind, calls as well as rows."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


HELD = {signal.SIGTERM, signal.SIGHUP}


@contextmanager
def signals_held() -> Iterator[None]:
    """Children born inside get SIGTERM and SIGHUP only once they listen (`release_signals`): until then they wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release_signals() -> None:
    """The handlers stand."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def configure_logging(level: str) -> None:
    """One line per event on stderr; no request is logged here, the ledger holds them."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
