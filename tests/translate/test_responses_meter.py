"""The meter beside a Responses stream: the tap hears what it would hear of the stream read and written whole."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import Tap
from gw.translate.anthropic_events import EventWriter
from gw.translate.responses_meter import ResponsesMeter
from gw.translate.responses_reader import EventReader
from tests._fast.golden import MANIFEST, content
from tests.translate.responses_streams import (
    ALL,
    CALL,
    CUSTOM,
    MESSAGE,
    REFUSED,
    SEARCH,
    THOUGHT,
    USAGE,
    events,
    response,
    stream,
)
from tests.translate.strategies import splits

RECORDED = [content(entry) for entry in MANIFEST if entry["provider"] == "openai.responses"]
ESCAPES = MESSAGE | {"content": [{"type": "output_text", "text": 'a\\"\\\\" \n"ü🌦\\', "annotations": [], "logprobs": []}]}


def metered(*chunks: bytes, provider: str = "openai") -> tuple[Any, ...]:
    meter, tap = ResponsesMeter(provider), Tap()
    for chunk in chunks:
        tap.feed(meter.feed(chunk))
    tap.feed(meter.close())
    return tap.reading()


def read_whole(data: bytes) -> tuple[Any, ...]:
    reader, writer, tap = EventReader("openai"), EventWriter(), Tap()
    tap.feed(writer.write(reader.feed(data)))
    tap.feed(writer.write(reader.close()))
    return tap.reading()


def told(reading: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the id, which is made, and the size, of which a custom tool's wrapping is a part."""
    return (*reading[:18], *reading[19:21], *reading[22:])


@pytest.mark.parametrize(
    "data",
    [
        *RECORDED,
        stream(events([MESSAGE])),
        stream(events([MESSAGE, CALL, CUSTOM])),
        stream(events([SEARCH, MESSAGE])),
        stream(events([REFUSED])),
        stream(events([ESCAPES], size=1)),
        stream(events([MESSAGE], last="response.incomplete", incomplete_details={"reason": "max_output_tokens"})),
        stream(events([MESSAGE], last="response.failed", status="failed", error={"code": "server_error", "message": "m"})),
        stream([*events([MESSAGE])[:7], {"type": "error", "code": "rate_limit_exceeded", "message": "m", "sequence_number": 7}]),
        stream(events([MESSAGE])[:7]),
        b"data: nonsense\n\n",
        json.dumps(response([MESSAGE])).encode(),
        json.dumps({"error": {"message": "no"}}).encode(),
        b"",
    ],
)
def test_the_tap_hears_what_it_hears_of_the_whole_stream(data: bytes) -> None:
    assert told(metered(data)) == told(read_whole(data))
    if b"custom_tool" not in data:
        assert metered(data)[21] == read_whole(data)[21]


def test_the_recorded_streams_are_metered_the_same_at_every_split() -> None:
    for data in RECORDED:
        whole = (told(metered(data)), metered(data)[21])
        halves = [metered(data[:at], data[at:]) for at in range(0, len(data), 3)]
        assert all((told(found), found[21]) == whole for found in halves)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_split_is_metered_the_same(data: st.DataObject) -> None:
    whole = stream(events([THOUGHT, ESCAPES, CALL]))
    assert told(metered(*data.draw(splits(whole)))) == told(metered(whole))


def test_all_that_is_said_is_counted_and_nothing_else() -> None:
    texts = [part["text"] for part in THOUGHT["summary"]]  # type: ignore[index]
    texts += [ESCAPES["content"][0]["text"], CALL["arguments"]]  # type: ignore[index]
    reading = metered(stream(events([THOUGHT, ESCAPES, CALL])))
    # Tap counts the two escapes of a pair of surrogates as six bytes instead of four.
    assert 0 <= reading[21] - len("".join(map(str, texts)).encode()) <= 2


@pytest.mark.parametrize("text", ["\\", "\\\\", '"', '\\"', "\n\\", "ü\\", "\\u0041"])
def test_escapes_at_the_end_of_a_delta_are_read_right(text: str) -> None:
    event = {"type": "response.output_text.delta", "delta": text, "obfuscation": '"x"', "output_index": 0, "content_index": 0}
    line = json.dumps(event, separators=(",", ":")).encode()
    told_by = ResponsesMeter("openai").feed(b"data: " + line + b"\n\n")
    last = json.loads(told_by.split(b"data: ")[-1])
    assert last["delta"] == {"type": "text_delta", "text": text}


def test_fields_in_another_order_are_read_all_the_same() -> None:
    turned = [dict(reversed(event.items())) for event in events([MESSAGE, CALL])]
    assert told(metered(stream(turned))) == told(metered(stream(events([MESSAGE, CALL]))))


def test_the_model_and_the_charge_are_told() -> None:
    meter = ResponsesMeter("xai")
    data = stream(events([MESSAGE], usage=USAGE | {"cost_in_usd_ticks": 5}))
    meter.feed(data[:900])
    assert (meter.served_model, meter.charge_pusd) == ("gpt-5.2-2026-01-01", None)
    meter.feed(data[900:])
    assert meter.charge_pusd == 500


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_meter_never_raises(data: st.DataObject) -> None:
    raw = bytearray(stream(events(ALL, size=20)))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b'"{}[]:,\\\n x0'))
    metered(bytes(raw))
