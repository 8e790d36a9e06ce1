"""Many streams at once, and clients that leave at any moment: every byte to its client, every call billed once."""

import asyncio
import hashlib
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gw.clock import wall_us
from gw.demo.answers import SSE_HEADERS
from gw.demo.exchange import Chunk, Reply
from gw.demo.invoice import Line
from tests.faults.processes import family
from tests.flow.client import Answer, Wire, call
from tests.flow.stage import MODEL, OWN, Stage, prompt, session, stage
from tests.support.bill import assert_equal_bills
from tests.support.claims import allowed
from tests.support.gateway import Row

STREAMS, EVENTS = 300, 100
LEAVERS = 200
NOTICED_US = 1_000_000  # the upstream sees the client's leaving within this time
AGENT = ("user-agent", "claude-cli/2.1.329 (external, cli)")
STUCK = "claude-haiku-4-5"


@pytest.fixture(scope="module")
def stuck_port() -> Iterator[int]:
    """A port on which nobody accepts: its queue is full, so further connections wait for ever."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield int(server.getsockname()[1])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, stuck_port: int) -> Iterator[Stage]:
    more = f'[[upstream]]\nname = "stuck"\nmodels = ["{STUCK}"]\nbase_url = "http://127.0.0.1:{stuck_port}"\n'
    with stage(tmp_path_factory.mktemp("streams"), workers=2, upstream=f'models = ["{MODEL}"]', more=more) as one:
        yield one


@contextmanager
def reading_on(folder: Path, *, seconds: int, tokens: int) -> Iterator[Stage]:
    """A gateway that reads on when the client has left, at most for so long and for so much."""
    environ = {
        "GW_SERVER_ON_CLIENT_GONE": "drain",
        "GW_SERVER_DRAIN_CLIENT_GONE_S": str(seconds),
        "GW_SERVER_DRAIN_CLIENT_GONE_TOKENS": str(tokens),
    }
    with stage(folder, environ=environ) as one:
        yield one


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Only the tokens bound it, however slow the machine is."""
    with reading_on(tmp_path_factory.mktemp("patient"), seconds=60, tokens=1_000) as one:
        yield one


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Only the time bounds it."""
    with reading_on(tmp_path_factory.mktemp("hasty"), seconds=1, tokens=100_000) as one:
        yield one


def headers(name: str, group: str) -> list[tuple[str, str]]:
    return [OWN, AGENT, session(group), ("x-test-id", name)]


def lines_of(house: Stage, group: str, count: int) -> list[Line]:
    """The invoice's lines of a session, once there are so many."""
    house.gateway.poll(lambda: len(house.upstream.invoice.lines(session=group)) >= count, f"{count} invoice lines")
    return house.upstream.invoice.lines(session=group)


def test_300_streams_at_once_are_whole_apart_and_exactly_billed(house: Stage) -> None:
    async def one(number: int) -> tuple[str, Answer]:
        name = f"many-{number}"
        body = prompt(f"stream {number} [play:events {EVENTS} 5]")
        return name, await call(house.port, headers=headers(name, "many"), body=body)

    async def all_of_them() -> dict[str, Answer]:
        return dict(await asyncio.gather(*map(one, range(STREAMS))))

    answers = asyncio.run(all_of_them())
    assert {(answer.status, answer.clean) for answer in answers.values()} == {(200, True)}
    lines = house.upstream.invoice.lines(session="many")
    due = {line.headers["x-test-id"]: line.response_sha256 for line in lines}
    assert {name: hashlib.sha256(answer.body).hexdigest() for name, answer in answers.items()} == due
    assert len(set(due.values())) == STREAMS, "each answer is its own"
    assert all(answer.body.count(b"text_delta") == EVENTS for answer in answers.values())
    rows = house.gateway.session_rows("many", STREAMS)
    assert_equal_bills(rows, lines)
    assert {row["call_id"] for row in rows} == {answer.header("request-id") for answer in answers.values()}
    assert {(row["outcome"], row["usage_source"], row["error"]) for row in rows} == {("completed", "exact", "")}
    assert len({row["worker"] for row in rows}) == 2


