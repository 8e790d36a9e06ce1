"""What the fault tests ask of a running gateway."""

import asyncio
import http.client
import json
from collections.abc import Callable
from typing import Any

from gw.clock import mono_ns
from tests.support.claims import allowed
from tests.support.databases import query
from tests.support.gateway import GatewayUnderTest


def page(gateway: GatewayUnderTest, path: str) -> tuple[int, str]:
    """(status, body) of a GET. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.process.port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def readiness(gateway: GatewayUnderTest) -> tuple[int, dict[str, Any]]:
    status, text = page(gateway, "/readyz")
    return status, json.loads(text)


def log(gateway: GatewayUnderTest) -> str:
    return gateway.process.log.read_text(errors="replace")


def open_calls(gateway: GatewayUnderTest) -> int:
    """Calls that the ledger still takes for running."""
    return int(query(gateway.database, "SELECT COUNT(*) FROM open_call")[0][0])


def _answered(reached: Callable[[], bool]) -> bool:
    try:
        return reached()
    except (OSError, http.client.HTTPException):
        return False


async def until(reached: Callable[[], bool], what: str, timeout_s: float) -> float:
    """Seconds until `reached()`, which may block for a moment or fail to connect; fails after the timeout, later if others load
    the machine."""
    begun_ns = mono_ns()
    while not await asyncio.to_thread(_answered, reached):
        assert mono_ns() - begun_ns < allowed(timeout_s) * 1e9, f"{what} did not come within {timeout_s} s"
        await asyncio.sleep(0.02)
    return (mono_ns() - begun_ns) / 1e9
