"""Bytes pass unchanged: the client's body to the upstream, the upstream's to the client, in any form and any split."""

import asyncio
import gzip
import hashlib
import itertools
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gw.demo import answers
from gw.demo.exchange import Chunk, Reply
from tests.flow.client import Answer, Pairs, call
from tests.flow.stage import JSON, MODEL, OWN, Stage, prompt, stage

EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
names = itertools.count()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("bytes")) as one:
        yield one


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def play(house: Stage, body: bytes, reply: Reply | None = None, headers: Pairs = ()) -> tuple[str, Answer]:
    """Sends `body`; the upstream answers `reply`. The test id, and what came back."""
    name = f"b{next(names)}"
    if reply is not None:
        house.played.answers[name] = reply
    sent = [OWN, JSON, ("x-test-id", name), *headers]
    return name, asyncio.run(call(house.port, headers=sent, body=body))


# --- request bodies ---------------------------------------------------------------------------------------------------
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)
blanks = st.text(" \t\n\r", max_size=3)
OURS = {"model", "stream", "max_tokens", "metadata"}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """One JSON object as no serialiser would write it: foreign and doubled keys, blanks, escapes, huge numbers."""
    fields: list[tuple[str, str]] = [("model", json.dumps(MODEL)), ("messages", '[{"role":"user","content":"hi"}]')]
    if draw(st.booleans()):
        fields.append(("stream", draw(st.sampled_from(["true", "false"]))))
    if draw(st.booleans()):
        fields.append(("max_tokens", str(draw(st.integers(0, 2**63 - 1)))))
    for key, value in draw(st.lists(st.tuples(st.text(max_size=10).filter(lambda key: key not in OURS), values), max_size=6)):
        text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
        fields += [(key, text)] * draw(st.sampled_from([1, 1, 2]))
    parts = [
        f"{draw(blanks)}{json.dumps(key, ensure_ascii=draw(st.booleans()))}{draw(blanks)}:{draw(blanks)}{value}{draw(blanks)}"
        for key, value in draw(st.permutations(fields))
    ]
    return (draw(blanks) + "{" + ",".join(parts) + "}" + draw(blanks)).encode("utf-8", "surrogatepass").replace(b"\xed", b"?")


@EXAMPLES
@given(body=bodies())
def test_any_request_body_arrives_as_it_was_sent(house: Stage, body: bytes) -> None:
    name, answer = play(house, body)
    assert answer.status == 200, answer.body
    (line,) = house.lines(name)
    assert (line.request_sha256, line.request_bytes) == (sha(body), len(body))
    assert line.response_sha256 == sha(answer.body)


@pytest.mark.parametrize("size", [16 * 1024, 512 * 1024 + 1, 8 * 1024 * 1024], ids=["16K", "512K", "8M"])
def test_large_request_bodies_arrive_whole(house: Stage, size: int) -> None:
    body = prompt("x" * size, stream=False)
    name, answer = play(house, body)
    assert answer.status == 200
    assert house.lines(name)[0].request_sha256 == sha(body)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(prompt("zipped", stream=False))),
        ("deflate", zlib.compress(prompt("zlib", stream=False))),
        ("identity", prompt("plain", stream=False)),
    ],
    ids=["gzip", "deflate", "identity"],
)
def test_an_encoded_request_body_is_read_and_forwarded_as_it_came(house: Stage, encoding: str, packed: bytes) -> None:
    reply = answers.whole(b'{"type":"message"}')
    name, answer = play(house, packed, reply, [("content-encoding", encoding)])
    assert answer.status == 200, answer.body
    (request,) = house.played.requests[name]
    assert (request.body, request.header("content-encoding")) == (packed, encoding)
    assert (
        house.gateway.settled(lambda rows: len(rows) == 1, "call_id = ?", [answer.header("request-id")])[0]["requested_model"]
        == MODEL
    )


# --- response bodies --------------------------------------------------------------------------------------------------
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
noise = st.one_of(
    st.binary(max_size=30).map(lambda raw: b": " + raw.replace(b"\n", b"").replace(b"\r", b"")),
    st.sampled_from(
        [
            b"id: 7",
            b"retry: 3000",
            b"event: unheard_of\ndata: {}",
            b"data: not json",
            b"event: message_delta\ndata: {",
            b"data",
            b"odd",
        ]
    ),
)


def message_events() -> list[bytes]:
    usage = {"input_tokens": 7, "output_tokens": 1}
    text = {"type": "text_delta", "text": 'one \u00e9\u4e16 \U0001f30d \\ " two'}
    return [
        answers.event(
            "message_start", {"type": "message_start", "message": {"id": "m", "type": "message", "model": MODEL, "usage": usage}}
        ),
        answers.event(
            "content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        ),
        answers.event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": text}),
        answers.event("content_block_stop", {"type": "content_block_stop", "index": 0}),
        answers.event(
            "message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
        ),
        answers.event("message_stop", {"type": "message_stop"}),
    ]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """(the whole stream, its pieces as written to the socket)."""
    end = draw(ends)
    parts: list[bytes] = []
    for event in message_events():
        parts += [draw(noise) + b"\n\n" for _ in range(draw(st.integers(0, 2)))]
        parts.append(event)
    whole = b"".join(parts).replace(b"\n", end)
    if draw(st.booleans()):
        cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=25)))
        pieces = [whole[a:b] for a, b in itertools.pairwise([0, *cuts, len(whole)])]
    else:
        pieces = [whole[at : at + 1] for at in range(len(whole))]
    return whole, [piece for piece in pieces if piece]


