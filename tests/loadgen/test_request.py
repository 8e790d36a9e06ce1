"""Addresses and the bytes of a request."""

import pytest

from gw.loadgen.request import Target, encode, target_of


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://127.0.0.1:8080/anthropic", Target("127.0.0.1", 8080, "/anthropic"), "127.0.0.1:8080"),
        ("http://gw.example/", Target("gw.example", 80), "gw.example"),
        ("https://gw.example/a/", Target("gw.example", 443, "/a", tls=True), "gw.example"),
        ("https://[::1]:9", Target("::1", 9, "", tls=True), "[::1]:9"),
    ],
)
def test_an_address_is_read(url: str, target: Target, authority: str):
    assert target_of(url) == target and target.authority == authority


@pytest.mark.parametrize("url", ["", "gw.example", "ftp://x", "http://", "http://h:x"])
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(ValueError):
        target_of(url)


def test_a_request_is_whole():
    made = encode(Target("h", 1, "/p"), "/v1/messages", {"a": "b"}, b"{}")
    assert made == b"POST /p/v1/messages HTTP/1.1\r\nhost: h:1\r\na: b\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize("bad", ["x\r\ny: z", "x\ny", "\0"])
def test_a_header_that_would_be_two_is_refused(bad: str):
    with pytest.raises(ValueError, match="line break"):
        encode(Target("h", 1), "/", {"a": bad}, b"")
