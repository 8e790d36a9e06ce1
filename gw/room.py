"""The room for attempts at one upstream, and the line before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gw import clock
from gw.errors import Refusal
from gw.routes import queue_of
from gw.routing.queue import FairQueue, Ticket
from gw.settle import Call
from gw.wire.asgi import Receive

if TYPE_CHECKING:
    from gw.config.model import Config

Number = int  # compiled, a C integer: room.pxd


class Room:
    """One per upstream and worker; it outlives a snapshot."""

    __slots__ = ("_queue", "_waiting", "name", "taken")

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = 0  # attempts under way
        self._queue: FairQueue | None = None
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}

    def takes(self, most: Number) -> bool:
        """A place, if one of so many is free."""
        if self.taken >= most:
            return False
        self.taken += 1
        return True

    async def enter(self, call: Call, most: int, config: Config, receive: Receive) -> None:
        """A place, or one in the line for it; teams that wait get theirs by weight. Raises Refusal (upstream_saturated)."""
        if self.takes(most):
            return
        queue = self._queue
        if queue is None or not len(queue):  # by the settings of now; one that nobody waits in remembers nothing
            queue = self._queue = queue_of(config)
        entered = queue.enter(call.account.team, config.routing.team_weights.get(call.account.team, 1), clock.mono_ns())
        if entered.displaced is not None:
            self._wake(entered.displaced, full=True)
        if entered.ticket is None:
            raise _saturated(self.name)
        waiting = self._waiting[entered.ticket] = asyncio.get_running_loop().create_future()
        call.receive = receive  # the worker's next tick watches the client
        came = False
        try:
            async with asyncio.timeout(config.routing.queue_s or 0.001):
                await waiting
                came = True
        except TimeoutError:
            raise _saturated(self.name) from None
        finally:
            call.laps.skip()
            self._waiting.pop(entered.ticket, None)
            if entered.ticket.state == "called":
                if not came:
                    self.leave()  # its turn came as it left
            else:
                queue.leave(entered.ticket)

    def leave(self) -> None:
        """Its place is the next one's."""
        if self._queue is not None and len(self._queue):
            ticket = self._queue.next(clock.mono_ns())
            if ticket is not None:
                self._wake(ticket)
                return
        self.taken = max(self.taken - 1, 0)

    def _wake(self, ticket: Ticket, *, full: bool = False) -> None:
        waiting = self._waiting.get(ticket)
        if waiting is None or waiting.done():
            return
        if full:
            waiting.set_exception(_saturated(""))
        else:
            waiting.set_result(None)


def _saturated(name: str) -> Refusal:
    where = f'The upstream "{name}"' if name else "The upstream"
    return Refusal("upstream_saturated", f"{where} has as many calls as it may have (connections_max). Try again in a moment.")
