"""Places among an upstream's connections: who goes gives back what it was given; candidates outlive their configuration."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw import snapshot
from gw.demand import Demand
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.domain.account import Account
from gw.doors import MESSAGES
from gw.routing.asked import Candidate
from gw.routing.decision import Decision
from gw.routing.health import key_of
from gw.settle import Call
from gw.ways import Way
from gw.wire.headers import read_request
from tests.flow.landscape import Landscape, landscape
from tests.support.one_worker import Client

TWO = """
[[upstream]]
name = "first"
base_url = "@first@"
api_key = "sk-first"
connections_max = 1
[[upstream]]
name = "second"
base_url = "@second@"
api_key = "sk-second"
[[route]]
model = "claude-*"
candidates = [{ upstream = "first" }, { upstream = "second", priority = 2 }]
[[key]]
name = "ada"
team = "a"
secret = "#ada#"
[[team]]
name = "a"
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Landscape]:
    async with landscape(tmp_path, TWO) as found:
        yield found


SCOPE = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"", "headers": []}


def a_call(house: Landscape) -> Call:
    return Call("gw_1", "messages", house.worker.snapshot, "w")


def way_to_first(house: Landscape) -> Way:
    ways = house.worker.ways
    return ways.way(Candidate("first", ""), ways.deployments)


async def enter(house: Landscape, way: Way) -> None:
    await way.room.enter(a_call(house), 1, house.worker.snapshot.config, Client().receive)


async def test_a_place_that_is_given_to_who_leaves_in_that_moment_is_not_lost(house: Landscape) -> None:
    first = way_to_first(house)
    await enter(house, first)
    waits = asyncio.create_task(enter(house, first))
    await asyncio.sleep(0)
    first.room.leave()  # its turn has come
    waits.cancel()  # but it goes before it has heard of it
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert first.room.taken == 0
    async with asyncio.timeout(1):
        await enter(house, first)


async def test_a_queue_that_was_empty_has_the_settings_of_now(house: Landscape) -> None:
    first = way_to_first(house)
    await enter(house, first)
    found = []
    for _ in range(2):
        waits = asyncio.create_task(enter(house, first))
        await asyncio.sleep(0)
        found.append(first.room._queue)
        waits.cancel()
        await asyncio.wait([waits])
    assert found[0] is not found[1]


async def test_a_session_s_name_is_that_of_its_account_and_model_whoever_had_it_last(house: Landscape) -> None:
    ways, candidates = house.worker.ways, (Candidate("first", "m"), Candidate("second", "m"))
    decision = Decision(candidates)
    courses = set()
    for nth in range(12):
        call, who, model = a_call(house), ("ada", "bob")[nth % 2], ("m", "n")[nth // 2 % 2]
        call.own_credential, call.session_id, call.account = False, ("s", "t")[nth // 4 % 2], Account(who)
        demand = Demand(MESSAGES, read_request([]), SCOPE, b"", b"")
        demand.model = model
        for _ in range(3):
            course = ways.order(call, demand, decision)
            assert demand.session == key_of(f"{who}:{call.session_id}", model)
            assert course.order == ways.health.pick(candidates, 0, demand.session)
        assert course.session == demand.session and course.places, "it is kept"
        courses.add(course.session)
    assert len(courses) == 8


async def test_an_upstream_that_is_taken_out_of_the_configuration_still_serves_whose_candidate_it_is(house: Landscape) -> None:
    worker = house.worker

    def fails(request: Request) -> Reply:
        published = snapshot.read(worker.state_dir)
        start, end = published.config_text.index('[[upstream]]\nname = "second"'), published.config_text.index("[[route]]")
        text = published.config_text[:start] + published.config_text[end:].replace(', { upstream = "second", priority = 2 }', "")
        published = replace(published, version=published.version + 1, config_text=text)
        snapshot.publish(worker.state_dir, published, worker._swap)
        return Reply(529, (("content-type", "application/json"),))

    house.scripts.update(first=fails, second=by_prompt)
    body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    answered = await house.send(body, key="ada")
    assert [one.name for one in worker.snapshot.deployments] == ["first"]
    assert (answered.status, answered.row.upstream) == (200, "second")
