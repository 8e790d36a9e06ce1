"""The pool: who gets which connection, when one is kept, replaced, waited for, and that nobody gets another's bytes."""

import asyncio
import random

import pytest

from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from gw.upstream.target import Target
from tests.upstream.server import CHUNKED, LAST_CHUNK, chunk, refused_port, sized


async def echo(peer) -> None:
    """Answers every request with its own body, and says on which connection."""
    while True:
        _, body = await peer.request()
        await peer.send(sized(body, b"X-Peer: %d" % peer.number))


async def ask(pool: Pool, target, body: bytes = b"{}"):
    response = await pool.request(target, b"POST", b"/v1/messages", b"", body)
    return await response.read_all(10**7), response


async def test_connection_is_reused(pool: Pool, start, target_of) -> None:
    upstream = await start(echo)
    target = target_of(upstream)
    reused = [(await ask(pool, target, b"%d" % at))[1].reused for at in range(5)]
    assert reused == [False, True, True, True, True]
    assert len(upstream.peers) == 1


async def test_last_idle_connection_is_taken_first(pool: Pool, start, target_of) -> None:
    gates = [asyncio.Event(), asyncio.Event()]

    async def script(peer) -> None:
        await peer.request()
        await gates[peer.number].wait()
        await peer.send(sized(b"", b"X-Peer: %d" % peer.number))
        await echo(peer)

    upstream = await start(script)
    target = target_of(upstream)
    first, second = (asyncio.ensure_future(ask(pool, target)) for _ in range(2))
    while len(upstream.peers) < 2 or not all(peer.requests for peer in upstream.peers):
        await asyncio.sleep(0)
    gates[1].set()
    await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
    gates[0].set()
    await asyncio.gather(first, second)
    assert dict((await ask(pool, target))[1].headers)[b"x-peer"] == b"0"


async def test_two_targets_with_the_same_key_share_connections(pool: Pool, start, target_of) -> None:
    upstream = await start(echo)
    await ask(pool, target_of(upstream))
    assert (await ask(pool, target_of(upstream, idle_timeout_s=7.0)))[1].reused
    assert len(pool.stats()) == 1


