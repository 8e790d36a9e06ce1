"""The request body: read whole up to the limit, kept verbatim, decoded for the peek alone."""

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.errors import Refusal
from gw.wire.body import PEEK_MESSAGES, read_body, readable

LIMIT = 1000


class Client:
    """Messages as an ASGI server hands them over; after the last the client has left."""

    def __init__(self, *parts: bytes, whole: bool = True) -> None:
        self._messages: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if whole:
            self._messages[-1]["more_body"] = False
        self.asked = 0

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        return self._messages.pop(0) if self._messages else {"type": "http.disconnect"}


READ = [
    ([b"abc"], -1, b"abc"),
    ([b"abc"], 3, b"abc"),
    ([b""], 0, b""),
    ([b"a", b"b", b"", b"c"], 3, b"abc"),
    ([b"x" * 500, b"y" * 500], -1, b"x" * 500 + b"y" * 500),
    ([b"x" * LIMIT], LIMIT, b"x" * LIMIT),
]


@pytest.mark.parametrize(("parts", "declared", "body"), READ)
async def test_a_body_is_read_whole(parts: list[bytes], declared: int, body: bytes) -> None:
    assert await read_body(Client(*parts), declared, LIMIT) == body


TOO_LARGE = [([b"a"], LIMIT + 1, 0), ([b"x" * (LIMIT + 1)], -1, 1), ([b"x" * 600, b"x" * 600, b"x"], -1, 2)]


@pytest.mark.parametrize(("parts", "declared", "asked"), TOO_LARGE)
async def test_too_large_a_body_is_refused_as_soon_as_that_is_known(parts: list[bytes], declared: int, asked: int) -> None:
    client = Client(*parts)
    with pytest.raises(Refusal) as caught:
        await read_body(client, declared, LIMIT)
    assert (caught.value.slug, client.asked) == ("body_too_large", asked)


GONE = [Client(whole=False), Client(b"ab", whole=False), Client(b"a", b"b", whole=False), Client(b"ab", b"c")]


@pytest.mark.parametrize("client", GONE)
async def test_a_client_that_left_before_the_end_has_no_body(client: Client) -> None:
    """The last one: the server says "no more", but less has come than was declared."""
    assert await read_body(client, 4, LIMIT) is None


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@given(body=st.binary(max_size=LIMIT), level=st.integers(0, 9))
def test_what_was_packed_is_read_again(body: bytes, level: int) -> None:
    assert readable(body, b"", LIMIT) is body
    assert readable(body, b"identity", LIMIT) is body
    assert readable(gzip.compress(body, level), b"gzip", LIMIT) == body
    assert readable(gzip.compress(body, level), b"x-gzip", LIMIT) == body
    assert readable(zlib.compress(body, level), b"deflate", LIMIT) == body


UNREADABLE = [
    (b"br", b"anything", "unsupported_encoding", "gzip, deflate"),
    (b"zstd", b"anything", "unsupported_encoding", "'zstd'"),
    (b"gzip, gzip", gzip.compress(b"x"), "unsupported_encoding", "identity"),
    (b"x" * 500, b"anything", "unsupported_encoding", "x" * 40),
    (b"gzip", b"{}", "invalid_json", "Content-Encoding"),
    (b"gzip", b"", "invalid_json", "cut short"),
    (b"gzip", gzip.compress(b"x" * 99)[:-1], "invalid_json", "cut short"),
    (b"gzip", gzip.compress(b"{}") + b"more", "invalid_json", "other data"),
    (b"gzip", gzip.compress(b"{}") * 2, "invalid_json", "other data"),
    (b"deflate", b"\xff\xff\xff", "invalid_json", "Content-Encoding"),
    (b"gzip", gzip.compress(bytes(LIMIT + 1)), "body_too_large", "1000 bytes"),
    (b"deflate", zlib.compress(bytes(LIMIT + 1)), "body_too_large", "/compact"),
    (b"deflate", raw_deflate(b"{}"), "invalid_json", "not what its Content-Encoding says"),  # without the zlib frame
]


@pytest.mark.parametrize(("encoding", "body", "slug", "says"), UNREADABLE)
def test_what_cannot_be_read_is_refused(encoding: bytes, body: bytes, slug: str, says: str) -> None:
    with pytest.raises(Refusal) as caught:
        readable(body, encoding, LIMIT)
    assert caught.value.slug == slug and says in caught.value.message
    assert len(caught.value.message) < 200


def test_every_complaint_of_the_peek_has_its_words() -> None:
    complaints = {
        "not_object",
        "invalid_json",
        "trailing_data",
        "duplicate_model",
        "duplicate_stream",
        "duplicate_max_tokens",
        "bad_model",
        "bad_stream",
        "bad_max_tokens",
    }
    assert PEEK_MESSAGES.keys() == complaints
    assert all(Refusal(slug, message.format(offset=7)).kind.status == 400 for slug, message in PEEK_MESSAGES.values())
