"""What tells the tap of a ConverseStream that passes unchanged: the same story in Anthropic's events."""

from gw.translate.anthropic_events import EventWriter
from gw.translate.converse_stream import EventReader


class ConverseMeter:
    """`model`: what message_start is to say, since Bedrock's stream does not."""

    __slots__ = ("_reader", "_writer")

    def __init__(self, model: str = "") -> None:
        self._reader = EventReader()
        self._writer = EventWriter(model)

    @property
    def garbled(self) -> bool:
        return self._writer.garbled

    def feed(self, chunk: bytes) -> bytes:
        events = self._reader.feed(chunk)
        return self._writer.write(events) if events else b""

    def close(self) -> bytes:
        return self._writer.write(self._reader.close())