@EXAMPLES
@given(made=streams(), framing=st.sampled_from(["chunked", "length", "close"]))
def test_any_stream_arrives_as_it_was_sent(house: Stage, made: tuple[bytes, list[bytes]], framing: Any) -> None:
    whole, pieces = made
    reply = Reply(headers=answers.SSE_HEADERS, steps=tuple(map(Chunk, pieces)), framing=framing)
    _, answer = play(house, prompt(), reply)
    assert (answer.status, answer.clean) == (200, True)
    assert answer.body == whole
    (row,) = house.gateway.settled(lambda rows: len(rows) == 1, "call_id = ?", [answer.header("request-id")])
    assert row["response_bytes"] >= len(whole) - 200, "counted up to the event that ends the message at least"
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (7, 9, "exact")


@EXAMPLES
@given(
    body=st.binary(max_size=4000),
    kind=st.sampled_from(["application/json", "text/html", "application/octet-stream", ""]),
    status=st.sampled_from([200, 203, 400, 418, 500]),
)
def test_any_whole_answer_arrives_as_it_was_sent(house: Stage, body: bytes, kind: str, status: int) -> None:
    headers = (("content-type", kind),) if kind else ()
    _, answer = play(house, prompt(stream=False), Reply(status=status, headers=headers, steps=(Chunk(body),)))
    assert (answer.status, answer.clean, answer.header("content-type")) == (status, True, kind)
    assert answer.body == body


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_gzip_answer_is_relayed_as_it_came_and_metered(house: Stage, stream: bool) -> None:
    name, answer = play(house, prompt("[play:gzip]", stream=stream))
    (line,) = house.lines(name)
    assert (answer.header("content-encoding"), sha(answer.body)) == ("gzip", line.response_sha256)
    (row,) = house.gateway.settled(lambda rows: len(rows) == 1, "call_id = ?", [answer.header("request-id")])
    assert (row["list_pusd"], row["usage_source"], row["outcome"]) == (line.cost_pusd, "exact", "completed")


# --- headers ----------------------------------------------------------------------------------------------------------
PASS: list[tuple[str, str]] = [
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14, spaced,,odd"),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("anthropic-not-yet-invented", "\xe9\xff latin-1"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-timeout", "600"),
    ("x-app", "cli"),
    ("x-claude-code-session-id", "5f0c2b4e-0000-4000-8000-000000000000"),
    ("x-unheard-of", ""),
    ("x-twice", "a"),
    ("x-twice", "b"),
    ("user-agent", "claude-cli/2.1.329 (external, sdk-cli)"),
    ("accept", "application/json"),
]
STAY: list[tuple[str, str]] = [
    ("connection", "keep-alive, x-named-by-connection"),
    ("x-named-by-connection", "1"),
    ("keep-alive", "timeout=5"),
    ("te", "trailers"),
    ("proxy-authorization", "Basic cHJveHk6c2VjcmV0"),
    ("proxy-connection", "keep-alive"),
    ("upgrade", "h2c"),
    ("x-gw-project", "alpha"),
    ("x-gw-tags", "a=1,b=2"),
    ("x-gw-unheard-of", "x"),
]


def test_the_clients_headers_reach_the_upstream_unchanged_but_for_hop_by_hop_and_gws_own(house: Stage) -> None:
    name, answer = play(house, prompt(stream=False), None, [*PASS, *STAY, ("accept-encoding", "gzip, deflate, br, zstd")])
    assert answer.status == 200
    (request,) = house.played.requests[name]
    arrived = [pair for pair in request.headers if pair[0] not in ("host", "content-length", "x-test-id")]
    assert arrived == [JSON, *PASS, ("accept-encoding", "identity"), OWN]
    assert request.header("host") == f"127.0.0.1:{house.upstream.port}"


def test_the_upstreams_headers_reach_the_client_but_for_hop_by_hop_and_ids(house: Stage) -> None:
    theirs = [("anthropic-ratelimit-requests-remaining", "7"), ("x-new", "1"), ("retry-after", "3"), ("cf-ray", "abc")]
    hop = [
        ("keep-alive", "timeout=9"),
        ("proxy-authenticate", "Basic"),
        ("trailer", "x-t"),
        ("x-gw-cost-usd", "0.01"),
        ("x-gw-error", "theirs"),
    ]
    reply = answers.whole(b"{}", (("content-type", "application/json"), *theirs, *hop))
    name, answer = play(house, prompt(stream=False), reply)
    upstream_id = house.lines(name)[0].request_id
    assert [pair for pair in answer.headers if pair in theirs] == theirs
    assert not [pair for pair in answer.headers if pair in hop]
    assert answer.header("request-id") == answer.header("x-gw-call-id") != upstream_id
    assert answer.header("x-gw-upstream-request-id") == upstream_id


@pytest.mark.parametrize("query", ["beta=true", "a=%2F%20&b=%C3%A9", "x=1?y=2&z[]={}|^", ""])
def test_the_query_is_forwarded_as_it_came(house: Stage, query: str) -> None:
    name = f"q{next(names)}"
    path = f"/anthropic/v1/messages?{query}" if query else "/anthropic/v1/messages"
    answer = asyncio.run(call(house.port, path, headers=[OWN, ("x-test-id", name)], body=prompt(stream=False)))
    assert answer.status == 200, answer.body
    assert house.lines(name)[0].target == path.removeprefix("/anthropic")
