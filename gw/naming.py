"""Answers that pass as they are, but for the model's name: a client that asked for an alias is answered under that alias.

A stream's events are looked at whole: a piece of one waits for its rest, which no client could use before either. All other bytes
are the upstream's, and the tap hears the upstream's own words.
"""

import re

import orjson

from gw._fast import peek
from gw.errors import Refusal
from gw.translate.form import Failure
from gw.translate.splice import fields_of, spliced
from gw.translation import Interpreter, Told
from gw.wire.refusals import PING, error_event

HELD_MAX = 1 << 20  # an event that is longer passes as it comes
ENDS = (b"\n\n", b"\r\n\r\n")
_NAME = re.compile(rb'"(model|modelVersion)"(\s*:\s*)"((?:[^"\\]|\\.)*)"')


class Named:
    """Around the interpreter of a stream; None: of Anthropic's, whose first event alone has the name."""

    def __init__(self, inner: Interpreter | None, name: str) -> None:
        self._inner = inner
        self._name = orjson.dumps(name)
        self._rest = b""
        self._served = b""
        self._over = False

    @property
    def served_model(self) -> str:
        return self._inner.served_model if self._inner is not None else ""

    @property
    def charge_pusd(self) -> int | None:
        return self._inner.charge_pusd if self._inner is not None else None

    @property
    def garbled(self) -> bool:
        return self._inner is not None and self._inner.garbled

    def hear(self, chunk: bytes) -> Told:
        told, story = self._inner.hear(chunk) if self._inner is not None else (chunk, chunk)
        return self._named(told), story

    def close(self) -> Told:
        told, story = self._inner.close() if self._inner is not None else (b"", b"")
        rest, self._rest = self._rest, b""
        return rest + told, story

    def ping(self) -> bytes:
        if self._rest:
            return b""
        return self._inner.ping() if self._inner is not None else PING

    def fail(self, failure: Failure) -> bytes:
        rest, self._rest = self._rest, b""
        if self._inner is not None:
            return rest + self._inner.fail(failure)
        return rest + error_event(failure.kind, failure.message, at_boundary=not rest)

    def _named(self, told: bytes) -> bytes:
        if self._over or not told:
            return told
        text = self._rest + told if self._rest else told
        end = max(text.rfind(mark) + len(mark) if mark in text else 0 for mark in ENDS)
        if not end and len(text) <= HELD_MAX:
            self._rest = text
            return b""
        whole, self._rest = (text[:end], text[end:]) if end else (text, b"")
        if self._inner is not None:
            return self._in(whole)
        found = _NAME.search(whole)
        if found is None:
            return whole
        self._over = True
        rest, self._rest = self._rest, b""
        return whole[: found.start(3) - 1] + self._name + whole[found.end(3) + 1 :] + rest

    def _in(self, events: bytes) -> bytes:
        if not self._served:
            found = _NAME.search(events)
            if found is None:
                return events
            self._served = found[3]
        return _NAME.sub(self._other, events)

    def _other(self, found: re.Match[bytes]) -> bytes:
        return b'"%b"%b%b' % (found[1], found[2], self._name) if found[3] == self._served else found[0]


def named(body: bytes, name: str, field: str = "model") -> bytes:
    """A whole answer with its top-level `model`, or other field, replaced."""
    if field != "model":
        try:
            known = fields_of(body)
            return spliced(body, (), {field: name}, known) if field in known else body
        except Refusal:
            return body
    found = peek(body)
    if found.error or found.model_start < 0:
        return body
    return b"%b%b%b" % (body[: found.model_start], orjson.dumps(name), body[found.model_end :])
