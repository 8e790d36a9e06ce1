"""The tap reads the right usage from every golden stream however it is cut, merges it by the rules and sees what is content.

Both implementations go through the same tests.
"""

import json
from types import ModuleType
from typing import Any

import pytest

from gw._fast import usage as compiled
from tests._fast import golden, oracle
from tests._fast.streams import STOP, block, delta, event, other_delta, shown, start, text
from tests._fast.twins import USAGE, agree, named, pieces, read

GOLDEN = pytest.mark.parametrize("entry", golden.ANTHROPIC, ids=lambda entry: entry["file"])
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


# -- golden streams


@GOLDEN
@pytest.mark.parametrize("module", USAGE)
def test_golden_usage_is_read_at_every_split_point(module: ModuleType, entry: dict[str, Any]) -> None:
    data, expected = golden.content(entry), golden.expected(entry)
    whole, news = read(module, [data])
    assert expected.items() <= named(whole).items()
    assert news == module.FIRST_TOKEN | module.DONE | module.USAGE
    step = 1 if module is compiled else 5  # the slow twin takes a second for each two thousand
    for cut in range(0, len(data) + 1, step):
        assert read(module, [data[:cut], data[cut:]]) == (whole, news), cut
    assert read(module, pieces(data, range(len(data)))) == (whole, news)


@GOLDEN
def test_golden_usage_does_not_depend_on_line_ends_comments_or_pings(entry: dict[str, Any]) -> None:
    data = golden.content(entry)
    whole = agree([data])
    events = data.split(b"\n\n")
    variants = {
        "crlf": data.replace(b"\n", b"\r\n"),
        "cr": data.replace(b"\n", b"\r"),
        "bom": b"\xef\xbb\xbf" + data,
        "comments": b": hello\n\n" + b"\n\n: keep-alive\n\n".join(events),
        "comment lines inside": data.replace(b"\ndata:", b"\n: x\ndata:"),
        "pings": b"\n\n".join(one + b"\n\n" + PING.rstrip(b"\n") for one in events if one.strip()) + b"\n\n",
        "no event lines": b"\n\n".join(one.partition(b"\n")[2] for one in events),
        "no space": data.replace(b"data: ", b"data:"),
        "two spaces": data.replace(b"data: ", b"data:  "),
        "trailing spaces": data.replace(b"}\n", b"}  \t \n"),
        "ids": data.replace(b"event: ", b"id: 7\nretry: 10\nevent: "),
        "more blank lines": data.replace(b"\n\n", b"\n\n\n\n"),
    }
    for name, variant in variants.items():
        assert agree([variant]) == whole, name
        assert agree(pieces(variant, range(0, len(variant), 3))) == whole, name


@GOLDEN
def test_boundaries_are_where_a_ping_may_be_inserted(entry: dict[str, Any]) -> None:
    """A ping inserted wherever the tap says so leaves the stream's own events whole, as a grammar-abiding reader sees them."""
    data = golden.content(entry)
    tap, found = compiled.Tap(), []
    for at in range(len(data)):
        if tap.at_boundary:
            found.append(at)
        tap.feed(data[at : at + 1])
    assert found[0] == 0
    assert found[1:] == [at for at in range(1, len(data)) if data[at - 2 : at] == b"\n\n"]


# -- the merge


def test_last_value_wins_and_nothing_is_added() -> None:
    found = shown(
        start(input_tokens=43, output_tokens=1) + delta(None, output_tokens=2) + delta(input_tokens=61, output_tokens=5)
    )
    assert (found["input"], found["output"]) == (61, 5)


def test_smaller_values_of_a_delta_replace() -> None:
    prompt = start(input_tokens=8834, output_tokens=0)
    found = shown(prompt + delta(input_tokens=18, output_tokens=426, cache_creation_input_tokens=0, cache_read_input_tokens=8831))
    assert (found["input"], found["cache_read"], found["output"]) == (18, 8831, 426)


def test_zero_replaces_and_null_does_not() -> None:
    given_ = {"input_tokens": 5, "cache_read_input_tokens": 7, "service_tier": "standard", "speed": "fast"}
    found = shown(start(**given_) + delta(input_tokens=0, cache_read_input_tokens=None, service_tier=None, output_tokens=1))
    assert (found["input"], found["cache_read"], found["tier"], found["speed"]) == (0, 7, "standard", "fast")


