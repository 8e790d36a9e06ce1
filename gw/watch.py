"""Seeing the client leave: one `receive()` kept open beside the exchange. Granian's `send` never tells."""

import asyncio
from typing import TYPE_CHECKING, Any

from gw.wire.asgi import Receive

if TYPE_CHECKING:
    from gw.settle import Call


class Watch:
    """Begun by the worker's second tick, not with the call: most whole answers are over by then, and an open `receive()` costs a
    short call 14 us of its 130 (measured). What the client's leaving does is the configuration's `on_client_gone`.
    """

    __slots__ = ("_call", "_future", "_receive", "_task", "_timer")

    def __init__(self, call: "Call", receive: Receive, task: "asyncio.Task[None]") -> None:
        self._call: Call | None = call
        self._receive = receive
        self._task = task
        self._timer: asyncio.TimerHandle | None = None
        self._future: Any = None
        self._arm()

    def _arm(self) -> None:
        future: Any = self._receive()
        if not hasattr(future, "add_done_callback"):
            future = asyncio.ensure_future(future)
        self._future = future
        future.add_done_callback(self._seen)

    def _seen(self, future: Any) -> None:
        call = self._call
        if future.cancelled() or call is None:
            return
        if future.exception() is None and future.result()["type"] == "http.request":
            self._arm()
            return
        call.client_gone = True
        server = call.snapshot.config.server
        if server.on_client_gone == "drain" and call.endpoint == "messages":
            self._timer = asyncio.get_running_loop().call_later(server.drain_client_gone_s, self._task.cancel)
        else:
            self._task.cancel()

    def close(self) -> None:
        self._future.remove_done_callback(self._seen)
        self._future.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._call = None  # it holds this watch: together they would wait for the garbage collector
