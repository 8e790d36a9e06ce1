"""What every child process of the gateway does at its start."""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PR_SET_PDEATHSIG = 1
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
