"""The one record of a call: each column says what its name says, and is bounded."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import asdict, astuple, replace

from gw import __version__, settle
from gw._fast import Frame, Tap, found_in, peek, told_by
from gw.admit.hold import Hold
from gw.domain.account import Account
from gw.domain.call import WHO, CallRecord, OpenCall
from gw.domain.price import Priced
from gw.domain.settled import Settled
from gw.domain.usage import Iteration, Reading, Usage
from gw.ledger.frames import decode, scan
from gw.pricing.book import NO_PLAN, PriceBook, Terms
from gw.settle import MODEL_MAX, WORD_MAX, Call
from gw.snapshot import Deployment, Snapshot
from gw.wire.anthropic import COUNT_MAX, read_message
from gw.wire.headers import TAGS_MAX, VALUE_MAX

USAGE = Usage(11, 12, 13, 14, 15, 16, 17, 18, 19, "tier", "fast", "us", (Iteration("message", "m", 1, 2, 3, 4, 5, 6),), True)
READING = Reading(USAGE, started=True, finished=True, final_usage=True, model="served", stop_reason="end_turn", garbled=True)
PRICED = Priced(21, 22, 23, 24, 25, 26, 27, 28, 29, "version", ("unpriced",))


BOOK = PriceBook.load()
TERMS = Terms(("", "", "", "", "", ""), NO_PLAN)
NO_PATH: Any = None
WAY = {"dialect": "chat", "sent_model": "sent", "route": "rule:night", "attempts": '[["a",529,"",3]]', "attempt_of": "gw_0"}
TRACED = {"trace_id": "0a" * 16, "parent_span_id": "0b" * 8, "trace_flags": 1}


class Place(Deployment):
    def __init__(self) -> None:
        self.name, self.provider, self.region = "upstream", "anthropic", ""


class Book(PriceBook):
    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def charge(self, terms: Any, reading: Any, at_us: int, **_: Any) -> Priced:
        self.asked.append((terms, reading, at_us))
        return PRICED


class Served(Snapshot):
    """Of all that a snapshot has, what the record of a call needs."""

    def __init__(self) -> None:
        self.book = Book()
        self.published_us = self.version = 6


def call(endpoint: Any = "messages") -> Call:
    one = Call("gw_1", endpoint, Served(), "0-boot")
    one.account = Account(key_id="kid", key_name="key", team="team", customer="customer", credential="digest")
    one.deployment = Place()
    one.values = {
        b"user-agent": b"claude-cli/2.1.329 (external, cli)",
        b"x-claude-code-agent-id": b"agent",
        b"x-claude-code-parent-agent-id": b"parent",
        b"x-claude-code-prompt-id": b"prompt",
        b"x-gw-project": b"project",
        b"x-gw-tags": b"a=1",
        b"traceparent": b"00-" + b"0a" * 16 + b"-" + b"0b" * 8 + b"-01",
    }
    one.told, one.terms = told_by(one.values), TERMS
    one.device, one.session_id = "device", "session"
    one.peek = peek(b'{"model":"requested","stream":true}')
    one.first_byte_us, one.first_token_us = one.started_us + 1, one.started_us + 2
    one.status, one.upstream_status, one.upstream_request_id = 200, 201, "req_1"
    one.retries, one.body_bytes, one.response_bytes = 1, 300, 400
    one.charged_us, one.budget, one.shadowed = 7, "small", "strict"
    one.dialect, one.sent_model, one.route, one.attempt_of = "chat", "sent", "rule:night", "gw_0"
    one.attempts = [("a", 529, "", 3)]
    return one


def written(frame: Frame, done: Settled) -> CallRecord:
    """The record that stands in the frame; what is handed on of it beside the journal says the same."""
    (one,) = scan(frame.end(), 0)
    record = decode(one.kind, one.payload)
    assert isinstance(record, CallRecord)
    assert bytes(one.payload) == msgspec.msgpack.encode(record)
    assert done.unpriced == (record.price_version == "unpriced")
    assert (done.charged, done.exact) == (record.usage_source != "none", record.usage_source == "exact")
    handed = set(Settled.__slots__) - {"unpriced", "charged", "exact"}
    assert {name: getattr(done, name) for name in handed} == {name: getattr(record, name) for name in handed}
    return record


def closed(one: Call, reading: Reading, source: str, priced: Priced, *, outcome: Any, error: str) -> CallRecord:
    frame = Frame()
    return written(frame, settle.closed(one, frame, reading, source, priced, outcome, error))


def settled(one: Call, outcome: Any, error: str) -> CallRecord:
    frame = Frame()
    return written(frame, settle.settled(one, frame, outcome, error))


def unpriced(one: Call, outcome: Any, error: str) -> CallRecord:
    frame = Frame()
    return written(frame, settle.unpriced(one, frame, outcome, error))


def opened(one: Call) -> OpenCall:
    frame = Frame()
    settle.opened(one, frame)
    (found,) = scan(frame.end(), 0)
    begun = decode(found.kind, found.payload)
    assert isinstance(begun, OpenCall)
    columns = astuple(begun) if one.demand is not None else astuple(begun)[: settle.OPEN_COLUMNS]
    assert bytes(found.payload) == msgspec.msgpack.encode(columns) and not begun.free
    return begun


def test_each_column_says_what_its_name_says() -> None:
    one = call()
    record = asdict(closed(one, READING, "exact", PRICED, outcome="completed", error="slug"))
    assert one.started_us <= record.pop("ended_us") < one.started_us + 60_000_000
    assert record == TRACED | WAY | {
        "call_id": "gw_1",
        "endpoint": "messages",
        "started_us": one.started_us,
        "first_byte_us": one.started_us + 1,
        "first_token_us": one.started_us + 2,
        "outcome": "completed",
        "status": 200,
        "error": "slug",
        "key_id": "kid",
        "key_name": "key",
        "team": "team",
        "customer": "customer",
        "credential": "digest",
        "upstream": "upstream",
        "session_id": "session",
        "agent_id": "agent",
        "parent_agent_id": "parent",
        "prompt_id": "prompt",
        "device": "device",
        "project": "project",
        "tags": "a=1",
        "client_version": "claude-cli/2.1.329",
        "requested_model": "requested",
        "served_model": "served",
        "stream": True,
        "stop_reason": "end_turn",
        "input_tokens": 11,
        "output_tokens": 12,
        "cache_read_tokens": 13,
        "cache_write_5m_tokens": 14,
        "cache_write_1h_tokens": 15,
        "thinking_tokens": 16,
        "web_search_requests": 17,
        "web_fetch_requests": 18,
        "code_execution_requests": 19,
        "service_tier": "tier",
        "speed": "fast",
        "inference_geo": "us",
        "iterations": '[["message","m",1,2,3,4,5,6]]',
        "usage_source": "exact",
        "usage_flags": "unpriced,ttl_assumed,garbled",
        "list_pusd": 21,
        "billed_pusd": 22,
        "input_pusd": 23,
        "output_pusd": 24,
        "cache_read_pusd": 25,
        "cache_write_5m_pusd": 26,
        "cache_write_1h_pusd": 27,
        "tools_pusd": 28,
        "other_pusd": 29,
        "price_version": "version",
        "upstream_status": 201,
        "upstream_request_id": "req_1",
        "retries": 1,
        "request_bytes": 300,
        "response_bytes": 400,
        "gw_version": __version__,
        "worker": "0-boot",
        "charged_us": 7,
        "rules_us": 6,
        "budget": "small",
        "shadowed": "strict",
        "at_most_nusd": 0,
    }


@pytest.mark.parametrize(("source", "counted"), [("exact", 0), ("observed", 70), ("estimated", 70), ("none", 0)])
def test_what_is_no_last_word_is_recorded_with_the_most_that_it_may_have_cost(source: str, counted: int) -> None:
    one = call()
    one.hold = Hold(NO_PATH, None, None)
    one.hold.at_most_nusd = 70
    assert closed(one, READING, source, PRICED, outcome="stopped", error="").at_most_nusd == counted
    assert opened(one).at_most_nusd == opened(one).record().at_most_nusd == 70


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
COUNTS = st.integers(0, 2**63 - 1)
ANY_MONEY = st.tuples(*[st.integers(-(2**70), 2**70)] * 9, TEXTS, st.lists(st.sampled_from(["batch", "tier"])).map(tuple))
ANY_READING = st.builds(
    Reading,
    st.builds(Usage, *[COUNTS] * 9, TEXTS, TEXTS, TEXTS, st.just(USAGE.iterations) | st.just(()), st.booleans()),
    *[st.booleans()] * 3,
    *[TEXTS] * 3,
    garbled=st.booleans(),
)
SOURCES = st.sampled_from(["exact", "none"])


@given(reading=ANY_READING, money=ANY_MONEY, word=TEXTS, number=st.integers(0, 2**31 - 1), source=SOURCES)
def test_whatever_the_values_the_frame_is_the_record_of_the_format(
    reading: Reading, money: Any, word: str, number: int, source: str
) -> None:
    one = call()
    one.session_id, one.upstream_request_id, one.budget, one.retries, one.response_bytes = word, word, word, number, number
    one.account = one.account.but(team=word)
    bounded = [max(-(2**63), min(amount, 2**64 - 1)) for amount in money[:9]]
    frame = Frame()
    done = settle.closed(one, frame, reading, source, Priced(*money), "completed", word)
    (found,) = scan(frame.end(), 0)
    record = decode(found.kind, found.payload)
    assert isinstance(record, CallRecord)
    assert bytes(found.payload) == msgspec.msgpack.encode(record)
    assert (record.list_pusd, record.billed_pusd, record.other_pusd) == (bounded[0], bounded[1], bounded[8])
    assert (done.list_pusd, done.billed_pusd) == (money[0], money[1])
    assert (record.session_id, record.team, record.error) == (word, word, word)
    assert (record.retries, record.price_version) == (number, money[9])
    assert record.input_tokens == (reading.usage.input_tokens if source == "exact" else 0)
    one.who = one.who_columns = None
    assert opened(one).record().team == word


KINDS = st.sampled_from(["", "standard", "fast", "priority", "us", "global"])
ENTRY = st.fixed_dictionaries({"type": st.sampled_from(["message", "compaction"]), "input_tokens": st.integers(0, 9)})
ANSWER_USAGE = st.fixed_dictionaries(
    {"input_tokens": st.integers(0, 2**31), "output_tokens": st.integers(0, 2**27 - 1)},
    optional={
        "cache_read_input_tokens": st.integers(0, 2**27),
        "cache_creation_input_tokens": st.integers(0, 9_000),
        "server_tool_use": st.fixed_dictionaries({"web_search_requests": st.integers(0, 2**27 - 1)}),
        "service_tier": KINDS,
        "speed": KINDS,
        "inference_geo": KINDS,
        "iterations": st.lists(ENTRY, max_size=2),
    },
)


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-4-5", "unheard-of"])
@example(usage={"input_tokens": 0, "output_tokens": COUNT_MAX, "iterations": [{"type": "message"}]}, stop="end_turn", ttl=0)
@given(usage=ANSWER_USAGE, stop=st.sampled_from(["end_turn", "refusal"]), ttl=st.sampled_from([0, 5, 60]))
def test_what_an_answer_says_in_so_many_words_is_recorded_as_any_other(model: str, usage: Any, stop: str, ttl: int) -> None:
    """The short way from the answer to the record, and the long way by the nouns: the same row, to the pico-dollar."""
    answer = {"type": "message", "id": "m", "model": "served", "content": [], "stop_reason": stop, "usage": usage}
    body = json.dumps(answer).encode()
    short, long = call(), call()
    for one in (short, long):
        one.snapshot.book = BOOK
        one.terms = BOOK.terms("anthropic", "upstream", "", model, "", "", one.started_us)
        one.billed = True
    short.found = found_in(body, ttl)
    short.found.cap(COUNT_MAX)
    long.reading = read_message(body, ttl)
    one, other = settled(short, "completed", ""), settled(long, "completed", "")
    same = {"started_us": 0, "first_byte_us": 0, "first_token_us": 0, "ended_us": 0}
    assert replace(one, **same) == replace(other, **same)


def test_the_last_word_of_a_stream_takes_the_short_way_too() -> None:
    one = call()
    one.snapshot.book = BOOK
    one.terms = BOOK.terms("anthropic", "upstream", "", "claude-opus-5-5", "", "", one.started_us)
    one.billed, one.tap = True, Tap()
    one.tap.feed(b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n')
    assert one.last_word() is None
    one.tap.feed(b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":3}}\n\n')
    found = one.last_word()
    assert found is not None and BOOK.bill(one.terms, found) is not None
    record = settled(one, "completed", "")
    assert (record.usage_source, record.input_tokens, record.output_tokens) == ("exact", 7, 3)
    assert record.billed_pusd == record.input_pusd + record.output_pusd > 0


def test_a_call_that_no_rule_has_charged_says_so_before_it_is_sent_and_after() -> None:
    """Then whoever keeps the cells charges it, from its row."""
    one = call()
    assert (opened(one).rules_us, settled(one, "completed", "").rules_us) == (6, 6)
    one.charged_us = 0
    assert (opened(one).rules_us, settled(one, "completed", "").rules_us) == (0, 0)


def test_the_amounts_of_a_price_are_the_first_fields_of_both() -> None:
    amounts = Priced.__struct_fields__[: settle.AMOUNTS]
    first = CallRecord.__struct_fields__.index("list_pusd")
    assert CallRecord.__struct_fields__[first : first + settle.AMOUNTS + 1] == (*amounts, "price_version")
    one = call()
    assert [getattr(settled(one, "completed", ""), name) for name in WHO] == list(settle.columns_of(one))


def test_a_call_that_got_nowhere_has_a_record_all_the_same() -> None:
    one = Call("gw_1", "models", Served(), "0-boot")
    record = settled(one, "refused", "missing_credential")
    assert (record.outcome, record.error, record.usage_source, record.price_version) == (
        "refused",
        "missing_credential",
        "none",
        "",
    )
    assert not any(value for name, value in asdict(record).items() if name.endswith(("_pusd", "_tokens", "_requests")))


def test_what_others_wrote_is_bounded() -> None:
    one = call()
    one.values = dict.fromkeys((b"user-agent", b"x-claude-code-agent-id", b"x-gw-project", b"x-gw-tags"), b"\xff\n" * 10_000)
    one.told = told_by(one.values)
    one.peek = peek(b'{"model":"%b"}' % (b"m" * 10_000))
    long = "w" * 10_000
    usage = replace(USAGE, service_tier=long, speed=long, inference_geo=long)
    record = closed(
        one, replace(READING, usage=usage, model=long, stop_reason=long), "exact", PRICED, outcome="completed", error=""
    )
    assert {len(record.requested_model), len(record.served_model)} == {MODEL_MAX}
    assert {len(record.service_tier), len(record.speed), len(record.inference_geo), len(record.stop_reason)} == {WORD_MAX}
    assert (len(record.agent_id), len(record.project), len(record.tags)) == (VALUE_MAX, VALUE_MAX, TAGS_MAX)
    assert record.tags.isprintable()


@pytest.mark.parametrize("endpoint", ["count_tokens", "models"])
def test_only_messages_are_ever_billed(endpoint: Any) -> None:
    one = call(endpoint)
    one.goes_out()
    one.reading = READING
    record = settled(one, "completed", "")
    assert (record.usage_source, record.list_pusd, record.input_tokens) == ("none", 0, 0)


def test_before_the_request_goes_out_nothing_is_billed_and_after_it_everything() -> None:
    one = call()
    assert (settled(one, "client_gone", "").usage_source, one.snapshot.book.asked) == ("none", [])  # type: ignore[attr-defined]
    one.goes_out()
    record = settled(one, "client_gone", "")
    assert (record.usage_source, record.input_tokens, record.list_pusd) == ("estimated", 100, 21)
    one.tap = Tap()
    one.tap.feed(
        b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n'
    )
    record = settled(one, "client_gone", "")
    assert (record.usage_source, record.input_tokens, record.output_tokens) == ("observed", 7, 1)


def test_the_record_that_stands_if_the_worker_dies_costs_nothing_yet() -> None:
    one = call()
    one.goes_out()
    record = opened(one).record()
    assert (record.outcome, record.error, record.list_pusd, record.usage_source) == ("stopped", "worker_died", 0, "none")
    assert (record.requested_model, record.request_bytes, record.session_id) == ("requested", 300, "session")
    assert (record.dialect, record.route, record.attempts, record.attempt_of) == ("", "", "", ""), "it may go to one place only"
    one.demand = object()  # type: ignore[assignment]
    record = opened(one).record()
    assert (record.dialect, record.sent_model, record.route, record.attempt_of) == ("chat", "sent", "rule:night", "gw_0")
    assert record.attempts == '[["a",529,"",3]]'


def test_the_price_is_asked_for_by_the_terms_of_admission() -> None:
    one = call()
    one.goes_out()
    one.reading = READING
    settled(one, "completed", "")
    assert one.snapshot.book.asked == [(TERMS, READING, one.started_us)]  # type: ignore[attr-defined]


def test_an_error_in_place_of_an_answer_costs_nothing() -> None:
    """An overloaded upstream may say so in a 200 stream, before any message began; the client asks again, and again."""
    one = call()
    one.goes_out()
    one.tap = Tap()
    one.tap.feed(b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n')
    record = settled(one, "upstream_error", "upstream_overloaded_error")
    assert (record.usage_source, record.list_pusd, record.input_tokens) == ("none", 0, 0)


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\nb", "a\u202eb"])
def test_no_text_from_outside_reaches_a_terminal_as_a_command(text: str) -> None:
    one = call()
    one.peek = peek(json.dumps({"model": text}).encode())
    record = closed(one, replace(READING, model=text, stop_reason=text), "exact", PRICED, outcome="completed", error="")
    assert record.requested_model.isprintable() and record.served_model.isprintable() and record.stop_reason.isprintable()


def test_a_call_that_cannot_be_priced_is_recorded_and_marked() -> None:
    record = unpriced(call(), "completed", "")
    assert (record.price_version, record.usage_flags, record.usage_source) == ("unpriced", "settle_failed", "estimated")
