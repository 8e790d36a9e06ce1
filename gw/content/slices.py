"""A body is cut into slices that stay the same from call to call, so that each is stored once. Pure.

Claude Code sends its whole history with every call, and changes little of it: blocks are added, `cache_control` marks move from
one block to the next, a text that was a list of blocks becomes a plain string. So the cuts are made where that shows least:
around every long string literal, at the beginning and before the closing brace of each element (messages, their content blocks,
system blocks, tools), before each top-level key, and around each `cache_control` member with its comma.

The slices are the body: joined they are it, byte by byte, whatever it holds. Nothing here parses JSON or can fail; what is not
JSON is cut somewhere else, no more. The work is bounded by TOKENS_MAX, and linear in the body's length.
"""

import re
from itertools import pairwise

LONG = 128  # bytes of a string literal, quotes included, from which it is a slice of its own
TOKENS_MAX = 400_000  # brackets and strings that are looked at; a full context window has some 150,000
REST_SIZE = 32_768  # what comes after them is cut at every so many bytes of the body

# A string that never ends is one token up to the end: without that, each quote inside would be tried anew.
_TOKEN = re.compile(rb'"(?>[^"\\]++|\\.)*+"?+(\s*+:)?|[\[\]{}]', re.DOTALL)
_COMMA = re.compile(rb"\s*+,")
_MOVING = b'"cache_control"'
_MESSAGES = b'"messages"'
_QUOTE, _OPEN_BRACE, _OPEN_BRACKET = b'"{['
_ELEMENT_DEPTH, _BLOCK_DEPTH = 2, 4  # containers open around an element of a top-level list, and around a content block


def cut(body: bytes, *, whole_strings: bool = False) -> list[bytes]:
    """The slices in order; none of them is empty. `whole_strings`: also what comes after TOKENS_MAX has no string cut in two."""
    cuts = _cuts(body, whole_strings=whole_strings)
    return [body[start:end] for start, end in pairwise(cuts)]


def _cuts(body: bytes, *, whole_strings: bool) -> list[int]:
    """Rising positions, from 0 to the length."""
    scan = _Scan(body)
    for count, token in enumerate(_TOKEN.finditer(body), 1):
        scan.see(token)
        if count == TOKENS_MAX:
            scan.cut(token.end())
            first = -(-token.end() // REST_SIZE) * REST_SIZE
            for position in range(first, len(body) * (not whole_strings), REST_SIZE):
                scan.cut(position)
            break
    scan.cut(len(body))
    return scan.cuts


class _Scan:
    """Where in the document the next token stands."""

    def __init__(self, body: bytes) -> None:
        self.cuts = [0]
        self._body = body
        self._depth = 0
        self._in_messages = False
        self._elements: list[int] = []  # depths outside of the elements that are open
        self._moving: tuple[int, bool] | None = None  # depth around the cache_control that is open; it has a comma before it
        self._last = 0  # end of the token before

    def cut(self, position: int) -> None:
        if position > self.cuts[-1]:
            self.cuts.append(position)

    def see(self, token: re.Match[bytes]) -> None:
        start, end = token.span()
        first = self._body[start]
        if first == _QUOTE:
            self._string(token, start, end)
        elif first in (_OPEN_BRACE, _OPEN_BRACKET):
            element = self._depth == _ELEMENT_DEPTH or (self._depth == _BLOCK_DEPTH and self._in_messages)
            if element and first == _OPEN_BRACE:
                self.cut(start)
                self._elements.append(self._depth)
            self._depth += 1
        else:
            self._close(start, end)
        self._last = end

    def _string(self, token: re.Match[bytes], start: int, end: int) -> None:
        if token[1] is None:
            if end - start >= LONG:
                self.cut(start)
                self.cut(end)
            return
        if self._depth == 1:
            self.cut(start)
            self._in_messages = self._body.startswith(_MESSAGES, start)
        elif self._depth > _ELEMENT_DEPTH and self._moving is None and self._body.startswith(_MOVING, start):
            before = self._body[self._last : start].rstrip()
            comma = before.endswith(b",")
            self.cut(self._last + len(before) - 1 if comma else start)
            self._moving = self._depth, comma

    def _close(self, start: int, end: int) -> None:
        self._depth = max(self._depth - 1, 0)
        if self._elements and self._elements[-1] >= self._depth:
            self._elements.pop()
            self.cut(start)
        if self._moving is not None and self._depth <= self._moving[0]:
            behind = None if self._moving[1] else _COMMA.match(self._body, end)
            if self._depth == self._moving[0]:
                self.cut(behind.end() if behind is not None else end)
            self._moving = None