async def test_on_send_is_called_before_every_writing_and_not_without_a_connection(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(sized(b"one"))
        if peer.number == 0:
            await peer.request()
            peer.reset()

    upstream = await start(script)
    target = target_of(upstream)
    written = []  # how many requests the upstream had at each call

    def on_send() -> None:
        written.append(sum(len(peer.requests) for peer in upstream.peers))

    for _ in range(2):
        response = await pool.request(target, b"GET", b"/", b"", b"", on_send=on_send)
        await response.read_all(9)
    assert (written, response.retries) == ([0, 1, 2], 1)
    nobody = Target.from_url(f"http://127.0.0.1:{await refused_port()}")
    with pytest.raises(UpstreamError, match=r"^connect: "):
        await pool.request(nobody, b"GET", b"/", b"", b"", on_send=on_send)
    assert len(written) == 3


async def test_on_send_that_raises_leaves_nothing_open(pool: Pool, start, target_of) -> None:
    target = target_of(await start(echo))
    await ask(pool, target)

    def on_send() -> None:
        raise LookupError("no slot")

    for _ in range(2):  # on a reused connection, then on a fresh one
        with pytest.raises(LookupError):
            await pool.request(target, b"GET", b"/", b"", b"", on_send=on_send)
        assert pool.stats()[0].open == 0


async def test_pool_max_bounds_idle_connections(pool: Pool, start, target_of) -> None:
    upstream = await start(echo)
    target = target_of(upstream, pool_max=2)
    await asyncio.gather(*(ask(pool, target) for _ in range(6)))
    assert (pool.stats()[0].open, pool.stats()[0].idle) == (2, 2)
    await upstream.settle(2)


async def test_idle_connection_expires(pool: Pool, start, target_of) -> None:
    upstream = await start(echo)
    await ask(pool, target_of(upstream, keepalive_s=0.05))
    assert pool.stats()[0].idle == 1
    await asyncio.wait_for(upstream.peers[0].gone.wait(), 10)
    assert pool.stats()[0].open == 0


async def test_end_on_an_idle_connection_drops_it(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(sized(b"x"))
        peer.end()

    target = target_of(await start(script))
    for _ in range(3):
        assert (await ask(pool, target))[0] == b"x"
        while pool.stats()[0].open:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("how", ["end", "reset", "half_close"])
async def test_stale_connection_is_replaced_once(how: str, pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(sized(b"one"))
        if peer.number == 0:
            await peer.request()
            getattr(peer, how)()
        else:
            await echo(peer)

    upstream = await start(script)
    target = target_of(upstream)
    await ask(pool, target)
    body, response = await ask(pool, target, b"second")
    assert (body, response.retries, response.reused) == (b"one", 1, False)
    assert len(upstream.peers) == 2


async def test_stale_connection_with_a_large_body_is_replaced(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        _, body = await peer.request()
        await peer.send(sized(body))
        if peer.number == 0:
            await peer.head()
            peer.reset()

    target = target_of(await start(script))
    await ask(pool, target)
    large = random.Random(1).randbytes(3_000_000)
    body, response = await ask(pool, target, large)
    assert (body == large, response.retries) == (True, 1)


async def test_replacement_that_fails_too_is_an_error(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.send(sized(b"one"))
            await peer.request()
        peer.end()

    upstream = await start(script)
    target = target_of(upstream)
    await ask(pool, target)
    with pytest.raises(UpstreamError, match=r"^reset: "):
        await ask(pool, target)
    assert len(upstream.peers) == 2


async def test_failure_of_a_fresh_connection_is_not_repeated(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        peer.end()

    upstream = await start(script)
    with pytest.raises(UpstreamError, match=r"^reset: "):
        await ask(pool, target_of(upstream))
    assert len(upstream.peers) == 1


async def test_reused_connection_that_answered_a_byte_is_not_replaced(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()
        await peer.send(sized(b"one"))
        await peer.request()
        await peer.send(b"H")
        peer.end()

    upstream = await start(script)
    target = target_of(upstream)
    await ask(pool, target)
    with pytest.raises(UpstreamError) as caught:
        await ask(pool, target)
    assert (caught.value.kind, caught.value.received, len(upstream.peers)) == ("reset", True, 1)


async def test_reused_connection_that_dies_late_is_not_replaced(pool: Pool, start, target_of, monkeypatch) -> None:
    monkeypatch.setattr("gw.upstream.pool.STALE_S", 0.02)

    async def script(peer) -> None:
        await peer.request()
        await peer.send(sized(b"one"))
        await peer.request()
        await asyncio.sleep(0.1)
        peer.end()

    upstream = await start(script)
    target = target_of(upstream)
    await ask(pool, target)
    with pytest.raises(UpstreamError, match=r"^reset: "):
        await ask(pool, target)
    assert len(upstream.peers) == 1


async def test_limit_of_connections_makes_callers_wait_in_line(pool: Pool, start, target_of) -> None:
    order = []

    async def script(peer) -> None:
        while True:
            _, body = await peer.request()
            order.append(body)
            await asyncio.sleep(0.001)
            await peer.send(sized(body))

    upstream = await start(script)
    target = target_of(upstream, connections_max=2)
    bodies = [b"%d" % at for at in range(40)]
    answers = await asyncio.gather(*(ask(pool, target, body) for body in bodies))
    assert [body for body, _ in answers] == bodies
    assert len(upstream.peers) == 2
    places = {body: at for at, body in enumerate(order)}
    assert all(abs(places[body] - at) <= 1 for at, body in enumerate(bodies)), "not first come, first served"


async def test_waiting_in_line_is_bounded_and_names_the_limit(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        await peer.request()

    upstream = await start(script)
    holder = asyncio.ensure_future(ask(pool, target_of(upstream, connections_max=1)))
    while not upstream.peers or not upstream.peers[0].requests:
        await asyncio.sleep(0.001)
    with pytest.raises(UpstreamError, match="connections_max") as caught:
        await ask(pool, target_of(upstream, connections_max=1, connect_timeout_s=0.05))
    error = caught.value
    assert (error.kind, error.saturated, error.sent, error.retryable) == ("connect_timeout", True, False, True)
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)


async def test_line_moves_on_when_connections_die(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        _, body = await peer.request()
        if body == b"die":
            peer.reset()
        else:
            await peer.send(sized(body, b"Connection: close"))

    target = target_of(await start(script), connections_max=3)
    bodies = [b"die" if at % 3 == 0 else b"live" for at in range(60)]
    results = await asyncio.gather(*(ask(pool, target, body) for body in bodies), return_exceptions=True)
    for body, result in zip(bodies, results, strict=True):
        assert isinstance(result, UpstreamError) if body == b"die" else result[0] == b"live"


async def test_connection_handed_over_that_dies_at_once_gives_its_place_on(pool: Pool, start, target_of) -> None:
    """The answer and the end of the connection arrive together, just as the next in line is given it."""

    async def script(peer) -> None:
        _, body = await peer.request()
        await peer.send(sized(body))
        peer.end()

    target = target_of(await start(script), connections_max=2)
    answers = await asyncio.gather(*(ask(pool, target, b"%d" % at) for at in range(50)), return_exceptions=True)
    for at, answer in enumerate(answers):
        assert not isinstance(answer, BaseException) and answer[0] == b"%d" % at, answer


async def test_500_concurrent_calls_each_get_their_own_bytes(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        turn = 0
        while True:
            _, body = await peer.request()
            turn += 1
            if turn % 3 == 0:
                await peer.send(CHUNKED + b"".join(chunk(body[at : at + 900]) for at in range(0, len(body), 900)) + LAST_CHUNK)
            elif turn % 3 == 1:
                await peer.send(sized(body))
            else:
                answer = sized(body, b"Connection: close")
                await peer.send_slowly([answer[:30], answer[30:]])
                peer.end()
                return

    target = target_of(await start(script), connections_max=100)
    rng = random.Random(7)
    bodies = [b"%d:" % at + rng.randbytes(rng.choice((1, 10, 1000, 40_000))) for at in range(500)]
    answers = await asyncio.gather(*(ask(pool, target, body) for body in bodies))
    assert [body for body, _ in answers] == bodies


async def test_close_ends_idle_busy_and_waiting(pool: Pool, start, target_of) -> None:
    async def script(peer) -> None:
        _, body = await peer.request()
        if body == b"whole":
            await peer.send(sized(b"x"))
        elif body == b"part":
            await peer.send(CHUNKED + chunk(b"part"))

    upstream = await start(script)
    one, other = target_of(upstream, connections_max=3), target_of(await start(echo))
    await ask(pool, other)
    bodies = [b"part", b"silent", b"silent", b"in line", b"in line"]
    tasks = [asyncio.ensure_future(ask(pool, one, body)) for body in bodies]
    while sum(len(peer.requests) for peer in upstream.peers) < 3:
        await asyncio.sleep(0.001)
    assert [(lane.open, lane.idle, lane.waiting) for lane in pool.stats()] == [(1, 1, 0), (3, 0, 2)]
    await pool.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, UpstreamError) and result.kind == "closed" for result in results), results
    with pytest.raises(UpstreamError, match=r"^closed: "):
        await ask(pool, one)


async def test_bad_request_parts_are_refused_before_a_connection_is_made(pool: Pool, start, target_of) -> None:
    upstream = await start(echo)
    for path, head in ((b"/a b", b""), (b"/a\r\nX: y", b""), (b"/", b"a: b\r\n\r\n"), (b"/", b"Host: x\r\n")):
        with pytest.raises(ValueError, match=r"the (path|head)"):
            await pool.request(target_of(upstream), b"GET", path, head, b"")
    assert upstream.peers == []
