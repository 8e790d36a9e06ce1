"""Hostile upstreams, through the whole gateway: the client's answer in its dialect, one row that says what happened, and the next
call, on the same worker and pool, gets its own answer."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.flow.client import Answer, Wire
from tests.flow.stage import prompt
from tests.hostile.ground import FIRST_BYTE_S, FRESH, IDLE_S, KEPT, TOTAL_S, Ground
from tests.hostile.raw import EVENTS, JSON_TYPE, MESSAGE, OK, SSE_TYPE, STREAM, STREAM_HEAD, WHOLE, WHOLE_BODY
from tests.support.gateway import Row
from tests.upstream.server import chunk

FORGED_BODY = json.dumps(MESSAGE | {"id": "msg_forged", "model": "forged"}).encode()
FORGED = OK + JSON_TYPE + b"Content-Length: %d\r\n\r\n" % len(FORGED_BODY) + FORGED_BODY
SOME = STREAM_HEAD + chunk(EVENTS[0]) + chunk(EVENTS[1]) + chunk(EVENTS[2])
OF_LENGTH = b"Content-Length: %d\r\n\r\n" % len(WHOLE_BODY)


@dataclass(frozen=True)
class Case:
    """`error`: gw's slug, of the refusal if `status` is one, else within the row only. `row`: outcome, usage source, billed."""

    name: str
    pieces: tuple[bytes, ...]
    status: int
    error: str
    row: tuple[str, str, bool]
    end: str = ""
    stream: bool = False


def refused(name: str, *pieces: bytes, slug: str = "upstream_protocol", end: str = "") -> Case:
    return Case(name, pieces, 502, slug, ("upstream_error", "none", False), end)


def good(name: str, *pieces: bytes, end: str = "", stream: bool = False) -> Case:
    return Case(name, pieces, 200, "", ("completed", "exact", True), end, stream)


def broken(name: str, *pieces: bytes, error: str, source: str = "observed", end: str = "") -> Case:
    outcome = "timed_out" if error.endswith("timeout") else "upstream_error"
    return Case(name, pieces, 200, error, (outcome, source, True), end, stream=True)


def late(name: str, *pieces: bytes, slug: str, status: int = 504, end: str = "") -> Case:
    """No whole answer: nothing has gone to the client yet."""
    outcome = "timed_out" if slug.endswith("timeout") else "upstream_error"
    return Case(name, pieces, status, slug, (outcome, "estimated", True), end)


