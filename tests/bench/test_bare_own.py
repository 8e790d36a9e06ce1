"""The reference proxy is a proper one: every framing of an answer, cut anywhere; both directions; clients that leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest

from bench.load.bare_own import HIGH, Bare, Upstream

BODY = bytes(range(256)) * 3
CHUNKED = b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in (BODY[:1], BODY[1:300], BODY[300:])) + b"0\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
# Name -> (the answer's bytes, status, body, whether the connection may be used again, whether it ends with the connection)
ANSWERS = {
    "length": (HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY, 200, BODY, True, False),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED + b"\r\n", 200, BODY, True, False),
    "trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED + b"x-sum: 1\r\n\r\n", 200, BODY, True, False),
    "close": (HEAD + b"\r\n" + BODY, 200, BODY, False, True),
    "asked to close": (HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", False, False),
    "1.0": (b"HTTP/1.0 200 OK\r\n\r\nabc", 200, b"abc", False, True),
    "empty": (HEAD + b"Content-Length: 0\r\n\r\n", 200, b"", True, False),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, False),
    "after 1xx": (b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok", 200, b"ok", True, False),
}


class FakeTransport:
    """What asyncio would give, in memory."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = self.paused = False

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        self.written += b"".join(parts)

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def asked(*, head_only: bool = False) -> tuple[Upstream, FakeTransport]:
    upstream, transport = Upstream(asyncio.get_running_loop()), FakeTransport()
    upstream.connection_made(cast(asyncio.Transport, transport))
    upstream.send(b"GET / HTTP/1.1\r\n\r\n", b"", head_only=head_only, chunked=False, last=True)
    return upstream, transport


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_cut_at_any_byte_is_the_same_answer(name: str) -> None:
    answer, status, body, reusable, until_end = ANSWERS[name]
    for cut in range(len(answer) + 1):
        upstream, transport = asked()
        for piece in (answer[:cut], answer[cut:]):
            if piece:
                upstream.data_received(piece)
        assert upstream.done is not until_end, cut
        if until_end:
            upstream.connection_lost(None)
        assert upstream.done, cut
        assert (upstream.status, upstream.arrived(), upstream.reusable) == (status, body, reusable), cut
        names = [name for name, _ in upstream.headers]
        assert names == [name.lower() for name in names], cut
        assert not {b"x-sum", b"link"} & set(names), cut
        assert not transport.aborted, cut


@pytest.mark.parametrize("name", ["length", "chunks", "trailers", "after 1xx"])
async def test_an_answer_that_ends_too_early_is_never_whole(name: str) -> None:
    answer = ANSWERS[name][0]
    for cut in range(len(answer)):
        upstream, _ = asked()
        if cut:
            upstream.data_received(answer[:cut])
        upstream.connection_lost(None)
        assert not upstream.done, cut
        with pytest.raises(ConnectionError):
            while await upstream.body():
                continue


async def test_the_answer_to_head_has_no_body_and_its_connection_is_not_kept() -> None:
    upstream, _ = asked(head_only=True)
    upstream.data_received(HEAD + b"Content-Length: 10\r\n\r\n")
    assert (upstream.done, upstream.arrived(), upstream.reusable) == (True, b"", False)


@pytest.mark.parametrize("junk", [b"HTTP/1.1 200 OK\r\n\r\n", b"junk"])
async def test_bytes_behind_an_answer_close_the_connection_and_are_no_answer(junk: bytes) -> None:
    answer = ANSWERS["length"][0]
    together, transport = asked()
    together.data_received(answer + junk)
    assert together.done and together.arrived() == BODY and together.closed and transport.aborted
    later, transport = asked()
    later.data_received(answer)
    later.data_received(junk)
    assert later.done and later.arrived() == BODY and later.closed and transport.aborted


async def test_a_reader_that_does_not_read_pauses_the_upstream() -> None:
    upstream, transport = asked()
    upstream.data_received(HEAD + b"Content-Length: %d\r\n\r\n" % (HIGH * 3))
    upstream.data_received(b"x" * (HIGH + 1))
    assert transport.paused
    assert len(upstream.arrived()) == HIGH + 1 and not transport.paused


