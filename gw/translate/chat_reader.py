"""An upstream's Chat Completions: its stream -> events, its whole answer -> Answer. Never raises on what it is fed.

Only choice 0 is told; what others say can be counted (`others`). An answer is over with `[DONE]`, or with the end of a stream
that has given a finish_reason: usage comes after that, in a chunk of its own, in the last one, or in each (then as a running
total). Text and thoughts that take turns are blocks of their own; tool calls stay open to the end: their pieces may alternate.
"""

from typing import Any, Final

from msgspec.structs import replace

from gw.providers.usage_dialects import merged
from gw.translate.chat_calls import Calls
from gw.translate.chat_errors import failure_of
from gw.translate.chat_parts import data_url
from gw.translate.chat_words import CHAT, read_usage, stop_of, thinking_chunk, thought_of
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    Block,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Json,
    Media,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.frames import Frames, Overlong
from gw.translate.loose import Halves, count_at, json_text, loaded, object_at, objects, text_at

GARBLED: Final = Failure("api_error", "the upstream's stream cannot be read: it is no chat completion", code="garbled")
EMPTY: Final = Failure("api_error", "the upstream ended its stream without an answer", code="empty_answer")
WHOLE_BYTES_MAX: Final = 64 << 20  # of an answer that is no stream although one was asked for
_NO_TEXT: Final = Text("")
_NO_THOUGHT: Final = Thinking(sealed_by=CHAT)  # a client sends it back by this name, and it goes to such an upstream only


