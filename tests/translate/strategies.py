"""Values of the intermediate form for property tests of any dialect: requests, whole answers, legal sequences of events.

What a dialect cannot carry is for its own test to filter or to weaken; `said` is what all of them must keep.
"""

from base64 import b64encode
from typing import Any, Literal

import orjson
from hypothesis import strategies as st
from msgspec.structs import replace

from gw.domain.usage import Usage
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    Block,
    BlockStart,
    BlockStop,
    Effort,
    End,
    Event,
    Format,
    Json,
    Media,
    Message,
    Request,
    SignatureDelta,
    Start,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)

STOPS: tuple[Stop, ...] = ("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "context_full")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
words = texts.filter(lambda text: bool(text.strip()))  # Anthropic refuses texts without any
names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,20}", fullmatch=True)
ids = st.from_regex(r"(call|toolu)_[a-zA-Z0-9]{8,24}", fullmatch=True)
base64s = st.binary(min_size=1, max_size=60).map(lambda raw: b64encode(raw).decode())
caches = st.sampled_from(("", "", "", "5m", "1h"))
counts = st.integers(0, 1_000_000)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
objects: st.SearchStrategy[Json] = st.dictionaries(names, json_values, max_size=3)
arguments = objects.map(lambda value: orjson.dumps(value).decode() if value else "")


@st.composite
def schemas(draw: st.DrawFn) -> Json:
    """Closed, as strict modes want them."""
    kinds = st.sampled_from(("string", "integer", "boolean")).map(lambda kind: {"type": kind})
    fields = draw(st.dictionaries(names, kinds, max_size=3))
    return {"type": "object", "properties": fields, "required": sorted(fields), "additionalProperties": False}


def usages() -> st.SearchStrategy[Usage]:
    """Tokens only: tiers and the like are each provider's own words. Thinking is a part of the output."""
    plain = st.builds(
        Usage,
        input_tokens=counts,
        output_tokens=counts,
        cache_read_tokens=counts,
        cache_write_5m_tokens=counts,
        cache_write_1h_tokens=counts,
    )
    return st.tuples(plain, st.integers(0, 100)).map(_thinking_part)


