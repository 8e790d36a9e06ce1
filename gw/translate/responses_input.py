"""Messages of the form -> the items of a request's input.

A thought goes back only if OpenAI has sealed it, and only before something that came of it: an item alone is refused.
"""

from hashlib import blake2b
from typing import Final

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.capability import document_text, loaded_line, lose, reject
from gw.translate.form import Block, Cache, Foreign, Json, Loaded, Media, Message, Request, Text, Thinking, ToolResult, ToolUse
from gw.translate.names import fit
from gw.translate.responses_items import RESPONSES, full_name

WORD_CHARS_MAX: Final = 64  # of call ids, of names of tools, and of identifiers of end users and caches
_OPENAI: Final = ("chat", RESPONSES)  # whose file ids are OpenAI's
_OPENAI_DETAILS: Final = ("low", "high", "auto", "original")


def digest(word: str) -> str:
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def text_part(block: Text, *, marked: bool) -> Json:
    return with_mark({"type": "input_text", "text": block.text}, block.cache if marked else "")


def with_mark(part: Json, cache: Cache) -> Json:
    if cache:
        part["prompt_cache_breakpoint"] = {"mode": "explicit", "ttl": "12h" if cache == "1h" else "30m"}
    return part


class Input:
    """`items` grows by each message."""

    def __init__(self, asked: Request, quirks: Quirks) -> None:
        self.items: list[Json] = []
        self._asked = asked
        self._quirks = quirks
        self._customs: set[str] = set()  # ids of calls of custom tools: their results are items of another kind
        self._spaces = {tool.name: tool.namespace for tool in asked.tools if tool.namespace}

    def add(self, message: Message) -> None:
        match message.role:
            case "assistant":
                self._said(message.content)
            case "user":
                self._given(message.content)
            case "system":
                parts = [part for block in message.content if (part := self._part(block))]
                self._message("developer", parts)

    # --- what the model has said --------------------------------------------------------------------------------------

    def _said(self, blocks: tuple[Block, ...]) -> None:
        words: list[str] = []
        for block in blocks:
            if isinstance(block, Text):
                words.append(block.text)
                continue
            self._speak(words)
            match block:
                case Thinking() if block.sealed_by == RESPONSES and block.signature:
                    self.items.append(_thought(block))
                case ToolUse():
                    self.items.append(self._call(block))
                case Foreign() if block.dialect == RESPONSES:
                    self.items.append(block.value)
                case Foreign():
                    lose(self._asked, f"{block.kind} of earlier turns")
                case Media():
                    lose(self._asked, f"{block.kind} of earlier answers")
        self._speak(words)
        while self.items and self.items[-1].get("type") == "reasoning":
            self.items.pop()

    def _speak(self, words: list[str]) -> None:
        text = "".join(words)
        words.clear()
        if text:
            self.items.append({"type": "message", "role": "assistant", "content": text})

    def _call(self, use: ToolUse) -> Json:
        space = self._spaces.get(use.name, "") if self._asked.dialect == RESPONSES else ""
        name = use.name.removeprefix(full_name(space, "")) if space else fit(use.name, WORD_CHARS_MAX)
        called: Json = {"call_id": _call_id(use.id), "name": name} | ({"namespace": space} if space else {})
        if use.custom:
            self._customs.add(use.id)
            return {"type": "custom_tool_call", "input": use.arguments} | called
        return {"type": "function_call", "arguments": use.arguments or "{}"} | called

    # --- what it was given --------------------------------------------------------------------------------------------

    def _given(self, blocks: tuple[Block, ...]) -> None:
        """Results first, right behind their calls."""
        parts: list[Json] = []
        for block in blocks:
            if isinstance(block, ToolResult):
                self.items.append(self._result(block))
            elif isinstance(block, Foreign) and block.dialect == RESPONSES and not block.kind.startswith("input_"):
                self.items.append(block.value)
            elif part := self._part(block):
                parts.append(part)
        self._message("user", parts)

    def _message(self, role: str, parts: list[Json]) -> None:
        if parts:
            self.items.append({"type": "message", "role": role, "content": parts})

    def _result(self, result: ToolResult) -> Json:
        parts = [part for block in result.content if (part := self._part(block))]
        output: str | list[Json] = parts
        if all(len(part) == 2 and part["type"] == "input_text" for part in parts):
            text = "\n\n".join(part["text"] for part in parts)
            output = f"Error: {text}".removesuffix(": ") if result.failed else text
        elif result.failed:
            output = [{"type": "input_text", "text": "Error:"}, *parts]
        kind = "custom_tool_call_output" if result.tool_use_id in self._customs else "function_call_output"
        return {"type": kind, "call_id": _call_id(result.tool_use_id), "output": output}

    def _part(self, block: Block) -> Json | None:
        marked = self._quirks.cache_marks
        match block:
            case Text():
                return text_part(block, marked=marked) if block.text else None
            case Media():
                return with_mark(self._media(block), block.cache if marked else "")
            case Loaded():
                return {"type": "input_text", "text": loaded_line(Loaded(fit(block.name, WORD_CHARS_MAX)))}
            case Foreign() if block.dialect == RESPONSES:
                return block.value
            case Foreign():
                raise self._cannot(f"content of type {block.kind!r}")
        lose(self._asked, f"{type(block).__name__} out of its place")
        return None

    def _media(self, block: Media) -> Json:
        if block.cited:
            lose(self._asked, "citations of documents")
        if block.kind == "document" and block.text:
            return {"type": "input_text", "text": document_text(block)}
        if block.file_id and self._asked.dialect not in _OPENAI:
            raise self._cannot(f"a file that another provider holds ({block.file_id})")
        if block.kind == "image":
            return self._image(block)
        if block.kind == "document":
            return self._document(block)
        raise self._cannot(f"{block.kind} content")

    def _image(self, block: Media) -> Json:
        if not self._quirks.images:
            reject(self._asked, "image_block", self._words("an image"))
        part: Json = {"type": "input_image", "detail": block.detail if block.detail in _OPENAI_DETAILS else "auto"}
        if block.file_id:
            return part | {"file_id": block.file_id}
        url = block.url or f"data:{block.media_type or 'image/png'};base64,{block.data}"
        return part | {"image_url": url}

    def _document(self, block: Media) -> Json:
        if not self._quirks.documents:
            reject(self._asked, "document_block", self._words("a document"))
        if block.file_id:
            return {"type": "input_file", "file_id": block.file_id}
        if block.url:
            return {"type": "input_file", "file_url": block.url}
        kind = block.media_type or "application/pdf"
        name = block.title or ("document.pdf" if kind == "application/pdf" else "document.txt")
        return {"type": "input_file", "filename": name, "file_data": f"data:{kind};base64,{block.data}"}

    def _words(self, what: str) -> str:
        return f"{what} cannot be sent to {self._asked.model}: leave it out, or choose a model that takes it."

    def _cannot(self, what: str) -> Refusal:
        return Refusal("cannot_carry", self._words(what))


def _thought(block: Thinking) -> Json:
    item: Json = {"type": "reasoning", "summary": [{"type": "summary_text", "text": block.text}] if block.text else []}
    if block.id:
        item["id"] = block.id
    return item | {"encrypted_content": block.signature}


def _call_id(id: str) -> str:
    return id if 0 < len(id) <= WORD_CHARS_MAX else f"call_{digest(id)}"
