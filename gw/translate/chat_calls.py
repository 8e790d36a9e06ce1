"""Tool calls of a chat stream, put together from pieces that upstreams cut and name in many ways.

OpenAI says id and name once and numbers the calls by `index`. Others leave the index or the id out, repeat id and name with each
piece, give every call the index 0, send the name after an empty one, the arguments whole, or as an object.
"""

from hashlib import blake2b
from typing import Any, Final
from uuid import uuid4

import orjson

from gw.translate.chat_words import NAMELESS
from gw.translate.form import ArgumentsDelta, BlockStart, Event, Json, SignatureDelta, ToolUse
from gw.translate.loose import loaded, object_at, text_at
from gw.translate.names import original

ID_CHARS_MIN: Final = 6  # shorter ones count from 0 in each answer, and would meet in a conversation


class Call:
    __slots__ = ("custom", "given_id", "held", "id", "index", "pieces")

    def __init__(self, given_id: str, custom: bool) -> None:
        self.given_id = given_id
        self.custom = custom
        self.id = ""  # as the client is told; "" not started
        self.index = -1  # of its block
        self.held: list[str] = []  # arguments that came before the name
        self.pieces: list[str] = []  # arguments of a call without an id: whether they are whole tells where the next one begins


class Calls:
    """The calls of one answer. `take` reads one entry of `tool_calls`; the caller numbers the blocks."""

    def __init__(self) -> None:
        self.all: list[Call] = []
        self.at: dict[Any, Call] = {}  # by index
        self.ids: set[str] = set()
        self.seed = ""

    def seeded(self, answer_id: str) -> None:
        """Where an upstream gives no ids, they are made of the answer's."""
        seed = answer_id or uuid4().hex
        self.seed = blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    def take(self, piece: Json, next_index: int, out: list[Event]) -> bool:
        """True where a block was started, with the number `next_index`."""
        custom = piece.get("type") == "custom" or isinstance(piece.get("custom"), dict)
        inner = object_at(piece, "custom" if custom else "function") or piece
        value = inner.get("input" if custom else "arguments")
        arguments = value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
        name, id = text_at(inner, "name"), text_at(piece, "id")
        call = self._meant(piece.get("index"), id, name, arguments)
        if call is None:
            call = Call(id, custom)
            self.all.append(call)
            index = piece.get("index")
            self.at[index if isinstance(index, int) else len(self.all) + 1_000_000] = call
        if not call.id:
            call.given_id = call.given_id or id
            if not name:
                call.held.append(arguments)
                return False
            self._start(call, name, next_index, out)
            arguments = "".join(call.held) + arguments
            self._say(call, piece, arguments, out)
            return True
        self._say(call, piece, arguments, out)
        return False

    def nameless(self, next_index: int, out: list[Event]) -> int:
        """At the end: starts the calls whose name never came. Returns the next number."""
        for call in self.all:
            held = "".join(call.held)
            if not call.id and (held or call.given_id):
                self._start(call, NAMELESS, next_index, out)
                self._say(call, {}, held, out)
                next_index += 1
        return next_index

    def _meant(self, index: Any, id: str, name: str, arguments: str) -> Call | None:
        """Whose piece it is; None: of a new call."""
        if isinstance(index, int):
            call = self.at.get(index)
        elif id:
            call = next((one for one in self.all if one.given_id == id), None)
        else:
            call = None if name and arguments else self.all[-1] if self.all else None
            if call is not None and name and call.id:
                return None
            return call
        if call is None or not name or not call.id:
            return call
        if id and call.given_id:
            return call if id == call.given_id else None
        return None if arguments and isinstance(loaded("".join(call.pieces)), dict) else call

    def _start(self, call: Call, name: str, index: int, out: list[Event]) -> None:
        id = call.given_id
        if len(id) < ID_CHARS_MIN or id in self.ids:
            id = f"{id or 'call'}_{self.seed}_{len(self.ids)}"
        self.ids.add(id)
        call.id, call.index = id, index
        out.append(BlockStart(index, ToolUse(id, original(name), custom=call.custom)))

    def _say(self, call: Call, piece: Json, arguments: str, out: list[Event]) -> None:
        if signature := text_at(object_at(object_at(piece, "extra_content"), "google"), "thought_signature"):
            out.append(SignatureDelta(call.index, signature))
        if arguments:
            out.append(ArgumentsDelta(call.index, arguments))
            if not call.given_id:
                call.pieces.append(arguments)