async def leave_after(house: Stage, name: str, group: str, body: bytes, seconds: float, rude: bool) -> int:
    """Sends a request, reads for a while, or until gw has it, and leaves; the moment of leaving."""
    wire = await Wire.open(house.port)
    await wire.send("POST", "/v1/messages", headers(name, group), body)

    async def read() -> None:
        answer = await wire.head()
        await wire.rest(answer)

    reader = asyncio.ensure_future(read())
    done, _ = await asyncio.wait([reader], timeout=seconds)
    if not done and name not in house.played.requests:
        await house.under_way(1)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert not done, f"{name} ended before its client left"
    left_us = wall_us()
    if rude:
        wire.reset()
    else:
        await wire.close()
    return left_us


def left(
    house: Stage, group: str, bodies: dict[str, bytes], seconds: list[float]
) -> tuple[list[Line], list[Row], dict[str, int]]:
    """Lets each client leave at its time, half of them rudely: the invoice, the rows, when each left."""

    async def all_of_them() -> dict[str, int]:
        leaving = [
            leave_after(house, name, group, body, after, rude=at % 2 == 0)
            for at, ((name, body), after) in enumerate(zip(bodies.items(), seconds, strict=True))
        ]
        return dict(zip(bodies, await asyncio.gather(*leaving), strict=True))

    moments = asyncio.run(all_of_them())
    lines = lines_of(house, group, len(bodies))
    return lines, house.gateway.session_rows(group, len(bodies)), moments


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_clients_that_leave_at_any_moment_close_the_upstream_and_pay_what_was_seen(house: Stage, stream: bool) -> None:
    group = f"leavers-{stream}"
    play = "[play:events 400 10]" if stream else "[play:silent-before 5]"
    count = LEAVERS if stream else 30
    bodies = {f"{group}-{at}": prompt(f"{at} {play}", stream=stream) for at in range(count)}
    chance = random.Random(7)
    lines, rows, moments = left(house, group, bodies, [chance.uniform(0.1, 1.5) for _ in bodies])
    assert len(lines) == len(rows) == count
    assert {line.end for line in lines} == {"cut_by_client"}
    late = {line.headers["x-test-id"]: line.cut_us - moments[line.headers["x-test-id"]] for line in lines}
    assert max(late.values()) < allowed(NOTICED_US), sorted(late.values())[-5:]
    assert {(row["outcome"], row["error"]) for row in rows} == {("client_gone", "")}
    assert {row["usage_source"] for row in rows} <= ({"observed", "estimated"} if stream else {"estimated"})
    assert all(row["list_pusd"] > 0 for row in rows)
    if not stream:
        assert {row["status"] for row in rows} == {0}
        return
    seen = [row for row in rows if row["usage_source"] == "observed"]
    assert len(seen) > count // 4
    produced = {line.request_id: line.output_tokens for line in lines}
    under_way = allowed(60)  # tokens of the events that had left the upstream and not yet reached the gateway
    assert all(row["output_tokens"] >= produced[row["upstream_request_id"]] - under_way for row in seen)


def one_row(house: Stage, group: str) -> Row:
    (row,) = house.gateway.session_rows(group, 1)
    return row


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_while_its_body_is_under_way_costs_nothing(house: Stage, framing: str) -> None:
    group = f"upload {framing[:8]}"
    body = prompt("x" * 100_000)

    async def upload() -> None:
        wire = await Wire.open(house.port)
        wire.send_head("POST", "/v1/messages", headers(group, group), framing)
        await wire.write(body if "Length" in framing else b"%x\r\n%b\r\n" % (len(body), body))
        await house.under_way(1)
        wire.reset()

    asyncio.run(upload())
    row = one_row(house, group)
    # Of chunks that break off the server does not say whether the client is gone, so it is told.
    seen = ("client_gone", 0) if "Length" in framing else ("refused", 400)
    assert (row["outcome"], row["status"], row["usage_source"], row["list_pusd"]) == (*seen, "none", 0)
    assert not house.played.requests.get(group)


def test_a_client_that_leaves_while_the_upstream_is_being_connected_costs_nothing(house: Stage) -> None:
    asyncio.run(leave_after(house, "connecting", "connecting", prompt(model=STUCK), 0.2, rude=True))
    row = one_row(house, "connecting")
    assert (row["outcome"], row["status"], row["usage_source"], row["list_pusd"]) == ("client_gone", 0, "none", 0)
    assert row["ended_us"] - row["started_us"] < allowed(1.2) * 1e6


