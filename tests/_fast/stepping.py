"""Runs a function in a forked process one machine instruction at a time, and collects every state it leaves shared memory in:
what a SIGKILL at that instruction would leave. Linux on x86-64; elsewhere exclusive stores never succeed when stepped."""

import ctypes
import mmap
import os
import platform
import signal
import sys
from collections.abc import Callable

TRACE_ME, STEP = 0, 9  # requests of ptrace(2)
CAN_STEP = sys.platform == "linux" and platform.machine() == "x86_64"


class NotPermittedError(Exception):
    """The kernel lets nobody be traced here."""


def states_of(memory: mmap.mmap, function: Callable[[], object], limit: int = 1_000_000) -> list[bytes]:
    """The different contents of `memory`, in order, from before the first to after the last instruction of `function`."""
    libc = ctypes.CDLL(None, use_errno=True)
    trace = libc.ptrace
    trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    trace.restype = ctypes.c_long
    child = os.fork()
    if child == 0:
        try:
            if trace(TRACE_ME, 0, None, None) != 0:
                os._exit(77)
            os.kill(os.getpid(), signal.SIGSTOP)
            function()
            os.kill(os.getpid(), signal.SIGSTOP)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        raise NotPermittedError
    states = [memory[:]]
    try:
        for _ in range(limit):
            if trace(STEP, child, None, None) != 0:
                raise NotPermittedError
            _, status = os.waitpid(child, 0)
            assert os.WIFSTOPPED(status), "the function raised"
            if memory[:] != states[-1]:
                states.append(memory[:])
            if os.WSTOPSIG(status) == signal.SIGSTOP:
                return states
        raise AssertionError("the function did not end")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
