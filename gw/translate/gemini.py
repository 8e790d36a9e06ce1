"""The Gemini dialect: generateContent and streamGenerateContent, as clients speak it (google-genai) and as the Gemini API and
Vertex AI do. The parts stand in modules of their own; this is the table of them."""

from msgspec.structs import replace

from gw.translate.dialect import Entrance, EventWriter, Quirks
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    Block,
    BlockStart,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Json,
    Request,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.gemini_body import write_request
from gw.translate.gemini_errors import read_error, write_error
from gw.translate.gemini_events import EventWriter as GeminiWriter
from gw.translate.gemini_events import write_answer
from gw.translate.gemini_request import read_request
from gw.translate.gemini_stream import EventReader
from gw.translate.gemini_words import GEMINI

ARRAY_TYPE = b"application/json; charset=UTF-8"  # of a stream that is one JSON array (Request.alt "")


class Gemini:
    """See gw.translate.dialect.Dialect."""

    name = GEMINI
    content_type = b"text/event-stream"  # with alt=sse; see ARRAY_TYPE

    def read_request(self, body: Json, entrance: Entrance) -> Request:
        return read_request(body, entrance)

    def write_answer(self, answer: Answer, asked: Request) -> Json:
        return write_answer(answer, asked)

    def event_writer(self, asked: Request) -> EventWriter:
        return GeminiWriter(asked)

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return write_error(failure, call_id)

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        return write_request(asked, quirks)

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        reader, events = EventReader(provider), list[Event]()
        reader.read(body, events)
        return folded(events + reader.close())

    def event_reader(self, provider: str) -> EventReader:
        return EventReader(provider)

    def read_error(self, status: int, body: bytes) -> Failure:
        return read_error(status, body)


def folded(events: list[Event]) -> Answer | Failure:
    """The answer that these events tell. Blocks of this dialect do not overlap."""
    start, end = Start("", ""), None
    blocks: list[Block] = []
    pieces: list[str] = []
    signature, citations = "", list[Citation]()
    for event in events:
        match event:
            case Start():
                start = event
            case BlockStart():
                blocks.append(event.block)
                pieces, signature, citations = [], "", []
            case TextDelta() | ThinkingDelta() | ArgumentsDelta():
                pieces.append(event.text)
            case SignatureDelta():
                signature = event.signature
            case CitationDelta():
                citations.append(event.citation)
            case End():
                end = event
            case Failure():
                return event
            case _:
                blocks[-1] = _filled(blocks[-1], "".join(pieces), signature, tuple(citations))
    if end is None:
        return Failure("api_error", "the upstream's answer is none of Gemini's: it does not say why it ended", code="garbled")
    return Answer(start.id, start.model, tuple(blocks), end.stop, end.usage, created_s=start.created_s)


def _filled(block: Block, text: str, signature: str, citations: tuple[Citation, ...]) -> Block:
    if isinstance(block, Text):
        return Text(text, citations, signature=signature)
    if isinstance(block, Thinking):
        return replace(block, text=text, signature=signature)
    return replace(block, arguments=text) if isinstance(block, ToolUse) else block


GEMINI_DIALECT = Gemini()