def _thinking_part(drawn: tuple[Usage, int]) -> Usage:
    usage, percent = drawn
    return replace(usage, thinking_tokens=usage.output_tokens * percent // 100)


# --- blocks -----------------------------------------------------------------------------------------------------------

text_blocks = st.builds(Text, text=words, cache=caches)
images = st.builds(Media, kind=st.just("image"), media_type=st.just("image/png"), data=st.just(PNG), cache=caches) | st.builds(
    Media, kind=st.just("image"), url=st.just("https://example.com/a.png"), cache=caches
)
documents = st.builds(
    Media,
    kind=st.just("document"),
    media_type=st.just("text/plain"),
    text=words,
    title=texts,
    context=texts,
    cited=st.booleans(),
    cache=caches,
)


def thoughts(dialect: str) -> st.SearchStrategy[Thinking]:
    """Signed by this dialect."""
    return st.builds(Thinking, text=words, signature=base64s, sealed_by=st.just(dialect))


def calls() -> st.SearchStrategy[ToolUse]:
    return st.builds(ToolUse, id=ids, name=names, arguments=arguments)


# --- requests ---------------------------------------------------------------------------------------------------------


@st.composite
def conversations(
    draw: st.DrawFn, dialect: str = "anthropic", *, media: bool = True, thinking: bool = True
) -> tuple[Message, ...]:
    """Begins with the user, takes turns, and gives each call its result at once."""
    said = text_blocks | images | documents if media else text_blocks
    messages = [Message("user", tuple(draw(st.lists(said, min_size=1, max_size=3))))]
    for _ in range(draw(st.integers(0, 3))):
        blocks: list[Block] = []
        if thinking and draw(st.booleans()):
            blocks.append(draw(thoughts(dialect)))
        blocks.append(draw(text_blocks))
        made = draw(st.lists(calls(), max_size=3, unique_by=lambda use: use.id))
        messages.append(Message("assistant", (*blocks, *made)))
        results = [ToolResult(use.id, (draw(text_blocks.map(_bare)),), draw(st.booleans()), cache=draw(caches)) for use in made]
        rest = draw(st.lists(text_blocks, min_size=0 if made else 1, max_size=2))
        messages.append(Message("user", (*results, *rest)))
    return tuple(messages)


def _bare(block: Text) -> Text:
    return Text(block.text)


@st.composite
def requests(draw: st.DrawFn, dialect: str = "anthropic", *, media: bool = True, thinking: bool = True) -> Request:
    tools = draw(st.lists(st.builds(Tool, name=names, description=texts, schema=schemas(), cache=caches), max_size=3))
    tools = list({tool.name: tool for tool in tools}.values())
    kinds: tuple[Literal["auto", "any"], ...] = ("auto", "any")
    choices = st.builds(ToolChoice, kind=st.sampled_from(kinds), parallel=st.booleans())
    choice = draw(st.none() | st.just(ToolChoice("none")) | choices) if tools else None
    return Request(
        dialect=dialect,
        model=draw(st.sampled_from(("claude-opus-5-5", "claude-sonnet-4-5", "gpt-5.2", "gemini-3-pro"))),
        messages=draw(conversations(dialect, media=media, thinking=thinking)),
        system=tuple(draw(st.lists(text_blocks, max_size=2))),
        tools=tuple(tools),
        tool_choice=choice,
        max_tokens=draw(st.integers(4096, 64_000)),
        stream=draw(st.booleans()),
        stop=tuple(draw(st.lists(words, max_size=2))),
        effort=draw(st.sampled_from((Effort(), Effort("adaptive", "medium"), Effort(level="high"), Effort("on", budget=2048)))),
        format=draw(st.none() | st.builds(Format, kind=st.just("schema"), schema=schemas())),
        user=draw(names | st.just("")),
    )


# --- answers ----------------------------------------------------------------------------------------------------------


@st.composite
def answers(draw: st.DrawFn, dialect: str = "anthropic") -> Answer:
    blocks: list[Block] = draw(st.lists(thoughts(dialect), max_size=1))
    blocks += [Text(block.text) for block in draw(st.lists(text_blocks, max_size=2))]
    blocks += draw(st.lists(calls(), max_size=3, unique_by=lambda use: use.id))
    stop = "tool_use" if isinstance(blocks[-1] if blocks else None, ToolUse) else draw(st.sampled_from(STOPS[:2]))
    return Answer(f"msg_{draw(names)}", draw(names), tuple(blocks), stop, draw(usages()))  # type: ignore[arg-type]


@st.composite
def event_sequences(draw: st.DrawFn, dialect: str = "anthropic", *, overlapping: bool = False) -> list[Event]:
    """A whole answer as events. `overlapping`: calls of tools that stream side by side."""
    answer = draw(answers(dialect))
    events: list[Event] = [Start(answer.id, answer.model)]
    open_blocks: list[list[Event]] = []
    for index, block in enumerate(answer.content):
        own = draw(_streamed(index, block))
        if overlapping and isinstance(block, ToolUse):
            open_blocks.append(own)
        else:
            events += own
    started = False
    while open_blocks:  # started in order, so that numbers rise; the rest in any order
        if not started:
            events += [own.pop(0) for own in open_blocks]
            started = True
        at = draw(st.integers(0, len(open_blocks) - 1))
        events.append(open_blocks[at].pop(0))
        open_blocks = [own for own in open_blocks if own]
    events.append(End(answer.stop, answer.usage))
    return events


@st.composite
def _streamed(draw: st.DrawFn, index: int, block: Block) -> list[Event]:
    if isinstance(block, Thinking):
        middle: list[Event] = [ThinkingDelta(index, piece) for piece in draw(_pieces(block.text))]
        head = Thinking(sealed_by=block.sealed_by)
        return [BlockStart(index, head), *middle, SignatureDelta(index, block.signature), BlockStop(index)]
    if isinstance(block, ToolUse):
        middle = [ArgumentsDelta(index, piece) for piece in draw(_pieces(block.arguments))]
        return [BlockStart(index, ToolUse(block.id, block.name)), *middle, BlockStop(index)]
    assert isinstance(block, Text)
    middle = [TextDelta(index, piece) for piece in draw(_pieces(block.text))]
    return [BlockStart(index, Text("")), *middle, BlockStop(index)]


@st.composite
def _pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    found = [text[first:last] for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [piece for piece in found if piece]


# --- what is compared -------------------------------------------------------------------------------------------------


def said(events: list[Event]) -> tuple[list[Block], End | None]:
    """The blocks that a sequence of events amounts to, in the order of their starts, and its end."""
    blocks: dict[int, list[Any]] = {}
    end = None
    for event in events:
        if isinstance(event, BlockStart):
            blocks[event.index] = [event.block, "", ""]
        elif isinstance(event, TextDelta | ThinkingDelta | ArgumentsDelta):
            blocks[event.index][1] += event.text
        elif isinstance(event, SignatureDelta):
            blocks[event.index][2] = event.signature
        elif isinstance(event, End):
            end = event
    return [_whole(*parts) for parts in blocks.values()], end


def _whole(block: Block, text: str, signature: str) -> Block:
    if isinstance(block, Text):
        return Text(block.text + text, block.citations)
    if isinstance(block, Thinking):
        return Thinking(block.text + text, block.signature or signature, block.redacted, block.sealed_by, block.id)
    if isinstance(block, ToolUse):
        return ToolUse(block.id, block.name, block.arguments + text, block.signature or signature, custom=block.custom)
    return block


def splits(stream: bytes) -> st.SearchStrategy[list[bytes]]:
    """The same bytes in chunks."""
    cuts = st.lists(st.integers(0, len(stream)), max_size=12).map(sorted)
    return cuts.map(lambda at: [stream[first:last] for first, last in zip([0, *at], [*at, len(stream)], strict=True)])