def test_usage_without_output_tokens_is_not_final() -> None:
    assert shown(start(input_tokens=5) + delta(input_tokens=6))["final_usage"] is False
    assert shown(start(input_tokens=5) + delta(input_tokens=6, output_tokens=0))["final_usage"] is True


def split_of(**split: int) -> dict[str, int]:
    return {f"ephemeral_{name}_input_tokens": count for name, count in split.items()}


ENTRY = {"type": "message", "cache_creation_input_tokens": 300, "cache_creation": {"ephemeral_1h_input_tokens": 300}}
SPLITS = [
    # name, message_start.usage, message_delta.usage, request TTL, expected 5m, 1h, assumed
    ("no writes", {}, {}, 60, 0, 0, False),
    (
        "whole split",
        {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 10, "1h": 20})},
        {},
        0,
        10,
        20,
        False,
    ),
    ("1h above the total", {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"1h": 50})}, {}, 0, 0, 30, False),
    (
        "5m above the total",
        {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 50, "1h": 5})},
        {},
        0,
        25,
        5,
        False,
    ),
    ("split without total", {"cache_creation": split_of(**{"5m": 3, "1h": 4})}, {}, 0, 3, 4, False),
    ("no split, unknown request", {"cache_creation_input_tokens": 30}, {}, 0, 30, 0, True),
    ("no split, 5m request", {"cache_creation_input_tokens": 30}, {}, 5, 30, 0, True),
    ("no split, 1h request", {"cache_creation_input_tokens": 30}, {}, 60, 0, 30, True),
    ("null split", {"cache_creation_input_tokens": 30, "cache_creation": None}, {}, 60, 0, 30, True),
    (
        "grown, unknown",
        {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"1h": 30})},
        {"cache_creation_input_tokens": 40},
        0,
        10,
        30,
        True,
    ),
    (
        "grown, 1h request",
        {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 30})},
        {"cache_creation_input_tokens": 40},
        60,
        30,
        10,
        True,
    ),
    (
        "shrunk",
        {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 30})},
        {"cache_creation_input_tokens": 20},
        60,
        20,
        0,
        False,
    ),
    (
        "grown, iterations know",
        {"cache_creation_input_tokens": 200, "cache_creation": split_of(**{"1h": 200})},
        {"cache_creation_input_tokens": 300, "iterations": [ENTRY]},
        5,
        0,
        300,
        False,
    ),
    (
        "grown, iterations know some of 5m",
        {"cache_creation_input_tokens": 200, "cache_creation": split_of(**{"5m": 200})},
        {"cache_creation_input_tokens": 300, "iterations": [{"type": "message", "cache_creation": split_of(**{"5m": 250})}]},
        60,
        250,
        50,
        True,
    ),
    (
        "grown, iterations know some",
        {"cache_creation_input_tokens": 0},
        {"cache_creation_input_tokens": 350, "iterations": [ENTRY]},
        5,
        50,
        300,
        True,
    ),
    (
        "other entries do not count",
        {},
        {"cache_creation_input_tokens": 300, "iterations": [ENTRY | {"type": "compaction"}]},
        5,
        300,
        0,
        True,
    ),
]


@pytest.mark.parametrize(
    ("first", "last", "request_ttl", "write_5m", "write_1h", "assumed"),
    [one[1:] for one in SPLITS],
    ids=[one[0] for one in SPLITS],
)
def test_cache_writes_get_their_ttl(
    first: dict[str, Any], last: dict[str, Any], request_ttl: int, write_5m: int, write_1h: int, assumed: bool
) -> None:
    found = shown(start(**first) + delta(output_tokens=1, **last), request_ttl)
    assert (found["write_5m"], found["write_1h"], found["ttl_assumed"]) == (write_5m, write_1h, assumed)


