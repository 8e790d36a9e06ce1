"""A fair queue before a saturated upstream: places are given by teams' weights, not by who calls most. Pure; time is an argument.

Start-time fair queueing: a virtual clock V moves with what is served. The call at the head of a team's line has the start tag
max(V, the finish tag of what the team was served last); served is the least start tag, and the team's finish tag becomes start +
1/weight. So while two teams both wait, what they are served differs from their weights by less than one call of each
(tests/routing/test_queue.py), and a team that was idle has saved up nothing. Only heads have tags: who leaves the line costs its
team nothing. Within a team it is first come, first served.

The line is bounded. When it is full, a newcomer takes the place of the last of that team which has the most waiting for its
weight, unless that is its own team: one team cannot fill the line for the others. Nobody waits longer than the bound.
"""

from collections import deque
from typing import NamedTuple

SCALE = 1 << 40  # of virtual time: one call at weight 1
WEIGHT_MAX = 1_000_000


class Ticket:
    """A place in the line. `state`: waiting, called, left, late (waited too long), displaced."""

    __slots__ = ("deadline_ns", "serial", "state", "team")

    def __init__(self, team: str, serial: int, deadline_ns: int) -> None:
        self.team = team
        self.serial = serial
        self.deadline_ns = deadline_ns
        self.state = "waiting"


class Entered(NamedTuple):
    """`ticket` None: the line is full. `displaced`: who had to go for it."""

    ticket: Ticket | None
    displaced: Ticket | None = None


class _Line:
    __slots__ = ("finish", "tickets", "weight")

    def __init__(self, finish: int) -> None:
        self.tickets: deque[Ticket] = deque()
        self.finish = finish
        self.weight = 1


class FairQueue:
    """Whoever waits with a ticket also watches its `deadline_ns`: nobody is told that it has become late, or was displaced but by
    `enter`."""

    def __init__(self, length_max: int = 1000, wait_ns: int = 10_000_000_000) -> None:
        self._length_max = length_max
        self._wait_ns = wait_ns
        self._lines: dict[str, _Line] = {}
        self._served: dict[str, int] = {}  # finish tags of teams that wait for nothing but were served lately
        self._arrivals: deque[Ticket] = deque()  # in order of their deadlines
        self._virtual = 0
        self._serial = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def enter(self, team: str, weight: int, now_ns: int) -> Entered:
        """`weight`: 1 or more; the last one that a team says counts for all its calls. Calls with an older `now_ns` may not come
        after calls with a newer one."""
        assert 1 <= weight <= WEIGHT_MAX, "a weight out of range"
        self._expire(now_ns)
        displaced = None
        if self._length >= self._length_max:
            displaced = self._displaced_by(team, weight)
            if displaced is None:
                return Entered(None)
            self._drop(displaced, "displaced")
        line = self._lines.get(team)
        if line is None:
            line = self._lines[team] = _Line(self._served.pop(team, 0))
        line.weight = weight
        self._serial += 1
        ticket = Ticket(team, self._serial, now_ns + self._wait_ns)
        line.tickets.append(ticket)
        self._arrivals.append(ticket)
        self._length += 1
        return Entered(ticket, displaced)

    def leave(self, ticket: Ticket) -> None:
        """Its client has gone. Nothing, if it no longer waits."""
        if ticket.state == "waiting":
            self._drop(ticket, "left")

    def next(self, now_ns: int) -> Ticket | None:
        """Whose turn it is; it is out of the line then. None: nobody waits."""
        self._expire(now_ns)
        if not self._lines:
            return None
        team, line = min(self._lines.items(), key=self._order)
        start = max(self._virtual, line.finish)
        self._virtual = start
        line.finish = start + SCALE // line.weight
        ticket = line.tickets.popleft()
        ticket.state = "called"
        self._length -= 1
        self._tidy(team, line)
        return ticket

    def expired(self, now_ns: int) -> list[Ticket]:
        """Those whose time is over, now out of the line."""
        return self._expire(now_ns)

    def _order(self, item: tuple[str, _Line]) -> tuple[int, int]:
        line = item[1]
        return max(self._virtual, line.finish), line.tickets[0].serial

    def _expire(self, now_ns: int) -> list[Ticket]:
        late = []
        while self._arrivals and (self._arrivals[0].state != "waiting" or self._arrivals[0].deadline_ns <= now_ns):
            ticket = self._arrivals.popleft()
            if ticket.state == "waiting":
                self._drop(ticket, "late")
                late.append(ticket)
        return late

    def _displaced_by(self, team: str, weight: int) -> Ticket | None:
        """The last of the team with the most waiting for its weight, if that is more than the newcomer's team would have."""
        crowd, line = max(self._lines.items(), key=lambda item: (len(item[1].tickets) * SCALE // item[1].weight, item[0]))
        own = self._lines.get(team)
        waiting = 1 + (len(own.tickets) if own is not None else 0)
        if crowd == team or len(line.tickets) * weight <= waiting * line.weight:
            return None
        return line.tickets[-1]

    def _drop(self, ticket: Ticket, state: str) -> None:
        ticket.state = state
        line = self._lines[ticket.team]
        line.tickets.remove(ticket)
        self._length -= 1
        self._tidy(ticket.team, line)

    def _tidy(self, team: str, line: _Line) -> None:
        """A team that waits for nothing is remembered only as long as its tag lies ahead of the clock."""
        if line.tickets:
            return
        del self._lines[team]
        if not self._lines:
            self._served.clear()  # nobody has been kept waiting: all begin anew
            self._arrivals.clear()
        elif line.finish > self._virtual:
            self._served[team] = line.finish
            if len(self._served) > self._length_max:
                self._served = {name: finish for name, finish in self._served.items() if finish > self._virtual}
