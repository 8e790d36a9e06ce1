"""What a load run has found, kind by kind, and whether it may be believed."""

from collections import Counter

from gw.loadgen.histogram import Histogram

LATE_P99_NS = 1_000_000
LATE_SHARE = 10  # a lateness above one tenth of what is measured distorts it


class Found:
    """Of one kind of request. Latencies count from the moment a request was due (open loop) or sent (closed loop)."""

    __slots__ = ("answered", "bytes", "delay", "events", "failed", "first_byte", "latency", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered = 0  # status 200, whole; a stream: with its message_stop and no error
        self.failed: Counter[str] = Counter()  # why -> how many
        self.events = 0
        self.bytes = 0  # of bodies
        self.latency = Histogram()  # to the last byte; of answered requests alone
        self.first_byte = Histogram()  # to the first byte of the body
        self.delay = Histogram()  # of each stamped event, from its upstream to here

    @property
    def failures(self) -> int:
        return self.failed.total()

    def merge(self, other: "Found") -> None:
        self.answered += other.answered
        self.failed.update(other.failed)
        self.events += other.events
        self.bytes += other.bytes
        self.latency.merge(other.latency)
        self.first_byte.merge(other.first_byte)
        self.delay.merge(other.delay)


def why_late(lateness: Histogram, latency: Histogram) -> str:
    """Why these latencies (to the last byte, or to the first) must not be believed; "" if they may.

    The generator's own lateness is part of each latency, since that counts from the due time. It must be small beside
    what is measured: p99 against p99, and never above one millisecond unless even that is a tenth of the latency at
    most; and the median below a tenth of the median, where it is more than the 100 us that a wake-up costs.
    """
    for percentile, allowed_ns in ((99, LATE_P99_NS), (50, LATE_P99_NS // 10)):
        late, measured = lateness.at(percentile), latency.at(percentile)
        if late > allowed_ns and late * LATE_SHARE > measured:
            return (
                f"the generator was late: p{percentile} {late / 1e6:.2f} ms of a latency of {measured / 1e6:.2f} ms "
                f"(at most {allowed_ns / 1e6:.1f} ms, or a tenth)"
            )
    return ""
