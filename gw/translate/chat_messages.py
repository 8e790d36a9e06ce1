"""Messages of the form -> messages of a Chat Completions request.

Results of tools come first, each as a message of its own, right behind the calls, as OpenAI wants them; what a tool message
cannot hold (images, files) follows in the user's. Texts alone go as one text, which every server and chat template takes.
"""

from hashlib import blake2b
from typing import Final

import orjson

from gw.errors import Refusal
from gw.translate.capability import document_text, fold_system, loaded_line, lose, reject, system_blocks
from gw.translate.chat_parts import marked, media_part, text_part
from gw.translate.chat_words import CHAT, FREE_TEXT, UNREADABLE, entry_of
from gw.translate.dialect import Quirks
from gw.translate.form import Block, Foreign, Json, Loaded, Media, Message, Request, Text, Thinking, ToolResult, ToolUse
from gw.translate.loose import loaded
from gw.translate.names import fit

_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Messages:
    def __init__(self, asked: Request, quirks: Quirks, more_system: str) -> None:
        self.asked = asked
        self.quirks = quirks
        self.more_system = more_system
        self.out: list[Json] = []

    def written(self) -> list[Json]:
        system = list(system_blocks(self.asked))
        if self.more_system:
            system.append(Text(self.more_system))
        role = "developer" if self.quirks.developer_role else "system"
        self._add(role, self._parts(system))
        messages = self.asked.messages if self.quirks.system_in_middle else fold_system(self.asked.messages)
        for message in messages:
            match message.role:
                case "assistant":
                    self._assistant(message)
                case "user":
                    self._user(message)
                case "system":
                    self._add(role, self._parts(list(message.content)))
        return self.out

    def _add(self, role: str, parts: list[Json]) -> None:
        """Texts alone become one text; without any part there is no message."""
        if not parts:
            return
        texts = [part["text"] for part in parts if part["type"] == "text" and "cache_control" not in part]
        content = "\n\n".join(texts) if len(texts) == len(parts) else parts
        self.out.append({"role": role, "content": content})

    def _user(self, message: Message) -> None:
        aside: list[Json] = []
        rest: list[Block] = []
        for block in message.content:
            if isinstance(block, ToolResult):
                aside += self._result(block)
            else:
                rest.append(block)
        self._add("user", aside + self._parts(rest))

    def _result(self, result: ToolResult) -> list[Json]:
        """Writes the tool message; returns what is to stand in the user's message after it."""
        texts: list[Json] = []
        aside: list[Json] = []
        for part in self._parts(list(result.content)):
            if part["type"] == "text":
                texts.append(part)
            else:
                aside.append(part)
        text = "\n\n".join(part["text"] for part in texts)
        if aside:
            note = f"[{len(aside)} attachment{'s' * (len(aside) > 1)} of this result in the next user message]"
            text = f"{text}\n\n{note}" if text else note
            aside.insert(0, {"type": "text", "text": f"Attached to the result of tool call {self._id(result.tool_use_id)}:"})
        if result.failed:
            text = f"Error: {text}" if text else "Error"
        marks = self.quirks.cache_marks and result.cache
        content: str | list[Json] = [marked({"type": "text", "text": text}, result.cache)] if marks else text
        self.out.append({"role": "tool", "tool_call_id": self._id(result.tool_use_id), "content": content})
        return aside

    def _assistant(self, message: Message) -> None:
        texts: list[Json] = []
        calls: list[Json] = []
        thoughts: list[Thinking] = []
        for block in message.content:
            match block:
                case Text():
                    if block.text:
                        texts.append(text_part(block, self.quirks.cache_marks))
                case ToolUse():
                    calls.append(self._call(block))
                case Thinking():
                    thoughts.append(block)
                case Foreign() if block.dialect != CHAT:
                    lose(self.asked, f"{block.kind} of earlier turns")
                case _:
                    texts += self._parts([block])
        marks = any("cache_control" in part for part in texts) or any(part["type"] != "text" for part in texts)
        said: Json = {"role": "assistant", "content": texts if marks else "".join(part["text"] for part in texts) or None}
        if calls:
            said["tool_calls"] = calls
        self._think(said, thoughts)
        if len(said) > 2 or said["content"] is not None:
            self.out.append(said)

    def _think(self, said: Json, thoughts: list[Thinking]) -> None:
        """Adds the thoughts of an earlier turn where the upstream wants them back, and can read them."""
        match self.quirks.thoughts_back:
            case "reasoning_details":
                entries = [entry for index, one in enumerate(thoughts) if (entry := entry_of(one, index))]
                if entries:
                    said["reasoning_details"] = entries
            case "reasoning_content" | "reasoning" as field:
                text = "".join(one.text for one in thoughts)
                # DeepSeek refuses calls of a turn without thoughts; those of a turn that another model made have none.
                if text or (self.quirks.thinking == "thinking" and "tool_calls" in said and self.asked.effort.mode != "off"):
                    said[field] = text
            case "thinking":
                if text := "".join(one.text for one in thoughts):
                    part = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
                    content = said["content"]
                    rest = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
                    said["content"] = [part, *rest]

    def _call(self, use: ToolUse) -> Json:
        call: Json = {"id": self._id(use.id)}
        name = fit(use.name)
        if use.custom and self.quirks.custom_tools:
            return call | {"type": "custom", "custom": {"name": name, "input": use.arguments}}
        arguments = orjson.dumps({FREE_TEXT: use.arguments}).decode() if use.custom else use.arguments or "{}"
        if not isinstance(loaded(arguments), dict):  # cut short, or never JSON: vLLM and Mistral would refuse the conversation
            arguments = orjson.dumps({UNREADABLE: arguments}).decode()
        call |= {"type": "function", "function": {"name": name, "arguments": arguments}}
        if use.signature and self.quirks.thoughts_back == "extra_content":
            call["extra_content"] = {"google": {"thought_signature": use.signature}}
        return call

    def _id(self, id: str) -> str:
        """Mistral takes ids of one length only: others become a digest, the same for a call and its result."""
        size = self.quirks.tool_id_size
        if not size or (len(id) == size and id.isascii() and id.isalnum()):
            return id
        number = int.from_bytes(blake2b(id.encode("utf-8", "surrogatepass"), digest_size=32).digest())
        letters = []
        for _ in range(size):
            number, at = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[at])
        return "".join(letters)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _parts(self, blocks: list[Block]) -> list[Json]:
        parts: list[Json] = []
        for block in blocks:
            match block:
                case Text():
                    if block.text:
                        parts.append(text_part(block, self.quirks.cache_marks))
                case Media():
                    parts.append(self._media(block))
                case Loaded():
                    parts.append({"type": "text", "text": loaded_line(Loaded(fit(block.name)))})
                case Foreign() if block.dialect == CHAT:
                    parts.append(block.value)
                case Foreign():
                    raise Refusal("cannot_carry", self._words(f"content of type {block.kind!r}"))
                case Thinking() | ToolUse() | ToolResult():
                    lose(self.asked, f"{type(block).__name__} out of its place")
        return parts

    def _media(self, block: Media) -> Json:
        if block.kind == "document" and block.text:
            return {"type": "text", "text": document_text(block)}
        if block.kind == "image" and not self.quirks.images:
            reject(self.asked, "image_block", self._words("an image"))
        if block.kind == "document" and not self.quirks.documents:
            reject(self.asked, "document_block", self._words("a document"))
        if block.cited:
            lose(self.asked, "citations of documents")
        part = media_part(block) if not block.file_id or self.asked.dialect in (CHAT, "responses") else None
        if part is None:
            how = "by its file id" if block.file_id else "by its address" if block.url else ""
            if block.kind == "document":
                reject(self.asked, "document_block", self._words(f"a document {how}".strip()))
            raise Refusal("cannot_carry", self._words(f"{block.kind} content {how}".strip()))
        return marked(part, block.cache) if self.quirks.cache_marks else part

    def _words(self, what: str) -> str:
        named = self.asked.model_named or self.asked.model
        return f"The upstream that serves {named} cannot take {what}. Choose a model that can, or leave it out."
