"""A connection reads answers however they are cut, counts each request once, and measures it from where it is told."""

import asyncio
from typing import Any

import pytest

from gw import clock
from gw.loadgen.connection import Connection
from gw.loadgen.events import stamp
from gw.loadgen.found import Found

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
AFTER_100 = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}"
LAST = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello"
EVENTS = b"event: a\ndata: %b\n\nevent: message_stop\ndata: {}\n\n" % stamp(400)
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(EVENTS), EVENTS)
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\n" + EVENTS


class Wire(asyncio.Transport):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.aborted = True


class Owner:
    def __init__(self) -> None:
        self.finished_count = self.lost_count = 0

    def finished(self, connection: Connection) -> None:
        self.finished_count += 1

    def lost(self, connection: Connection) -> None:
        self.lost_count += 1


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The clock stands at the first of these."""
    at = [1000]
    monkeypatch.setattr(clock, "mono_ns", lambda: at[0])
    return at


def opened() -> tuple[Connection, Owner, Wire]:
    owner, wire = Owner(), Wire()
    connection = Connection(owner)
    connection.connection_made(wire)
    return connection, owner, wire


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED, AFTER_100, EMPTY], ids=["length", "chunks", "after 100", "empty"])
def test_an_answer_counts_once_wherever_it_is_cut(answer: bytes, now: list[int]):
    connection, owner, _ = opened()
    found = Found("x")
    for at in range(len(answer) + 1):
        connection.send(b"ask", found, counted=100, streams=False)
        connection.data_received(answer[:at])
        assert connection.busy is (at < len(answer))
        connection.data_received(answer[at:])
        assert not connection.busy and not connection.closing
    assert found.answered == owner.finished_count == len(answer) + 1
    assert not found.failed and found.latency.least == found.latency.greatest == 900


def test_a_stream_is_measured_event_by_event_wherever_it_is_cut(now: list[int]):
    for at in range(len(STREAM) + 1):
        connection, _, _ = opened()
        found = Found("x")
        now[0] = 500
        connection.send(b"ask", found, counted=100, streams=True)
        connection.data_received(STREAM[:at])
        now[0] = 800
        connection.data_received(STREAM[at:])
        assert (found.answered, found.events, found.delay.count) == (1, 2, 1), at
        assert found.delay.sum in (100, 400) and found.first_byte.sum in (400, 700)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (REFUSED, "status 429"),
        (STREAM.replace(b"message_stop", b"message_done"), "no message_stop"),
    ],
)
def test_what_is_no_good_answer_is_counted_by_its_reason(answer: bytes, why: str, now: list[int]):
    connection, _, _ = opened()
    found = Found("x")
    connection.send(b"ask", found, counted=0, streams=b"event" in answer)
    connection.data_received(answer)
    assert dict(found.failed) == {why: 1} and found.answered == found.latency.count == 0


def test_an_error_event_is_a_failure_even_before_a_message_stop(now: list[int]):
    events = b"event: error\ndata: {}\n\nevent: message_stop\ndata: {}\n\n"
    connection, _, _ = opened()
    found = Found("x")
    connection.send(b"ask", found, counted=0, streams=True)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(events), events))
    assert dict(found.failed) == {"an error event": 1}


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\ncontent-le", PLAIN[:-1], STREAM[:90]])
def test_a_connection_that_ends_in_between_fails_its_request_once(received: bytes, now: list[int]):
    connection, owner, _ = opened()
    found = Found("x")
    connection.send(b"ask", found, counted=0, streams=True)
    connection.data_received(received)
    connection.eof_received()
    connection.connection_lost(None)
    begun = b"\r\n\r\n" in received
    assert dict(found.failed) == {"closed in mid-answer" if begun else "closed before an answer": 1}
    assert (owner.finished_count, owner.lost_count, connection.closing) == (1, 1, True)


def test_a_stream_that_ends_with_its_connection_is_whole_if_it_was_stopped(now: list[int]):
    connection, owner, _ = opened()
    found = Found("x")
    connection.send(b"ask", found, counted=0, streams=True)
    connection.data_received(TO_THE_END)
    connection.connection_lost(None)
    assert (found.answered, owner.finished_count) == (1, 1)


def test_the_last_answer_of_a_connection_closes_it(now: list[int]):
    connection, owner, wire = opened()
    found = Found("x")
    connection.send(b"ask", found, counted=0, streams=False)
    connection.data_received(LAST)
    assert connection.closing and wire.aborted and (found.answered, owner.finished_count) == (1, 1)


@pytest.mark.parametrize("noise", [b"what is this\r\n\r\n", b"\x16\x03\x01"])
def test_what_is_not_http_fails_and_closes(noise: bytes, now: list[int]):
    connection, owner, wire = opened()
    found = Found("x")
    connection.send(b"ask", found, counted=0, streams=False)
    connection.data_received(noise)
    connection.connection_lost(None)
    assert wire.aborted and owner.finished_count == 1 and next(iter(found.failed)).startswith("not HTTP")


def test_bytes_that_nobody_asked_for_are_no_answer(now: list[int]):
    connection, owner, _ = opened()
    connection.data_received(PLAIN)
    assert owner.finished_count == 0


def test_who_gives_up_is_counted_once(now: list[int]):
    connection, owner, wire = opened()
    found = Found("x")
    connection.send(b"ask", found, counted=0, streams=False)
    connection.abandon("timeout")
    connection.connection_lost(None)
    connection.abandon("again")
    assert dict(found.failed) == {"timeout": 1} and wire.aborted and (owner.finished_count, owner.lost_count) == (1, 1)