def test_a_connection_goes_on_after_count_tokens_and_models_as_after_messages(house: Stage) -> None:
    """One receive stays open beside each call; it must not swallow what comes after."""

    async def on_one_connection() -> list[int]:
        statuses = []
        async with await Wire.open(house.port) as wire:
            for turn in range(30):
                path = ("/v1/messages", "/v1/messages/count_tokens", "/v1/models")[turn % 3]
                await wire.send(
                    "GET" if path.endswith("models") else "POST",
                    path,
                    headers("keep", "keep"),
                    b"" if turn % 3 == 2 else prompt(),
                )
                statuses.append((await wire.rest(await wire.head())).status)
        return statuses

    assert asyncio.run(on_one_connection()) == [200] * 30
    rows = house.gateway.session_rows("keep", 30)
    assert {row["endpoint"] for row in rows if row["list_pusd"]} == {"messages"}
    assert {row["outcome"] for row in rows} == {"completed"}


def test_a_client_that_does_not_read_holds_back_the_upstream_not_the_gateways_memory(house: Stage) -> None:
    piece = b": " + b"x" * 65536 + b"\n\n"
    house.played.answers["deaf"] = Reply(headers=SSE_HEADERS, steps=(Chunk(piece),) * 3000, framing="chunked")

    async def deaf() -> int:
        """Growth of the workers' memory until the upstream can send no more, in KiB."""
        wire = await Wire.open(house.port)
        before = workers_kib(house)
        await wire.send("POST", "/v1/messages", headers("deaf", "deaf"), prompt())
        sent = -1
        while sent != (now := house.upstream.upstream.chunks_sent):
            sent = now
            await asyncio.sleep(0.3)
        after = workers_kib(house)
        wire.reset()
        return after - before

    assert asyncio.run(deaf()) < 40 * 1024
    (line,) = lines_of(house, "deaf", 1)
    assert line.end == "cut_by_client" and line.response_bytes < 3000 * len(piece)
    assert one_row(house, "deaf")["outcome"] == "client_gone"


def workers_kib(house: Stage) -> int:
    """Resident memory of all workers."""
    pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in family(house.gateway).workers]
    return sum(map(int, pages)) * 4


# --- on_client_gone = "drain" -----------------------------------------------------------------------------------------
DRAINS = [
    # bounded by, what the upstream plays, stream, the source of the bill, the upstream's end, seconds from leaving to it at most
    ("tokens", "short", "[play:events 60 20]", True, "exact", "complete", 1.7),
    ("tokens", "wordy", "[play:events 3000 3]", True, "observed", "cut_by_client", 1.7),
    ("tokens", "soon", "[play:silent-before 1]", False, "exact", "complete", 1.4),
    ("time", "long", "[play:events 600 60]", True, "observed", "cut_by_client", 1.4),
    ("time", "never", "[play:silent-before 30]", False, "estimated", "cut_by_client", 1.4),
]


@pytest.mark.parametrize(("bound", "name", "play", "stream", "source", "end", "claimed_s"), DRAINS, ids=[of[1] for of in DRAINS])
def test_drain_reads_on_for_the_exact_bill_within_its_bounds(
    patient: Stage, hasty: Stage, bound: str, name: str, play: str, stream: bool, source: str, end: str, claimed_s: float
) -> None:
    house = {"tokens": patient, "time": hasty}[bound]
    left_us = asyncio.run(leave_after(house, name, name, prompt(play, stream=stream), 0.15, rude=True))
    (line,) = lines_of(house, name, 1)
    row = one_row(house, name)
    assert (row["outcome"], row["error"], row["usage_source"], line.end) == ("client_gone", "", source, end)
    assert row["status"] == (200 if stream else 0)
    assert (line.ended_us - left_us) / 1e6 < allowed(claimed_s)
    if source == "exact":
        assert row["list_pusd"] == line.cost_pusd > 0
    else:
        assert row["list_pusd"] > 0
    if name == "long":
        assert line.ended_us - left_us > 800_000, "it read on until the time was up"


def test_nothing_is_left_behind(house: Stage, patient: Stage, hasty: Stage) -> None:
    for one in (house, patient, hasty):
        ready = one.ready()
        assert (ready["ready"], ready["in_flight"]) == (True, 0)
        log = one.gateway.process.log_end(1 << 20)
        assert "Traceback" not in log and "never retrieved" not in log, log
