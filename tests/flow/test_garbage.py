"""What no provider should ever send: it passes unaltered, marks its own row at most, and spoils nothing else."""

import asyncio
import gzip
from collections.abc import Iterator

import pytest

from gw.demo import answers
from gw.demo.exchange import Chunk, Framing, Reply
from tests.flow.client import Answer, call
from tests.flow.stage import MODEL, OWN, Stage, prompt, session, stage
from tests.support.gateway import Row

INT64_MAX = 2**63 - 1
COUNT_MAX = 2**27


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("garbage")) as one:
        yield one


def ask(house: Stage, name: str, reply: Reply | None = None, *, stream: bool = True) -> tuple[Answer, Row]:
    if reply is not None:
        house.played.answers[name] = reply
    headers = [OWN, session(name), ("x-test-id", name), ("user-agent", "test")]
    answer = asyncio.run(call(house.port, headers=headers, body=prompt(stream=stream)))
    (row,) = house.gateway.session_rows(name, 1)
    return answer, row


def streamed(*pieces: bytes, headers: tuple[tuple[str, str], ...] = answers.SSE_HEADERS, framing: Framing = "chunked") -> Reply:
    return Reply(headers=headers, steps=tuple(Chunk(piece) for piece in pieces), framing=framing)


def counted(count: object) -> Reply:
    """A whole stream in which every count is this."""
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    usage = {**dict.fromkeys(names, count), "server_tool_use": {"web_search_requests": count}}
    message = {"id": "m", "type": "message", "model": MODEL, "usage": usage}
    return streamed(
        answers.event("message_start", {"type": "message_start", "message": message}),
        answers.event("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}),
        answers.event("message_stop", {"type": "message_stop"}),
    )


@pytest.mark.parametrize("count", [INT64_MAX, 2**64, 10**40, 2**62, 2**40, COUNT_MAX, -5, 1.5, "7", None, True, []], ids=str)
def test_absurd_counts_mark_the_row_and_never_the_sums(house: Stage, count: object) -> None:
    answer, row = ask(house, f"count {count}", counted(count))
    assert answer.clean and answer.body == b"".join(step.data for step in counted(count).steps if isinstance(step, Chunk))
    assert row["outcome"] == "completed"
    assert all(0 <= row[name] < COUNT_MAX for name in row if name.endswith("_tokens"))
    assert "garbled" in row["usage_flags"] or not row["input_tokens"] or row["usage_source"] == "estimated"
    assert row["usage_source"] != "exact" or not row["list_pusd"]


START = counted(7).steps[0]
ODDITIES: dict[str, Reply] = {
    "random bytes": streamed(bytes(range(256)) * 40),
    "an endless line": streamed(b"data: ", *[b"x" * 65536] * 40),
    "an endless head of an event": streamed(*[b"event: ping\n"] * 3000),
    "deep nesting": streamed(b'event: message_start\ndata: {"message":' + b"[" * 100_000 + b"\n\n"),
    "nothing at all": streamed(),
    "only blank lines": streamed(b"\n" * 10_000),
    "brotli, unasked": streamed(b"\x8b\x00\x80brotli", headers=(*answers.SSE_HEADERS, ("content-encoding", "br"))),
    "gzip that is none": streamed(b"event: ping\n\n", headers=(*answers.SSE_HEADERS, ("content-encoding", "gzip"))),
    "gzip with a tail": streamed(
        gzip.compress(b": hi\n\n") + b"tail", headers=(*answers.SSE_HEADERS, ("content-encoding", "gzip"))
    ),
    "a gzip bomb": streamed(gzip.compress(bytes(1 << 25)), headers=(*answers.SSE_HEADERS, ("content-encoding", "gzip"))),
    "a stream that is closed, not ended": streamed(START.data if isinstance(START, Chunk) else b"", framing="close"),
    "JSON called a stream": streamed(b'{"type":"message","usage":{"input_tokens":3}}'),
}


@pytest.mark.parametrize("name", ODDITIES)
def test_an_odd_stream_is_relayed_as_it_came(house: Stage, name: str) -> None:
    reply = ODDITIES[name]
    answer, row = ask(house, name, reply)
    assert (answer.status, answer.clean) == (200, True)
    assert answer.body == b"".join(step.data for step in reply.steps if isinstance(step, Chunk))
    unreadable = name in ("brotli, unasked", "gzip that is none", "gzip with a tail")
    error = "upstream_garbled" if unreadable else "upstream_truncated"
    assert (row["outcome"], row["status"], row["error"]) == ("upstream_error", 200, error)
    assert not unreadable or "garbled" in row["usage_flags"]
    assert row["usage_source"] in ("estimated", "observed") and row["list_pusd"] > 0


WHOLES: dict[str, tuple[Reply, str, bool]] = {
    # answer, error of the row, billed
    "no content": (Reply(status=204), "upstream_garbled", False),
    "JSON that is no message": (answers.whole(b'{"hello":"world"}'), "upstream_garbled", True),
    "half a message": (answers.whole(b'{"type":"message","usage":{'), "upstream_garbled", True),
    "gzip that is none": (answers.whole(b"{}", (*answers.JSON_HEADERS, ("content-encoding", "gzip"))), "upstream_garbled", True),
    "a stream of errors": (
        Reply(status=529, headers=answers.SSE_HEADERS, steps=(Chunk(b'{"type":"error","error":{"type":"overloaded_error"}}'),)),
        "upstream_overloaded_error",
        False,
    ),
    "an error type of a million letters": (answers.error(500, "x" * 1_000_000, "y"), "upstream_500", False),
    "an error type of another shape": (answers.whole(b'{"error":{"type":5}}', status=500), "upstream_500", False),
}


@pytest.mark.parametrize("name", WHOLES)
def test_an_odd_whole_answer_is_relayed_as_it_came(house: Stage, name: str) -> None:
    reply, error, billed = WHOLES[name]
    answer, row = ask(house, f"whole {name}", reply, stream=False)
    assert (answer.status, answer.clean) == (reply.status, True)
    assert answer.body == b"".join(step.data for step in reply.steps if isinstance(step, Chunk))
    assert (row["outcome"], row["error"], row["list_pusd"] > 0) == ("upstream_error", error, billed)


def test_a_redirect_goes_no_further(house: Stage) -> None:
    """Claude Code would follow it, with its virtual key, past gw."""
    reply = Reply(status=307, headers=(("location", "https://elsewhere.invalid/"),))
    answer, row = ask(house, "a redirect", reply, stream=False)
    headers = dict(answer.headers)
    assert (answer.status, headers["x-gw-error"], headers["x-should-retry"]) == (502, "upstream_redirect", "false")
    assert "location" not in headers and b"base_url" in answer.body
    assert (row["outcome"], row["error"], row["list_pusd"]) == ("upstream_error", "upstream_redirect", 0)


def test_an_error_in_place_of_a_stream_costs_nothing(house: Stage) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    answer, row = ask(house, "error first", streamed(answers.event("error", error)))
    assert answer.clean
    assert (row["outcome"], row["error"]) == ("upstream_error", "upstream_overloaded_error")
    assert (row["usage_source"], row["list_pusd"]) == ("none", 0)


def test_after_all_that_the_next_call_is_exact_and_the_reports_add_up(house: Stage) -> None:
    _, row = ask(house, "after")
    (line,) = house.lines("after")
    assert (row["outcome"], row["usage_source"], row["list_pusd"]) == ("completed", "exact", line.cost_pusd)
    assert len({one["worker"] for one in house.gateway.rows()}) == 1
    assert house.ready()["keeper"]["rejected"] == 0 == house.ready()["in_flight"]
    log = house.gateway.process.log_end(1 << 20)
    assert "Traceback" not in log and "died" not in log, log
