"""What becomes of a call when its first upstream fails: the table of docs/routing.md, row by row."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from gw.demo import answers
from gw.demo.exchange import Chunk, Hangup, Pause, Reply, Request, Reset, Script
from gw.demo.scripts import by_prompt
from tests.flow.places import MODEL, Places, always, header_of, status_of


@asynccontextmanager
async def places(folder: Path, first: Script, second: Script = by_prompt, **more: Any) -> AsyncIterator[Places]:
    house = Places(folder, first, second)
    await house.start(folder, **more)
    try:
        yield house
    finally:
        await house.close()


def error(status: int, kind: str, *headers: tuple[str, str]) -> Script:
    return always(lambda: answers.error(status, kind, "of the test", headers))


def stream_of(*steps: Any) -> Script:
    return always(lambda: Reply(200, answers.SSE_HEADERS, list(steps)))


def before_the_first_event(request: Request) -> Reply:
    return Reply(200, answers.SSE_HEADERS, [Pause(0.05), Reset()])


def silent(request: Request) -> Reply:
    """Before its status line."""
    return replace(by_prompt(request), headers_after=5)


OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


class Fault(NamedTuple):
    """`slug`: what the attempt is noted as, "" if it was the last. `rows`: of the ledger. `billed`: the first has a charge."""

    name: str
    first: Script
    stream: bool
    served: str
    status: int
    slug: str = ""
    rows: int = 1
    billed: bool = False


FAULTS = [
    Fault("429", error(429, "rate_limit_error"), False, "second", 200, "upstream_rate_limit_error"),
    Fault("429, a stream", error(429, "rate_limit_error"), True, "second", 200, "upstream_rate_limit_error"),
    Fault("500", error(500, "api_error"), False, "second", 200, "upstream_api_error"),
    Fault("502", error(502, "api_error"), False, "second", 200, "upstream_api_error"),
    Fault("503", error(503, "api_error"), True, "second", 200, "upstream_api_error"),
    Fault("529", error(529, "overloaded_error"), True, "second", 200, "upstream_overloaded_error"),
    Fault("408", error(408, "timeout_error"), False, "second", 200, "upstream_timeout_error"),
    Fault("gw's key is refused", error(401, "authentication_error"), False, "second", 200, "upstream_authentication_error"),
    Fault("nothing paid", error(402, "billing_error"), False, "second", 200, "upstream_billing_error"),
    Fault("400", error(400, "invalid_request_error"), False, "first", 400),
    Fault("404", error(404, "not_found_error"), False, "first", 404),
    Fault("413", error(413, "request_too_large"), False, "first", 413),
    Fault("reset without an answer", always(lambda: Reply(0, (), [Hangup()])), False, "second", 200, "reset"),
    Fault("an error in place of a stream", stream_of(Chunk(OVERLOADED)), True, "second", 200, "upstream_overloaded_error"),
    Fault("silence", silent, False, "second", 200, "first_byte_timeout", 2, True),
    Fault("a stream that breaks before it begins", before_the_first_event, True, "second", 200, "reset", 2, True),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_first_attempt_that_fails(tmp_path: Path, fault: Fault) -> None:
    async with places(tmp_path, fault.first) as house:
        client = await house.ask(stream=fault.stream)
        assert status_of(client) == fault.status
        records = house.new_records()
        assert len(records) == fault.rows
        last = records[-1]
        assert (last.upstream, last.status, last.requested_model) == (fault.served, fault.status, MODEL)
        assert last.call_id == header_of(client, "request-id")
        if fault.slug:
            ((name, _, slug, ms),) = json.loads(last.attempts)
            assert (name, slug) == ("first", fault.slug) and 0 <= ms < 5000
            assert header_of(client, "x-gw-attempts").startswith(f"first {json.loads(last.attempts)[0][1]} {fault.slug} ")
        else:
            assert last.attempts == "" and not house.second.invoice.lines()
        if fault.billed:
            assert (records[0].upstream, records[0].usage_source) == ("first", "estimated") and records[0].billed_pusd > 0
            assert last.attempt_of == records[0].call_id
        if fault.served == "second":
            assert last.billed_pusd == house.second.invoice.total_pusd() > 0
        assert sum(record.billed_pusd for record in records if record.upstream == "first") == (
            records[0].billed_pusd if fault.billed else 0
        )
        house.assert_nothing_is_left()
        await the_budgets_know(house, records)


async def the_budgets_know(house: Places, records: list[Any]) -> None:
    """Each budget has settled what its calls were billed, and has set nothing aside any more."""
    used = house.used_nusd()
    billed = {place: sum(-(-r.billed_pusd // 1000) for r in records if r.upstream == place) for place in ("first", "second")}
    for account, (settled, aside) in used.items():
        budget, _, name = account.partition(":")
        assert aside == 0, account
        assert settled == (sum(billed.values()) if budget == "team" else billed[name]), account


async def test_nobody_listens_at_the_first_one(tmp_path: Path) -> None:
    async with places(tmp_path, by_prompt, down=True) as house:
        client = await house.ask()
        (record,) = house.new_records()
        assert (status_of(client), record.upstream, record.retries) == (200, "second", 1)
        assert json.loads(record.attempts)[0][2] == "connect"
        await the_budgets_know(house, [record])


async def test_both_fail_and_the_client_gets_the_last_ones_words(tmp_path: Path) -> None:
    second = error(529, "overloaded_error", ("retry-after", "7"))
    async with places(tmp_path, error(500, "api_error"), second) as house:
        client = await house.ask()
        (record,) = house.new_records()
        assert (status_of(client), record.upstream, record.error) == (529, "second", "upstream_overloaded_error")
        assert header_of(client, "retry-after") == "7" and b"of the test" in client.body
        assert record.billed_pusd == 0 and len(json.loads(record.attempts)) == 1
        house.assert_nothing_is_left()
        await the_budgets_know(house, [record])


async def test_what_the_first_has_said_is_not_told_of_the_last(tmp_path: Path) -> None:
    async with places(tmp_path, error(500, "api_error"), always(lambda: Reply(0, (), [Hangup()]))) as house:
        client = await house.ask()
        (record,) = house.new_records()
        assert (status_of(client), record.upstream, record.error) == (502, "second", "upstream_reset")
        assert (record.upstream_status, record.first_byte_us, record.retries) == (0, 0, 1)
        assert header_of(client, "x-gw-attempts").startswith("first 500 upstream_api_error ")


async def test_nothing_is_tried_again_after_the_first_byte(tmp_path: Path) -> None:
    def breaks(request: Request) -> Reply:
        whole = by_prompt(request)
        return answers.until(whole, 4, Reset())

    async with places(tmp_path, breaks) as house:
        client = await house.ask(stream=True)
        (record,) = house.new_records()
        assert (status_of(client), record.upstream, record.outcome) == (200, "first", "upstream_error")
        assert b"event: error" in client.body and client.ended and not house.second.invoice.lines()
        assert record.usage_source == "observed" and record.billed_pusd > 0
        house.assert_nothing_is_left()
        await the_budgets_know(house, [record])


async def test_a_retry_at_the_same_place_is_one_call(tmp_path: Path) -> None:
    tries: list[int] = []

    def twice_bad(request: Request) -> Reply:
        tries.append(1)
        return answers.error(502, "api_error", "of the test") if len(tries) < 3 else by_prompt(request)

    more = "[routing]\nretry_base_ms = 1\n"
    async with places(tmp_path, twice_bad, first_more="max_retries = 2", more=more) as house:
        client = await house.ask()
        (record,) = house.new_records()
        assert (status_of(client), record.upstream, record.retries, len(tries)) in ((200, "first", 2, 3), (200, "second", 2, 2))
        await the_budgets_know(house, [record])


async def test_a_client_that_leaves_between_two_attempts_costs_nothing(tmp_path: Path) -> None:
    async with places(tmp_path, always(lambda: Reply(0, (), [Hangup()]))) as house:
        client = await house.ask(stream=True)
        assert status_of(client) == 200
        assert [record.outcome for record in house.new_records()][-1] == "completed"


async def test_a_place_that_fails_is_left_alone_and_a_session_returns_to_it(tmp_path: Path) -> None:
    bad = [True]

    def first(request: Request) -> Reply:
        return answers.error(529, "overloaded_error", "of the test") if bad[0] else by_prompt(request)

    more = "[routing]\nbreaker_failures = 3\ncooldown_s = 0.2\n"
    async with places(tmp_path, first, more=more) as house:
        served = []
        for number in range(8):
            await house.ask(session=str(number))
            served.append([(r.upstream, bool(r.attempts)) for r in house.new_records()][-1])
        assert served[0] == ("second", True) and served[-1] == ("second", False), served
        bad[0] = False
        async with asyncio.timeout(10):
            while True:
                await house.ask(session="back")
                if house.new_records()[-1].upstream == "first":
                    break
                await asyncio.sleep(0.02)


async def test_a_long_stream_that_tries_a_place_keeps_the_others_away_for_a_cool_down_only(tmp_path: Path) -> None:
    bad, streams = [True], asyncio.Event()

    def first(request: Request) -> Reply:
        if bad[0]:
            return answers.error(529, "overloaded_error", "of the test")
        if request.head.stream:
            streams.set()
            whole = by_prompt(request)
            return replace(whole, steps=[*whole.steps[:2], *[Pause(0.1), Chunk(b": still at it\n\n")] * 200])
        return by_prompt(request)

    more = "[routing]\nbreaker_failures = 1\ncooldown_s = 0.1\n"
    async with places(tmp_path, first, more=more, first_more="max_retries = 0") as house:
        await house.ask(session="a")
        bad[0] = False
        await asyncio.sleep(0.15)
        trial = asyncio.create_task(house.ask(session="b", stream=True))
        await asyncio.wait_for(streams.wait(), 10)
        async with asyncio.timeout(10):
            while True:
                await house.ask(session="c")
                if house.new_records()[-1].upstream == "first":
                    break
                await asyncio.sleep(0.02)
        assert not trial.done()
        trial.cancel()
        await asyncio.gather(trial, return_exceptions=True)
