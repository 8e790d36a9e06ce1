"""The dialect of Anthropic's Messages: what Claude Code speaks, and Claude's own upstreams."""

from typing import Final

from gw.domain.quirks import Quirks
from gw.translate import anthropic_answer
from gw.translate.anthropic_ask import write_request
from gw.translate.anthropic_events import EventWriter
from gw.translate.anthropic_request import read_request
from gw.translate.anthropic_stream import EventReader
from gw.translate.dialect import Dialect, Entrance
from gw.translate.form import Answer, Failure, Json, Request
from gw.translate.seal import ANTHROPIC


def thinks(asked: Request) -> bool:
    """Claude's thoughts come only when they are asked for, and clients that did not ask take the first block for the answer. What
    clients of other dialects get is not written here: for the tap, all counts."""
    return asked.dialect != ANTHROPIC or asked.effort.mode in ("on", "adaptive")


class Anthropic:
    """See gw.translate.dialect.Dialect."""

    name = ANTHROPIC
    content_type = b"text/event-stream; charset=utf-8"

    def read_request(self, body: Json, entrance: Entrance) -> Request:
        return read_request(body, entrance)

    def write_answer(self, answer: Answer, asked: Request) -> Json:
        return anthropic_answer.write_answer(answer, asked.model_named, thoughts=thinks(asked))

    def event_writer(self, asked: Request) -> EventWriter:
        return EventWriter(asked.model_named, thoughts=thinks(asked))

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return anthropic_answer.write_error(failure, call_id)

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        return write_request(asked, quirks)

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        return anthropic_answer.read_answer(body)

    def event_reader(self, provider: str) -> EventReader:
        return EventReader()

    def read_error(self, status: int, body: bytes) -> Failure:
        return anthropic_answer.read_error(status, body)


ANTHROPIC_MESSAGES: Final[Dialect] = Anthropic()
