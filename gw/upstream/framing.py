"""What a response head may say about where its message ends, beyond what the parser (llhttp, strict) sees to itself.

The parser refuses what has two readings: two lengths, a length beside chunks, line ends and blanks where they do not belong.
What it lets pass and gw does not is here, with the limits.
"""

import httptools

HEAD_MAX = 64 * 1024  # of a response, its 1xx included
HEADERS_MAX = 200
BODILESS = frozenset({204, 304})

Number = int  # compiled, a C integer: framing.pxd
Headers = list[tuple[bytes, bytes]]


class Refused(Exception):
    """Raised inside the parser's callbacks to stop it; the text says why."""


def check_size(headers: Headers, head_bytes: Number) -> None:
    """`head_bytes`: what came with it, at least. Raises Refused."""
    if len(headers) > HEADERS_MAX:
        raise Refused(f"more than {HEADERS_MAX} response headers")
    if head_bytes > HEAD_MAX and _size(headers) > HEAD_MAX:
        raise Refused(f"response head above {HEAD_MAX} bytes")


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def check_interim(status: int, headers: list[tuple[bytes, bytes]]) -> None:
    """A status below 200 may be skipped only if the parser and everybody else end it at its blank line.

    llhttp knows 100, 102 and 103 as such and gives out the body that another one announces. Raises Refused.
    """
    if status < 100:
        raise Refused(f"status {status:03}")
    if status == 101:
        raise Refused("101 without having been asked to switch protocols")
    if any(name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 ")) for name, value in headers):
        raise Refused(f"a {status} with a body")


def is_chunked(value: bytes) -> bool:
    """`chunked` and nothing else. With a tab behind it llhttp does not know the word, and gives the frames out as body."""
    return value.rstrip(b" ").lower() == b"chunked"


def reason(error: Exception) -> str:
    """The parser's constant text, or the reason a callback gave."""
    if isinstance(error, httptools.HttpParserUpgrade):
        return "the upstream switched protocols"
    inner = error.__context__
    return str(inner) if isinstance(inner, Refused) else f"not HTTP: {error}"
