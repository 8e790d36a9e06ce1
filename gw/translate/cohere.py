"""Cohere's v2 chat as the dialect of an upstream. No client of gw speaks it."""

from typing import Final, NoReturn

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.chat_errors import read_error
from gw.translate.cohere_ask import COHERE as NAME
from gw.translate.cohere_ask import write_request
from gw.translate.cohere_stream import EventReader, read_answer
from gw.translate.dialect import Dialect, Entrance, EventWriter
from gw.translate.form import Answer, Failure, Json, Request


class Cohere:
    name = NAME
    content_type = b"text/event-stream"

    def read_request(self, body: Json, entrance: Entrance) -> NoReturn:
        raise Refusal("unknown_path", "Cohere's own API is spoken to upstreams only: ask in the dialect of OpenAI or Anthropic.")

    def write_answer(self, answer: Answer, asked: Request) -> NoReturn:
        raise AssertionError("no client speaks Cohere's dialect")

    def event_writer(self, asked: Request) -> EventWriter:
        raise AssertionError("no client speaks Cohere's dialect")

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return {"id": call_id, "message": failure.message}

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        return write_request(asked, quirks)

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        return read_answer(body, provider)

    def event_reader(self, provider: str) -> EventReader:
        return EventReader(provider)

    def read_error(self, status: int, body: bytes) -> Failure:
        return read_error(status, body)


COHERE: Final[Dialect] = Cohere()
