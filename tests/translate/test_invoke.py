"""Claude on Bedrock and Vertex by its own words: bodies with a few bytes changed, streams out of frames and into them."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from anthropic import AnthropicBedrock
from botocore.exceptions import ClientError, EventStreamError
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gw._fast import DONE, Tap
from gw.domain.quirks import Quirks
from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate.anthropic_events import EventWriter as AnthropicWriter
from gw.translate.betas import BEDROCK, VERTEX, known, named
from gw.translate.converse_words import error_head
from gw.translate.converse_writer import head
from gw.translate.dialect import Entrance
from gw.translate.form import Answer, End, Event, Failure, Message, Request, Start, Text, ToolUse
from gw.translate.invoke import METRICS, EventsToFrames, FramesToEvents, chunk, from_bedrock, to_bedrock, to_vertex
from gw.translate.invoke_dialect import INVOKE
from gw.wire.eventstream import Decoder, encode, frame
from tests._fast.golden import ANTHROPIC, content
from tests.translate.bedrock import STREAM, Json, Reply, client, serving
from tests.translate.strategies import event_sequences, said, splits

OPUS = "global.anthropic.claude-opus-5-5"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
# As Claude Code 2.1.329 sends them in auto mode with fast mode.
HEADER = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,per-turn-control-2026-07-01,"
    "mid-conversation-tool-changes-2026-07-01,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,effort-2025-11-24,"
    "fast-mode-2026-02-01,dangerous-tool-use-2026-09-03,afk-mode-2026-01-31"
)
BODY = (
    b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi \\u00e9"}, {"role":"system",  "content":"x",'
    b'"output_config":{"effort":"low"}}],\n "max_tokens": 1e2,"context_management":{"edits":[]},"safeguards":[],"speed":"fast",'
    b'"service_tier":"auto","stream":true}'
)


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_a_body_for_bedrock_keeps_every_other_byte() -> None:
    lost: list[str] = ["before"]
    assert to_bedrock(BODY, [HEADER], OPUS, lost) == (
        b'{"messages":[{"role":"user","content":"hi \\u00e9"}, {"role":"system",  "content":"x"}],\n "max_tokens": 1e2,'
        b'"context_management":{"edits":[]},"safeguards":[],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":'
        b'["context-management-2025-06-27","mid-conversation-tool-changes-2026-07-01","tool-search-tool-2025-10-19",'
        b'"effort-2025-11-24","dangerous-tool-use-2026-09-03"]}'
    )
    assert lost == ["before", "service_tier", "speed", "messages[].output_config"]


def test_a_body_for_vertex_keeps_every_other_byte_and_its_betas_stay_in_the_header() -> None:
    lost: list[str] = []
    body, betas = to_vertex(BODY, [HEADER.encode()], "claude-opus-5-5", lost)
    plain = BODY.replace(b'"model":"claude-opus-5-5",', b"").replace(b'"speed":"fast","service_tier":"auto",', b"")
    assert body == plain[:-1] + b',"anthropic_version":"vertex-2023-10-16"}'
    assert betas == [
        "interleaved-thinking-2025-05-14", "context-management-2025-06-27", "per-turn-control-2026-07-01",
        "tool-search-tool-2025-10-19", "dangerous-tool-use-2026-09-03",
    ]  # fmt: skip
    assert lost == ["service_tier", "speed"]


def test_a_body_without_betas_has_none() -> None:
    lost: list[str] = []
    body = b'{"model":"m","max_tokens":1,"messages":[]}'
    assert to_bedrock(body, [], OPUS, lost) == b'{"max_tokens":1,"messages":[],"anthropic_version":"bedrock-2023-05-31"}'
    assert lost == []


def test_betas_of_the_body_and_of_several_headers_are_one_list() -> None:
    body = b'{"anthropic_beta":["context-1m-2025-08-07",5],"max_tokens":1}'
    sent = orjson.loads(to_bedrock(body, ["compact-2026-01-12, context-1m-2025-08-07", b"effort-2025-11-24"], OPUS, []))
    assert sent["anthropic_beta"] == ["compact-2026-01-12", "context-1m-2025-08-07", "effort-2025-11-24"]
    assert "anthropic_beta" not in orjson.loads(to_bedrock(b'{"anthropic_beta":["unknown-1"]}', [], OPUS, []))


@pytest.mark.parametrize(("model", "goes"), [(SONNET, True), (OPUS, False), ("anthropic.claude-3-7-sonnet-20250219-v1:0", False)])
def test_interleaved_thinking_goes_to_the_models_that_take_it(model: str, goes: bool) -> None:
    assert known(["interleaved-thinking-2025-05-14"], BEDROCK, model)[0] == ["interleaved-thinking-2025-05-14"] * goes


def test_a_field_of_a_beta_that_is_sent_under_another_name_stays() -> None:
    body = b'{"container":"c","context_management":{}}'
    header = "skills-2025-10-02,context-management-2025-06-27,context-management-2099-01-01"
    lost: list[str] = []
    assert set(orjson.loads(to_bedrock(body, [header], OPUS, lost))) >= {"context_management"} and lost == ["container"]


def test_fields_yet_unknown_pass() -> None:
    """The platform then refuses them in words that heal the client."""
    assert b'"tomorrow":{"a":1}' in to_bedrock(b'{"tomorrow":{"a":1}}', ["tomorrow-2027-01-01"], OPUS, [])


@pytest.mark.parametrize(
    "messages",
    [
        b"[]",
        b'"output_config"',
        b'[1,"output_config",{"output_config":1}]',
        b'[{"a":"output_config"}]',
        b' [ [ "output_config" ] ,\n {"output_config":1} , {} ]',
    ],
)
def test_messages_of_any_shape_pass(messages: bytes) -> None:
    sent = orjson.loads(to_bedrock(b'{"messages":%b}' % messages, ["per-turn-control-2026-07-01"], OPUS, []))
    assert sent["messages"] == orjson.loads(messages.replace(b'{"output_config":1}', b"{}"))


def test_tables_name_only_what_they_send_as_known() -> None:
    for table in (BEDROCK, VERTEX):
        assert all(not other or other in table for other in table.values())
    assert named([" a , b,", b"a", ""]) == ["a", "b"]


def test_a_clients_body_for_anthropic() -> None:
    body = b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"],"max_tokens":1, "messages":[]}'
    assert from_bedrock(body, "claude-x", stream=True) == (
        b'{"max_tokens":1, "messages":[],"model":"claude-x","stream":true}', ["context-1m-2025-08-07"],
    )  # fmt: skip
    with pytest.raises(Refusal, match="call Converse"):
        from_bedrock(b'{"inputText":"hi"}', "titan", stream=False)


# --- streams ----------------------------------------------------------------------------------------------------------


def events_of(stream: bytes) -> list[Json]:
    """The data of Anthropic's events, whose names say the same."""
    found = []
    for block in stream.split(b"\n\n")[:-1]:
        name, data = block.split(b"\n")
        found.append(orjson.loads(data.removeprefix(b"data: ")))
        assert name.removeprefix(b"event: ").decode() == found[-1]["type"]
    return found


