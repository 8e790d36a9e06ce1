"""An event stream, taken apart and put together again, byte by byte. Pure.

A stream says each text in hundreds of events of 150 bytes for a word or two. Apart, it is the texts, each whole, and a frame:
what stands between the pieces (few different ones, over and over) and how long each piece is. A text is kept as the JSON string
literal that the client will send back as its history, so the two are one block.

A frame is msgpack [betweens, steps, short texts, rest]; `steps` are numbers in base 128, for each piece
(index of what stands before it) * 2 + (it begins another text), then its length. Texts shorter than LONG stand in the frame.
"""

import re
from typing import NamedTuple

import msgspec

from gw.content.slices import LONG
from gw.content.tree import append, values

PIECES_MAX = 1_000_000

_PIECE = re.compile(rb'"(text|thinking|partial_json|signature|data)"\s*+:\s*+"((?>[^"\\]++|\\.)*+)"', re.DOTALL)
_BEGINS = b"content_block_start"


class Frame(msgspec.Struct, frozen=True, array_like=True):
    betweens: list[bytes]
    steps: bytes
    short: bytes  # texts without quotes, one after the other
    rest: bytes  # after the last piece
    long: list[bool]  # of each text, in order: it is a block of its own


class Text(NamedTuple):
    """One text of an answer: `key` is text, thinking, partial_json, signature or data; `escaped` is JSON's, without quotes."""

    key: str
    escaped: bytes


class Apart(NamedTuple):
    """`pieces`: (index of what stands before it, the text it belongs to, its length)."""

    betweens: list[bytes]
    pieces: list[tuple[int, int, int]]
    texts: list[Text]
    rest: bytes


def is_stream(answer: bytes) -> bool:
    head = answer[:4096].lstrip()
    return head.startswith((b"event:", b"data:", b":")) and b"data:" in answer


def apart(stream: bytes) -> Apart:
    """Whatever it holds: what are no events stays in one piece."""
    betweens: dict[bytes, int] = {}
    pieces: list[tuple[int, int, int]] = []
    parts: list[list[bytes]] = []
    keys: list[str] = []
    end = 0
    for found in _PIECE.finditer(stream):
        between, key = stream[end : found.start(2)], found[1].decode()
        end = found.end(2)
        if not keys or key != keys[-1] or _BEGINS in between:
            keys.append(key)
            parts.append([])
        parts[-1].append(found[2])
        pieces.append((betweens.setdefault(between, len(betweens)), len(keys) - 1, len(found[2])))
        if len(pieces) == PIECES_MAX:
            break
    texts = [Text(key, b"".join(these)) for key, these in zip(keys, parts, strict=True)]
    return Apart(list(betweens), pieces, texts, stream[end:])


def changed(one: Apart, texts: list[Text]) -> Apart:
    """With other texts in their places. One that is another now stands whole in its first piece: cut as before, an escape
    might be cut in two."""
    pieces = []
    seen = -1
    for between, text, length in one.pieces:
        if texts[text].escaped == one.texts[text].escaped:
            pieces.append((between, text, length))
        else:
            pieces.append((between, text, len(texts[text].escaped) if text != seen else 0))
        seen = text
    return one._replace(pieces=pieces, texts=texts)


def framed(one: Apart) -> tuple[bytes, list[bytes]]:
    """The frame, and the literals (with quotes) that are blocks of their own."""
    steps = bytearray()
    seen = -1
    for between, text, length in one.pieces:
        append(steps, between << 1 | (text != seen))
        append(steps, length)
        seen = text
    long = [len(text.escaped) + 2 >= LONG for text in one.texts]
    short = b"".join(text.escaped for text, is_long in zip(one.texts, long, strict=True) if not is_long)
    literals = [b'"%b"' % text.escaped for text, is_long in zip(one.texts, long, strict=True) if is_long]
    return msgspec.msgpack.encode(Frame(one.betweens, bytes(steps), short, one.rest, long)), literals


def together(frame: bytes, literals: list[bytes]) -> bytes:
    """The stream. Raises ValueError if they do not fit together."""
    one = msgspec.msgpack.decode(frame, type=Frame)
    numbers = list(values(one.steps))
    if len(numbers) % 2:
        raise ValueError("a frame is damaged")
    bodies = iter(literals)
    parts: list[bytes] = []
    text, at = -1, 0
    short_at = 0
    source = b""
    for step, length in zip(numbers[::2], numbers[1::2], strict=True):
        if step & 1:
            text += 1
            if text >= len(one.long):
                raise ValueError("a frame is damaged")
            if one.long[text]:
                source, at = next(bodies, b"")[1:-1], 0
            else:
                source, at = one.short, short_at
        if step >> 1 >= len(one.betweens) or at + length > len(source):
            raise ValueError("a frame is damaged")
        parts += (one.betweens[step >> 1], source[at : at + length])
        at += length
        if not one.long[text]:
            short_at = at
    return b"".join((*parts, one.rest))
