"""What an Anthropic client, Claude Code above all, asks for that an upstream of another dialect cannot carry: what is refused and
how, what is said in other words, what is left out. For the writers of all other dialects; docs/translation.md has the tables.
"""

from typing import Final, Literal, NoReturn

import orjson
from msgspec.structs import replace

from gw.errors import Refusal
from gw.translate.form import Block, Cache, Format, Loaded, Media, Message, Request, Text, Tool, ToolResult, ToolUse
from gw.translate.seal import ANTHROPIC

# Top-level fields of an Anthropic request that other upstreams have no words for, and nobody misses there.
DROPPED: Final[dict[str, str]] = {
    "cache_control": "others cache by themselves; marks on blocks become theirs where they have such",
    "context_management": "the client's own history is sent as it is",
    "diagnostics": "of Anthropic's own service",
    "fallbacks": "gw has its own candidates",
    "inference_geo": "the deployment decides where it runs",
    "metadata": "user_id goes where the upstream has a field for it",
    "output_config": "effort and format go where the upstream has words for them; the rest is Anthropic's",
    "safeguards": "a classifier of Anthropic's; the answer has no safeguard_results",
    "speed": "the upstream has its own service tiers",
    "thinking": "mode, budget and effort go where the upstream has words for them; display does not",
}
# Fields by which the provider would itself run something.
RUN_BY_PROVIDER: Final = {"mcp_servers": "MCP servers", "container": "a container"}
PLACEHOLDER: Final = "DeferredToolPlaceholder"  # Claude Code's: keeps the beta of deferred tools on
ATTRIBUTION: Final = "x-anthropic-billing-header:"  # Claude Code's first system text: Anthropic takes it out, no other does

Capability = Literal[
    "mid_conv_system", "thinking_signature", "structured_outputs_unsupported", "effort_unsupported", "image_block",
    "document_block", "media_budget",
]  # fmt: skip


def lose(asked: Request, *names: str) -> None:
    """Notes what is left out."""
    for name in names:
        if name not in asked.lost:
            asked.lost.append(name)


def lose_foreign(asked: Request) -> None:
    """Notes the top-level fields that only the client's dialect knows."""
    lose(asked, *asked.foreign)


def reject(asked: Request, capability: Capability, words: str) -> NoReturn:
    """Claude Code asks again without the capability; for any other client `words` say what to do."""
    if asked.dialect == ANTHROPIC:
        raise Refusal("capability_rejected", f"capability_rejected: {capability}")
    raise Refusal("cannot_carry", words)


def refuse_server_tools(asked: Request) -> None:
    """Raises Refusal cannot_carry for tools that the client's own provider would run, and for what it alone holds: no other one
    can."""
    if asked.held:
        raise Refusal("cannot_carry", asked.held)
    for tool in asked.tools:
        if tool.server is not None and not tool.custom:
            raise Refusal("cannot_carry", _server_words(asked, tool.name or tool.server.kind, tool.server.kind))
    for name, what in RUN_BY_PROVIDER.items() if asked.dialect == ANTHROPIC else ():
        if asked.foreign.get(name):
            message = f"{_named(asked)} is served by an upstream that cannot run {what}"
            raise Refusal("cannot_carry", f"{message}: leave `{name}` out, or choose a Claude model.")


def _server_words(asked: Request, name: str, kind: str) -> str:
    shown = f"`{name}`" if name == kind else f"`{name}` ({kind})"
    message = f"The tool {shown} is the provider's own, and {_named(asked)} is served by another one that does not have it."
    if asked.dialect == ANTHROPIC:
        return f"{message} Choose a Claude model, or leave the tool out (in Claude Code: deny it in the permissions)."
    return f"{message} Leave the tool out."


def _named(asked: Request) -> str:
    return asked.model_named or asked.model or "The model"


def loaded_tools(asked: Request) -> tuple[Tool, ...]:
    """The tools that the model may call now: deferred ones from when they were Loaded, or called, on."""
    waiting = {tool.name for tool in asked.tools if tool.deferred}
    if not waiting:
        return asked.tools
    known = {name for message in asked.messages for block in message.content for name in _names(block)}
    return tuple(tool for tool in asked.tools if tool.name != PLACEHOLDER and (not tool.deferred or tool.name in known))


