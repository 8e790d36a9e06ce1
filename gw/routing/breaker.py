"""A circuit breaker: closed, open, half-open. Pure; times are nanoseconds of one clock, given as arguments.

Closed: calls go through. It opens when so many in a row have failed, or when a part of those in the last window has. Open: left
alone for the cool-down. Half-open, when that is over: one call tries; if it succeeds the breaker closes and forgets, if it fails
the breaker opens for twice as long, up to the bound. A trial may be a stream of minutes: once its answer has begun another call
tries after each further cool-down, and the first to end decides. One that hangs counts for nothing after TRIAL_NS, so that
nothing stays half-open for ever.
"""

from typing import Literal, NamedTuple

State = Literal["closed", "open", "half_open"]
Flag = bool  # compiled, a C integer: breaker.pxd
Ns = int  # likewise
PARTS = 10  # of the window: outcomes are counted by parts of it, and a part is forgotten whole
S = 1_000_000_000
TRIAL_NS = 600 * S
REST_MAX_NS = 3600 * S  # an upstream that asks for more is looked at once an hour


class Settings(NamedTuple):
    """Of [routing], in nanoseconds and whole percent."""

    failures: int = 5
    percent: int = 50
    calls_min: int = 10
    window_ns: int = 30 * S
    cooldown_ns: int = 5 * S
    cooldown_max_ns: int = 60 * S


class Breaker:
    """Of one credential of one deployment. `until_ns`: open before then."""

    __slots__ = (
        "_calls", "_failures", "_part", "_settings", "_window_ns", "in_a_row", "opened", "state", "trial_until_ns", "until_ns",
    )  # fmt: skip

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._window_ns = settings.window_ns
        self.state: State = "closed"
        self.until_ns = 0
        self.trial_until_ns = -1  # nobody else tries before; -1: there is no trial
        self.in_a_row = 0  # failures
        self.opened = 0  # times in a row, without having closed between
        self._part = 0  # number of the newest part
        self._calls = [0] * PARTS
        self._failures = [0] * PARTS

    def allows(self, now_ns: Ns) -> bool:
        """Whether a call may begin now; says nothing to a call that has begun. Changes nothing but what time changes."""
        if self.state == "closed":
            return True
        if self.state == "open":
            if now_ns < self.until_ns:
                return False
            self.state, self.trial_until_ns = "half_open", -1
        return now_ns >= self.trial_until_ns

    def begin(self, now_ns: Ns) -> bool:
        """A call begins. Whether it is the trial of a half-open breaker: `end` wants to know."""
        if self.state == "closed" or not self.allows(now_ns):
            return False
        self.trial_until_ns = now_ns + TRIAL_NS
        return True

    def answers(self, now_ns: Ns) -> None:
        """The trial's answer has begun, which may take long."""
        if self.trial_until_ns >= 0:
            self.trial_until_ns = now_ns + self._settings.cooldown_ns

    def end(self, now_ns: Ns, failed: Flag, trial: Flag, cooldown_ns: Ns = 0) -> None:
        """What became of a call. `cooldown_ns`: what the upstream asked for (retry-after), 0 for nothing."""
        if trial and self.state == "half_open":
            self.trial_until_ns = -1
            if failed:
                self._open(now_ns, cooldown_ns)
            else:
                self._close()
            return
        if self.state != "closed":
            return  # it began before; what it says is old
        self._count(now_ns, failed)
        self.in_a_row = self.in_a_row + 1 if failed else 0
        if failed and (self.in_a_row >= self._settings.failures or self._too_many()):
            self._open(now_ns, cooldown_ns)

    def abandon(self, trial: Flag) -> None:
        """The call said nothing of its upstream: its client left. The next one tries."""
        if trial:
            self.trial_until_ns = -1

    def hear(self, now_ns: Ns, until_ns: Ns) -> None:
        """What another worker has found out: it is open until then, or closed (0). A trial of its own goes on."""
        if not until_ns and self.state != "closed":
            self._close()
        elif until_ns > now_ns and (self.state != "open" or until_ns > self.until_ns):
            self.state, self.until_ns, self.trial_until_ns = "open", until_ns, -1

    def rest(self, now_ns: Ns, for_ns: Ns) -> None:
        """Leave it alone for so long, an hour at most: it has said so itself, and need not have failed."""
        until_ns = now_ns + min(for_ns, REST_MAX_NS)
        if for_ns > 0 and (self.state != "open" or until_ns > self.until_ns):
            self.state, self.until_ns, self.trial_until_ns = "open", until_ns, -1

    def _open(self, now_ns: Ns, cooldown_ns: Ns) -> None:
        own_ns = self._settings.cooldown_ns << min(self.opened, 20)
        self.opened += 1
        self.state, self.trial_until_ns = "open", -1
        self.until_ns = now_ns + min(max(own_ns, cooldown_ns), self._settings.cooldown_max_ns)

    def _close(self) -> None:
        self.state, self.until_ns, self.trial_until_ns = "closed", 0, -1
        self.in_a_row = self.opened = 0
        self._calls = [0] * PARTS
        self._failures = [0] * PARTS

    def _count(self, now_ns: Ns, failed: Flag) -> None:
        part = now_ns * PARTS // self._window_ns
        if part > self._part:
            for gone in range(max(self._part + 1, part - PARTS + 1), part + 1):
                self._calls[gone % PARTS] = self._failures[gone % PARTS] = 0
            self._part = part
        nth = self._part % PARTS
        self._calls[nth] += 1
        if failed:
            self._failures[nth] += 1

    def _too_many(self) -> bool:
        calls, failures = sum(self._calls), sum(self._failures)
        return calls >= self._settings.calls_min and failures * 100 >= self._settings.percent * calls
