"""OpenAI's Chat Completions, as the dialect of clients and of upstreams: OpenAI itself and the many that speak as it does."""

from typing import Final

from gw.translate import chat_ask, chat_errors, chat_reader, chat_request, chat_writer
from gw.translate.chat_words import CHAT as NAME
from gw.translate.dialect import Dialect, Entrance, EventReader, EventWriter, Quirks
from gw.translate.form import Answer, Failure, Json, Request


class Chat:
    name = NAME
    content_type = b"text/event-stream"

    def read_request(self, body: Json, entrance: Entrance) -> Request:
        return chat_request.read_request(body, entrance)

    def write_answer(self, answer: Answer, asked: Request) -> Json:
        return chat_writer.write_answer(answer, asked)

    def event_writer(self, asked: Request) -> EventWriter:
        return chat_writer.EventWriter(asked)

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return chat_errors.write_error(failure, call_id)

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        return chat_ask.write_request(asked, quirks)

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        return chat_reader.read_answer(body, provider)

    def event_reader(self, provider: str) -> EventReader:
        return chat_reader.EventReader(provider)

    def read_error(self, status: int, body: bytes) -> Failure:
        return chat_errors.read_error(status, body)


CHAT: Final[Dialect] = Chat()
