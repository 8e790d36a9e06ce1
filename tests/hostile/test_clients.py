"""Clients that take their time, take nothing, or leave: they hold nothing for longer than a timeout says, and hinder nobody."""

import asyncio

import pytest

from tests.faults.processes import family
from tests.flow.client import Wire
from tests.flow.stage import prompt
from tests.hostile.ground import FRESH, KEPT, TALK_S, Ground, heard, statuses
from tests.hostile.raw import EVENTS, STREAM_HEAD
from tests.upstream.server import Peer, chunk

MIB = 2**20


async def sent(house: Ground, name: str, *, stream: bool = True, model: str = KEPT) -> Wire:
    house.calls += 1
    wire = await Wire.open(house.port)
    await wire.send("POST", "/v1/messages", house.headers(name), prompt(stream=stream, model=model))
    return wire


async def until(reached) -> None:
    async with asyncio.timeout(TALK_S):
        while not reached():
            await asyncio.sleep(0.01)


def memory_mib(house: Ground) -> float:
    (pid,) = family(house.gateway).workers
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / MIB


def test_a_client_that_takes_nothing_holds_the_upstream_back_and_is_charged_when_it_leaves(house: Ground) -> None:
    """Its answer would be 100 MB and more: neither side's memory is where it waits. The upstream is left at its timeout."""
    wrote = 0

    async def flood(peer: Peer) -> None:
        nonlocal wrote
        await peer.send(STREAM_HEAD + chunk(EVENTS[0]) + chunk(EVENTS[1]))
        piece = chunk(EVENTS[2] * 500)
        while True:
            await peer.send(piece)
            wrote += len(piece)

    house.upstream.scripts["glutton"] = flood
    before = memory_mib(house)

    async def main() -> None:
        wire = await sent(house, "glutton")
        await until(lambda: "glutton" in house.upstream.requests and wrote)
        seen = -1
        while seen != wrote:  # it stands
            seen = wrote
            await asyncio.sleep(0.3)
        assert seen < 50 * MIB and memory_mib(house) - before < 30
        assert (await house.ask("beside")).status == 200
        wire.reset()

    asyncio.run(main())
    (row,) = house.rows("glutton")
    assert row["outcome"] in ("client_gone", "timed_out") and row["usage_source"] == "observed" and row["billed_pusd"] > 0


@pytest.mark.parametrize("model", [KEPT, FRESH], ids=["kept", "fresh"])
@pytest.mark.parametrize("rude", [False, True], ids=["closes", "resets"])
def test_clients_that_leave_at_every_event_leave_one_row_each(house: Ground, rude: bool, model: str) -> None:
    session = f"leaves {rude} {model}"

    async def main() -> None:
        async def one(at: int) -> None:
            name = f"{session} {at}"

            async def script(peer: Peer) -> None:
                await peer.send(STREAM_HEAD + b"".join(map(chunk, EVENTS[:at])))
                await peer.until_gone()

            house.upstream.scripts[name] = script
            wire = await sent(house, name, model=model)
            await until(lambda: name in house.upstream.requests)
            if at:
                answer = await wire.head()
                while len(answer.body) < sum(map(len, EVENTS[:at])):
                    answer.chunks.append(await wire.chunk())
            if rude:
                wire.reset()
            else:
                await wire.close()

        await asyncio.gather(*map(one, range(len(EVENTS))))

    asyncio.run(main())
    for at in range(len(EVENTS)):
        (row,) = house.rows(f"{session} {at}")
        assert (row["outcome"], row["billed_pusd"] > 0) == ("client_gone", True)
        assert row["usage_source"] == ("estimated" if at == 0 else "exact" if at == 5 else "observed")


def test_a_client_that_half_closes_is_taken_for_gone_and_leaves_one_row_at_most(house: Ground) -> None:
    """None if the server has seen it before gw has seen the call."""

    async def main() -> None:
        for at, stream in enumerate((False, True)):
            name = f"half-closed {at}"
            body = prompt(stream=stream)
            head = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (house.head(name), len(body))
            await house.talk(head + body, then="eof")

    asyncio.run(main())
    for at in range(2):
        rows = house.all_rows(f"half-closed {at}")
        house.calls += len(rows)
        assert len(rows) <= 1 and {row["outcome"] for row in rows} <= {"client_gone", "completed"}


