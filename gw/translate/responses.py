"""OpenAI's Responses API as a dialect: Codex and the SDKs as clients; OpenAI, Azure, xAI and others as upstreams."""

from typing import Final

from gw.domain.quirks import Quirks
from gw.translate.chat_errors import write_error
from gw.translate.dialect import Dialect, Entrance
from gw.translate.form import Answer, Failure, Json, Request
from gw.translate.responses_answer import read_answer
from gw.translate.responses_asking import write_request
from gw.translate.responses_errors import read_error
from gw.translate.responses_items import RESPONSES as NAME
from gw.translate.responses_reader import EventReader
from gw.translate.responses_request import read_request
from gw.translate.responses_writer import EventWriter, write_answer


class Responses:
    name = NAME
    content_type = b"text/event-stream"

    def read_request(self, body: Json, entrance: Entrance) -> Request:
        return read_request(body, entrance)

    def write_answer(self, answer: Answer, asked: Request) -> Json:
        return write_answer(answer, asked)

    def event_writer(self, asked: Request) -> EventWriter:
        return EventWriter(asked)

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return write_error(failure, call_id)

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        return write_request(asked, quirks)

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        return read_answer(body, provider)

    def event_reader(self, provider: str) -> EventReader:
        return EventReader(provider)

    def read_error(self, status: int, body: bytes) -> Failure:
        return read_error(status, body)


RESPONSES: Final[Dialect] = Responses()
