"""Whoever waits may be cancelled, anywhere: the connection is closed at once and never used again."""

import asyncio

import pytest

from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Lane, Pool
from tests.upstream.server import CHUNKED, chunk, sized

GONE_S = 10.0  # at once, on however busy a machine: half of the shortest timeout that would end it anyway


async def cancel(task: asyncio.Task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def test_while_waiting_for_the_head(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()

    upstream = await start(script)
    task = asyncio.ensure_future(pool.request(target_of(upstream), b"GET", b"/", b"", b""))
    await until(lambda: upstream.peers and upstream.peers[0].requests)
    await cancel(task)
    assert pool.stats()[0].open == 0
    await asyncio.wait_for(upstream.peers[0].gone.wait(), GONE_S)


@pytest.mark.parametrize("silence_s", [None, 5.0])
async def test_while_waiting_for_the_body(silence_s, pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"x"))

    upstream = await start(script)
    response = await pool.request(target_of(upstream), b"GET", b"/", b"", b"")
    assert await response.read() == b"x"
    task = asyncio.ensure_future(response.read(silence_s) if silence_s else response.read())
    await asyncio.sleep(0.01)
    await cancel(task)
    assert pool.stats()[0].open == 0
    await asyncio.wait_for(upstream.peers[0].gone.wait(), GONE_S)
    with pytest.raises(UpstreamError, match=r"^closed: "):
        await response.read()


async def test_while_sending_a_large_body(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.head()
        await asyncio.sleep(0.05)

    upstream = await start(script)
    task = asyncio.ensure_future(pool.request(target_of(upstream), b"POST", b"/", b"", bytes(32 * 2**20)))
    await until(lambda: upstream.peers and upstream.peers[0].requests)
    await cancel(task)
    assert pool.stats()[0].open == 0
    await asyncio.wait_for(upstream.peers[0].gone.wait(), GONE_S)


async def test_while_waiting_in_line(pool: Pool, start, target_of) -> None:
    release = asyncio.Event()

    async def script(peer) -> None:
        await peer.request()
        await release.wait()
        await peer.send(sized(b"x"))

    upstream = await start(script)
    target = target_of(upstream, connections_max=1)
    first, second = (asyncio.ensure_future(pool.request(target, b"GET", b"/", b"", b"")) for _ in range(2))
    await until(lambda: upstream.peers and pool.stats()[0].waiting == 1)
    await cancel(second)
    release.set()
    assert await (await first).read_all(1) == b"x"
    assert (pool.stats()[0].idle, pool.stats()[0].waiting) == (1, 0)


@pytest.mark.parametrize("fate", [b"keep-alive", b"close"])
async def test_in_line_just_as_the_turn_comes(fate: bytes, pool: Pool, start, target_of, monkeypatch) -> None:
    """The connection (or the place) just handed to the cancelled caller goes to the next in line."""
    release = asyncio.Event()

    async def script(peer) -> None:
        while True:
            _, body = await peer.request()
            await release.wait()
            await peer.send(sized(body, b"Connection: %b" % fate))

    target = target_of(await start(script), connections_max=1)
    tasks = [asyncio.ensure_future(pool.request(target, b"POST", b"/", b"", b"%d" % at)) for at in range(3)]
    await until(lambda: pool.stats() and pool.stats()[0].waiting == 2)
    turn = pool._lanes[target.key].waiting[0]

    def cancelled_between(original):
        def hand_over(*args) -> None:
            original(*args)
            if turn.done() and not turn.cancelled():
                tasks[1].cancel()

        return hand_over

    monkeypatch.setattr(Lane, "release", cancelled_between(Lane.release))
    monkeypatch.setattr(Lane, "free_place", cancelled_between(Lane.free_place))
    release.set()
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(second, asyncio.CancelledError)
    assert (await first.read_all(9), await third.read_all(9)) == (b"0", b"2")


async def test_in_the_tls_handshake(pool: Pool, start, target_of) -> None:
    upstream = await start(lambda peer: peer.until_gone())
    from gw.upstream.target import Target

    task = asyncio.ensure_future(pool.request(Target.from_url(f"https://127.0.0.1:{upstream.port}"), b"GET", b"/", b"", b""))
    await until(lambda: upstream.peers)
    await asyncio.sleep(0.01)
    await cancel(task)
    await asyncio.wait_for(upstream.peers[0].gone.wait(), GONE_S)


async def test_in_connect_through_a_proxy(pool: Pool, start) -> None:
    from gw.upstream.target import Target

    upstream = await start(lambda peer: peer.until_gone(), proxied=True)
    target = Target.from_url("https://upstream.example", proxy=upstream.url)
    task = asyncio.ensure_future(pool.request(target, b"GET", b"/", b"", b""))
    await until(lambda: upstream.peers)
    await asyncio.sleep(0.01)
    await cancel(task)
    await asyncio.wait_for(upstream.peers[0].gone.wait(), GONE_S)


async def test_after_any_number_of_turns_of_the_loop(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        while True:
            await peer.request()
            await peer.send_slowly([sized(b"hello")[at : at + 9] for at in range(0, 60, 9)])

    upstream = await start(script)
    target = target_of(upstream)

    async def call() -> bytes:
        return await (await pool.request(target, b"GET", b"/", b"", b"")).read_all(10)

    for turns in range(60):
        task = asyncio.ensure_future(call())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError) or result == b"hello"
        stats = pool.stats()
        assert all(lane.open == lane.idle for lane in stats)
        await upstream.settle(sum(lane.idle for lane in stats))


async def test_abort_is_idempotent_and_wakes_the_reader(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        while True:
            _, body = await peer.request()
            await peer.send(sized(body) if body else CHUNKED + chunk(b"x"))

    upstream = await start(script)
    target = target_of(upstream)
    response = await pool.request(target, b"GET", b"/", b"", b"")
    assert await response.read() == b"x"
    reader = asyncio.ensure_future(response.read())
    await asyncio.sleep(0)
    response.abort()
    response.abort()
    with pytest.raises(UpstreamError, match=r"^closed: "):
        await reader
    await asyncio.wait_for(upstream.peers[0].gone.wait(), GONE_S)
    whole = await pool.request(target, b"POST", b"/", b"", b"whole")
    assert await whole.read_all(5) == b"whole"
    whole.abort()
    whole.set_deadline(0.001)
    assert (await whole.read(), pool.stats()[0].idle) == (b"", 1)
