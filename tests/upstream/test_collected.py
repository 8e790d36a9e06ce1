"""A connection that is over does not wait for the garbage collector, which seldom comes to a worker."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from gw.upstream.connection import Connection
from gw.upstream.pool import Pool
from gw.upstream.response import Response
from tests.upstream.server import CHUNKED, Peer, chunk, sized


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left() -> list[str]:
    return [type(one).__name__ for one in gc.get_objects() if isinstance(one, Connection | Response)]


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("how", ["the upstream closes", "the call is aborted", "nobody keeps it"])
async def test_nothing_is_left_of_a_closed_connection(how: str, pool: Pool, start, target_of) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if how == "the upstream closes":
            await peer.send(sized(b"bye", b"Connection: close"))
            peer.end()
        elif how == "nobody keeps it":
            await peer.send(sized(b"bye"))
        else:
            await peer.send(CHUNKED + chunk(b"bye"))

    upstream = await start(script)
    response = await pool.request(target_of(upstream, pool_max=0), b"POST", b"/", b"", b"{}")
    assert await response.read() == b"bye"
    if how == "the call is aborted":
        response.abort()
    await upstream.peers[0].gone.wait()
    del response
    async with asyncio.timeout(10):
        while left():
            await asyncio.sleep(0.001)