def to_events(*chunks: bytes) -> bytes:
    reader = FramesToEvents()
    return b"".join(reader.feed(one) for one in chunks) + reader.close()


def to_frames(*chunks: bytes) -> bytes:
    writer = EventsToFrames()
    return b"".join(writer.feed(one) for one in chunks) + writer.close()


def recorded() -> list[Any]:
    return [pytest.param(entry, id=entry["file"]) for entry in ANTHROPIC]


@pytest.mark.parametrize("entry", recorded())
def test_a_recorded_stream_through_frames_and_back(entry: dict[str, Any]) -> None:
    stream = content(entry)
    back = to_events(to_frames(stream))
    wanted, found = Tap(), Tap()
    wanted.feed(stream + b"\n\n")
    assert found.feed(back) & DONE
    assert found.reading() == wanted.reading()
    lines = stream.replace(b"\r\n", b"\n").split(b"\n")
    assert all(line in back for line in lines if line.startswith(b'data: {"type":"content_block_delta"'))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_frames_read_the_same_at_any_split(size: int) -> None:
    stream = to_frames(content(ANTHROPIC[0]))
    whole = to_events(stream)
    assert to_events(*(stream[at : at + size] for at in range(0, len(stream), size))) == whole


@given(event_sequences(), st.data())
def test_any_answer_through_frames_and_back(events: list[Event], data: st.DataObject) -> None:
    stream = AnthropicWriter().write(events)
    sent = to_frames(*data.draw(splits(stream)))
    assert events_of(to_events(*data.draw(splits(sent)))) == [event for event in events_of(stream) if event["type"] != "ping"]


