"""Gemini's two framings of a stream: server-sent events (`alt=sse`), and one JSON array of which an element is a chunk.

Which one it is, its first byte says. An answer or an error that came whole where a stream was asked for is an array of one.
"""

import re
from typing import Final

from gw.translate.frames import EVENT_BYTES_MAX, Frames, Overlong

_MARK: Final = re.compile(rb'["{}\[\]]')
_BEFORE: Final = b" \t\r\n\xef\xbb\xbf"  # spaces and a byte order mark


class Documents:
    """`feed` gives the JSON of each chunk that has become whole. `over`: the array has ended, nothing follows."""

    __slots__ = ("_array", "_frames", "over")

    def __init__(self) -> None:
        self._frames: Frames | None = None
        self._array: _Array | None = None
        self.over = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Raises Overlong."""
        if self._frames is not None:
            return self._frames.feed(chunk)
        if self._array is None:
            chunk = chunk.lstrip(_BEFORE)
            if not chunk:
                return []
            if chunk[0] not in b"[{":
                self._frames = Frames()
                return self._frames.feed(chunk)
            self._array = _Array()
        found = self._array.feed(chunk)
        self.over = self._array.over
        return found

    def close(self) -> list[bytes]:
        """An event whose blank line never came."""
        return self._frames.feed(b"\n\n") if self._frames is not None else []

    def rest(self) -> bytes:
        """What has come of an event that is not whole."""
        return self._frames.rest() if self._frames is not None else b""


class _Array:
    """Elements of a JSON array by their outermost braces; what stands between them is not looked at."""

    __slots__ = ("_at", "_depth", "_in_array", "_in_text", "_kept", "_start", "over")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._at = 0  # read up to here
        self._start = -1  # of the element that is open
        self._depth = 0
        self._in_text = False
        self._in_array = False
        self.over = False

    def feed(self, chunk: bytes) -> list[bytes]:
        self._kept += chunk
        kept = self._kept
        found: list[bytes] = []
        while not self.over:
            if self._in_text:
                end = kept.find(b'"', self._at)
                if end < 0:
                    # Backslashes at the end may belong to a quote that has not come yet.
                    self._at = len(kept) - _backslashes(kept, len(kept), self._at)
                    break
                self._in_text = _backslashes(kept, end, self._at) % 2 == 1
                self._at = end + 1
                continue
            mark = _MARK.search(kept, self._at)
            if mark is None:
                self._at = len(kept)
                break
            self._at = mark.end()
            self._mark(kept, mark.start(), found)
        done = self._at if self._start < 0 else self._start
        if len(kept) - done > EVENT_BYTES_MAX:
            raise Overlong
        del kept[:done]
        self._at -= done
        self._start = min(self._start, 0)
        return found

    def _mark(self, kept: bytearray, at: int, found: list[bytes]) -> None:
        byte = kept[at]
        if byte == 0x22:
            self._in_text = True
        elif byte in b"{[":
            if byte == 0x5B and self._depth == 0:
                self._in_array = True
                return
            if self._depth == 0:
                self._start = at
            self._depth += 1
        elif self._depth == 0:
            self.over = True  # the array's own end
        else:
            self._depth -= 1
            if self._depth == 0:
                found.append(bytes(kept[self._start : at + 1]))
                self._start = -1
                self.over = not self._in_array


def _backslashes(kept: bytearray, before: int, since: int) -> int:
    """How many stand right before this place, not further back than `since`."""
    at = before
    while at > since and kept[at - 1] == 0x5C:
        at -= 1
    return before - at
