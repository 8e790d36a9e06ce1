"""The door to the control API: nothing of it is loaded before the first request asks for it.

What stands behind it costs some 5 MB and 50 ms (docs/api.md), which a worker that only serves calls never pays. Loading
happens in a thread, so that calls go on meanwhile.
"""

import asyncio
from typing import TYPE_CHECKING

from gw.control.host import Host

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


def control_app(worker: Host) -> "ASGIApp":
    """The ASGI application for everything under /api of this worker; http scopes only. Made at no cost, ended by nothing."""
    return Door(worker)


class Door:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._loading = asyncio.Lock()
        self._api: ASGIApp | None = None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        api = self._api or await self._loaded()
        await api(scope, receive, send)

    async def _loaded(self) -> "ASGIApp":
        async with self._loading:
            if self._api is None:
                self._api = await asyncio.to_thread(_load, self._host)
            return self._api


def _load(host: Host) -> "ASGIApp":
    from gw.control.http import ControlApi  # noqa: PLC0415

    return ControlApi(host)