def test_an_event_passes_verbatim_whatever_stands_beside_it() -> None:
    data = b'{"type":"content_block_delta", "index":0,"delta":{"text":"\\u00e9","n":1.50}}'
    for payload in (b'{"bytes":"%b","p":"abc"}', b'{"p":"abc","bytes":"%b"}', b'{ "bytes": "%b" }'):
        stream = frame(head("chunk"), payload % b64encode(data))
        assert to_events(stream) == b"event: content_block_delta\ndata: " + data + b"\n\n"
    assert to_events(chunk(b'{"index":0,\n"type":"ping"}')) == b'event: ping\ndata: {"index":0,"type":"ping"}\n\n'


MEASURED = {"inputTokenCount": 7, "outputTokenCount": 9, "cacheReadInputTokenCount": 5, "invocationLatency": 100}
END = chunk(orjson.dumps({"type": "message_stop", METRICS: MEASURED}))
BEGIN = chunk(b'{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3,"output_tokens":1}}}')


def test_bedrocks_metrics_are_taken_away_and_used_where_usage_is_missing() -> None:
    delta = chunk(b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}')
    found = events_of(to_events(BEGIN + delta + END))
    assert [event["type"] for event in found] == ["message_start", "message_delta", "message_stop"] and METRICS not in found[-1]
    tap = Tap()
    tap.feed(to_events(BEGIN + END))
    usage = tap.found()
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.finished) == (7, 9, 5, True)


def test_a_client_is_given_bedrocks_metrics() -> None:
    stream = b'data: {"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":2}}}\n\n'
    stream += b'data: {"type":"message_delta","usage":{"input_tokens":null,"output_tokens":4}}\n\n'
    stream += b'data: {"type":"message_stop"}\n\n'
    *_, last = Decoder().feed(to_frames(stream))
    event = orjson.loads(b64decode(orjson.loads(last.payload)["bytes"]))
    assert event == {"type": "message_stop", METRICS: {
        "inputTokenCount": 3, "outputTokenCount": 4, "cacheReadInputTokenCount": 2, "cacheWriteInputTokenCount": 0,
        "invocationLatency": 0, "firstByteLatency": 0,
    }}  # fmt: skip


def raised(name: str, kind: str = "exception") -> bytes:
    return encode({":exception-type": name, ":message-type": kind}, b'{"message":"slow down"}')


