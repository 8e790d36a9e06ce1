"""Server-sent events as upstreams send them: bytes of any split -> the data of each event that is whole.

Lines may end in LF, CRLF or CR, several `data:` lines are one with LF between them, comments and other fields are read over
(HTML standard, section 9.2). An event is kept until its blank line has come, so an upstream that never sends one is cut off at
EVENT_BYTES_MAX.
"""

_LF = 10
EVENT_BYTES_MAX = 64 * 1024 * 1024  # a generated image in base64 is one event


class Overlong(Exception):
    """An event without end: the stream cannot be read on."""


class Frames:
    """`feed` gives the data of events that have become whole; empty data is left out."""

    __slots__ = ("_carriage", "_kept", "_searched")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._searched = 0  # up to here there is no end of an event in what is kept
        self._carriage = False  # the last byte was CR: an LF that follows belongs to it

    def feed(self, chunk: bytes) -> list[bytes]:
        """Raises Overlong."""
        if self._carriage or b"\r" in chunk:
            chunk = self._lines(chunk)
        if self._kept:
            self._kept += chunk
            if self._kept.find(b"\n\n", self._searched) < 0:
                self._searched = max(0, len(self._kept) - 1)
                if len(self._kept) > EVENT_BYTES_MAX:
                    raise Overlong
                return []
            chunk = bytes(self._kept)
            self._kept.clear()
        events = chunk.split(b"\n\n")
        rest = events.pop()
        if rest:
            self._kept += rest
            self._searched = len(rest) - 1
        found = []
        for event in events:
            # Nearly all events are one data line, last, perhaps behind an `event:` line.
            at = event.find(b"data:")
            if at < 0:
                continue
            if event.find(b"\n", at) >= 0 or (at and event[at - 1] != _LF):
                data = _data(event)
            else:
                data = event[at + 6 :] if event.startswith(b" ", at + 5) else event[at + 5 :]
            if data:
                found.append(data)
        return found

    def rest(self) -> bytes:
        """What is kept of an event that is not whole yet."""
        return bytes(self._kept)

    def _lines(self, chunk: bytes) -> bytes:
        """The chunk with LF for each end of a line."""
        if self._carriage and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._carriage = False
        if chunk:
            self._carriage = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(event: bytes) -> bytes:
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)
