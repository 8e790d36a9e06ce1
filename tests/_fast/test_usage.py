"""The tap reads the right usage, however the stream is cut, written or broken; both implementations say the same."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import usage as compiled
from gw._fast.ref import usage as pure
from gw.wire import anthropic
from tests._fast import golden, oracle
from tests._fast.twins import USAGE, agree, named, pieces, read

GOLDEN = pytest.mark.parametrize("entry", golden.ANTHROPIC, ids=lambda entry: entry["file"])
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def event(payload: dict[str, Any], *, name: bool = True) -> bytes:
    head = f"event: {payload['type']}\n" if name else ""
    return f"{head}data: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()


def start(**usage: Any) -> bytes:
    return event({"type": "message_start", "message": {"id": "msg_1", "model": "claude-opus-5-5", "usage": usage}})


def delta(stop_reason: str | None = "end_turn", **usage: Any) -> bytes:
    return event({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage})


def text(words: str) -> bytes:
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}})


STOP = event({"type": "message_stop"})


def shown(stream: bytes, request_ttl: int = 0) -> dict[str, Any]:
    """What both taps say of the stream fed whole, byte by byte and in sevens."""
    whole = agree([stream], request_ttl)
    assert named(agree(pieces(stream, range(len(stream))), request_ttl)) == named(whole)
    assert agree(pieces(stream, range(0, len(stream), 7)), request_ttl) == whole
    return named(whole)


# -- golden streams


@GOLDEN
@pytest.mark.parametrize("module", USAGE)
def test_golden_usage_is_read_at_every_split_point(module: ModuleType, entry: dict[str, Any]) -> None:
    data, expected = golden.content(entry), golden.expected(entry)
    whole, news = read(module, [data])
    assert expected.items() <= named(whole).items()
    assert news == module.FIRST_TOKEN | module.DONE | module.USAGE
    for cut in range(len(data) + 1):
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
    found = shown(start(input_tokens=43, output_tokens=1) + delta(None, output_tokens=2) + delta(input_tokens=61, output_tokens=5))
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
    ("whole split", {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 10, "1h": 20})}, {}, 0, 10, 20, False),
    ("1h above the total", {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"1h": 50})}, {}, 0, 0, 30, False),
    ("5m above the total", {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 50, "1h": 5})}, {}, 0, 25, 5, False),
    ("split without total", {"cache_creation": split_of(**{"5m": 3, "1h": 4})}, {}, 0, 3, 4, False),
    ("no split, unknown request", {"cache_creation_input_tokens": 30}, {}, 0, 30, 0, True),
    ("no split, 5m request", {"cache_creation_input_tokens": 30}, {}, 5, 30, 0, True),
    ("no split, 1h request", {"cache_creation_input_tokens": 30}, {}, 60, 0, 30, True),
    ("null split", {"cache_creation_input_tokens": 30, "cache_creation": None}, {}, 60, 0, 30, True),
    ("grown, unknown", {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"1h": 30})}, {"cache_creation_input_tokens": 40}, 0, 10, 30, True),
    ("grown, 1h request", {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 30})}, {"cache_creation_input_tokens": 40}, 60, 30, 10, True),
    ("shrunk", {"cache_creation_input_tokens": 30, "cache_creation": split_of(**{"5m": 30})}, {"cache_creation_input_tokens": 20}, 60, 20, 0, False),
    ("grown, iterations know", {"cache_creation_input_tokens": 200, "cache_creation": split_of(**{"1h": 200})}, {"cache_creation_input_tokens": 300, "iterations": [ENTRY]}, 5, 0, 300, False),
    ("grown, iterations know some", {"cache_creation_input_tokens": 0}, {"cache_creation_input_tokens": 350, "iterations": [ENTRY]}, 5, 50, 300, True),
    ("other entries do not count", {}, {"cache_creation_input_tokens": 300, "iterations": [ENTRY | {"type": "compaction"}]}, 5, 300, 0, True),
]  # fmt: skip


@pytest.mark.parametrize(("first", "last", "request_ttl", "write_5m", "write_1h", "assumed"), [one[1:] for one in SPLITS], ids=[one[0] for one in SPLITS])  # fmt: skip
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


def block(**content: Any) -> bytes:
    return event({"type": "content_block_start", "index": 0, "content_block": content})


def other_delta(kind: str, **content: Any) -> bytes:
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": kind, **content}})


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
]  # fmt: skip


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


@pytest.mark.parametrize("words", ["plain", "é—字", "a\n\t\"\\/b", "\x00\x7f", "\ud800", "x" * 100_000])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_text_bytes_are_the_utf8_bytes_of_the_text(words: str, ascii_only: bool) -> None:
    ascii_only = ascii_only or words == "\ud800"  # a lone surrogate can only be written as an escape
    payload = json.dumps({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}, ensure_ascii=ascii_only)  # fmt: skip
    fields = agree([f"data: {payload}\n\n".encode()])
    assert named(fields)["text_bytes"] == oracle.utf8_size(words)


def test_an_escaped_surrogate_pair_counts_six() -> None:
    assert shown(text("😀"))["text_bytes"] == 6


# -- grammar


def test_a_document_over_several_data_lines_is_one() -> None:
    lines = json.dumps({"type": "message_delta", "usage": {"output_tokens": 9}}, indent=1).split("\n")
    found = shown("".join(f"data: {line}\r\n" for line in lines).encode() + b"\r\n")
    assert (found["output"], found["garbled"]) == (9, False)


GARBAGE = [
    (b"<html>\n<body>502</body>\n", True), (b'{"type":"message_stop"}', True), (b"data: {broken\n\n", True),
    (b'data: {"type":"message_stop"\n\n', True), (b'data: {"a":"\xff"}\n\n', True), (b'data: {"a":"x\ny"}\n\n', True),
    (b"\x00\x01\x02\n", True), (b"\xef\xbbdata: x\n", True), (b"data\n\n", False), (b"data:\n\n", False), (b"data: \n\n", False),
    (b"data: [DONE]\n\n", False), (b"data: null\n\n", True), (b"dat: {}\n\n", True), (b"event\n\n", False), (b":\n:x\n\n", False),
    (b'data: {"a":1} x\n\n', True), (b'data: {"a":1}}\n\n', True), (b"data: " + b'{"a":' * 600 + b"\n\n", True),
    (b'data: {"type":"later","usage":"none"}\n\n', False), (b'data: {"type":"message_start","message":5}\n\n', True),
]  # fmt: skip


@pytest.mark.parametrize(("garbage", "garbled"), GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_marked_and_what_follows_is_read(garbage: bytes, garbled: bool) -> None:
    found = shown(garbage + b"\n" + start(input_tokens=4) + delta(output_tokens=3) + STOP)
    assert found["garbled"] is garbled
    assert (found["input"], found["output"], found["finished"]) == (4, 3, True)


def test_documents_without_blank_lines_are_read_and_marked() -> None:
    stream = (start(input_tokens=4) + text("abc") + delta(output_tokens=3) + STOP).replace(b"\n\n", b"\n")
    found = shown(stream)
    assert (found["input"], found["output"], found["text_bytes"], found["finished"]) == (4, 3, 3, True)
    assert found["garbled"] is True


def test_an_error_without_type_is_an_error() -> None:
    assert shown(b'event: error\ndata: {"error":{"type":"api_error","message":"m"}}\n\n')["error_type"] == "api_error"


def test_a_cut_document_changes_nothing() -> None:
    stream = start(input_tokens=4) + delta(output_tokens=3)
    for cut in range(len(start(input_tokens=4)), len(stream) - 3):
        assert named(agree([stream[:cut]]))["output"] == 0


# -- properties


def render(events: list[dict[str, Any]], draw: Any) -> bytes:
    """The events as bytes, in one of the many ways the grammar allows."""
    is_ascii, eol = draw(st.booleans()), draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    out = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    for one in events:
        style: dict[str, Any] = draw(st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 1}]))
        try:
            lines = json.dumps(one, ensure_ascii=is_ascii, **style).encode().split(b"\n")
        except UnicodeEncodeError:
            lines = json.dumps(one, **style).encode().split(b"\n")
        head = draw(st.sampled_from([b"", b": note" + eol, b"event: " + str(one.get("type")).encode() + eol, b"event: message" + eol]))
        colon, tail = draw(st.sampled_from([b"data: ", b"data:"])), draw(st.sampled_from([b"", b"  ", b"\t"]))
        out += head + b"".join(colon + line + tail + eol for line in lines) + eol * draw(st.integers(1, 2))
    return bytes(out)


@st.composite
def streams(draw: Any) -> tuple[list[dict[str, Any]], bytes]:
    events = draw(st.lists(oracle.EVENTS, max_size=8))
    return events, render(events, draw)


@settings(max_examples=20000, deadline=None)
@given(streams(), st.lists(st.integers(0, 10_000), max_size=6), st.sampled_from([0, 5, 60]))
def test_reading_is_what_an_oracle_says(stream: tuple[list[dict[str, Any]], bytes], cuts: list[int], request_ttl: int) -> None:
    events, data = stream
    judge = oracle.Oracle(request_ttl)
    for one in events:
        judge.event(one)
    found = named(agree(pieces(data, cuts), request_ttl))
    spoken = found.pop("text_bytes")
    assert isinstance(spoken, int) and judge.text_bytes <= spoken <= judge.text_bytes * 3 // 2
    assert found == judge.fields()
    assert read(compiled, pieces(data, cuts), request_ttl)[1] == read(pure, [data], request_ttl)[1] == judge.news


@settings(max_examples=20000, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"data: ", b"\n\n", b'{"type":"message_delta",', b'"usage":{', b"}", b"\r"]))))  # fmt: skip
def test_random_bytes_never_raise_and_both_agree(chunks: list[bytes]) -> None:
    agree(chunks)


@settings(max_examples=20000, deadline=None)
@given(
    st.sampled_from(golden.ANTHROPIC),
    st.lists(st.tuples(st.integers(0, 7000), st.integers(0, 40), st.binary(max_size=4)), min_size=1, max_size=4),
    st.lists(st.integers(0, 7000), max_size=4),
)
def test_mutated_streams_never_raise_and_both_agree(entry: dict[str, Any], edits: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    data = golden.content(entry)
    for at, size, with_ in edits:
        at %= len(data)
        data = data[:at] + with_ + data[at + size :]
    whole = agree([data])
    assert agree(pieces(data, cuts)) == whole


# -- size


@pytest.mark.parametrize("chunk_size", [1, 65536])
def test_a_line_of_ten_megabytes_is_counted(chunk_size: int) -> None:
    line = text("é" * 500_000 + "x" * 9_000_000)
    tap = compiled.Tap()
    for at in range(0, len(line), chunk_size):
        tap.feed(line[at : at + chunk_size])
    assert tap.text_bytes == 10_000_000
    assert named(tap.reading())["garbled"] is False


def test_each_byte_is_looked_at_once_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin counts for both: no piece of a document is kept and read again."""
    handed = 0
    feed_json = pure.TapDoc.feed_json

    def counting(self: Any, chunk: bytes, at: int, end: int) -> int:
        nonlocal handed
        stopped = feed_json(self, chunk, at, end)
        handed += stopped - at
        return stopped

    monkeypatch.setattr(pure.TapDoc, "feed_json", counting)
    line = text("x" * 100_000)
    document = len(line) - len(b"event: content_block_delta\ndata: \n\n")
    for chunk_size in (1, 7, 4096, len(line)):
        handed = 0
        read(pure, (line[at : at + chunk_size] for at in range(0, len(line), chunk_size)))
        assert handed == document


