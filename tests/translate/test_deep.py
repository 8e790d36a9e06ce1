"""Answers that are nested deeper than they could be written are garbled to every reader; none raises."""

import orjson
import pytest

from gw.translate.form import Failure, Request
from gw.translate.invoke import EventsToFrames
from gw.translation import hear_whole, interpreter
from gw.wire.eventstream import encode

DEEP = b'{"a":' * 300 + b"1" + b"}" * 300
CALL = b'{"content":{"role":"model","parts":[{"functionCall":{"name":"t","args":%b}}]},"finishReason":"STOP"}' % DEEP
GEMINI = b'{"candidates":[%b],"usageMetadata":{"promptTokenCount":3}}' % CALL
TOOL_USE = b'{"type":"tool_use","id":"a","name":"t","input":%b}' % DEEP
CONVERSED = b'{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"t","input":%b}}]}}}' % DEEP
COHERE = b'{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"a","function":{"name":"t","arguments":%b}}}}}' % DEEP
ITEM = b'{"type":"function_call","id":"a","call_id":"a","name":"t","arguments":%b}' % DEEP
CHAT = b'{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"t","arguments":%b}}]}}]}' % DEEP
STREAMS = {
    "gemini": b"data: %b\r\n\r\n" % GEMINI,
    "anthropic": b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":%b}\n\n' % TOOL_USE,
    "chat": b"data: %b\n\n" % CHAT,
    "responses": b'data: {"type":"response.output_item.done","output_index":0,"item":%b}\n\n' % ITEM,
    "cohere": b"data: %b\n\n" % COHERE,
    "converse": encode({":message-type": "event", ":event-type": "contentBlockStart"}, b'{"start":%b}' % DEEP),
    "invoke": EventsToFrames().feed(b'event: x\ndata: {"type":"content_block_start","content_block":%b}\n\n' % TOOL_USE),
}
WHOLE = {
    "gemini": GEMINI,
    "anthropic": b'{"type":"message","content":[%b],"usage":{}}' % TOOL_USE,
    "converse": CONVERSED,
    "chat": CHAT.replace(b'"delta"', b'"message"'),
    "responses": b'{"id":"r","output":[%b]}' % ITEM,
}
CLIENTS = ("anthropic", "chat", "responses", "gemini", "converse", "invoke")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("upstream", STREAMS)
def test_a_stream(upstream: str, client: str) -> None:
    if upstream == "anthropic" == client or {upstream, client} <= {"anthropic", "invoke"}:
        return  # passes as it is
    between = interpreter(upstream, upstream, client, Request(client), b"")
    between.hear(STREAMS[upstream])
    between.close()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("upstream", WHOLE)
def test_a_whole_answer(upstream: str, client: str) -> None:
    heard = hear_whole(WHOLE[upstream], upstream, upstream, client, Request(client))
    assert isinstance(heard.failure, Failure)
    assert heard.failure.code == "garbled"
    if client != upstream and {upstream, client} != {"anthropic", "invoke"}:
        orjson.loads(heard.client)
