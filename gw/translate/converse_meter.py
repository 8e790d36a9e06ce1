"""What tells the tap of a ConverseStream that passes unchanged: the same story in Anthropic's events."""

from gw.translate.anthropic import ANTHROPIC_MESSAGES
from gw.translate.converse_stream import EventReader
from gw.translate.form import Request


class ConverseMeter:
    """`model`: what message_start is to say, since Bedrock's stream does not."""

    __slots__ = ("_reader", "_writer")

    def __init__(self, model: str = "") -> None:
        self._reader = EventReader()
        self._writer = ANTHROPIC_MESSAGES.event_writer(Request("converse", model, model_named=model))

    def feed(self, chunk: bytes) -> bytes:
        events = self._reader.feed(chunk)
        return self._writer.write(events) if events else b""

    def close(self) -> bytes:
        return self._writer.write(self._reader.close())
