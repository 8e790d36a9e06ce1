"""Good answers of every framing, taken apart, so that what the client must have after any number of bytes can be said."""

import gzip
from dataclasses import dataclass

HEAD, BODY, FRAME = "head", "body", "frame"
OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = b'event: ping\ndata: {"type": "ping"}\n\nevent: message_stop\r\ndata: {}\r\n\r\n'
GZIP = gzip.compress(b'{"type": "message"}', mtime=0)


@dataclass(frozen=True)
class Good:
    """`parts`: (kind, bytes) in order; the first body or frame begins behind the final head. `until_end`: the end of the body
    is the connection's. `reusable`: the connection may be used again after it."""

    name: str
    status: int
    parts: tuple[tuple[str, bytes], ...]
    until_end: bool = False
    reusable: bool = True
    method: bytes = b"POST"

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.parts)

    @property
    def head_end(self) -> int:
        return sum(len(data) for kind, data in self.parts if kind == HEAD)

    @property
    def body(self) -> bytes:
        return self.body_of_first(len(self.data))

    def body_of_first(self, count: int) -> bytes:
        """What of the body is in the first `count` bytes."""
        body, at = b"", 0
        for kind, data in self.parts:
            if kind == BODY:
                body += data[: max(0, count - at)]
            at += len(data)
        return body


def sized(name: str, body: bytes, *lines: bytes, start: bytes = OK, before: bytes = b"", reusable: bool = True) -> Good:
    head = before + start + b"".join(line + b"\r\n" for line in (*lines, b"Content-Length: %d" % len(body))) + b"\r\n"
    return Good(name, status_of(start), ((HEAD, head), (BODY, body)), reusable=reusable)


def chunked(
    name: str, *chunks: bytes, lines: bytes = b"", extension: bytes = b"", trailers: bytes = b"", before: bytes = b""
) -> Good:
    parts = [(HEAD, before + OK + lines + b"Transfer-Encoding: chunked\r\n\r\n")]
    for chunk in chunks:
        parts += [(FRAME, b"%x%b\r\n" % (len(chunk), extension)), (BODY, chunk), (FRAME, b"\r\n")]
    return Good(name, 200, (*parts, (FRAME, b"0\r\n" + trailers + b"\r\n")))


def bare(name: str, start: bytes, *lines: bytes, body: bytes = b"", until_end: bool = False, reusable: bool = True) -> Good:
    head = start + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    return Good(name, status_of(start), ((HEAD, head), (BODY, body)), until_end, reusable and not until_end)


def status_of(start: bytes) -> int:
    return int(start.split(b" ")[1])


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
GOOD = [
    sized("length", b"hello", b"X-A: 1"),
    sized("length of 0", b""),
    sized("an error", b'{"type":"error"}', start=b"HTTP/1.1 529 Overloaded\r\n"),
    sized("no reason phrase", b"body", start=b"HTTP/1.1 200\r\n"),
    sized("gzip", GZIP, b"Content-Encoding: gzip"),
    sized("100 first", b"hello", before=b"HTTP/1.1 100 Continue\r\n\r\n"),
    sized("connection: close", b"hello", b"Connection: x, Close", reusable=False),
    sized("1.0", b"hello", start=b"HTTP/1.0 200 OK\r\n", reusable=False),
    sized("1.0 keep-alive", b"hello", b"Connection: keep-alive", start=b"HTTP/1.0 200 OK\r\n"),
    sized("empty lines before", b"hello", before=b"\r\n\r\n"),
    chunked("events", EVENTS[:30], EVENTS[30:], lines=b"Content-Type: text/event-stream\r\n"),
    chunked("chunks with extensions", b"hel", b"lo", extension=b';a=b;c="d"'),
    chunked("chunks with trailers", b"hello", trailers=b"X-Sum: 1\r\nX-More: 2\r\n"),
    chunked("no chunks", before=EARLY),
    bare("204", b"HTTP/1.1 204 No Content\r\n"),
    bare("304", b"HTTP/1.1 304 Not Modified\r\n", b"ETag: x"),
    bare("until the end", OK, b"Content-Type: text/event-stream", body=EVENTS, until_end=True),
    bare("until the end, empty", OK, until_end=True),
]