BROKEN: dict[str, tuple[bytes, str]] = {
    "an exception": (BEGIN + raised("throttlingException") + END, "rate_limit_error"),
    "an error of Anthropic's": (
        BEGIN + chunk(b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}') + END, "overloaded_error"),
    "a changed byte": (BEGIN + END[:-9] + b"x" + END[-8:], "api_error"),
    "a frame cut short": (BEGIN + END[:-9], "api_error"),
    "no base64": (BEGIN + frame(head("chunk"), b'{"bytes":"?"}') + END, "api_error"),
    "no bytes": (BEGIN + frame(head("chunk"), b'{"p":"?"}') + END, "api_error"),
    "no json": (BEGIN + chunk(b"hi") + END, "api_error"),
    "no object": (BEGIN + chunk(b"[1]") + END, "api_error"),
    "a page": (b"<html>Bad Gateway</html>", "api_error"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_ends_with_an_error(name: str) -> None:
    stream, kind = BROKEN[name]
    *_, last = events_of(to_events(stream))
    assert last["type"] == "error" and last["error"]["type"] == kind
    tap = Tap()
    tap.feed(to_events(stream))
    assert tap.found().error_type == kind


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_garbage_never_raises(garbage: bytes, inner: bytes) -> None:
    to_events(garbage)
    to_events(frame(head("chunk"), garbage))
    to_events(chunk(inner))
    EventsToFrames().feed(garbage + b"\n\n")


# --- boto3 and Anthropic's SDK ----------------------------------------------------------------------------------------


class Gateway:
    def __init__(self) -> None:
        self.sent: tuple[bytes, list[str]] = (b"", [])
        self.stream = b""
        self.failure: Failure | None = None

    def __call__(self, path: str, body: Json, headers: dict[str, str]) -> Reply:
        stream = path.endswith("/invoke-with-response-stream")
        self.sent = from_bedrock(orjson.dumps(body), "claude-opus-5-5", stream=stream)
        if self.failure and not stream:
            status, name = error_head(self.failure)
            return status, {"x-amzn-ErrorType": name}, orjson.dumps(INVOKE.write_error(self.failure, "gw_1"))
        if stream:
            return 200, STREAM, EventsToFrames().fail(self.failure) if self.failure else to_frames(self.stream)
        answer = Answer("msg_1", "claude-opus-5-5", (Text("hello"),), "end_turn", Usage(3, 4))
        return 200, {}, orjson.dumps(INVOKE.write_answer(answer, Request("invoke")))


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Gateway]]:
    gateway = Gateway()
    with serving(gateway) as url:
        yield url, gateway


ASK = b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
A02 = next(entry for entry in ANTHROPIC if entry["file"].startswith("a02"))


def test_boto3_invokes_a_model(served: tuple[str, Gateway]) -> None:
    url, gateway = served
    boto = client(url)
    body = orjson.loads(boto.invoke_model(modelId=OPUS, body=ASK)["body"].read())
    assert body["content"] == [{"type": "text", "text": "hello"}] and body["usage"]["output_tokens"] == 4
    assert orjson.loads(gateway.sent[0])["model"] == "claude-opus-5-5"
    gateway.stream = content(A02)
    streamed = boto.invoke_model_with_response_stream(modelId=OPUS, body=ASK)["body"]
    chunks = [orjson.loads(event["chunk"]["bytes"]) for event in streamed]
    assert [chunks[0]["type"], chunks[-1]["type"]] == ["message_start", "message_stop"]
    assert chunks[-1][METRICS]["outputTokenCount"] == A02["expected_usage"]["output_tokens"]
    gateway.failure = Failure("rate_limit_error", "slow down")
    with pytest.raises(EventStreamError, match="slow down"):
        list(boto.invoke_model_with_response_stream(modelId=OPUS, body=ASK)["body"])
    with pytest.raises(ClientError, match="ThrottlingException"):
        boto.invoke_model(modelId=OPUS, body=ASK)
    gateway.failure = None
    boto.close()


def test_anthropics_own_client_for_bedrock_streams(served: tuple[str, Gateway]) -> None:
    url, gateway = served
    gateway.stream, gateway.failure = content(A02), None
    with (
        AnthropicBedrock(base_url=url, aws_access_key="k", aws_secret_key="s", aws_region="us-east-1") as anthropic,
        anthropic.messages.stream(model=OPUS, max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.usage.output_tokens == A02["expected_usage"]["output_tokens"]


# --- as a dialect -----------------------------------------------------------------------------------------------------


@given(event_sequences())
def test_events_written_in_frames_are_read_again(events: list[Event]) -> None:
    reader = INVOKE.event_reader("bedrock")
    stream = INVOKE.event_writer(Request("invoke")).write(events)
    found = reader.feed(stream) + reader.close()
    wanted = [replace(one, arguments=one.arguments or "{}") if isinstance(one, ToolUse) else one for one in said(events)[0]]
    assert said(found)[0] == wanted
    assert isinstance(found[-1], End) and isinstance(events[-1], End) and found[-1].usage == events[-1].usage


def test_requests_are_anthropics_with_a_version() -> None:
    asked = Request("chat", OPUS, (Message("user", (Text("hi"),)),), max_tokens=5, stream=True)
    assert INVOKE.write_request(asked, Quirks()) == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }
    found = INVOKE.read_request(orjson.loads(ASK), Entrance("invoke", OPUS, stream=True))
    assert (found.model, found.stream, found.max_tokens, found.foreign) == (OPUS, True, 9, {})
    assert found.messages == (Message("user", (Text("hi"),)),)


def test_failures_in_frames() -> None:
    writer = INVOKE.event_writer(Request("invoke"))
    stream = writer.write([Start("msg_1", "m")]) + writer.fail(Failure("overloaded_error", "busy"))
    reader = INVOKE.event_reader("bedrock")
    assert reader.feed(stream)[-1] == Failure("overloaded_error", "busy", code="overloaded_error")
    assert writer.ping() == b"" and reader.close() == []