def _names(block: Block) -> tuple[str, ...]:
    match block:
        case Loaded() | ToolUse():
            return (block.name,)
        case ToolResult():
            return tuple(inner.name for inner in block.content if isinstance(inner, Loaded))
        case _:
            return ()


def loaded_line(block: Loaded) -> str:
    return f"Tool {block.name} is loaded."


def texts_of(blocks: tuple[Block, ...]) -> str:
    """All that can be said in plain text, a line break between blocks. Pictures, thoughts and calls are not in it."""
    lines = []
    for block in blocks:
        match block:
            case Text() if block.text:
                lines.append(block.text)
            case Loaded():
                lines.append(loaded_line(block))
            case Media() if block.text:
                lines.append(document_text(block))
            case ToolResult():
                lines.append(texts_of(block.content))
    return "\n".join(lines)


def document_text(block: Media) -> str:
    """A plain text document as a part of the conversation's words."""
    named = "".join(f' {name}="{value}"' for name, value in (("title", block.title), ("source", block.context)) if value)
    return f"<document{named}>\n{block.text}\n</document>"


def system_blocks(asked: Request) -> tuple[Block, ...]:
    """The system prompt without Claude Code's line of attribution, which is new in each session: other providers' caches hold
    from the first token on."""
    return tuple(block for block in asked.system if not (isinstance(block, Text) and _says_nothing(block.text)))


def _says_nothing(text: str) -> bool:
    return not text or text.startswith(ATTRIBUTION)


def system_text(asked: Request) -> str:
    """The same as one text, a blank line between its parts."""
    return "\n\n".join(part for part in (texts_of((block,)) for block in system_blocks(asked)) if part)


def format_instruction(wanted: Format) -> str:
    """For upstreams that have no field for it: a line of the system prompt."""
    if wanted.kind == "json":
        return "Answer with one JSON object and nothing else: no words before or after it, no code fence."
    schema = orjson.dumps(wanted.schema).decode()
    named = f" ({wanted.description})" if wanted.description else ""
    head = f"Answer with one JSON value{named} and nothing else: no words before or after it, no code fence."
    return f"{head} It must be valid by this JSON Schema:\n{schema}"


def reminder(text: str) -> str:
    """A system text where only a user's can stand, in the words that Claude Code itself uses for that."""
    return f"<system-reminder>\n{text}\n</system-reminder>"


def fold_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """System messages become words of the user; messages of one role that stand together become one, results of tools first."""
    folded = []
    for message in messages:
        if message.role == "system":
            text = texts_of(message.content)
            marks: list[Cache] = [block.cache for block in message.content if isinstance(block, Text) and block.cache]
            folded.append(Message("user", (Text(reminder(text), cache=marks[-1] if marks else ""),) if text else ()))
        else:
            folded.append(message)
    return merged(folded)


def merged(messages: list[Message]) -> tuple[Message, ...]:
    """Messages of one role that stand together as one; in a user's, results of tools first. Empty ones are left out."""
    runs: list[list[Message]] = []
    for message in messages:
        if not message.content:
            continue
        if runs and runs[-1][0].role == message.role:
            runs[-1].append(message)
        else:
            runs.append([message])
    out = (run[0] if len(run) == 1 else _joined(run) for run in runs)
    return tuple(_results_first(message) if message.role == "user" else message for message in out)


def _joined(run: list[Message]) -> Message:
    foreign = {name: value for message in run for name, value in message.foreign.items()}
    return Message(run[0].role, tuple(block for message in run for block in message.content), foreign)


def _results_first(message: Message) -> Message:
    results = tuple(block for block in message.content if isinstance(block, ToolResult))
    if not results or len(results) == len(message.content):
        return message
    rest = tuple(block for block in message.content if not isinstance(block, ToolResult))
    return replace(message, content=results + rest)
