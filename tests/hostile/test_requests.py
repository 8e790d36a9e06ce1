"""Requests that two servers could read differently: what goes upstream is one request, framed by gw, or nothing."""

import asyncio
import re
from dataclasses import dataclass

import pytest

from tests.flow.stage import prompt
from tests.hostile.ground import Ground, heard, statuses
from tests.hostile.raw import Got

MIB = 2**20
ENVIRON = {"GW_SERVER_BODY_BYTES_MAX": str(MIB)}
BODY = prompt(stream=False)
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CLOSE = b"Connection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
START = b"POST /v1/messages HTTP/1.1\r\n"
# What a smuggler wants gw, or the upstream, to take for a request of its own.
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: x\r\nx-test-id: hidden\r\nConnection: close\r\n\r\n"
ONE_REQUEST = re.compile(
    rb"POST /v1/messages(?:\?[!-~]*)? HTTP/1\.1\r\nHost: 127\.0\.0\.1:(\d+)\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\x00-\x08\n-\x1f\x7f]*\r\n)*)\r\n"
)


@dataclass(frozen=True)
class Case:
    """`data`: after the lines that name the test. `answers`: statuses that come back, then the connection ends."""

    name: str
    lines: bytes
    body: bytes
    answers: tuple[int, ...]
    sent: int = 1  # requests that reach the upstream, each with BODY
    start: bytes = START
    rows: int = 1
    slug: str = ""  # of gw's own refusal, if it is one
    cut_off: bool = False  # the server stops reading, and its answer may be lost with what it has not read


def door(name: str, lines: bytes, body: bytes = BODY, *, status: int = 400, start: bytes = START) -> Case:
    """Refused by the server, before gw has seen a call."""
    return Case(name, lines, body, (status,), 0, start, 0)


def served(name: str, lines: bytes, body: bytes = BODY, *, start: bytes = START) -> Case:
    return Case(name, lines, body, (200,), 1, start)


def torn(name: str, body: bytes) -> Case:
    """A body of chunks that are none, from a client that waits for the answer."""
    return Case(name, CHUNKED, body, (400,), 0, slug="request_incomplete")


def large(name: str, lines: bytes, body: bytes) -> Case:
    return Case(name, lines, body, (413,), 0, slug="body_too_large")


