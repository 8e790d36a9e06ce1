"""Bedrock's Converse and ConverseStream as a dialect: of clients (boto3's converse and converse_stream) and of upstreams.

The model stands in the address, and so does whether to stream; the name of an error stands in the header x-amzn-ErrorType, which
`gw.translate.converse_words.error_head` gives.
"""

from typing import Final

from gw.translate.converse_ask import write_request
from gw.translate.converse_blocks import answer_part, blocks_of
from gw.translate.converse_request import read_request
from gw.translate.converse_stream import EventReader
from gw.translate.converse_words import CONVERSE, STOP_REASONS, read_error, read_usage, stop_of, usage_json, write_error
from gw.translate.converse_writer import EventWriter, told_stop_sequence
from gw.translate.dialect import Dialect, Entrance, Quirks
from gw.translate.form import Answer, Failure, Json, Request, ToolUse
from gw.translate.loose import object_at, text_at
from gw.wire.eventstream import CONTENT_TYPE

_KEPT: Final = ("metrics", "trace", "performanceConfig", "additionalModelResponseFields")  # for clients of this dialect


class Converse:
    """See gw.translate.dialect.Dialect."""

    name = CONVERSE
    content_type = CONTENT_TYPE

    def read_request(self, body: Json, entrance: Entrance) -> Request:
        return read_request(body, entrance)

    def write_answer(self, answer: Answer, asked: Request) -> Json:
        content = [part for part in map(answer_part, answer.content) if part]
        body: Json = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": STOP_REASONS[answer.stop],
            "usage": usage_json(answer.usage),
            "metrics": {"latencyMs": 0},
        }
        if answer.usage.service_tier:
            body["serviceTier"] = {"type": answer.usage.service_tier}
        if more := told_stop_sequence(asked, answer.stop_sequence):
            body["additionalModelResponseFields"] = more
        return body | {name: value for name, value in answer.foreign.items() if name in _KEPT}

    def event_writer(self, asked: Request) -> EventWriter:
        return EventWriter(asked)

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return write_error(failure)

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        return write_request(asked, quirks)

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        message = object_at(body, "output").get("message")
        if not isinstance(message, dict) or not isinstance(message.get("content"), list):
            words = "The upstream's answer is none of Converse's: it has no message with content."
            return Failure("api_error", words, code="garbled")
        content = blocks_of(message["content"])
        called = any(isinstance(block, ToolUse) for block in content)
        return Answer(
            id="",
            model="",
            content=content,
            stop=stop_of(body.get("stopReason"), called=called),
            usage=read_usage(body),
            stop_sequence=text_at(object_at(body, "additionalModelResponseFields"), "stop_sequence"),
            foreign={name: body[name] for name in _KEPT if name in body},
        )

    def event_reader(self, provider: str) -> EventReader:
        return EventReader()

    def read_error(self, status: int, body: bytes) -> Failure:
        return read_error(status, body)


CONVERSE_DIALECT: Final[Dialect] = Converse()