CASES = [
    refused("no answer, reset", slug="upstream_reset", end="reset"),
    refused("no answer, closed", slug="upstream_reset", end="end"),
    refused("no answer, half-closed", slug="upstream_reset", end="half_close"),
    refused("half a head", OK + b"A: b", slug="upstream_reset", end="end"),
    refused("not HTTP", b"220 mail.example ESMTP\r\n"),
    refused("zeros", bytes(5000)),
    refused("two lengths", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    refused("a length and chunks", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    refused("chunked, identity", OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    refused("a tab behind chunked", OK + JSON_TYPE + b"Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"),
    refused("a bare CR", OK + b"A: b\rX-Gw-Error: forged\r\n" + OF_LENGTH + WHOLE_BODY),
    refused("a folded header", OK + b"A: b\r\n c\r\n" + OF_LENGTH + WHOLE_BODY),
    refused("a NUL", OK + b"A: \0\r\n" + OF_LENGTH + WHOLE_BODY),
    refused("a bomb of headers", OK + b"".join(b"A%d: b\r\n" % at for at in range(5000)) + OF_LENGTH + WHOLE_BODY),
    refused("a bomb in one header", OK + b"A: " + b"b" * 5_000_000),
    refused("a flood of 103", b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n" * 40_000),
    refused("101, unasked", b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
    refused("a 1xx with a body", b"HTTP/1.1 150 X\r\n" + OF_LENGTH + FORGED_BODY + WHOLE),
    refused("status 099", b"HTTP/1.1 099 X\r\n" + OF_LENGTH + WHOLE_BODY),
    good("some 1xx", b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n" * 50 + WHOLE),
    good("a forged answer behind the answer", WHOLE + FORGED),
    good("a forged answer behind the stream", STREAM + FORGED, stream=True),
    good("closed behind the answer", WHOLE, end="end"),
    good("reset behind the answer", WHOLE, end="half_close"),
    good("until the end", OK + JSON_TYPE + b"\r\n" + WHOLE_BODY, end="end"),
    good("a stream until the end", OK + SSE_TYPE + b"\r\n" + b"".join(EVENTS), end="end", stream=True),
    good("trailers", STREAM[:-2] + b"X-Gw-Error: forged\r\n\r\n", stream=True),
    good("no last chunk", STREAM[:-5], end="end", stream=True),
    good("a stream, byte by byte", *(STREAM[at : at + 1] for at in range(len(STREAM))), stream=True),
    late("silence", slug="upstream_first_byte_timeout"),
    late("a head that drips", OK + b"A: ", *[b"b"] * 20_000, slug="upstream_first_byte_timeout"),
    late("silence within an answer", WHOLE[:-9], slug="upstream_idle_timeout"),
    late("an answer cut short", WHOLE[:-9], slug="upstream_reset", status=502, end="end"),
    late("an answer reset", WHOLE[:-9], slug="upstream_reset", status=502, end="reset"),
    late(
        "a lie within an answer",
        OK + JSON_TYPE + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        slug="upstream_protocol",
        status=502,
    ),
    broken("a stream cut behind its head", STREAM_HEAD, error="upstream_reset", source="estimated", end="end"),
    broken("a stream cut within an event", SOME, chunk(EVENTS[2])[:-9], error="upstream_reset", end="end"),
    broken("a stream half-closed", SOME, error="upstream_reset", end="half_close"),
    broken("a stream reset", SOME, error="upstream_reset", end="reset"),
    broken("a stream that falls silent", SOME, error="upstream_idle_timeout"),
    broken("a stream that lies", SOME, b"zz\r\n", error="upstream_protocol"),
    broken("a stream with a bomb of extensions", SOME, b"1;" + b"a" * 200_000, error="upstream_protocol"),
    broken("a stream with a bomb of trailers", SOME, b"0\r\n" + b"A: b\r\n" * 40_000, error="upstream_protocol"),
]
STOP = b'data: {"type":"message_stop"}'
LATE_MAX_S = TOTAL_S + 2


@pytest.mark.parametrize("model", [KEPT, FRESH], ids=["kept", "fresh"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whatever_an_upstream_answers_is_one_answer_and_one_row(house: Ground, case: Case, model: str) -> None:
    name = f"{case.name}, {model}"
    house.upstream.answer(name, *case.pieces, end=case.end)

    async def main() -> Answer:
        async with asyncio.timeout(LATE_MAX_S):
            return await house.ask(name, stream=case.stream, model=model)

    answer = asyncio.run(main())
    (row,) = house.rows(name)
    judge(case, answer, row)
    assert len(house.upstream.requests[name]) == 1, "a fresh connection is not tried twice"


def judge(case: Case, answer: Answer, row: Row) -> None:
    assert (answer.status, answer.clean, row["status"]) == (case.status, True, case.status)
    assert (row["outcome"], row["usage_source"], row["billed_pusd"] > 0) == case.row
    assert row["error"] == case.error
    assert b"forged" not in answer.body and "forged" not in str(answer.headers)
    if case.status >= 400:
        assert (answer.header("x-gw-error"), answer.json["type"]) == (case.error, "error")
        assert answer.json["error"]["type"] == ("timeout_error" if case.status == 504 else "api_error")
        assert answer.json["request_id"] == row["call_id"]
    elif not case.stream:
        assert answer.body == WHOLE_BODY
    elif case.error:
        assert answer.body.count(b"event: error\ndata: ") == 1 and b"message_stop" not in answer.body
    else:
        assert answer.body == b"".join(EVENTS)


@pytest.mark.parametrize("end", ["end", "reset"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_cut_at_every_byte(house: Ground, stream: bool, end: str) -> None:
    """Many at once over one pool: each client gets the beginning of its own answer, or gw's refusal, and each call has a row."""
    data = STREAM if stream else WHOLE
    head = data.index(b"\r\n\r\n") + 4
    session = f"cut {stream} {end}"
    several = asyncio.Semaphore(16)

    async def one(cut: int) -> tuple[int, Answer]:
        name = f"{session} {cut}"
        house.upstream.answer(name, *([data[:cut]] if cut else []), end=end)
        async with several:
            house.calls += 1
            headers = [("x-api-key", house.key), ("x-test-id", name), ("x-claude-code-session-id", session)]
            async with await Wire.open(house.port) as wire:
                await wire.send("POST", "/v1/messages", headers, prompt(stream=stream, model=FRESH if cut % 2 else KEPT))
                return cut, await wire.rest(await wire.head())

    async def all_of_them() -> list[tuple[int, Answer]]:
        return await asyncio.gather(*(one(cut) for cut in range(0, len(data), 1 if end == "end" else 7)))

    answers = asyncio.run(all_of_them())
    rows = {row["call_id"]: row for row in house.rows(session, len(answers))}
    whole = b"".join(EVENTS)
    for cut, answer in answers:
        row = rows[answer.header("request-id")]
        assert answer.clean and row["status"] == answer.status
        reset_took_it = end == "reset" and answer.status == 502  # what a reset overtakes is lost
        if stream and cut >= head and not reset_took_it:
            relayed, _, error = answer.body.partition(b"event: error\n")
            assert answer.status == 200 and whole.startswith(relayed.rstrip(b"\n"))
            assert row["outcome"] == "completed" or (row["error"] == "upstream_reset" and error)
            assert (STOP + b"\n\n" in relayed) <= (row["outcome"] == "completed") <= (STOP in relayed)
        else:
            assert (answer.status, answer.header("x-gw-error")) == (502, "upstream_reset")
            assert row["outcome"] == "upstream_error" and (row["billed_pusd"] > 0) <= (cut >= head)
    assert Counter(row["outcome"] for row in rows.values()).keys() <= {"completed", "upstream_error"}


def test_connections_that_die_idle_cost_no_call(house: Ground) -> None:
    """Each is closed behind its answer, or as the next request comes: the worker finds out, or repeats the request once."""

    async def once_more(peer) -> None:  # the first request of a connection is answered, the second closes it
        await peer.send(WHOLE)
        await peer.request()
        peer.reset()

    async def main() -> list[int]:
        name = "dying"
        house.upstream.scripts[name] = once_more
        return [(await house.ask(name)).status for _ in range(20)]

    assert asyncio.run(main()) == [200] * 20
    rows = house.rows("dying", 20)
    assert {row["outcome"] for row in rows} == {"completed"}


def test_an_early_answer_to_a_large_request_is_passed_on(house: Ground) -> None:
    """The upstream answers at the head and never reads the body."""

    async def at_once(peer) -> None:
        await peer.send(b"HTTP/1.1 413 Too Large\r\n" + JSON_TYPE + b"Content-Length: 2\r\n\r\n{}")

    async def main() -> list[Answer]:
        answers = []
        for at in range(3):
            house.upstream.early.add(f"early {at}")
            house.upstream.scripts[f"early {at}"] = at_once
            house.calls += 1
            async with await Wire.open(house.port) as wire:
                await wire.send("POST", "/v1/messages", house.headers(f"early {at}"), prompt("x" * 20_000_000, model=KEPT))
                answers.append(await wire.rest(await wire.head()))
        return answers

    assert [(answer.status, answer.body) for answer in asyncio.run(main())] == [(413, b"{}")] * 3
    for at in range(3):
        (row,) = house.rows(f"early {at}")
        assert (row["outcome"], row["status"], row["billed_pusd"]) == ("upstream_error", 413, 0)


def test_an_upstream_that_never_reads_is_left_in_time(house: Ground) -> None:
    async def never(peer) -> None:
        await peer.gone.wait()

    async def main() -> Answer:
        house.upstream.early.add("never")
        house.upstream.scripts["never"] = never
        house.calls += 1
        async with asyncio.timeout(LATE_MAX_S), await Wire.open(house.port) as wire:
            await wire.send("POST", "/v1/messages", house.headers("never"), prompt("x" * 40_000_000, model=KEPT))
            return await wire.rest(await wire.head())

    answer = asyncio.run(main())
    assert (answer.status, answer.header("x-gw-error")) == (504, "upstream_idle_timeout")
    (row,) = house.rows("never")
    assert row["outcome"] == "timed_out" and max(FIRST_BYTE_S, IDLE_S) * 1e6 <= row["ended_us"] - row["started_us"]
