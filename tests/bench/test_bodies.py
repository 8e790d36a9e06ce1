"""The requests and answers of the bench are of the shapes that are claimed, and bill what the invoice says."""

import json
import re

import pytest

from bench.load import answers, bodies, wrk
from bench.load.contender import Contender, ContenderFailed
from bench.load.upstream import MODEL, PLAY
from gw._fast import DONE, Tap, peek
from gw.demo.invoice import cost_pusd
from gw.loadgen.events import Events
from gw.wire.anthropic import reading_from_tap

USAGE = {"input_tokens": 3, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 5, "output_tokens": 6}
HERE = Contender("direct", 1, version="", headers={"x-api-key": "k"})


@pytest.mark.parametrize("size", [0, 10**6, 4 * 10**6])
def test_a_turn_is_claude_codes_and_as_large_as_asked(size: int):
    body = bodies.turn("turn 10", size=size)
    assert 102_000 < len(body) < 103_000 if not size else size <= len(body) < size * 1.02
    read = json.loads(body)
    assert read["stream"] and len(read["tools"]) == 12 and read["messages"][-1]["role"] == "user"
    assert peek(body).error == ""
    found = PLAY.search(body[:300])
    assert found and found[1] == b"turn" and MODEL.search(body)[1].decode() == bodies.MODEL


def test_the_data_file_holds_no_secret_and_no_place():
    text = bodies.TURN.read_text()
    assert not re.search(r"sk-ant-|gwk_[A-Za-z0-9]{8}|Bearer [A-Za-z0-9]{12}", text)
    assert set(json.loads(json.loads(text)["metadata"]["user_id"])["device_id"]) == {"0"}


@pytest.mark.parametrize("words", ["whole", "talk 60 50"])
def test_a_small_body_is_a_kilobyte(words: str):
    body = bodies.small(words, stream=words != "whole")
    assert len(body) == 1024 and json.loads(body)["messages"][0]["content"].startswith(f"[play:{words}] ")


def test_requests_of_a_run_are_of_sessions_that_begin_with_its_name():
    kind = bodies.kind(HERE, "small", b"{}", run="r-1", sessions=3)
    assert [re.search(rb"session-id: (\S+)\r\n", one)[1] for one in kind.variants] == [b"r-1-0", b"r-1-1", b"r-1-2"]
    assert all(b"x-api-key: k\r\n" in one and one.endswith(b"\r\n\r\n{}") for one in kind.variants)


@pytest.mark.parametrize(("events", "count"), [(answers.turn("m", USAGE), 60), (answers.talk("m", USAGE, 40), 40)])
def test_a_stream_has_its_events_and_gw_reads_its_usage(events: list[answers.Event], count: int):
    chunks = [event.bytes_at(7) for event in events]
    payloads = [chunk.split(b"\r\n", 1)[1][:-2] for chunk in chunks]
    assert all(int(chunk.split(b"\r\n")[0], 16) == len(payload) for chunk, payload in zip(chunks, payloads, strict=True))
    read, tap = Events(), Tap()
    stamps = [stamp for payload in payloads for stamp in read.feed(payload)]
    flags = [tap.feed(payload) for payload in payloads]
    assert read.count == count and read.ended and not read.error and {int(one) for one in stamps} == {7}
    usage = reading_from_tap(tap).usage
    assert flags[-1] & DONE
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens) == (3, 6, 5, 4)


def test_a_turn_thinks_writes_and_calls_a_tool():
    kinds = re.findall(rb'"content_block":\{"type":"(\w+)"', b"".join(event.lead for event in answers.turn("m", USAGE)))
    assert kinds == [b"thinking", b"text", b"tool_use"]


def test_bills_differ_and_cost_what_the_provider_asks():
    made = answers.bills(bodies.MODEL)
    assert len({tuple(bill.usage.values()) for bill in made}) == answers.USAGES
    assert all(bill.cost_pusd == cost_pusd(bodies.MODEL, bill.usage) > 0 for bill in made)
    assert answers.bills("nobodys")[0].cost_pusd == 0


def test_wrk_is_told_everything_in_strings_that_cannot_end_early():
    script = wrk.script_of(Contender("x", 1, version="", headers={"a": 'b]=]"\\'}, path="/p"), b'{"text": "]]"}')
    assert 'wrk.body = [=[{"text": "]]"}]=]' in script and '[==[b]=]"\\]==]' in script and "wrk.path = [=[/p]=]" in script


def test_what_wrk_says_is_read_and_failures_are_no_answers():
    run = wrk.parse("Running\nRESULT 1000 2000000 10 100 200 300 400 500\n", "no")
    assert run.figures() == {
        **{"rps": 495.0, "requests": 990, "failed": 10},
        **{"p50_us": 100.0, "p90_us": 200.0, "p99_us": 300.0, "p999_us": 400.0, "max_us": 500.0},
    }
    with pytest.raises(ContenderFailed, match="no"):
        wrk.parse("unable to connect", "no")
