"""Wakes the event loop at a moment of the monotonic clock, to some ten microseconds.

uvloop's own timers count whole milliseconds: at 5,000 requests per second four of five would be late before they began. On
Linux this is one `timerfd` in the loop; elsewhere the loop's timer is all there is, and the lateness it costs is reported.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable

from gw import clock

_MONOTONIC = 1
_ABSOLUTE = 1
_FLAGS = 0o4000 | 0o2000000  # TFD_NONBLOCK | TFD_CLOEXEC


class _Times(ctypes.Structure):
    """`struct itimerspec`: the interval, which stays 0, then the moment."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Alarm:
    """Calls `ring` once for each `at`, on the loop; a later `at` replaces one that has not rung. Close it after use."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_MONOTONIC, _FLAGS)
            self._times = _Times()
            self._set = self._libc.timerfd_settime
            self._pointer = ctypes.byref(self._times)
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._woken)

    def at(self, moment_ns: int) -> None:
        """`moment_ns` on the monotonic clock, above 0; one that is over rings at once."""
        if self._fd >= 0:
            times = self._times
            times.value_s, times.value_ns = divmod(max(1, moment_ns), 1_000_000_000)
            if self._set(self._fd, _ABSOLUTE, self._pointer, None):
                raise OSError(ctypes.get_errno(), "timerfd_settime")
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(0, moment_ns - clock.mono_ns()) / 1e9, self._ring)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _woken(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # set anew meanwhile
        self._ring()