def test_a_huge_message_start_is_read() -> None:
    payload = {"type": "message_start", "message": {"junk": ["y" * 100] * 20_000, "model": "m", "usage": {"input_tokens": 6}}}
    found = named(agree(pieces(event(payload), range(0, 2_000_000, 9973))))
    assert (found["input"], found["model"], found["garbled"]) == (6, "m", False)


# -- observed words


@pytest.mark.parametrize("module", USAGE)
def test_observed_words_can_be_read_by_others(module: ModuleType) -> None:
    memory = bytearray(module.OBSERVED_BYTES + 8)
    with pytest.raises(ValueError, match="no tap"):
        module.observed_from(memory)
    tap = module.Tap(60, memoryview(memory)[8:])
    usage = {"input_tokens": 7, "cache_creation_input_tokens": 30, "speed": "fast", "inference_geo": "us", "service_tier": "standard"}
    tap.feed(start(**usage) + text("abc"))
    expected = named(tap.reading()) | {"model": "", "message_id": "", "tier": ""}
    for other in (compiled, pure):
        assert named(other.observed_from(memoryview(memory)[8:])) == expected
    assert (expected["write_1h"], expected["text_bytes"], expected["speed"], expected["geo"]) == (30, 3, "fast", "us")


@pytest.mark.parametrize("module", USAGE)
def test_unfit_memory_is_refused(module: ModuleType) -> None:
    with pytest.raises(ValueError, match="128 bytes"):
        module.Tap(0, bytearray(127))
    with pytest.raises(BufferError):
        module.Tap(0, bytes(128))
    with pytest.raises(ValueError, match="0, 5 or 60"):
        module.Tap(7)
    with pytest.raises(TypeError):
        module.Tap().feed("text")


def test_a_killed_process_leaves_what_it_observed(tmp_path: Any) -> None:
    path = tmp_path / "observed"
    path.write_bytes(bytes(compiled.OBSERVED_BYTES))
    script = textwrap.dedent("""
        import mmap, os, sys
        from gw._fast import Tap
        with open(sys.argv[1], "r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        tap = Tap(0, memory)
        tap.feed(sys.stdin.buffer.read(int(sys.argv[2])))
        print("fed", flush=True)
        sys.stdin.buffer.read()
    """)
    stream = start(input_tokens=7, output_tokens=1) + text("abcd") + text("efgh")[:-8]
    command = [sys.executable, "-c", script, str(path), str(len(stream))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(stream)
        process.stdin.flush()
        assert process.stdout.readline() == b"fed\n"
        os.kill(process.pid, signal.SIGKILL)
    reading = anthropic.reading_from_memory(path.read_bytes())
    assert (reading.usage.input_tokens, reading.usage.output_tokens, reading.text_bytes) == (7, 1, 4)
    assert (reading.started, reading.finished, reading.content_empty) == (True, False, False)
