"""Pings into silence: between events only, from the moment the headers are out, never into compressed bytes."""

import asyncio
from collections.abc import Iterator

import pytest

from gw.clock import mono_ns
from gw.demo import answers
from gw.demo.exchange import Chunk, Pause, Reply, Request, Script
from gw.wire.refusals import PING
from tests.flow.client import Wire
from tests.flow.stage import OWN, Stage, prompt, session, stage
from tests.support.claims import allowed

INTERVAL_S = 0.2
SILENCE_S = 1.5
IDLE_S = 4.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    environ = {"GW_SERVER_PING_INTERVAL_S": str(INTERVAL_S)}
    with stage(tmp_path_factory.mktemp("pings"), upstream=f"idle_timeout_s = {IDLE_S}", environ=environ) as one:
        yield one


def full(request: Request) -> Reply:
    return answers.message(request, [answers.text("word " * 48)])


def paused(at: int, seconds: float = SILENCE_S, *, inside: int = 0, crlf: bool = False, packed: bool = False) -> Script:
    """Silence before the chunk `at`, or `inside` so many bytes of it."""

    def script(request: Request) -> Reply:
        reply = answers.gzipped(full(request)) if packed else answers.crlf(full(request)) if crlf else full(request)
        steps = list(reply.steps)
        if inside:
            chunk = steps[at]
            assert isinstance(chunk, Chunk)
            steps[at : at + 1] = [Chunk(chunk.data[:inside]), Pause(seconds), Chunk(chunk.data[inside:], chunk.output_tokens)]
        else:
            steps.insert(at, Pause(seconds))
        return answers.with_steps(reply, steps)

    return script


Heard = dict[str, list[tuple[int, bytes]]]  # name -> (moment in ns, bytes) of every chunk


async def listen(house: Stage, name: str) -> list[tuple[int, bytes]]:
    """(moment in ns, bytes) of every chunk; the body ended cleanly."""
    async with await Wire.open(house.port) as wire:
        await wire.send("POST", "/v1/messages", [OWN, session(name), ("x-test-id", name)], prompt())
        assert (await wire.head()).status == 200
        heard = []
        while chunk := await wire.chunk():
            heard.append((mono_ns(), chunk))
        return heard


def sent_bytes(house: Stage, name: str) -> bytes:
    """What the upstream's script made of this request."""
    script = house.played.answers[name]
    (request,) = house.played.requests[name]
    reply = script if isinstance(script, Reply) else script(request)
    return b"".join(step.data for step in reply.steps if isinstance(step, Chunk))


SILENCES: list[tuple[str, Script, int]] = [
    # name, what the upstream does, pings at least
    ("after the headers", paused(0), 3),
    ("between events", paused(6), 3),
    ("between events with CRLF", paused(6, crlf=True), 3),
    ("before message_stop", paused(-1), 3),
    ("inside an event", paused(6, inside=20), 0),
    ("between the lines of an event", paused(6, inside=27), 0),
    ("inside a gzip stream", paused(6, packed=True), 0),
]


IDLE = {f"idle-{packed}": paused(6, 99.0, packed=packed) for packed in (False, True)}


@pytest.fixture(scope="module")
def heard(house: Stage) -> Heard:
    """All of them take their time at once."""
    scripts = {name: script for name, script, _ in SILENCES} | IDLE | {"placed": paused(6)}
    house.played.answers.update(scripts)

    async def all_of_them() -> list[list[tuple[int, bytes]]]:
        return await asyncio.gather(*(listen(house, name) for name in scripts))

    return dict(zip(scripts, asyncio.run(all_of_them()), strict=True))


@pytest.mark.parametrize(("name", "pings"), [(name, pings) for name, _, pings in SILENCES], ids=[one[0] for one in SILENCES])
def test_silence_is_filled_between_events_and_nowhere_else(house: Stage, heard: Heard, name: str, pings: int) -> None:
    moments = [moment for moment, chunk in heard[name] if chunk == PING]
    assert (pings <= len(moments) <= allowed(SILENCE_S) / INTERVAL_S) if pings else not moments
    assert not moments or (moments[-1] - moments[0]) / 1e9 > (len(moments) - 1) * INTERVAL_S / 2
    assert b"".join(chunk for _, chunk in heard[name] if chunk != PING) == sent_bytes(house, name)
    (row,) = house.gateway.session_rows(name, 1)
    assert (row["outcome"], row["usage_source"]) == ("completed", "exact")


def test_pings_stand_where_the_silence_was(house: Stage, heard: Heard) -> None:
    name = "placed"
    before = b"".join(chunk for _, chunk in heard[name]).partition(PING)[0]
    assert before == b"".join(step.data for step in full(house.played.requests[name][0]).steps[:6] if isinstance(step, Chunk))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_the_idle_timeout_ends_the_stream_with_an_error_event_if_that_can_be_read(
    house: Stage, heard: Heard, packed: bool
) -> None:
    name = f"idle-{packed}"
    whole = b"".join(chunk for _, chunk in heard[name])
    assert (whole.count(PING) >= 3) is not packed
    assert whole.count(b"event: error") == (0 if packed else 1)
    assert sent_bytes(house, name).startswith(whole.replace(PING, b"").partition(b"event: error")[0])
    silence_s = (heard[name][-1][0] - heard[name][0][0]) / 1e9
    assert packed or IDLE_S - 0.1 < silence_s < IDLE_S + allowed(0.5)
    (row,) = house.gateway.session_rows(name, 1)
    assert (row["outcome"], row["error"], row["usage_source"]) == ("timed_out", "upstream_idle_timeout", "observed")
    assert row["list_pusd"] > 0


def test_a_whole_answer_is_waited_for_in_silence(house: Stage) -> None:
    async def ask() -> bytes:
        async with await Wire.open(house.port) as wire:
            await wire.send("POST", "/v1/messages", [OWN], prompt("[play:silent-before 0.7]", stream=False))
            return (await wire.rest(await wire.head())).body

    assert PING not in asyncio.run(ask())
