"""How the two sides of one attempt speak, where not both speak Anthropic's dialect: what `relay` and `answer` need of it."""

from __future__ import annotations

import orjson

from gw._fast import Answer
from gw.domain.usage import Usage
from gw.envelope import ENVELOPES, Enveloped
from gw.naming import named
from gw.translate import embeddings
from gw.translate.anthropic_answer import kind_of
from gw.translate.dialect import Dialect
from gw.translate.dialects import DIALECTS, error_headers
from gw.translate.embeddings import Wanted
from gw.translate.form import Failure, Json, Request
from gw.translation import Filter, Heard, Interpreter, hear_whole, interpreter, parsed

Headers = list[tuple[bytes, bytes]]
# Of an upstream's headers, what describes bytes that the client will not get.
OF_THE_BYTES = frozenset({b"content-type", b"content-length", b"content-encoding", b"etag", b"content-md5", b"digest"})
FRAMED = frozenset({"converse", "invoke"})
JSON_TYPE = (b"content-type", b"application/json")


class Speech:
    """`client`, `upstream`: names of dialects. `provider`: whose rules of usage the upstream's answers follow. `hidden`: takes
    out what the client has not asked for. `shown`: the client's name of the model, where the upstream's answers have another."""

    __slots__ = ("asked", "client", "hidden", "provider", "shown", "streams", "upstream")

    def __init__(self, client: str, upstream: str, provider: str, asked: Request, *, hidden: Filter | None = None) -> None:
        self.client = client
        self.upstream = upstream
        self.provider = provider
        self.asked = asked
        self.hidden = hidden
        self.shown = ""
        self.streams = asked.stream

    def streams_as(self, answer: Answer) -> bool:
        """The upstream's answer is a stream of its kind."""
        kind = _dialect(self.upstream).content_type.partition(b";")[0]
        return answer.streams or (self.streams and answer.content_type.startswith(kind))

    def head(self, headers: Headers) -> None:
        """What the head of the answer says of usage."""

    @property
    def same(self) -> bool:
        return self.client == self.upstream

    @property
    def claudes(self) -> bool:
        """Both sides speak Anthropic's words, on whatever platforms."""
        return self.client in ENVELOPES and self.upstream in ENVELOPES

    @property
    def names_events(self) -> bool:
        """Bytes pass that are text, with the upstream's name of the model in events."""
        return self.same and self.client not in FRAMED and not (self.client == "gemini" and not self.asked.alt)

    def named(self, body: bytes) -> bytes:
        """A whole answer that passes, under the client's name of the model."""
        if not self.shown or not (self.same or self.claudes):
            return body
        return named(body, self.shown, "modelVersion" if self.client == "gemini" else "model")

    def interpreter(self, encoding: bytes) -> Interpreter:
        if self.claudes:
            return Enveloped(self.upstream, self.client, encoding, self.shown)
        return interpreter(self.upstream, self.provider, self.client, self.asked, encoding, self.hidden)

    def whole(self, body: bytes) -> Heard:
        return hear_whole(body, self.upstream, self.provider, self.client, self.asked)

    def failure(self, status: int, body: bytes) -> Failure:
        return _dialect(self.upstream).read_error(status, body)

    def error(self, failure: Failure, call_id: str, headers: Headers) -> tuple[Headers, bytes]:
        """(headers, body) for the client, of an upstream's error in another dialect."""
        body = orjson.dumps(_dialect(self.client).write_error(failure, call_id))
        told = [*self.kept(headers), JSON_TYPE, *error_headers(self.client, failure)[1]]
        if failure.retry_after_s and all(name != b"retry-after" for name, _ in told):  # Google says it in the body
            told.append((b"retry-after", b"%d" % failure.retry_after_s))
        return told, body

    def stream_headers(self, headers: Headers) -> Headers:
        if self.same and self.hidden is None:
            return headers
        return [*self.kept(headers), (b"content-type", _dialect(self.client).content_type)]

    def kept(self, headers: Headers) -> Headers:
        return [one for one in headers if one[0] not in OF_THE_BYTES]


class EmbeddingSpeech(Speech):
    """Texts in, vectors out. `wanted` None: both sides speak alike, and the bytes pass."""

    __slots__ = ("model", "tokens", "wanted")

    def __init__(self, client: str, upstream: str, model: str) -> None:
        super().__init__(client, upstream, "", Request(client))
        self.model = model
        self.tokens = 0  # as the answer's head says
        self.wanted: Wanted | None = None

    @property
    def same(self) -> bool:
        return self.wanted is None

    def head(self, headers: Headers) -> None:
        counted = dict(headers).get(b"x-amzn-bedrock-input-token-count", b"")
        self.tokens = int(counted) if counted.isdigit() else 0

    def whole(self, body: bytes) -> Heard:
        read = parsed(body)
        if read is None:
            return Heard(body, b"", Failure("api_error", "The upstream's answer cannot be read.", code="garbled"))
        family = self.upstream.removesuffix("_embeddings").replace("embeddings", "openai")
        tokens = embeddings.usage_of(family, read).input_tokens or self.tokens
        told: Json = {
            "type": "message",
            "id": "embedding",
            "role": "assistant",
            "model": self.model,
            "content": [{"type": "text", "text": "."}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": tokens, "output_tokens": 0},
        }
        if self.wanted is not None:
            found = embeddings.UPSTREAMS[self.upstream].read(read)._replace(usage=Usage(input_tokens=tokens))
            written = (
                embeddings.write_openai_answer(found, self.wanted, self.model)
                if self.client == "embeddings"
                else embeddings.write_gemini_answer(found, self.wanted)
            )
            body = orjson.dumps(written)
        return Heard(body, orjson.dumps(told), None)

    def failure(self, status: int, body: bytes) -> Failure:
        failure = DIALECTS[embeddings.ERRORS_LIKE.get(self.upstream, "chat")].read_error(status, body)
        return failure if failure.kind else Failure(kind_of(status), failure.message, status)

    def error(self, failure: Failure, call_id: str, headers: Headers) -> tuple[Headers, bytes]:
        family = "gemini" if self.client.startswith("gemini") else "chat"
        return [*self.kept(headers), JSON_TYPE], orjson.dumps(DIALECTS[family].write_error(failure, call_id))


def _dialect(name: str) -> Dialect:
    """Vertex has Anthropic's dialect at another address."""
    return DIALECTS.get(name) or DIALECTS["anthropic"]
