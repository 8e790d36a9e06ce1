"""Nothing a caller passes can become a second header or a second request."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.upstream.outgoing import JOIN_MAX, SLICE, head_block, serialise, slices
from gw.upstream.target import Target

TARGET = Target.from_url("http://upstream.example/base")

BAD_HEADS = [
    b"a: b",
    b"a: b\n",
    b"a: b\r",
    b"a: b\r\n\r\n",
    b"\r\na: b\r\n",
    b"a: b\r\n c\r\n",
    b" a: b\r\n",
    b"a : b\r\n",
    b"a b: c\r\n",
    b": b\r\n",
    b"a\r\n",
    b"a: b\nc: d\r\n",
    b"a: b\rc: d\r\n",
    b"a: b\0\r\n",
    b"a\0: b\r\n",
    b"Host: x\r\n",
    b"a: b\r\nhOST:x\r\n",
    b"Content-Length: 1\r\n",
    b"content-length:1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"connection: close\r\n",
    b"\xfcber: x\r\n",
    b"a: \x1b[31m\r\n",
    b"a: b\x7f\r\n",
]


@pytest.mark.parametrize("head", BAD_HEADS)
def test_unclean_head_is_refused(head: bytes) -> None:
    for block in (head, b"ok: yes\r\n" + head):
        with pytest.raises(ValueError, match="the head"):
            serialise(TARGET, b"POST", b"/", block, b"{}")


CLEAN_HEADS = [b"", b"a:\r\n", b"hosts: x\r\n", b"Content-Type: a/b\r\n", b"x-note: \xfc\ttab\r\n", b"!#$: x\r\n"]


@pytest.mark.parametrize("head", CLEAN_HEADS)
def test_clean_head_passes_unchanged(head: bytes) -> None:
    assert head + b"Content-Length: 2\r\n\r\n{}" in serialise(TARGET, b"POST", b"/", head, b"{}")[0]


@pytest.mark.parametrize("path", [b"", b"*", b"x", b"http://other/", b"/a b", b"/a\tb", b"/\r\n", b"/a\nb", b"/\0", b"/\x7f"])
def test_unclean_path_is_refused(path: bytes) -> None:
    with pytest.raises(ValueError, match="the path"):
        serialise(TARGET, b"GET", path, b"", b"")


@pytest.mark.parametrize("method", [b"", b"get", b"CONNECT", b"GET /", b"TRACE", b"X\r\n"])
def test_unknown_method_is_refused(method: bytes) -> None:
    with pytest.raises(ValueError, match="method"):
        serialise(TARGET, method, b"/", b"", b"")


def test_base_path_goes_before_the_path() -> None:
    lead, parts = serialise(TARGET, b"GET", b"/v1/models?limit=1", b"", b"")
    assert (lead, parts) == (b"GET /base/v1/models?limit=1 HTTP/1.1\r\nHost: upstream.example\r\n\r\n", None)


def test_large_body_is_not_copied() -> None:
    body = bytes(JOIN_MAX + 1)
    lead, parts = serialise(TARGET, b"POST", b"/", b"", body)
    assert lead.endswith(b"\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert parts is not None and parts[0] is body
    pieces = list(slices([body, b"", bytes(2 * SLICE + 1)]))
    assert [len(piece) for piece in pieces] == [len(body), SLICE, SLICE, 1]
    assert pieces[0].obj is body


any_bytes = st.binary(max_size=12) | st.sampled_from([b"a\r\nb: c", b"\r\n", b"x\n", b"\0", b"a: b"])


@given(st.lists(st.tuples(any_bytes, any_bytes), max_size=5), any_bytes.map(lambda raw: bytes(byte & 0x7F for byte in raw)))
def test_whatever_is_accepted_is_one_request_with_just_those_headers(pairs, path) -> None:
    try:
        head = head_block(pairs)
        lead, _ = serialise(TARGET, b"POST", b"/" + path, head, b"body")
    except ValueError:
        return
    seen: list[object] = []

    class Reader:
        def on_url(self, url):
            seen.append(url)

        def on_header(self, name, value):
            seen.append((name, value.strip(b" \t")))

        def on_body(self, body):
            seen.append(body)

        def on_message_complete(self):
            seen.append("end")

    httptools.HttpRequestParser(Reader()).feed_data(lead)
    headers = [(name, value) for name, _, value in (b"%b: %b".__mod__(pair).partition(b":") for pair in pairs)]
    expected = [(name, value.strip(b" \t")) for name, value in headers]
    assert seen == [
        b"/base/" + path,
        (b"Host", b"upstream.example"),
        *expected,
        (b"Content-Length", b"4"),
        b"body",
        "end",
    ]
