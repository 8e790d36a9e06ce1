"""Server-sent events of any split, line ending and shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.translate.frames import Frames, Overlong
from tests.translate.strategies import splits

SHAPES = [
    (b"data: a\n\n", [b"a"]),
    (b"data:a\n\n", [b"a"]),
    (b"data:  a\n\n", [b" a"]),
    (b"event: x\ndata: a\n\nevent: y\ndata: b\n\n", [b"a", b"b"]),
    (b"data: a\nid: 7\n\n", [b"a"]),
    (b"data: a\ndata: b\n\n", [b"a\nb"]),
    (b": comment\n\ndata: a\n\n", [b"a"]),
    (b": data: no\ndata: a\n\n", [b"a"]),
    (b"event: data: no\n\ndata: a\n\n", [b"a"]),
    (b"data:\n\ndata: a\n\n", [b"a"]),
    (b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
    (b"data: a", []),
    (b"data: data: a\n\n", [b"data: a"]),
    ("data: ü🌦\n\n".encode(), ["ü🌦".encode()]),
]


def fed(*chunks: bytes) -> list[bytes]:
    frames = Frames()
    return [data for chunk in chunks for data in frames.feed(chunk)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(("stream", "expected"), SHAPES)
def test_the_data_of_each_whole_event_at_every_split(stream: bytes, expected: list[bytes], end: bytes) -> None:
    stream = stream.replace(b"\n", end)
    assert all(fed(stream[:at], stream[at:]) == expected for at in range(len(stream) + 1))
    assert fed(*(stream[at : at + 1] for at in range(len(stream)))) == expected


@given(st.data())
def test_any_split_gives_the_same(data: st.DataObject) -> None:
    stream = b"".join(shape for shape, found in SHAPES if found).replace(b"\n", data.draw(st.sampled_from([b"\n", b"\r\n"])))
    assert fed(*data.draw(splits(stream))) == fed(stream)


def test_an_event_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gw.translate.frames.EVENT_BYTES_MAX", 100)
    frames = Frames()
    assert frames.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(Overlong):
        frames.feed(b"x" * 90)
