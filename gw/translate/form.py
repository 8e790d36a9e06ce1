"""The intermediate form: what a request asks and an answer tells, in no provider's words.

Its grain is that of Anthropic's Messages, the finest of the dialects that gw speaks: messages of blocks, a cache mark on a
block, thinking apart from text, tool calls with arguments that stream. A dialect reads its bytes into these nouns and writes
these nouns as its bytes (gw.translate.dialect); a pair of dialects is a reader and a writer, and nobody knows of both.

What only one dialect has is kept aside, under `foreign`, and comes out again where that same dialect is written. A writer that
meets what it cannot say either refuses (Refusal `cannot_carry`, in words that clients act upon) or leaves it out, and then
names it in `Request.lost`; docs/translation.md has the table.
"""

from typing import Any, Literal

from msgspec import Struct, field

from gw.domain.usage import Usage

Json = dict[str, Any]
Role = Literal["user", "assistant", "system"]
Cache = Literal["", "5m", "1h"]  # the prompt up to here may be cached for so long

# --- blocks ---------------------------------------------------------------------------------------------------------


class Citation(Struct, frozen=True):
    """Where a text has its words from. A place in a document, or an address; what a dialect does not say is empty."""

    cited: str = ""  # the words that are quoted
    title: str = ""
    url: str = ""
    document: int = -1  # which of the request's documents, from 0; -1: none
    unit: Literal["", "char", "page", "block"] = ""  # what start and end count: from 0, pages from 1
    start: int = 0
    end: int = 0  # behind the last
    text_start: int = -1  # of the block's own text, in characters: what is backed by it; -1: all of the block
    text_end: int = -1
    token: str = ""  # opaque, of a web result: Anthropic wants it back


class Text(Struct, frozen=True):
    text: str
    citations: tuple[Citation, ...] = ()
    cache: Cache = ""
    signature: str = ""  # Gemini signs parts of any kind


class Thinking(Struct, frozen=True):
    """`signature` and `redacted` are sealed by who wrote them: only the dialect named by `sealed_by` can read them."""

    text: str = ""
    signature: str = ""
    redacted: str = ""  # instead of text: the whole is sealed
    sealed_by: str = ""  # name of the dialect
    id: str = ""  # OpenAI's reasoning items have one


class Media(Struct, frozen=True):
    """An image, a document, sound or film: exactly one of data, url, file_id and text is set."""

    kind: Literal["image", "document", "audio", "video"]
    media_type: str = ""  # "image/png"; "" where the client did not say
    data: str = ""  # base64
    url: str = ""
    file_id: str = ""  # a file that the provider has been given before
    text: str = ""  # a plain text document
    title: str = ""
    context: str = ""
    cited: bool = False  # the answer is to cite it
    detail: str = ""  # OpenAI's low, high, auto
    cache: Cache = ""


class ToolUse(Struct, frozen=True):
    """A call of a tool. `arguments` is JSON text as the model wrote it, kept verbatim: it may be cut short, or no JSON at all;
    "" means none yet, or {}."""

    id: str
    name: str
    arguments: str = ""
    signature: str = ""  # Gemini's thought signature: wanted back
    custom: bool = False  # free text instead of JSON (OpenAI's custom tools)
    cache: Cache = ""


class ToolResult(Struct, frozen=True):
    tool_use_id: str
    content: "tuple[Block, ...]" = ()
    failed: bool = False
    name: str = ""  # of the tool, where the dialect says it (Gemini has no ids)
    cache: Cache = ""


class Loaded(Struct, frozen=True):
    """A tool whose definition the client has deferred, and which is loaded from here on (Anthropic's tool_reference)."""

    name: str


class Foreign(Struct, frozen=True):
    """A block that only `dialect` knows: server tools and their results, containers, tomorrow's kinds."""

    dialect: str
    kind: str  # its own word, for messages
    value: Json


Block = Text | Thinking | Media | ToolUse | ToolResult | Loaded | Foreign


# --- the request ----------------------------------------------------------------------------------------------------


class Message(Struct, frozen=True):
    """`system` in the middle of a conversation is an instruction of who runs the client, at its place."""

    role: Role
    content: tuple[Block, ...]
    foreign: Json = field(default_factory=dict)  # its other fields, by their name in the request's dialect


class Tool(Struct, frozen=True):
    """A function that the client runs. `deferred`: only after it was Loaded. `server`: run by the provider, as its dialect
    describes it (then `schema` is empty)."""

    name: str
    description: str = ""
    schema: Json = field(default_factory=dict)  # of its arguments, JSON Schema
    strict: bool | None = None
    deferred: bool = False
    custom: bool = False
    cache: Cache = ""
    server: Foreign | None = None
    foreign: Json = field(default_factory=dict)  # other fields of the definition, by their name in the request's dialect
    namespace: str = ""  # OpenAI's group of tools: `name` begins with it and `__`
    grammar: Json = field(default_factory=dict)  # of a custom tool's text: OpenAI's `syntax` and `definition`


