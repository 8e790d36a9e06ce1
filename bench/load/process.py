"""CPU time and memory of processes, as the kernel counts them (/proc), and how a resident set moves over time."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
MB = 1_000_000


def cpu_us(pids: Iterable[int]) -> int:
    """User and system time that these processes have used since their start, all threads; one that has ended counts 0."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * TICK_US


def status_bytes(pid: int, name: str) -> int:
    """`VmRSS` (resident now) or `VmHWM` (the most it has been); 0 for a process that has ended. Pages shared with others, such
    as gw's state file, count as far as this process has touched them."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = next((line for line in lines if line.startswith(f"{name}:")), "")
    return int(found.split()[1]) * 1024 if found else 0


def resident(pids: Sequence[int]) -> int:
    """Of the largest of them, bytes."""
    return max((status_bytes(pid, "VmRSS") for pid in pids), default=0)


def peak(pids: Sequence[int]) -> int:
    """The most that the largest of them has been since `forget_peak`, bytes."""
    return max((status_bytes(pid, "VmHWM") for pid in pids), default=0)


def forget_peak(pids: Sequence[int]) -> None:
    """VmHWM counts anew from what is resident now. Without the right to say so, it goes on from the start of the process."""
    for pid in pids:
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line with the least squares through (x, y); 0 for fewer than two different x."""
    if not points:
        return 0.0
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    spread = sum((x - x_mean) ** 2 for x, _ in points)
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / spread if spread else 0.0


class Watch:
    """What a contender's workers use between `begin` and `end`."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._cpu = 0
        self._rss = 0

    def begin(self) -> None:
        forget_peak(self._pids)
        self._rss = resident(self._pids)
        self._cpu = cpu_us(self._pids)

    def end(self, *, requests: int = 0, events: int = 0) -> dict[str, float]:
        """Figures; empty for a contender without processes of its own (the upstream)."""
        if not self._pids:
            return {}
        spent, high = cpu_us(self._pids) - self._cpu, peak(self._pids)
        figures = {
            "cpu_s": spent / 1e6,
            "rss_mb": resident(self._pids) / MB,
            "peak_mb": high / MB,
            "rise_mb": (high - self._rss) / MB,
        }
        if requests:
            figures["cpu_per_request_us"] = spent / requests
        if events:
            figures["cpu_per_event_us"] = spent / events
        return figures
