"""A request as bytes. Nothing that could be read as a second header, or as a second request, gets past here.

A head built from single headers by `head_block` is checked per header. A ready-made block can only be checked as a
whole: it must be clean header lines, and none of them may be one of those by which HTTP/1.1 finds the end of a message.
"""

import re
from collections.abc import Iterable, Iterator

from gw._fast import is_clean_head
from gw.upstream.target import Target

JOIN_MAX = 16 * 1024  # a body up to this size is copied behind its head: one buffer, one system call
ONE_WRITE_MAX = 512 * 1024  # up to this size a body goes to the transport at once, by reference
SLICE = 256 * 1024

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
_WITHOUT_BODY = frozenset({b"GET", b"HEAD"})

# Raw bytes above ASCII cannot end a request line; whether they make a URL is for the upstream to say.
_path_ok = re.compile(rb"/[\x21-\x7e\x80-\xff]*+").fullmatch


def head_block(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header pairs -> the block `Pool.request` takes. Raises ValueError if a name or value holds CR, LF or NUL."""
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
        raise ValueError("a header holds CR, LF or NUL")
    return head


def serialise(
    target: Target, method: bytes, path: bytes, head: bytes, body: bytes | list[bytes]
) -> tuple[bytes, list[bytes] | None]:
    """(first bytes to write, the body if it is to follow by reference, else None).

    `path` starts with "/", query included; the target's base path goes before it. Raises ValueError for anything that
    would change the shape of the message.
    """
    if method not in METHODS:
        raise ValueError("unknown method")
    if _path_ok(path) is None:
        raise ValueError("the path holds a space, a control character, or does not begin with '/'")
    if not is_clean_head(head):
        raise ValueError("the head is not clean header lines, or has Host, Content-Length, Connection or Transfer-Encoding")
    parts = body if isinstance(body, list) else [body]
    length = sum(map(len, parts))
    if length == 0:
        end = b"\r\n" if method in _WITHOUT_BODY else b"Content-Length: 0\r\n\r\n"
        return b"".join((method, b" ", target.prefix, path, target.tail, head, end)), None
    end = b"Content-Length: %d\r\n\r\n" % length
    if length <= JOIN_MAX:
        return b"".join((method, b" ", target.prefix, path, target.tail, head, end, *parts)), None
    return b"".join((method, b" ", target.prefix, path, target.tail, head, end)), parts


def slices(parts: list[bytes]) -> Iterator[memoryview]:
    """The body in pieces of at most SLICE bytes, by reference."""
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), SLICE):
            yield view[start : start + SLICE]