def test_iterations_of_all_kinds_are_kept_and_the_last_list_wins() -> None:
    entries = [
        {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
        {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 823, "output_tokens": 1612, "new": {"usage": 1}},
        {"type": "later_kind", "cache_read_input_tokens": 4, "cache_creation_input_tokens": 9},
        ENTRY,
    ]
    stream = start() + delta(output_tokens=1, iterations=[{"type": "message"}]) + delta(output_tokens=2, iterations=entries)
    assert shown(stream + delta(output_tokens=2, iterations=None))["iterations"] == (
        ("compaction", "", 180000, 3500, 0, 0, 0, 0),
        ("advisor_message", "claude-opus-5", 823, 1612, 0, 0, 0, 0),
        ("later_kind", "", 0, 0, 4, 9, 0, 0),
        ("message", "", 0, 0, 0, 300, 0, 300),
    )


def test_more_iterations_than_are_kept_mark_the_row() -> None:
    found = shown(start() + delta(output_tokens=1, iterations=[{"type": "message"}] * 1025))
    assert (len(found["iterations"]), found["garbled"]) == (1024, True)


@pytest.mark.parametrize("value", ["-1", "1.0", "1e3", "9223372036854775808", '"7"', "true", "[]", "{}", "1" * 5000])
def test_a_number_that_is_no_count_is_left_out_and_marked(value: str) -> None:
    broken = b'data: {"type":"message_delta","usage":{"input_tokens":%s,"output_tokens":4}}\n\n' % value.encode()
    found = shown(start(input_tokens=3) + broken)
    assert (found["input"], found["output"], found["garbled"]) == (3, 4, True)


def test_the_largest_count_is_read() -> None:
    found = shown(start(input_tokens=2**63 - 1))
    assert (found["input"], found["garbled"]) == (2**63 - 1, False)


# -- what is content


CONTENT = [
    ("nothing", b"", True, 0),
    ("empty text", block(type="text", text="") + text(""), True, 1),
    ("text", block(type="text", text="") + text("a"), False, 1),
    ("text in the start", block(type="text", text="a"), False, 1),
    ("empty thinking", block(type="thinking", thinking="", signature="") + other_delta("thinking_delta", thinking=""), True, 1),
    ("thinking", other_delta("thinking_delta", thinking="hm"), False, 1),
    ("hidden thinking", other_delta("signature_delta", signature="c2ln"), False, 1),
    ("redacted thinking", block(type="redacted_thinking", data="x"), False, 1),
    ("tool", block(type="tool_use", id="t", name="n", input={}), False, 1),
    ("server tool", block(type="server_tool_use", id="t", name="n", input={}), False, 1),
    ("fallback alone", block(type="fallback", to={"model": "m"}), True, 0),
    ("citation", other_delta("citations_delta", citation={}), False, 1),
]


@pytest.mark.parametrize(("stream", "is_empty", "news"), [one[1:] for one in CONTENT], ids=[one[0] for one in CONTENT])
def test_content_is_told_from_empty_blocks(stream: bytes, is_empty: bool, news: int) -> None:
    assert shown(stream)["content_empty"] is is_empty
    assert read(compiled, [stream])[1] == news


@pytest.mark.parametrize("module", USAGE)
def test_news_come_with_the_chunk_that_brought_them(module: ModuleType) -> None:
    tap = module.Tap()
    chunks = [start(), block(type="text", text=""), text("a"), text("b"), delta(output_tokens=2), STOP[:-3], STOP[-3:]]
    assert [tap.feed(chunk) for chunk in chunks] == [0, 0, 1, 0, 8, 0, 2]
    assert tap.feed(event({"type": "error", "error": {"type": "overloaded_error", "message": "m"}})) == module.ERROR
    assert named(tap.reading())["error_type"] == "overloaded_error"


@pytest.mark.parametrize("module", USAGE)
def test_stop_is_seen_before_its_line_ends(module: ModuleType) -> None:
    tap = module.Tap()
    assert tap.feed(b'data: {"type":"message_stop"}') == module.DONE
    assert not tap.at_boundary
    assert tap.feed(b"\n\n") == 0
    assert tap.at_boundary


@pytest.mark.parametrize("module", USAGE)
def test_a_block_is_open_between_its_start_and_stop(module: ModuleType) -> None:
    tap = module.Tap()
    seen = []
    for chunk in (start(), block(type="text", text=""), text("a"), event({"type": "content_block_stop", "index": 0})):
        tap.feed(chunk)
        seen.append(tap.in_block)
    assert seen == [False, True, True, False]


@pytest.mark.parametrize("words", ["plain", "é—字", 'a\n\t"\\/b', "\x00\x7f", "\ud800", "x" * 100_000])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_text_bytes_are_the_utf8_bytes_of_the_text(words: str, ascii_only: bool) -> None:
    ascii_only = ascii_only or words == "\ud800"  # a lone surrogate can only be written as an escape
    payload = json.dumps(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}, ensure_ascii=ascii_only
    )
    fields = agree([f"data: {payload}\n\n".encode()])
    assert named(fields)["text_bytes"] == oracle.utf8_size(words)


def test_an_escaped_surrogate_pair_counts_six() -> None:
    assert shown(text("😀"))["text_bytes"] == 6