class ToolChoice(Struct, frozen=True):
    kind: Literal["auto", "any", "none", "tool"] = "auto"
    name: str = ""  # with "tool"
    parallel: bool = True  # several calls in one answer


class Format(Struct, frozen=True):
    """What the answer's text must be: any JSON, or JSON of this schema."""

    kind: Literal["json", "schema"]
    name: str = ""
    description: str = ""
    schema: Json = field(default_factory=dict)
    strict: bool | None = None


class Effort(Struct, frozen=True):
    """How much thinking. `mode`: "" leaves it to the model. `level`: "none", "minimal", "low", "medium", "high", "xhigh", "max",
    "" unsaid. `budget`: tokens, 0 unsaid, -1 as the model likes (Gemini). `shown`: the answer is to hold the thoughts."""

    mode: Literal["", "on", "adaptive", "off"] = ""
    level: str = ""
    budget: int = 0
    shown: bool = True


class Request(Struct):
    """What a client asks for; made by its dialect's reader. `lost` grows while it is written in another."""

    dialect: str  # whose words `foreign` are
    model: str = ""
    messages: tuple[Message, ...] = ()
    system: tuple[Block, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    effort: Effort = Effort()
    format: Format | None = None
    user: str = ""  # opaque, of the end user
    service_tier: str = ""
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    choices: int = 1  # answers wanted (OpenAI's n, Gemini's candidateCount)
    usage_wanted: bool = True  # False: an OpenAI client that did not ask for usage in its stream
    foreign: Json = field(default_factory=dict)  # other top-level fields, by their name in `dialect`
    lost: list[str] = field(default_factory=list)  # what was left out, in the client's words; each once
    held: str = ""  # words for a refusal, where it refers to what only the providers of `dialect` hold (an earlier response)
    model_named: str = ""  # what the client calls the model, and its answers too, whatever `model` becomes; "" as the upstream
    alt: str = "sse"  # framing of the client's stream, where its address says it: "sse", or "" for one JSON array (Gemini)


# --- the answer -----------------------------------------------------------------------------------------------------

Stop = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "context_full"]


class Answer(Struct, frozen=True):
    """A whole answer. `charge_pusd`: what the provider says that it charges, if it does."""

    id: str
    model: str
    content: tuple[Block, ...]
    stop: Stop
    usage: Usage
    stop_sequence: str = ""
    created_s: int = 0
    charge_pusd: int | None = None
    foreign: Json = field(default_factory=dict)  # of the upstream's dialect, for a client that speaks it too


class Start(Struct, frozen=True, gc=False):
    """Always the first event. Usage as far as it is known by now: the prompt's with some providers, nothing with others."""

    id: str
    model: str
    usage: Usage = Usage()
    created_s: int = 0


class BlockStart(Struct, frozen=True, gc=False):
    """Blocks are numbered from 0 without gaps; they may overlap (parallel tool calls of OpenAI), and each is stopped.

    `block` as far as it is known: an empty Text or Thinking, a ToolUse with id and name, or a whole Foreign or Media.
    """

    index: int
    block: Block


class TextDelta(Struct, frozen=True, gc=False):
    index: int
    text: str


class ThinkingDelta(Struct, frozen=True, gc=False):
    index: int
    text: str


class SignatureDelta(Struct, frozen=True, gc=False):
    """Of the block's thinking, text or tool call; whole."""

    index: int
    signature: str


class ArgumentsDelta(Struct, frozen=True, gc=False):
    """A piece of the JSON text (or free text) of a tool call."""

    index: int
    text: str


class CitationDelta(Struct, frozen=True, gc=False):
    index: int
    citation: Citation


class BlockStop(Struct, frozen=True, gc=False):
    index: int


class End(Struct, frozen=True, gc=False):
    """Always the last event of an answer that is whole; every block has been stopped. `usage` is the last word."""

    stop: Stop
    usage: Usage
    stop_sequence: str = ""
    charge_pusd: int | None = None


class Failure(Struct, frozen=True, gc=False):
    """An error in place of an answer, or in the middle of a stream, and then the last event. `kind` in Anthropic's words
    (invalid_request_error, authentication_error, permission_error, not_found_error, request_too_large, rate_limit_error,
    api_error, overloaded_error, timeout_error, billing_error); `status` the HTTP status it came with, 0 in a stream."""

    kind: str
    message: str
    status: int = 0
    code: str = ""  # the upstream's own word
    retry_after_s: int = 0  # where the error's body says it (Google); 0 where it does not
    usage: Usage = Usage()  # what is billed all the same, where the upstream says so


Event = (
    Start | BlockStart | TextDelta | ThinkingDelta | SignatureDelta | ArgumentsDelta | CitationDelta | BlockStop | End | Failure
)
