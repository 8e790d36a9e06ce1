"""Messages of the form -> messages as Bedrock takes them. What it refuses, and what is made of it here:

- turns that do not alternate, or begin with the assistant: neighbours become one turn, a short one is put in front
- results that do not stand first behind their calls: they are put there; for one that is missing another says so, and one whose
  call is not in the turn before becomes text
- blank texts, results without content: left out, or said in words
- documents without text beside them, without a name, with a name that another has: given one
- system messages between the others, but for newer Claude behind a user's turn: words in the user's turn
"""

import re
from typing import Final

from msgspec import Struct, field

from gw.errors import Refusal
from gw.translate.anthropic_blocks import input_of
from gw.translate.anthropic_models import theirs
from gw.translate.capability import loaded_line, lose, reject, reminder, system_blocks
from gw.translate.converse_blocks import media_part, point, text_part
from gw.translate.converse_models import Family
from gw.translate.converse_words import CONVERSE, blob_of, format_of
from gw.translate.dialect import Quirks
from gw.translate.form import (
    Block,
    Cache,
    Foreign,
    Json,
    Loaded,
    Media,
    Message,
    Request,
    Role,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from gw.translate.names import fit, shortened

_BEGINNING: Final = "(The conversation begins with the assistant.)"
_NAME_CHARS_MAX: Final = 200
_UNNAMED = re.compile(r"[^a-zA-Z0-9\s\-()\[\]]+")
_SPACES = re.compile(r"\s+")


class _Turn(Struct):
    role: Role
    parts: list[Json] = field(default_factory=list)
    results: list[Json] = field(default_factory=list)  # toolResult parts with their cache points; they go first
    calls: list[str] = field(default_factory=list)  # ids


def cannot_carry(asked: Request, what: str) -> Refusal:
    words = f"{what} cannot be sent to {asked.model}: Amazon Bedrock's Converse API does not take it."
    return Refusal("cannot_carry", f"{words} Leave it out, or choose a model of another provider.")


class Turns:
    """Writes one request's prompt. Raises Refusal cannot_carry, capability_rejected."""

    def __init__(self, asked: Request, family: Family, quirks: Quirks) -> None:
        self.asked = asked
        self.family = family
        self.quirks = quirks
        self.names: set[str] = set()  # of documents
        self.called: list[str] = []  # names of the tools that are called in it, in Bedrock's letters

    def system(self) -> list[Json]:
        parts: list[Json] = []
        for block in system_blocks(self.asked):
            if isinstance(block, Text):
                if block.text.strip():
                    parts.append({"text": block.text})
                self._mark(parts, block.cache)
            elif isinstance(block, Foreign) and block.dialect == CONVERSE:
                parts.append(block.value)
            else:
                raise cannot_carry(self.asked, "A system prompt with something else than text")
        return parts

    def messages(self) -> list[Json]:
        turns = _joined(_settled([self._turn(message) for message in self.asked.messages]))
        if turns and turns[0].role != "user":
            turns.insert(0, _Turn("user", [{"text": _BEGINNING}]))
        for at, turn in enumerate(turns):
            if turn.calls and (at + 1 == len(turns) or turns[at + 1].role != "user"):
                turns.insert(at + 1, _Turn("user"))
        before: list[str] = []
        for turn in turns:
            if turn.role == "user":
                _pair(turn, before)
                _describe(turn)
            before = turn.calls
        if turns and turns[-1].role == "assistant":
            _trim(turns[-1])
        return [{"role": turn.role, "content": turn.results + turn.parts} for turn in turns]

    def _turn(self, message: Message) -> _Turn:
        turn = _Turn(message.role)
        if message.role == "system" and not (self.family.system_in_middle and self.quirks.system_in_middle):
            turn.role = "user"
        for block in message.content:
            if isinstance(block, ToolResult):
                self._result(block, turn)
            else:
                self._part(block, turn)
        if message.role == "system" and turn.role == "user":
            _as_words(turn)
        return turn

    def _part(self, block: Block, turn: _Turn) -> None:
        match block:
            case Text():
                if block.text.strip():
                    cited = self.asked.dialect == CONVERSE and turn.role == "assistant"
                    turn.parts.append(text_part(block, cited=cited))
                self._mark(turn.parts, block.cache)
            case Thinking():
                if thought := self._thought(block):
                    turn.parts.append(thought)
            case Media():
                turn.parts.append(self._media(block))
                self._mark(turn.parts, block.cache)
            case ToolUse():
                id, name = shortened(block.id), fit(block.name)
                turn.parts.append({"toolUse": {"toolUseId": id, "name": name, "input": input_of(block)}})
                turn.calls.append(id)
                self.called.append(name)
                self._mark(turn.parts, block.cache)
            case Loaded():
                turn.parts.append({"text": loaded_line(block)})
            case Foreign(dialect="converse"):
                turn.parts.append(block.value)
            case Foreign() if turn.role == "assistant":
                lose(self.asked, f"{block.kind} of earlier turns")
            case Foreign():
                raise cannot_carry(self.asked, f"A block of type {block.kind!r}")

    def _thought(self, block: Thinking) -> Json | None:
        """Claude takes back its own alone, and signed; others take none."""
        if not self.family.claude or not theirs(block):
            return None
        if block.redacted:
            return {"reasoningContent": {"redactedContent": blob_of(block.redacted)}}
        return {"reasoningContent": {"reasoningText": {"text": block.text, "signature": block.signature}}}

    def _result(self, block: ToolResult, turn: _Turn) -> None:
        content: list[Json] = []
        for part in block.content:
            match part:
                case Text():
                    if part.text.strip():
                        content.append({"text": part.text})
                case Media():
                    content.append(self._media(part))
                case Loaded():
                    content.append({"text": loaded_line(part)})
                case Foreign(dialect="converse"):
                    content.append(part.value)
                case _:
                    what = part.kind if isinstance(part, Foreign) else type(part).__name__
                    raise cannot_carry(self.asked, f"A tool's result with a block of type {what!r}")
        value: Json = {"toolUseId": shortened(block.tool_use_id), "content": content or [{"text": "(no output)"}]}
        if block.failed and self.family.result_status:
            value["status"] = "error"
        turn.results.append({"toolResult": value})
        self._mark(turn.results, block.cache)

    def _mark(self, parts: list[Json], cache: Cache) -> None:
        """Behind what there is; the mark of a blank text, too. Models without prompt caching would refuse it."""
        if cache and self.family.caches and parts and "cachePoint" not in parts[-1]:
            parts.append(point(cache if self.family.claude else "5m"))

    def _media(self, block: Media) -> Json:
        if block.kind == "image" and not self.quirks.images:
            reject(self.asked, "image_block", f"{self.asked.model} takes no images.")
        if block.kind == "document" and not self.quirks.documents:
            reject(self.asked, "document_block", f"{self.asked.model} takes no documents.")
        if block.text and not block.data:
            word = format_of(block.kind, block.media_type, "") or "txt"
        else:
            word = format_of(block.kind, block.media_type, block.data)
        if not block.data and not block.text:
            how = "by its address" if block.url else "as a file that another provider has"
            article = "An" if block.kind in ("image", "audio") else "A"
            raise cannot_carry(self.asked, f"{article} {block.kind} {how} (Bedrock wants its bytes)")
        if not word:
            raise cannot_carry(self.asked, f"A {block.kind} of type {block.media_type or 'unknown'!r}")
        return media_part(block, word, self._name(block.title) if block.kind == "document" else "")

    def _name(self, title: str) -> str:
        """Letters, digits, single spaces, hyphens, parentheses and brackets; each name once."""
        base = _SPACES.sub(" ", _UNNAMED.sub(" ", title)).strip()[:_NAME_CHARS_MAX].strip() or "document"
        name, count = base, 1
        while name in self.names:
            count += 1
            tail = f" ({count})"
            name = base[: _NAME_CHARS_MAX - len(tail)] + tail
        self.names.add(name)
        return name


def _as_words(turn: _Turn) -> None:
    """A system message that the model cannot take as one, within the user's turn, set apart from what the user says."""
    texts = [part["text"] for part in turn.parts if "text" in part]
    rest = [part for part in turn.parts if "text" not in part]
    if texts:
        turn.parts = [{"text": reminder("\n\n".join(texts))}, *rest]


def _settled(turns: list[_Turn]) -> list[_Turn]:
    """Without empty turns; a system message where Claude does not take it (it must be between a user's turn and the assistant's,
    or the last) becomes words of the user."""
    turns = [turn for turn in turns if turn.parts or turn.results]
    for at, turn in enumerate(turns):
        if turn.role == "system":
            before = turns[at - 1].role if at else "assistant"
            behind = turns[at + 1].role if at + 1 < len(turns) else "assistant"
            if before != "user" or behind != "assistant" or turn.results:
                turn.role = "user"
                _as_words(turn)
    return turns


def _joined(turns: list[_Turn]) -> list[_Turn]:
    out: list[_Turn] = []
    for turn in turns:
        if out and out[-1].role == turn.role:
            out[-1].parts += turn.parts
            out[-1].results += turn.results
            out[-1].calls += turn.calls
        else:
            out.append(turn)
    return out


def _pair(turn: _Turn, calls: list[str]) -> None:
    """The results of these calls first, in their order; others become text."""
    found: dict[str, list[Json]] = {}
    strays: list[Json] = []
    current: list[Json] = strays
    for part in turn.results:
        if "toolResult" in part:
            id = part["toolResult"]["toolUseId"]
            current = found.setdefault(id, []) if id in calls and id not in found else strays
        current.append(part)
    ordered: list[Json] = []
    for id in dict.fromkeys(calls):
        missing = {"toolResult": {"toolUseId": id, "content": [{"text": "(The call was not made.)"}]}}
        ordered += found.get(id) or [missing]
    turn.results = ordered
    turn.parts = [piece for part in strays for piece in _told(part)] + turn.parts


def _told(part: Json) -> list[Json]:
    """A result without its call, as what may stand in a user's turn."""
    if "toolResult" not in part:
        return [part]
    result = part["toolResult"]
    content = [one for one in result["content"] if "json" not in one]
    return [{"text": f"Result of the tool call {result['toolUseId'] or 'before'}:"}, *content]


def _describe(turn: _Turn) -> None:
    """Bedrock takes a document only beside a text."""
    if any("document" in part for part in turn.parts) and not any("text" in part for part in turn.parts):
        turn.parts.append({"text": "See the document."})


def _trim(turn: _Turn) -> None:
    """Claude refuses a last turn of the assistant that ends in white space."""
    last = turn.parts[-1] if turn.parts else {}
    if isinstance(last.get("text"), str):
        last["text"] = last["text"].rstrip()
