"""What a client wants of an upstream, apart from where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson
from msgspec.structs import replace

from gw._fast import Sent, peek
from gw.domain.quirks import Quirks
from gw.domain.text import printable
from gw.doors import Door
from gw.errors import Refusal
from gw.translate.counting import read_question
from gw.translate.dialect import Dialect
from gw.translate.dialects import DIALECTS
from gw.translate.form import Json, Request
from gw.translate.slip import slip
from gw.translation import parsed
from gw.wire.asgi import Scope
from gw.wire.body import PEEK_MESSAGES

if TYPE_CHECKING:
    from gw.routing.health import Turn

LEFT_OUT_MAX = 512
# How the names begin of header lines that some upstream obeys (gw.preparing.straight).
CUNNING = (b"range", b"if-range", b"x-amz-", b"x-goog-", b"x-http-", b"x-method")


class Demand:
    """One per call. `body` as it came, `plain` as it can be read; both are let go when an answer begins."""

    __slots__ = (
        "_asked", "_scope", "body", "door", "effort", "headers", "lost", "max_tokens", "model", "plain", "query", "renamed",
        "sent", "session", "turn", "weighed",
    )  # fmt: skip

    def __init__(self, door: Door, sent: Sent, scope: Scope, body: bytes, plain: bytes) -> None:
        self.door = door
        self.sent = sent
        self._scope = scope
        self.query: bytes = scope["query_string"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.body = body
        self.plain = plain
        self.weighed = plain  # what a call's cost is judged from
        self.model = ""  # as the client names it
        self.renamed = False  # it goes upstream under another name
        self.max_tokens = 0  # a rule's cap; 0: none
        self.effort = ""  # likewise
        self.session = ""  # whose cache its answer warms (gw.routing.health.key_of), once it is known where it may go
        self.turn: Turn | None = None  # of the attempt that is under way: its place is told what the upstream's answer says
        self.lost: Sequence[str] = ()  # what could not be said to the upstream
        self._asked: Request | None = None

    @property
    def method(self) -> bytes:
        method: str = self._scope["method"]
        return method.encode("latin-1")

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.door.dialect or "anthropic"]

    @property
    def asked(self) -> Request:
        """In the intermediate form; read once, and only if somebody needs it. Raises Refusal."""
        if self._asked is None:
            door, entrance = self.door, self.door.entrance(self.query)
            if door.operation == "count_tokens":
                asked = read_question(door.dialect or "anthropic", self.json, entrance)
            else:
                asked = self.dialect.read_request(self.json, entrance)
            asked.model_named = asked.model
            self._asked = asked
        return self._asked

    def asked_as(self, model: str) -> Request:
        """For an upstream that has another name for the model; what is lost on the way is noted in it. Raises Refusal
        cannot_carry, of what only its own upstream holds."""
        asked = replace(self.asked, model=model, lost=[])
        if asked.held:
            raise Refusal("cannot_carry", asked.held)
        return asked

    def slip(self) -> bytes:
        """What a call's cost is judged from, where the body is in no words that gw weighs. Raises Refusal."""
        door = self.door
        error = peek(self.plain).error
        if error.startswith("duplicate_"):  # who reads the first, and who the last, would see another request
            slug, message = PEEK_MESSAGES[error]
            raise Refusal(slug, message.format(offset=peek(self.plain).error_offset))
        if door.endpoint != "embeddings":
            return slip(self.asked)
        texts = orjson.dumps(self.json.get("input", self.json))
        model = door.model or self.json.get("model")
        if not isinstance(model, str) or not model:
            raise Refusal("invalid_field", '"model" is missing. Name the model in the request body.')
        body = {"model": model, "max_tokens": 0, "messages": [{"role": "user", "content": "x" * len(texts)}]}
        return orjson.dumps(body)

    def in_anthropics_words(self) -> bytes:
        """The readable body; of another dialect what Anthropic's says of it, or the body itself where that has no words."""
        if not self.door.dialect:
            return self.plain
        try:
            return orjson.dumps(DIALECTS["anthropic"].write_request(replace(self.asked, lost=[]), Quirks()))
        except (Refusal, TypeError):
            return self.plain

    @property
    def json(self) -> Json:
        """The body, if everybody reads it alike. Raises Refusal (invalid_json, duplicate_key, invalid_field)."""
        read = parsed(self.plain)
        if read is None:
            raise Refusal("invalid_json", "The body is not a JSON object, or is nested more than 250 levels deep.")
        if peek(self.plain).key_count > len(read):
            raise Refusal("duplicate_key", "The body has one of its fields twice. Send each once.")
        if not isinstance(read.get("stream"), bool | None):
            raise Refusal("invalid_field", '"stream" must be true or false.')
        return read

    @property
    def upstream_query(self) -> bytes:
        """The client's query, without the key that some have in it."""
        if b"key=" not in self.query:
            return self.query
        return b"&".join(part for part in self.query.split(b"&") if not part.startswith(b"key="))

    def header_values(self, name: bytes) -> list[bytes]:
        """All of one header's, in the order in which they came."""
        return [value for each, value in self.headers if each == name]

    def header(self, name: str) -> str:
        """The values of a header, joined; "" if it was not sent."""
        return ", ".join(value.decode("latin-1") for value in self.header_values(name.encode("latin-1")))

    def is_cunning(self) -> bool:
        """Some of its header lines may not go upstream."""
        for name, _ in self.headers:
            if len(name) > 4 and (name[0] in b"ri" or (name[2] in b"aghm" and name[3] in b"mote")) and name.startswith(CUNNING):
                return True
        return False

    def left_out(self) -> list[tuple[bytes, bytes]]:
        """For the answer's headers: fields of the request that the upstream's dialect has no words for."""
        if not self.lost:
            return []
        return [(b"x-gw-left-out", printable(", ".join(self.lost), LEFT_OUT_MAX).encode("ascii", "replace"))]

    def let_go(self) -> None:
        """No other attempt will be made: the body may be large, and the answer long."""
        self.body = self.plain = self.weighed = b""