class EventReader:
    """See gw.translate.dialect.EventReader. `provider`: whose rules of usage."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._frames = Frames()
        self._halves = Halves()
        self._whole: bytearray | None = None
        self._fresh = True
        self._over = False
        self._started = False
        self._next = 0  # number of the next block
        self._text = -1  # the open block of text; -1 none
        self._thought = -1  # the open block of thoughts
        self._plain = False  # thoughts come in a field of their own
        self._sealed = False  # the open thought has its seal: more of it is another
        self._calls = Calls()
        self._refused = False
        self._finish: str | None = None
        self._usage: Json = {}
        self._tier = ""
        self._sources: list[Citation] = []  # Perplexity's, of the whole answer
        self.others: list[str] | None = None  # texts of other choices than the first, for who counts them

    def feed(self, chunk: bytes) -> list[Event]:
        out: list[Event] = []
        if self._over or not chunk:
            return out
        if self._fresh:
            chunk = self._first(chunk)
        if self._whole is not None:
            if len(self._whole) < WHOLE_BYTES_MAX:
                self._whole += chunk
            return out
        try:
            for data in self._frames.feed(chunk):
                self._data(data, out)
        except Overlong:
            self._fail(GARBLED, out)
        return out

    def close(self) -> list[Event]:
        if self._over:
            return []
        if self._whole is not None:
            return self.whole(loaded(bytes(self._whole)))
        out = self.feed(b"\n\n")
        if not self._over and self._finish is not None:
            self._end(out)
        return out

    @property
    def text_index(self) -> int:
        """The number of the block of text that is open; -1 if none is."""
        return -1 if self._over else self._text

    # --- what a chunk says ----------------------------------------------------------------------------------------

    def _first(self, chunk: bytes) -> bytes:
        """Some upstreams answer with a whole JSON where a stream was asked for."""
        chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        start = chunk.lstrip()[:1]
        if start:
            self._fresh = False
            if start == b"{":
                self._whole = bytearray()
        return chunk

    def _data(self, data: bytes, out: list[Event]) -> None:
        if self._over:
            return
        try:
            body = self._halves.read(data)
        except ValueError:
            if data.strip() == b"[DONE]":
                self._end(out)
            elif b"\n" in data.strip():  # events with no blank line between them
                for line in data.split(b"\n"):
                    if line.strip():
                        self._data(line, out)
            else:
                self._fail(GARBLED, out)
            return
        if type(body) is dict:
            self._chunk(body, out)

    def _chunk(self, body: Json, out: list[Event]) -> None:
        if "usage" in body or "x_groq" in body:
            self._count(body)
        if body.get("error"):
            return self._fail(failure_of(body["error"]), out)
        choices = body.get("choices")
        if not choices:
            if body.get("object") == "error":  # vLLM, Mistral
                self._fail(failure_of(body), out)
            return None
        if not self._started:
            self._start(body, out)
        for choice in objects(choices):
            if choice.get("index", 0) == 0:
                self._choice(choice, out)
            elif self.others is not None:
                self.others.append(_said(object_at(choice, "delta") or choice))
        if "citations" in body or "search_results" in body:
            self._sources = sources_of(body)
        return None

    def _start(self, body: Json, out: list[Event]) -> None:
        self._started = True
        id = text_at(body, "id")
        self._calls.seeded(id)
        usage = read_usage(self._provider, self._usage, self._tier)[0] if self._usage else None
        start = Start(id, text_at(body, "model"), created_s=count_at(body, "created"))
        out.append(start if usage is None else Start(id, start.model, usage, start.created_s))
        if tier := text_at(body, "service_tier"):
            self._tier = tier

    def _count(self, body: Json) -> None:
        usage = body.get("usage")
        if not isinstance(usage, dict):
            usage = object_at(object_at(body, "x_groq"), "usage")
        if usage:
            self._usage = merged(self._usage, [usage])
        if tier := text_at(body, "service_tier"):
            self._tier = tier

    def _choice(self, choice: Json, out: list[Event]) -> None:
        delta = choice.get("delta")
        if type(delta) is not dict:
            message = choice.get("message")  # a whole message as the only chunk
            delta = message if isinstance(message, dict) and self._next == 0 else {}
        said = delta.get("content")
        # Nearly all chunks: a piece of text, in a block that is open.
        if said.__class__ is str and said and self._text >= 0 and len(delta) == 1:
            out.append(TextDelta(self._text, said))
        elif delta:
            self._delta(delta, said, out)
        finish = choice.get("finish_reason")
        if finish and isinstance(finish, str) and finish != "null":
            self._finish = finish
            if finish == "error":
                self._fail(failure_of(choice.get("error") or "the upstream broke off its answer"), out)

    def _delta(self, delta: Json, said: Any, out: list[Event]) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            self._plain = True
            self._think(thought, out)
        if details := delta.get("reasoning_details"):
            self._details(details, out)
        if said.__class__ is str:
            if said:
                self._say(said, out)
        elif said:
            self._parts(said, out)
        if refusal := text_at(delta, "refusal"):
            self._refused = True
            self._say(refusal, out)
        if transcript := text_at(object_at(delta, "audio"), "transcript"):
            self._say(transcript, out)
        for image in objects(delta.get("images")):  # OpenRouter
            self._image(image, out)
        for piece in objects(delta.get("tool_calls")):
            self._call(piece, out)
        if old := object_at(delta, "function_call"):
            self._call({"index": -1, "function": old}, out)
        for note in objects(delta.get("annotations")):
            if citation := citation_of(note):
                self._say("", out)
                out.append(CitationDelta(self._text, citation))

    def _parts(self, parts: Any, out: list[Event]) -> None:
        """Mistral: content as a list."""
        for part in objects(parts):
            if part.get("type") == "thinking":
                if text := thinking_chunk(part):
                    self._think(text, out)
            elif text := text_at(part, "text"):
                self._say(text, out)

    # --- blocks ---------------------------------------------------------------------------------------------------

    def _say(self, text: str, out: list[Event]) -> None:
        if self._text < 0:
            self._stop(out)
            self._text = self._open(_NO_TEXT, out)
        if text:
            out.append(TextDelta(self._text, text))

    def _think(self, text: str, out: list[Event]) -> None:
        if self._thought < 0 or self._sealed:
            self._stop(out)
            self._thought = self._open(_NO_THOUGHT, out)
            self._sealed = False
        out.append(ThinkingDelta(self._thought, text))

    def _details(self, details: Any, out: list[Event]) -> None:
        """OpenRouter's entries; their text only where no other field has had it."""
        for entry in objects(details):
            thought = thought_of(entry)
            if thought is None:
                continue
            if thought.redacted:
                self._stop(out)
                out.append(BlockStop(self._open(thought, out)))
                continue
            if thought.text and not self._plain:
                self._think(thought.text, out)
            if thought.signature:
                if self._thought < 0 or self._sealed:
                    self._stop(out)
                    self._thought = self._open(_NO_THOUGHT, out)
                self._sealed = True
                out.append(SignatureDelta(self._thought, thought.signature))

    def _call(self, piece: Json, out: list[Event]) -> None:
        started: list[Event] = []
        if self._calls.take(piece, self._next, started):
            self._stop(out)
            self._next += 1
        out += started

    def _image(self, part: Json, out: list[Event]) -> None:
        url = text_at(object_at(part, "image_url"), "url")
        media_type, data = data_url(url)
        if url:
            self._stop(out)
            block = Media("image", media_type, data=data) if data else Media("image", url=url)
            out.append(BlockStop(self._open(block, out)))

    def _open(self, block: Text | Thinking | Media, out: list[Event]) -> int:
        index = self._next
        self._next += 1
        out.append(BlockStart(index, block))
        return index

    def _stop(self, out: list[Event]) -> None:
        """The open text or thought ends; calls stay open."""
        if self._text >= 0:
            out.append(BlockStop(self._text))
        if self._thought >= 0:
            out.append(BlockStop(self._thought))
        self._text = self._thought = -1

    # --- the end --------------------------------------------------------------------------------------------------

    def _end(self, out: list[Event]) -> None:
        if self._over:
            return
        if not self._started:
            return self._fail(EMPTY, out)
        if self._sources and self._text >= 0:
            out += [CitationDelta(self._text, source) for source in self._sources]
        self._stop(out)
        self._next = self._calls.nameless(self._next, out)
        out += [BlockStop(call.index) for call in self._calls.all if call.id]
        usage, charge = read_usage(self._provider, self._usage, self._tier)
        stop = stop_of(self._finish, called=bool(self._calls.ids), refused=self._refused)
        out.append(End(stop, usage, charge_pusd=charge))
        self._over = True
        return None

    def _fail(self, failure: Failure, out: list[Event]) -> None:
        if not self._over:
            self._over = True
            if self._usage:  # a running total: what was made so far is billed
                failure = replace(failure, usage=read_usage(self._provider, self._usage, self._tier)[0])
            out.append(failure)

    def whole(self, body: Any) -> list[Event]:
        """Of an answer that is no stream, instead of feeding: the same as if it were a stream of one chunk."""
        out: list[Event] = []
        if isinstance(body, dict) and (body.get("choices") or body.get("error") or body.get("object") == "error"):
            self._chunk(body, out)
            self._end(out)
        else:
            self._fail(GARBLED, out)
        return out


