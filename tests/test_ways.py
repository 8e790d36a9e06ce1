"""Places among an upstream's connections: who goes gives back what it was given; candidates outlive their configuration."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw import snapshot
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.settle import Call
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


def a_call(house: Landscape) -> Call:
    return Call("gw_1", "messages", house.worker.snapshot, "w")


async def test_a_place_that_is_given_to_who_leaves_in_that_moment_is_not_lost(house: Landscape) -> None:
    ways = house.worker.ways
    first = ways.deployments["first"]
    client = Client()
    await ways.enter(a_call(house), first, client.receive)
    waits = asyncio.create_task(ways.enter(a_call(house), first, client.receive))
    await asyncio.sleep(0)
    ways.leave(first)  # its turn has come
    waits.cancel()  # but it goes before it has heard of it
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert ways._taken["first"] == 0
    async with asyncio.timeout(1):
        await ways.enter(a_call(house), first, client.receive)


async def test_a_queue_that_was_empty_has_the_settings_of_now(house: Landscape) -> None:
    ways, client = house.worker.ways, Client()
    first = ways.deployments["first"]
    await ways.enter(a_call(house), first, client.receive)
    found = []
    for _ in range(2):
        waits = asyncio.create_task(ways.enter(a_call(house), first, client.receive))
        await asyncio.sleep(0)
        found.append(ways._queues["first"])
        waits.cancel()
        await asyncio.wait([waits])
    assert found[0] is not found[1]


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