CASES = [
    # two lengths, or none
    door("lengths that differ", LENGTH + b"Content-Length: 5\r\n"),
    door("a list of lengths", b"Content-Length: 5, 5\r\n"),
    door("a length with a sign", b"Content-Length: +5\r\n"),
    door("a negative length", b"Content-Length: -1\r\n"),
    door("a hexadecimal length", b"Content-Length: 0x5\r\n"),
    door("a length of two numbers", b"Content-Length: 5 5\r\n"),
    door("an empty length", b"Content-Length:\r\n"),
    door("a length beyond 64 bits", b"Content-Length: 18446744073709551621\r\n"),
    door("a blank before the colon of a length", b"Content-Length : 5\r\n"),
    served("a length twice", LENGTH + LENGTH + CLOSE),
    Case("no length", b"", HIDDEN, (400, 200), 0, slug="invalid_json"),
    # a length and chunks: chunks count, and nothing behind them is read
    served("a length and chunks", LENGTH + CHUNKED, CHUNKS + HIDDEN),
    served("chunks and a length", CHUNKED + LENGTH, CHUNKS + HIDDEN),
    served("a short length and chunks", b"Content-Length: 5\r\n" + CHUNKED, CHUNKS + HIDDEN),
    served("a length that hides a request", b"Content-Length: %d\r\n" % len(CHUNKS + HIDDEN) + CHUNKED, CHUNKS + HIDDEN),
    # transfer encodings
    door("chunked, identity", b"Transfer-Encoding: chunked, identity\r\n", CHUNKS + HIDDEN),
    door("identity", b"Transfer-Encoding: identity\r\n" + LENGTH),
    door("a length and identity", LENGTH + b"Transfer-Encoding: identity\r\n"),
    door("xchunked", b"Transfer-Encoding: xchunked\r\n" + LENGTH),
    door("quoted", b'Transfer-Encoding: "chunked"\r\n', CHUNKS),
    door("a parameter", b"Transfer-Encoding: chunked;q=1\r\n", CHUNKS),
    door("a vertical tab", b"Transfer-Encoding: \x0bchunked\r\n" + LENGTH),
    door("a blank before the colon", b"Transfer-Encoding : chunked\r\n" + LENGTH),
    door("folded", b"Transfer-Encoding:\r\n chunked\r\n" + LENGTH),
    door("folded into another", b"X: y\r\n Transfer-Encoding: chunked\r\n" + LENGTH),
    door("nothing", b"Transfer-Encoding:\r\n" + LENGTH),
    door("chunks in HTTP/1.0", CHUNKED, CHUNKS, start=START.replace(b"1.1", b"1.0")),
    served("cHUNKED among blanks", b"tRANSFER-eNCODING: \t cHUNKED \t \r\nConnection: close\r\n", CHUNKS),
    served("trailers", CHUNKED + b"Connection: close\r\n", CHUNKS[:-2] + b"x-api-key: other\r\nContent-Length: 5\r\n\r\n"),
    served("extensions", CHUNKED + b"Connection: close\r\n", CHUNKS.replace(b"\r\n", b';a="b"\r\n', 1)),
    # chunks that lie
    torn("a negative size", b"-5\r\nhello\r\n0\r\n\r\n"),
    torn("a size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    torn("a size beyond 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    torn("a size too small", b"3\r\nhello\r\n0\r\n\r\n"),
    torn("a size too large", b"7\r\nhello\r\n0\r\n\r\n"),
    torn("bare LFs", b"5\nhello\n0\n\n"),
    torn("a bare LF in an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    torn("a bomb of extensions", b"5;" + b"a" * 200_000 + b"\r\nhello\r\n0\r\n\r\n"),
    torn("a bomb of trailers", CHUNKS[:-2] + b"a: b\r\n" * 50_000 + b"\r\n"),
    # names and values
    door("a NUL in a value", b"A: b\0c\r\n" + LENGTH),
    door("a bare CR in a value", b"A: b\rx-gw-key: c\r\n" + LENGTH),
    door("a control character", b"A: b\x01c\r\n" + LENGTH),
    door("a folded value", b"A: b\r\n c\r\n" + LENGTH),
    door("a blank in a name", b"A B: c\r\n" + LENGTH),
    door("a name beyond ASCII", b"A\xe9: b\r\n" + LENGTH),
    door("no name", b": b\r\n" + LENGTH),
    door("no colon", b"Abc\r\n" + LENGTH),
    served("latin letters in a value", b"A: b\xe9\xff\r\n" + CLOSE + LENGTH),
    # bombs
    door("a bomb of headers", b"".join(b"A%d: b\r\n" % at for at in range(500)) + LENGTH, status=431),
    Case("a bomb in one header", b"A: " + b"b" * 4 * MIB, b"", (431,), 0, rows=0, cut_off=True),
    door("a long target", LENGTH, start=b"POST /v1/messages?" + b"a" * 70_000 + b" HTTP/1.1\r\n", status=414),
    # targets
    door("a NUL in the target", LENGTH, start=START.replace(b"messages", b"messages?\0")),
    door("a tab in the target", LENGTH, start=START.replace(b"messages", b"messages?\t")),
    door("letters beyond ASCII in the query", LENGTH, start=START.replace(b"messages", b"messages?\xe9")),
    door("HTTP/1.2", LENGTH, start=START.replace(b"1.1", b"1.2")),
    door("HTTP/2.0", LENGTH, start=START.replace(b"1.1", b"2.0")),
    door("TLS", b"", b"x" * 200, start=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    served("a target with a host", CLOSE + LENGTH, start=START.replace(b"/v1", b"http://elsewhere.test:99/v1")),
    served("a target with another scheme", CLOSE + LENGTH, start=START.replace(b"/v1", b"https://x.test/v1")),
    served("line ends in the query", CLOSE + LENGTH, start=START.replace(b"messages", b"messages?a=%0d%0aX-Api-Key:%20b")),
    # other protocols
    served("HTTP/1.0", LENGTH, start=START.replace(b"1.1", b"1.0")),
    served("two hosts", b"Host: elsewhere.test\r\n" + CLOSE + LENGTH),
    served("an upgrade to h2c", b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n" + LENGTH),
    door("an upgrade to a socket", b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n" + LENGTH),
    served("100-continue", b"Expect: 100-continue\r\n" + CLOSE + LENGTH),
    # limits of the body
    large("a body too large", b"Content-Length: %d\r\n" % (MIB + 1), b"x" * 100),
    large("a body of 8 EiB", b"Content-Length: 9223372036854775807\r\n", b"x" * 100),
    large("too much to wait for", b"Expect: 100-continue\r\nContent-Length: %d\r\n" % (MIB + 1), b""),
    large("chunks too large", CHUNKED, b"10000\r\n%b\r\n" % bytes(65536) * 17),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_is_read_in_one_way_or_not_at_all(house: Ground, case: Case) -> None:
    name = case.name
    house.calls += case.rows
    data = case.start + b"Host: gw.test\r\n" + house.head(name) + case.lines + b"\r\n" + case.body
    answers = heard(asyncio.run(house.talk(data)))
    assert statuses(answers) == list(case.answers) or (case.cut_off and not answers)
    got = house.upstream.requests.get(name, [])
    assert [one.body for one in got] == [BODY] * case.sent and "hidden" not in house.upstream.requests
    for one in got:
        assert_one_request(house, one)
    if case.rows:
        (row,) = house.rows(name)
        assert row["error"] == case.slug
        assert row["outcome"] == ("completed" if case.sent else "refused" if case.slug else "client_gone")
        assert (row["billed_pusd"] > 0) == bool(case.sent)
    if case.slug:
        assert (answers[0].slug, answers[0].headers["request-id"]) == (case.slug, row["call_id"])
        assert answers[0].error_type == ("request_too_large" if case.answers[0] == 413 else "invalid_request_error")


def assert_one_request(house: Ground, got: Got) -> None:
    """As gw writes it: its own frame, its own credential, and nothing that belongs to the client's connection."""
    found = ONE_REQUEST.fullmatch(got.head)
    assert found and int(found[1]) == house.upstream.port, got.head
    lines = [line.partition(b":") for line in found[2].split(b"\r\n")[:-1]]
    names = [name.lower() for name, _, _ in lines]
    values = {name.lower(): value.strip() for name, _, value in lines}
    assert names.count(b"content-length") == 1 and int(values[b"content-length"]) == len(got.body)
    assert names.count(b"x-api-key") == 1 and values[b"x-api-key"] == house.gateway.upstream_key.encode()
    of_the_hop = b"connection transfer-encoding te trailer upgrade expect keep-alive http2-settings host".split()
    assert not set(of_the_hop).intersection(names) and not any(name.startswith(b"x-gw-") for name in names)
    assert house.key.encode() not in got.head


def test_pipelined_requests_are_answered_each_in_its_turn(house: Ground) -> None:
    """Good ones, refused ones and others; the upstream has each once; the last one ends the connection."""

    def one(name: str, body: bytes, more: bytes = b"") -> bytes:
        lines = house.head(name) + b"Content-Length: %d\r\n" % len(body)
        return START + b"Host: x\r\n" + lines + more + b"\r\n" + body

    names = [f"turn {at}" for at in range(30)]
    bodies = [prompt(name, stream=at % 3 == 0) if at % 5 else b"refused" for at, name in enumerate(names)]
    house.calls += len(names)
    close = [b""] * (len(names) - 1) + [b"Connection: close\r\n"]
    data = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + b"".join(map(one, names, bodies, close))
    answers = heard(asyncio.run(house.talk(data)))
    assert statuses(answers) == [200] + [200 if at % 5 else 400 for at in range(30)]
    for at, name in enumerate(names):
        (row,) = house.rows(name)
        assert answers[at + 1].headers["request-id"] == row["call_id"]
        assert [got.body for got in house.upstream.requests.get(name, [])] == ([bodies[at]] if at % 5 else [])


@pytest.mark.parametrize("how", ["leave", "eof"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_request_cut_at_every_byte(house: Ground, framing: str, how: str) -> None:
    """No row until its head is there; then one, which costs nothing as long as the body is not. (None, if the server has seen the
    end before gw has seen the call.)"""
    session = f"cut {framing} {how}"
    lines, body = (LENGTH, BODY) if framing == "length" else (CHUNKED, CHUNKS)
    head = START + b"Host: x\r\n" + house.head(session) + lines + b"\r\n"
    data = head + body
    cuts = range(0, len(data) + 1, 1 if how == "leave" else 3)
    several = asyncio.Semaphore(32)

    async def one(cut: int) -> None:
        async with several:
            await house.talk(data[:cut], then=how)

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, cuts))

    asyncio.run(all_of_them())
    begun, whole = sum(cut >= len(head) for cut in cuts), sum(cut == len(data) for cut in cuts)
    rows = house.all_rows(session)
    house.calls += len(rows)
    assert begun / 2 < len(rows) <= begun
    # The last chunk, without its trailers, is the end of the body as well as the client's leaving can tell.
    # Chunks that break off may be a client that is still there.
    broken_off = {"refused"} if framing == "chunks" else set()
    assert {row["outcome"] for row in rows} <= {"client_gone", "completed"} | broken_off
    assert sum(row["outcome"] == "completed" or row["billed_pusd"] > 0 for row in rows) <= whole
    assert all(got.body == BODY for got in house.upstream.requests.get(session, []))
