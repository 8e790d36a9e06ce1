"""AWS event-stream frames: botocore reads what gw writes, gw reads it at every split, and whatever is wrong is named."""

import struct
import zlib
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gw.wire.eventstream import FRAME_BYTES, Decoder, Message, Timestamp, Value, encode, header_block, read_headers

HEADERS: dict[str, Value] = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
FRAME = encode(HEADERS, b'{"a":1}')

values: st.SearchStrategy[Value] = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=40),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp),
    st.uuids(),
)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
messages = st.tuples(st.dictionaries(names, values, max_size=4), st.binary(max_size=200))


def read(*chunks: bytes, bytes_max: int = 1 << 20) -> tuple[list[Message], str]:
    decoder = Decoder(bytes_max)
    found = [message for chunk in chunks for message in decoder.feed(chunk)]
    return found, decoder.close()


def with_crcs(total: int, head: bytes, payload: bytes = b"", head_size: int | None = None) -> bytes:
    """A message with right checksums and these lengths, true or not."""
    lengths = struct.pack(">II", total, len(head) if head_size is None else head_size)
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


@given(st.lists(messages, max_size=4), st.data())
def test_what_is_written_is_read_at_any_split(sent: list[tuple[dict[str, Value], bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode(headers, payload) for headers, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[first:last] for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found, error = read(*chunks)
    assert [(dict(message.headers), message.payload) for message in found] == sent
    assert [type(value) for message in found for value in message.headers.values()] == [
        type(value) for headers, _ in sent for value in headers.values()
    ]
    assert error == ""


@given(messages)
def test_botocore_reads_what_is_written(sent: tuple[dict[str, Value], bytes]) -> None:
    headers, payload = sent
    buffer = EventStreamBuffer()
    buffer.add_data(encode(headers, payload))
    event = buffer.next()
    plain = {name: value.bytes if isinstance(value, UUID) else value for name, value in headers.items()}
    assert (event.headers, event.payload) == (plain, payload)


def test_every_type_of_header_is_read() -> None:
    block = b"".join(
        bytes((len(name), *name, kind)) + raw
        for name, kind, raw in (
            (b"yes", 0, b""),
            (b"no", 1, b""),
            (b"byte", 2, b"\xff"),
            (b"short", 3, b"\xff\xfe"),
            (b"int", 4, b"\x00\x00\x00\x07"),
            (b"long", 5, b"\xff" * 8),
            (b"bytes", 6, b"\x00\x02\x00\xff"),
            (b"text", 7, b"\x00\x02\xc3\xa9"),
            (b"when", 8, b"\x00" * 7 + b"\x05"),
            (b"id", 9, bytes(range(16))),
        )
    )
    assert read_headers(block) == {
        "yes": True,
        "no": False,
        "byte": -1,
        "short": -2,
        "int": 7,
        "long": -1,
        "bytes": b"\x00\xff",
        "text": "é",
        "when": Timestamp(5),
        "id": UUID(bytes=bytes(range(16))),
    }


@pytest.mark.parametrize("at", range(1, len(FRAME)))
def test_a_frame_reads_the_same_at_every_split(at: int) -> None:
    assert read(FRAME[:at], FRAME[at:] + FRAME) == ([Message(HEADERS, b'{"a":1}')] * 2, "")
    assert read(FRAME[:at]) == ([], "truncated")


@pytest.mark.parametrize("at", range(len(FRAME)))
def test_no_changed_byte_passes(at: int) -> None:
    broken = FRAME[:at] + bytes((FRAME[at] ^ 0x10,)) + FRAME[at + 1 :]
    found, error = read(FRAME + broken + FRAME)
    assert (found, error) == ([Message(HEADERS, b'{"a":1}')], "prelude_crc" if at < 12 else "message_crc")


WRONG = {
    "too_long": with_crcs(2000, b"", b"x" * 1984),
    "bad_length": with_crcs(FRAME_BYTES - 1, b""),
    "bad_length ": with_crcs(FRAME_BYTES + 4, b"abcd", head_size=5),
    "bad_header": with_crcs(FRAME_BYTES + 3, b"\x01a\x0a"),  # no such type
    "bad_header  ": with_crcs(FRAME_BYTES + 4, b"\x01a\x04\x00"),  # a number cut short
    "bad_header   ": with_crcs(FRAME_BYTES + 2, b"\x05a"),  # a name cut short
    "bad_header    ": with_crcs(FRAME_BYTES + 3, b"\x01\xff\x00"),  # a name that is no text
    "bad_header     ": with_crcs(FRAME_BYTES + 6, b"\x01a\x00\x01a\x00"),  # the same name twice
    "bad_header      ": with_crcs(FRAME_BYTES + 2, b"\x00\x00"),  # a name without a letter
    "bad_header       ": with_crcs(FRAME_BYTES + 6, b"\x01a\x07\x00\x09b"),  # a text cut short
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_and_nothing_is_read_after_it(name: str) -> None:
    decoder = Decoder(bytes_max=1000)
    assert [message.payload for message in decoder.feed(FRAME + WRONG[name] + FRAME)] == [b'{"a":1}']
    assert decoder.error == name.strip()
    assert decoder.feed(FRAME) == [] and decoder.close() == name.strip()


def test_a_long_frame_is_refused_by_its_first_bytes() -> None:
    decoder = Decoder(bytes_max=1000)
    assert decoder.feed(WRONG["too_long"][:12]) == [] and decoder.error == "too_long"


@given(st.binary(max_size=300))
def test_garbage_never_raises(garbage: bytes) -> None:
    found, error = read(garbage)
    assert error or not garbage or found


def test_headers_that_cannot_be_written_are_errors() -> None:
    for headers in ({"": True}, {"n" * 256: True}, {"n": "x" * 32768}):
        with pytest.raises(ValueError, match="header"):
            header_block(headers)


def test_many_different_headers_are_all_read() -> None:
    """More than are kept with their meaning."""
    stream = b"".join(encode({"n": number}, b"") for number in range(1000))
    assert [message.headers["n"] for message in read(stream)[0]] == list(range(1000))
