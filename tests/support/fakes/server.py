"""All fakes behind one server: the first segment of the path says which. Each keeps its invoice in its provider's own words."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from gw.demo.exchange import Chunk, Reply, Request
from gw.demo.invoice import Invoice, Line
from gw.demo.upstream import UpstreamThread
from tests.support.fakes.anthropic import Anthropic, Invoke, Vertex
from tests.support.fakes.beside import beside
from tests.support.fakes.chat import Chat, DeepSeek
from tests.support.fakes.cohere import Cohere
from tests.support.fakes.converse import Converse
from tests.support.fakes.gemini import Gemini
from tests.support.fakes.responses import Responses
from tests.support.fakes.scenes import SCENES, SEALING, THOUGHT, scene_of
from tests.support.fakes.speaker import Speaker, Spoken
from tests.support.fakes.words import Heard, Said, Trouble, Wrong, must, tokens_of

SPEAKERS: dict[str, Speaker] = {
    one.name: one
    for one in (Anthropic(), Vertex(), Invoke(), Chat(), DeepSeek(), Responses(), Gemini(), Converse(), Cohere())
}
# Header and beginning of the value that carries gw's credential.
CREDENTIALS = {
    "anthropic": ("x-api-key", "sk-"),
    "vertex": ("x-goog-api-key", "sk-fake-vertex"),
    "invoke": ("authorization", "Bearer sk-fake-invoke"),
    "converse": ("authorization", "AWS4-HMAC-SHA256 Credential=AKIAFAKE/"),
    "chat": ("authorization", "Bearer sk-fake-chat"),
    "deepseek": ("authorization", "Bearer sk-fake-deepseek"),
    "responses": ("authorization", "Bearer sk-fake-responses"),
    "gemini": ("x-goog-api-key", "sk-fake-gemini"),
    "cohere": ("authorization", "Bearer sk-fake-cohere"),
}


class Bill(Struct, frozen=True):
    """One answer that was sent to its end; not `whole` is one that an error has ended, whose cost nobody was told. `usage`: as
    the provider says it."""

    dialect: str
    tag: str
    scene: str
    request_id: str
    usage: dict[str, object]
    cost_pusd: int
    whole: bool


class Bills(Invoice):
    """Of all dialects. A line of gw.demo's invoice carries what the speaker has said of its usage."""

    def bills(self) -> list[Bill]:
        return [_bill(line) for line in self.lines() if line.billed and line.end == "complete"]

    def of(self, tag: str) -> list[Bill]:
        return [bill for bill in self.bills() if bill.tag == tag]


def _bill(line: Line) -> Bill:
    said = line.usage or {}
    return Bill(said["dialect"], said["tag"], said["scene"], line.request_id, said["words"], said["cost_pusd"], said["whole"])


def answer(request: Request) -> Reply:
    """The script of all fakes."""
    name = request.path.split("/")[1]
    speaker = SPEAKERS.get(name)
    if speaker is None:
        return Reply(404, steps=(Chunk(b"{}"),))
    try:
        _must_be_gws(name, request)
        other = beside(name, request)
        if other is not None:
            return other
        heard = speaker.hear(request)
        scene, tag = scene_of(heard)
        said = SCENES[scene](heard, tag)
        if scene in SEALING and heard.turns and heard.thinks:
            wanted = [speaker.seal(Said(thought=THOUGHT), tag)]
            must(wanted == [""] or heard.seals == wanted, f"the seals are {heard.seals}, not {wanted}")
    except Wrong as wrong:
        return _failing(speaker, Trouble(400), f"the fake {name} heard wrong: {wrong}")
    if isinstance(said, Trouble):
        return _failing(speaker, said, f"the fake {name} says {said.status}")
    return _saying(speaker, heard, said, scene, tag)


def _must_be_gws(name: str, request: Request) -> None:
    header, value = CREDENTIALS[name]
    must(request.header(header).startswith(value), f"{header} is {request.header(header)[:24]!r}")
    sent = msgspec.json.encode([request.target, request.headers, request.body])
    must(b"gwk_" not in sent, "the client's virtual key came along")


def _failing(speaker: Speaker, trouble: Trouble, message: str) -> Reply:
    spoken = speaker.trouble(trouble, message)
    headers = [("content-type", spoken.content_type), *spoken.headers]
    if trouble.retry_after_s and speaker.name != "gemini":
        headers.append(("retry-after", str(trouble.retry_after_s)))
    return Reply(spoken.status or trouble.status, tuple(headers), (Chunk(spoken.pieces[0]),))


def _saying(speaker: Speaker, heard: Heard, said: Said, scene: str, tag: str) -> Reply:
    tokens = tokens_of(f"{tag}:{heard.turns}", said)
    spoken: Spoken = speaker.say(heard, said, tokens, tag)
    words = speaker.usage(tokens)
    usage: dict[str, Any] = {
        "output_tokens": tokens.output, "words": words, "cost_pusd": speaker.cost(heard.model, words), "dialect": speaker.name,
        "tag": tag, "scene": scene,
    }  # fmt: skip
    pieces = spoken.pieces
    steps = [Chunk(piece, 1 if at == 0 else -1) for at, piece in enumerate(pieces[:-1])]
    steps.append(Chunk(pieces[-1], tokens.output if said.fails_at < 0 else -1))
    headers = (("content-type", spoken.content_type), *spoken.headers)
    usage["whole"] = said.fails_at < 0
    return Reply(200, headers, tuple(steps), "chunked" if heard.stream else "length", usage=usage)


class Fakes:
    """Context manager: all of them, in a thread."""

    def __init__(self) -> None:
        self.bills = Bills()
        self._server = UpstreamThread(answer)
        self._server.upstream.invoice = self.bills

    def url(self, name: str) -> str:
        return f"{self._server.base_url}/{name}"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.__exit__(kind, error, trace)


def keys() -> Mapping[str, str]:
    """Environment variables with gw's credentials at the fakes."""
    return {
        **{f"GW_FAKE_{name.upper()}": f"sk-fake-{name}" for name in SPEAKERS},
        "GW_FAKE_CONVERSE": "AKIAFAKE",
        "GW_FAKE_SECRET": "fake-secret",
    }


def total_pusd(bills: Sequence[Bill]) -> int:
    return sum(bill.cost_pusd for bill in bills)