def _said(delta: Json) -> str:
    return text_at(delta, "content", "text", "reasoning_content", "reasoning") or json_text(delta.get("tool_calls"))


def read_answer(body: Json, provider: str) -> Answer | Failure:
    reader = EventReader(provider)
    return gathered(reader.whole(body))


def gathered(events: list[Event]) -> Answer | Failure:
    """The whole of what a stream has told."""
    start, end = Start("", ""), None
    blocks: dict[int, Block] = {}
    texts: dict[int, list[str]] = {}
    for event in events:
        match event:
            case Failure():
                return event
            case Start():
                start = event
            case BlockStart():
                blocks[event.index], texts[event.index] = event.block, []
            case TextDelta() | ThinkingDelta() | ArgumentsDelta():
                texts[event.index].append(event.text)
            case SignatureDelta():
                blocks[event.index] = replace(blocks[event.index], signature=event.signature)
            case CitationDelta():
                block = blocks[event.index]
                if isinstance(block, Text):
                    blocks[event.index] = replace(block, citations=(*block.citations, event.citation))
            case End():
                end = event
            case BlockStop():
                pass
    if end is None:
        return EMPTY
    content = tuple(_filled(block, "".join(texts[index])) for index, block in blocks.items())
    return Answer(start.id, start.model, content, end.stop, end.usage, end.stop_sequence, start.created_s, end.charge_pusd)


def _filled(block: Block, text: str) -> Block:
    match block:
        case Text() | Thinking():
            return replace(block, text=block.text + text)
        case ToolUse():
            return replace(block, arguments=block.arguments + text)
    return block


def sources_of(body: Json) -> list[Citation]:
    """Perplexity's sources: addresses alone, or with titles."""
    told = [Citation(url=text_at(one, "url"), title=text_at(one, "title")) for one in objects(body.get("search_results"))]
    if not any(one.url for one in told):
        addresses = body.get("citations")
        told = [Citation(url=one) for one in addresses if isinstance(one, str)] if isinstance(addresses, list) else []
    return [one for one in told if one.url]


def citation_of(note: Json) -> Citation | None:
    inner = object_at(note, "url_citation") if note.get("type") == "url_citation" else {}
    if not (url := text_at(inner, "url")):
        return None
    start, end = count_at(inner, "start_index"), count_at(inner, "end_index")
    where = (start, end) if end > start else (-1, -1)
    return Citation(text_at(inner, "content"), text_at(inner, "title"), url, text_start=where[0], text_end=where[1])