def test_a_body_that_drips_hinders_nobody_and_costs_nothing(house: Ground) -> None:
    async def main() -> None:
        wires = []
        for at in range(200):
            wire = await Wire.open(house.port)
            wire.send_head("POST", "/v1/messages", house.headers("drips"), "Content-Length: 1000000")
            await wire.write(b"{")
            wires.append(wire)
        house.calls += len(wires)
        for _ in range(3):
            for wire in wires:
                await wire.write(b" ")
            assert (await house.ask("beside drips")).status == 200
        for wire in wires:
            wire.reset()

    asyncio.run(main())
    rows = house.rows("drips", 200)
    assert {(row["outcome"], row["billed_pusd"], row["upstream_status"]) for row in rows} == {("client_gone", 0, 0)}
    assert "drips" not in house.upstream.requests


def test_a_thousand_idle_connections_hinder_nobody(house: Ground) -> None:
    async def main() -> None:
        before = memory_mib(house)
        wires = await asyncio.gather(*(Wire.open(house.port) for _ in range(1000)))
        for _ in range(20):
            assert (await house.ask("among idlers")).status == 200
        for at, wire in enumerate(wires):  # each of them is as good as new
            if at % 10 == 0:
                await wire.send("GET", "/healthz")
                assert (await wire.rest(await wire.head())).body == b"ok\n"
        assert memory_mib(house) - before < 40
        for wire in wires:
            wire.reset()

    asyncio.run(main())


def test_clients_that_open_and_reset_hinder_nobody(house: Ground) -> None:
    """With nothing sent, with half a head, with a head whose answer nobody waits for."""
    session = "storm"
    body = prompt(stream=True)
    whole = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (house.head(session), len(body)) + body

    async def one(at: int) -> None:
        wire = await Wire.open(house.port)
        if at % 3:
            await wire.write(whole if at % 3 == 2 else whole[: at % len(whole)])
        wire.reset()

    async def main() -> None:
        for start in range(0, 600, 60):
            await asyncio.gather(*map(one, range(start, start + 60)))
        assert (await house.ask("after the storm")).status == 200

    asyncio.run(main())
    rows = house.all_rows(session)
    house.calls += len(rows)
    assert 0 < len(rows) <= 400 and {row["outcome"] for row in rows} <= {"client_gone", "completed"}
    assert len(house.upstream.requests.get(session, [])) <= len(rows)


def test_requests_that_bring_headers_for_gw_to_repeat_add_no_line_to_any_answer(house: Ground) -> None:
    """What gw says of a request in its own headers and messages: a method, a path, a session, tags."""
    evil = b"%0d%0aX-Evil:%201%0d%0a%0d%0a%3Cscript%3E"
    lines = [
        b"GET /v1/" + evil + b" HTTP/1.1\r\nHost: x\r\n",
        b"GET /anthropic//" + evil + b"?" + evil + b" HTTP/1.1\r\nHost: x\r\n",
        b"X-EVIL /v1/messages HTTP/1.1\r\nHost: x\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x%0d%0aX-Evil: 1\r\nx-gw-tags: \xff\xfe\r\n",
    ]
    for line in lines:
        (answer,) = heard(asyncio.run(house.talk(line + b"Connection: close\r\n\r\n")))
        assert "x-evil" not in answer.headers and answer.status in (200, 404, 405)
        assert answer.status == 200 or "\n" not in answer.error_type
    head = house.head("tags").replace(b"session-id: tags", b"session-id: t\xe4gs\xa0\xad") + b"x-gw-project: \x80\xff\r\n"
    house.calls += 1
    body = prompt(stream=False)
    lines = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\nContent-Length: %d\r\n\r\n" % (head, len(body))
    assert statuses(heard(asyncio.run(house.talk(lines + body)))) == [200]
    (row,) = house.gateway.settled(bool, "session_id LIKE 't_gs%'")
    assert row["session_id"].isprintable() and row["project"].isprintable()


@pytest.mark.parametrize("model", [KEPT, FRESH], ids=["kept", "fresh"])
def test_a_hundred_streams_at_once_each_get_their_own(house: Ground, model: str) -> None:
    async def main() -> None:
        async def one(at: int) -> None:
            name = f"own {model} {at}"
            mine = STREAM_HEAD + b"".join(chunk(event.replace(b"hello", b"%05d" % at)) for event in EVENTS) + b"0\r\n\r\n"
            house.upstream.answer(name, mine[: at * 9 + 1], mine[at * 9 + 1 :])
            answer = await house.ask(name, stream=True, model=model)
            assert answer.clean and answer.body == b"".join(event.replace(b"hello", b"%05d" % at) for event in EVENTS)

        await asyncio.gather(*map(one, range(100)))

    asyncio.run(main())
    rows = house.gateway.settled(lambda rows: len(rows) >= 100, "session_id LIKE ?", [f"own {model} %"])
    assert {(row["outcome"], row["usage_source"]) for row in rows} == {("completed", "exact")} and len(rows) == 100
