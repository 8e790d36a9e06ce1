"""A busy worker's processors do not sleep between calls, where the operator wants that (`[server] keep_awake`).

A processor that has nothing to do for a tenth of a millisecond goes to sleep: in a virtual machine that is a way to the host and
back, and the caches are somebody else's meanwhile, so that the next call finds nothing where it was. The kernel lets a process
say how long it can wait for a processor to wake up (PM QoS): while it holds /dev/cpu_dma_latency open with a zero in it, idle
processors wait awake. That holds for the whole machine and takes its power, so a worker holds it only while it has calls.
"""

import logging
import os
import struct
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("gw.awake")

BUSY, IDLE = 0.05, 0.02  # of a core: above the first the device is held, below the second no longer
DEVICE = Path("/dev/cpu_dma_latency")
AT_ONCE = struct.pack("=i", 0)  # us to wake up


class Awake:
    """`look` is called at every tick of the worker. Says once why it cannot, and tries again when it was not wanted meanwhile."""

    def __init__(self) -> None:
        self._device = -1
        self._refused = False

    @property
    def holds(self) -> bool:
        return self._device >= 0

    def look(self, share: float, *, wanted: bool) -> None:
        """`share`: how much of a core the worker has had since the last look."""
        if not wanted:
            self._refused = False
        if self.holds:
            if not wanted or share < IDLE:
                self.close()
        elif wanted and share > BUSY and not self._refused:
            self.hold()

    def hold(self) -> None:
        try:
            self._device = os.open(DEVICE, os.O_WRONLY | os.O_CLOEXEC)
            os.write(self._device, AT_ONCE)
        except OSError as error:
            self.close()
            self._refused = True
            log.warning("keep_awake has no effect, processors sleep between calls: %s", error)

    def close(self) -> None:
        """What was asked of the kernel ends with the open file, also with the process."""
        if self.holds:
            with suppress(OSError):
                os.close(self._device)
            self._device = -1