# the application, between a client and an upstream of the test

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Client:
    """Speaks ASGI as a server does: messages in, messages out; `leave` is a client that is gone."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self._left = asyncio.Event()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop(0)
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.put_nowait(message)

    def leave(self) -> None:
        self._left.set()

    def answer(self) -> tuple[int, dict[bytes, bytes], bytes, bool]:
        """Status, headers, body, and whether the end was sent."""
        messages = [self.sent.get_nowait() for _ in range(self.sent.qsize())]
        start, rest = messages[0], messages[1:]
        body = b"".join(message["body"] for message in rest)
        return start["status"], dict(start["headers"]), body, not rest[-1]["more_body"]


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def scope(method: str = "POST", headers: tuple[tuple[bytes, bytes], ...] = (), query: bytes = b"beta=true") -> dict[str, Any]:
    own = [(b"host", b"gateway"), (b"connection", b"keep-alive"), (b"x-own", b"1"), *headers]
    return {"type": "http", "method": method, "raw_path": b"/v1/messages", "query_string": query, "headers": own}


@asynccontextmanager
async def bare(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bare]:
    """The application, begun, before an upstream; `peer` serves each connection, which is closed when it returns."""
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(served(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    monkeypatch.setenv("BENCH_UPSTREAM", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    app = Bare()
    app.begin()
    try:
        yield app
    finally:
        app.end()
        server.close()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """(head, body) of a request that declares its length, or has none."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head, await reader.readexactly(size)


async def test_a_call_is_passed_on_both_ways_and_its_connection_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []
    connections = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            head, body = await read_request(reader)
            heads.append(head)
            writer.write(HEAD + b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n" % len(body) + body[::-1])

    async with bare(peer, monkeypatch) as app:
        for body in (b"abc", b"x" * 100_000):
            length = (b"content-length", b"%d" % len(body))
            client = Client(part(body, more=True))  # the server says more, the length says that this is all
            await app(scope(headers=(length,)), client.receive, client.send)
            status, headers, answered, ended = client.answer()
            assert (status, answered, ended) == (200, body[::-1], True)
            assert headers == {b"content-type": b"text/plain", b"content-length": b"%d" % len(body)}
    assert connections == 1
    assert heads[0].startswith(b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"x-own: 1\r\n" in heads[0] and b"gateway" not in heads[0] and b"onnection" not in heads[0]


async def test_a_body_without_a_length_is_passed_on_in_chunks_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"0\r\n\r\n")
        assert b"Transfer-Encoding: chunked\r\n\r\n" in head
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async with bare(peer, monkeypatch) as app:
        client = Client(part(b"abc", more=True), part(b"", more=True), part(b"defgh"))
        await app(scope(), client.receive, client.send)
        assert client.answer()[2] == b"3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n"


async def test_each_part_of_a_stream_is_sent_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with bare(peer, monkeypatch) as app:
        client = Client(part(b""))
        call = asyncio.ensure_future(app(scope(), client.receive, client.send))
        assert (await client.sent.get())["status"] == 200
        assert (await client.sent.get())["body"] == b"one"
        go_on.set()
        await call
        assert b"".join(client.sent.get_nowait()["body"] for _ in range(client.sent.qsize())) == b"two"


@pytest.mark.parametrize("begun", [False, True])
async def test_a_client_that_leaves_ends_the_upstreams_work(monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    working, ended = asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if begun:
            writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        working.set()
        try:
            await reader.read()
        finally:
            ended.set()

    async with bare(peer, monkeypatch) as app:
        client = Client(part(b""))
        call = asyncio.ensure_future(app(scope(), client.receive, client.send))
        await working.wait()
        client.leave()
        await call
        await ended.wait()


async def test_a_kept_connection_that_was_just_closed_is_replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    served = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await read_request(reader)
        writer.write(HEAD + b"Content-Length: 2\r\n\r\nok")
        served += 1
        if served == 1:  # the next request on it is read and not answered
            await read_request(reader)

    async with bare(peer, monkeypatch) as app:
        for _ in range(2):
            client = Client(part(b"abc"))
            await app(scope(headers=((b"content-length", b"3"),)), client.receive, client.send)
            assert client.answer()[0] == 200
    assert served == 2


async def test_an_upstream_that_fails_is_502_before_its_answer_and_an_error_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [b"", b"junk\r\n\r\n", HEAD + b"Content-Length: 10\r\n\r\nabc"]

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answers.pop(0))

    async with bare(peer, monkeypatch) as app:
        for _ in range(2):
            client = Client(part(b""))
            await app(scope(), client.receive, client.send)
            assert client.answer()[0] == 502
        client = Client(part(b""))
        with pytest.raises(ConnectionError):
            await app(scope(), client.receive, client.send)
        assert not client.answer()[3], "a cut answer must not look whole"


async def test_an_answer_that_comes_before_the_body_is_through_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await reader.read()

    async with bare(peer, monkeypatch) as app:
        parts = [part(b"x" * 65536, more=True) for _ in range(400)]
        client = Client(*parts)
        await app(scope(headers=((b"content-length", b"%d" % (65536 * 401)),)), client.receive, client.send)
        assert client.answer()[::2] == (413, b"no")
