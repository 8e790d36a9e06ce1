"""OpenAI's old text completions: a client's request as a conversation of one message, its answers and streams; and what an
answer of an upstream that still has them says was used.

What only a completion has (suffix, echo, best_of, logprobs) no chat has words for: it is refused if it changes the answer, and
named as lost if not.
"""

from typing import Any, Final

import orjson

from gw import clock
from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate import chat_errors, chat_reader
from gw.translate.capability import lose
from gw.translate.chat_errors import error_json
from gw.translate.chat_request import read_request as read_chat
from gw.translate.chat_words import FINISHES, read_usage, usage_json
from gw.translate.chat_writer import DONE, PING, dumps
from gw.translate.dialect import Dialect, Entrance, Quirks
from gw.translate.form import Answer, End, Event, Failure, Json, Request, Start, Text, TextDelta
from gw.translate.loose import object_at, text_at

_REFUSED: Final = ("suffix", "echo")
_NO_TEXT: Final = "this model answers conversations, not texts to go on with; leave it out."
TOKEN_CHARS: Final = 4  # of a token that is given by its number, for the estimate
_LOST: Final = ("best_of", "logprobs", "logit_bias")
_TAIL: Final = b',"logprobs":null,"finish_reason":null}]}\n\n'


def read_request(body: Json, entrance: Entrance) -> Request:
    """What no conversation has words for is `held`: an upstream that still has completions can answer it. Raises Refusal:
    invalid_field."""
    chat = {name: value for name, value in body.items() if name not in ("prompt", *_REFUSED, *_LOST)}
    prompt, held = _prompt(body.get("prompt"))
    asked = read_chat(chat | {"messages": [{"role": "user", "content": prompt}]}, entrance)
    asked.effort = asked.effort if asked.effort.mode else type(asked.effort)(shown=False)
    lose(asked, *(name for name in _LOST if body.get(name)))
    refused = (f"{name}: {_NO_TEXT}" for name in _REFUSED if body.get(name))
    asked.held = next(refused, held)
    return asked


def _prompt(prompt: Any) -> tuple[str, str]:
    """The text, and why it is none for a conversation."""
    texts = [prompt] if isinstance(prompt, str) else prompt
    if isinstance(texts, list) and len(texts) == 1 and isinstance(texts[0], str):
        return texts[0], ""
    if isinstance(texts, list) and len(texts) > 1:
        text = "\n".join(one if isinstance(one, str) else "x" * TOKEN_CHARS for one in texts)
        return text, "prompt: one text in one request; no token ids, no list of prompts."
    raise Refusal("invalid_field", "prompt: must be a text")


def write_answer(answer: Answer, asked: Request) -> Json:
    text = "".join(block.text for block in answer.content if isinstance(block, Text))
    return {
        "id": answer.id or "cmpl-gw",
        "object": "text_completion",
        "created": answer.created_s or clock.wall_ns() // 10**9,
        "model": asked.model_named or answer.model,
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish_of(answer.stop)}],
        "usage": usage_json(answer.usage),
    }


def finish_of(stop: Any) -> str:
    """A completion calls no tools."""
    word = FINISHES.get(stop, "stop")
    return "stop" if word == "tool_calls" else word


class EventWriter:
    """See gw.translate.dialect.EventWriter: the text alone, as a completion's stream."""

    def __init__(self, asked: Request) -> None:
        self._asked = asked
        self._head = b""
        self._over = False

    def write(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._over:
                break
            match event:
                case TextDelta():
                    out.append(self._head + dumps(event.text) + _TAIL)
                case Start():
                    self._begin(event)
                case End():
                    self._end(event, out)
                case Failure():
                    out.append(self.fail(event))
                case _:
                    pass
        return b"".join(out)

    def ping(self) -> bytes:
        return b"" if self._over else PING

    def fail(self, failure: Failure) -> bytes:
        if self._over:
            return b""
        self._over = True
        return b"data: " + dumps({"error": error_json(failure)}) + b"\n\n" + DONE

    def _begin(self, start: Start) -> None:
        created = start.created_s or clock.wall_ns() // 10**9
        model = self._asked.model_named or start.model
        head: Json = {"id": start.id or "cmpl-gw", "object": "text_completion", "created": created, "model": model}
        self._head = b"data: " + dumps(head)[:-1] + b',"choices":[{"index":0,"text":'

    def _end(self, end: End, out: list[bytes]) -> None:
        finish = orjson.dumps(finish_of(end.stop))
        out.append(self._head + b'"","logprobs":null,"finish_reason":' + finish + b"}]}\n\n")
        if self._asked.usage_wanted:
            top = self._head[: self._head.rindex(b'"choices":[')]
            out.append(top + b'"choices":[],"usage":' + dumps(usage_json(end.usage)) + b"}\n\n")
        out.append(DONE)
        self._over = True


# --- an upstream's ----------------------------------------------------------------------------------------------------


class CompletionReader(chat_reader.EventReader):
    """A completion's stream: choices have a text where a chat's have a delta."""

    def _choice(self, choice: Json, out: list[Event]) -> None:
        super()._choice({"delta": {"content": choice.get("text")}, "finish_reason": choice.get("finish_reason")}, out)


def usage_of(provider: str, body: Json) -> tuple[Usage, int | None]:
    """Of an upstream's whole completion, or of a chunk that has usage: (usage, exact charge in pico-USD if it is told)."""
    return read_usage(provider, object_at(body, "usage"), text_at(body, "service_tier"))


class Completions:
    """See gw.translate.dialect.Dialect. Nothing is ever written for an upstream: only a client that asks for a completion is led
    to one, and then its bytes pass."""

    name = "completions"
    content_type = b"text/event-stream"

    def read_request(self, body: Json, entrance: Entrance) -> Request:
        return read_request(body, entrance)

    def write_answer(self, answer: Answer, asked: Request) -> Json:
        return write_answer(answer, asked)

    def event_writer(self, asked: Request) -> EventWriter:
        return EventWriter(asked)

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return chat_errors.write_error(failure, call_id)

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        named = asked.model_named or asked.model
        raise Refusal("cannot_carry", f"{named} only goes on with texts; ask for it at /v1/completions.")

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        return chat_reader.gathered(CompletionReader(provider).whole(body))

    def event_reader(self, provider: str) -> CompletionReader:
        return CompletionReader(provider)

    def read_error(self, status: int, body: bytes) -> Failure:
        return chat_errors.read_error(status, body)


COMPLETIONS: Final[Dialect] = Completions()
