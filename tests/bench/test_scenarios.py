"""Scenarios by name, and the whole way of a measurement on the upstream itself: request, stream, invoice, figures."""

from collections.abc import Iterator

import orjson
import pytest

from bench.load import answers, bodies, loads
from bench.load.contender import Contender
from bench.load.contenders import direct
from bench.load.results import unknown
from bench.load.scenarios import ALL, ANSWERING, PLAYING, SMOKE, chosen, mixed, storm, streams
from bench.load.upstreams import Charged, Playing
from gw.loadgen.schedule import evenly


def test_scenarios_are_found_by_name_or_by_the_part_before_the_dot():
    assert chosen(()) == ALL
    assert chosen(("small",)) == ("small.closed", "small.alone", "small.open")
    assert chosen(("turn", "small.open")) == ("small.open", "turn")
    assert set(SMOKE) <= set(ALL) == ANSWERING.keys() | PLAYING.keys()
    with pytest.raises(ValueError, match="smal"):
        chosen(("smal",))


@pytest.fixture(scope="module")
def upstream() -> Iterator[Playing]:
    with Playing() as playing:
        yield playing


@pytest.fixture
def contender(upstream: Playing) -> Contender:
    return direct(upstream.port)


def test_turns_are_answered_whole_and_each_is_on_the_invoice(upstream: Playing, contender: Contender):
    before = upstream.charged()
    kind = bodies.kind(contender, "turn", bodies.turn("turn 1"), run="t", streams=True)
    made = loads.open_loop(contender, [kind], evenly(50, 0.4))
    charged = upstream.charged().less(before)
    assert (made.figures["requests"], made.figures["failed"], made.failures) == (20, 0, "")
    assert made.figures["events"] == 20 * 60 and charged.calls == 20 and charged.pusd > 0
    assert made.histograms["event_delay"].count == 20 * (13 + 20 + 16)
    assert made.histograms["lateness"].count == made.figures["due"] == 20
    assert not unknown(made.figures)


def test_the_answers_that_were_held_back_are_whole(contender: Contender, upstream: Playing):
    before = upstream.charged()
    kind = bodies.kind(contender, "held", bodies.turn("hold 20", size=300_000), run="h")
    made = loads.closed_loop(contender, kind, connections=3, seconds=0.1)
    assert made.figures["failed"] == 0 and made.figures["p50_us"] >= 19_000
    assert upstream.charged().less(before).calls == made.figures["requests"] >= 3


def test_a_talk_in_openais_words_has_as_many_events_and_the_same_usage():
    usage = answers.bills("gpt-4.1")[0].usage
    found = b"".join(one.bytes_at(1) for one in answers.chat_talk("gpt-4.1", usage, 9)).split(b"data: ")[1:]
    told = [part.partition(b"\n\n")[0] for part in found]
    chunks = [orjson.loads(part) for part in told[:-1]]
    assert len(told) == 9 and told[-1] == b"[DONE]"
    assert sum("content" in one["choices"][0]["delta"] for one in chunks[:-2]) == 6
    counts = chunks[-1]["usage"]
    assert counts["total_tokens"] == sum(usage.values())
    assert counts["prompt_tokens_details"]["cached_tokens"] == usage["cache_read_input_tokens"]


def test_a_window_counts_only_what_came_within_it(contender: Contender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "RAMP_S", 0.05)
    monkeypatch.setattr(streams, "REST_S", 0.05)
    kind = bodies.kind(contender, "stream", bodies.small("talk 40 10", stream=True), run="w", streams=True)
    made = streams.window(contender, kind, 3, 0.2)
    assert made.figures["requests"] == 3 and made.figures["failed"] == 0
    assert 0 < made.figures["events"] < 3 * 40 and made.histograms["event_delay"].count <= 3 * 35
    assert not unknown(made.figures)


def test_mixed_traffic_has_every_kind(contender: Contender):
    made = loads.open_loop(contender, mixed.kinds_for(contender, "m"), mixed.schedule(mixed.scaled(0.5), 0.5))
    assert made.figures["failed"] == 0 and made.figures["requests"] == made.figures["due"] > 90
    assert made.histograms["first_byte"].count < made.histograms["latency"].count  # of streams; of small calls


def test_those_who_leave_are_aborted_and_nobody_else_fails(
    contender: Contender, upstream: Playing, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(storm.time, "sleep", lambda seconds: None)
    before = upstream.charged()
    made = storm.storm(contender, "s", 0.5, 20)
    assert made.figures["failed"] == 0 and made.figures["aborted"] > 5 and made.figures["open_connections"] == 20
    assert not unknown(made.figures)
    assert upstream.charged().less(before).calls >= made.figures["requests"]


def test_an_invoice_never_shrinks(upstream: Playing):
    first = upstream.charged()
    assert upstream.charged().less(first) == Charged(0, 0, dict.fromkeys(first.tokens, 0))
