"""Messages of the form -> a Gemini request's `contents`.

Roles alternate, results of functions come first in their content, and a system text in the middle becomes a part of the user's
(gw.translate.capability.fold_system).

Thought signatures: what Gemini has signed goes back where it was. Gemini 3 refuses the first call of a content without one, so a
call that another model made, or whose signature a client has lost, gets the value that Google documents for it.
"""

from base64 import b64decode
from typing import Final, NoReturn

from gw.errors import Refusal
from gw.translate.capability import document_text, fold_system, loaded_line, lose, reject
from gw.translate.dialect import Quirks
from gw.translate.form import Block, Foreign, Json, Loaded, Media, Request, Text, Thinking, ToolResult, ToolUse
from gw.translate.gemini_words import GEMINI, generation
from gw.translate.loose import loaded
from gw.translate.names import fit

UNSIGNED: Final = "skip_thought_signature_validator"  # Google's documentation: thought signatures, history of other models
UNREADABLE: Final = "unreadable_arguments"  # the only field of the args of a call whose arguments are no JSON object
FREE_TEXT: Final = "input"  # the only field of a custom tool's args
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
_HEADS: Final = (("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("UklGR", "image/webp"), ("JVBER", "application/pdf"))
_ENDINGS: Final = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "pdf": "application/pdf",
    "mp3": "audio/mpeg", "wav": "audio/wav", "mp4": "video/mp4", "webm": "video/webm", "txt": "text/plain",
}  # fmt: skip
_DEFAULTS: Final = {"image": "image/png", "document": "application/pdf", "audio": "audio/wav", "video": "video/mp4"}


def cannot(asked: Request, what: str) -> Refusal:
    words = f"{what} cannot be sent to model {asked.model!r}: Gemini has no words for it."
    return Refusal("cannot_carry", f"{words} Choose a model that takes it, or leave it out.")


class Contents:
    def __init__(self, asked: Request, quirks: Quirks) -> None:
        self._asked = asked
        self._quirks = quirks
        self._newer = generation(asked.model) >= (3, 0)  # wants signatures and ids, takes media in results
        self._names: dict[str, str] = {}  # of tools, by the ids of their calls

    def written(self) -> list[Json]:
        """Raises Refusal."""
        found: list[Json] = []
        for message in fold_system(self._asked.messages):
            parts = self._model(message.content) if message.role == "assistant" else self._user(message.content)
            if parts:
                found.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
        return found

    def parts_of(self, block: Block) -> list[Json]:
        """Of a block of the system prompt. Raises Refusal."""
        return self._parts([block])

    # --- what the model said ------------------------------------------------------------------------------------------

    def _model(self, blocks: tuple[Block, ...]) -> list[Json]:
        parts: list[Json] = []
        signature = ""  # of a thought: belongs to what it led to
        for block in blocks:
            match block:
                case Thinking():
                    if block.sealed_by == GEMINI:
                        signature = block.signature or signature
                        if block.text:
                            parts.append({"text": block.text, "thought": True})
                case Text():
                    if block.text or block.signature:
                        parts.append(_signed({"text": block.text}, block.signature))
                case ToolUse():
                    parts.append(_signed({"functionCall": self._call(block)}, block.signature or signature))
                    signature = ""
                case Foreign() if block.dialect != GEMINI:
                    lose(self._asked, f"{block.kind} of earlier turns")
                case _:
                    parts += self._parts([block])
        if signature and parts:  # it led to no call: to the text then, or to nothing but the thought
            parts[-1].setdefault("thoughtSignature", signature)
        elif signature:
            parts.append({"text": "", "thoughtSignature": signature})
        first = next((part for part in parts if "functionCall" in part), None)
        if first is not None and self._newer:
            first.setdefault("thoughtSignature", UNSIGNED)
        return parts

    def _call(self, use: ToolUse) -> Json:
        self._names[use.id] = use.name
        call: Json = {"name": fit(use.name), "args": args_of(use)}
        return call | {"id": use.id} if self._newer and use.id else call

    # --- what the user said -------------------------------------------------------------------------------------------

    def _user(self, blocks: tuple[Block, ...]) -> list[Json]:
        parts: list[Json] = []
        for block in blocks:
            parts += self._result(block) if isinstance(block, ToolResult) else self._parts([block])
        return parts

    def _result(self, result: ToolResult) -> list[Json]:
        """The functionResponse, and behind it what older models do not take inside."""
        texts: list[str] = []
        media: list[Json] = []
        for part in self._parts(list(result.content)):
            if "text" in part:
                texts.append(part["text"])
            else:
                media.append(part)
        said = "\n\n".join(texts)
        name = self._names.get(result.tool_use_id) or result.name
        if not name:
            lose(self._asked, "the name of a tool's result without a call")
            return [{"text": f"Result of a tool:\n{said}"}, *media]
        response: Json = {"name": fit(name), "response": {"error" if result.failed else "output": said}}
        if self._newer and result.tool_use_id:
            response["id"] = result.tool_use_id
        if media and self._newer:
            response["parts"] = media
            media = []
        elif media:
            media.insert(0, {"text": f"Attached to the result of {name}:"})
        return [{"functionResponse": response}, *media]

    def _parts(self, blocks: list[Block]) -> list[Json]:
        parts: list[Json] = []
        for block in blocks:
            match block:
                case Text():
                    if block.text:
                        parts.append({"text": block.text})
                case Media():
                    parts.append(self._media(block))
                case Loaded():
                    parts.append({"text": loaded_line(block)})
                case Foreign() if block.dialect == GEMINI:
                    parts.append(block.value)
                case Foreign():
                    raise cannot(self._asked, f"content of type {block.kind!r}")
                case _:
                    lose(self._asked, f"{type(block).__name__} out of its place")
        return parts

    # --- media --------------------------------------------------------------------------------------------------------

    def _media(self, block: Media) -> Json:
        if block.cited:
            lose(self._asked, "citations of documents")
        if block.kind == "document" and (words := _plain_text(block)):
            plain = Media("document", text=words, title=block.title, context=block.context)
            return {"text": document_text(plain) if block.title or block.context else words}
        if block.kind == "image" and not self._quirks.images:
            self._reject(block, "The model takes no images.")
        if block.kind == "document" and not self._quirks.documents:
            self._reject(block, "The model takes no documents.")
        media_type = block.media_type.lower() or _guessed(block)
        if block.kind == "image" and block.data and media_type not in _IMAGES:
            self._reject(block, f"Gemini takes no images of type {media_type}: send PNG, JPEG or WebP.")
        if block.data:
            return {"inlineData": {"mimeType": media_type, "data": block.data}}
        if not block.url and self._asked.dialect != GEMINI:
            self._reject(block, f"{self._asked.model} cannot read file {block.file_id!r} of another provider: send its contents.")
        return {"fileData": {"mimeType": media_type, "fileUri": block.url or block.file_id}}

    def _reject(self, block: Media, words: str) -> NoReturn:
        if block.kind == "image":
            reject(self._asked, "image_block", words)
        if block.kind == "document":
            reject(self._asked, "document_block", words)
        raise Refusal("cannot_carry", words)


def args_of(use: ToolUse) -> Json:
    """Always an object: a model's broken JSON is told as it was."""
    if use.custom:
        return {FREE_TEXT: use.arguments}
    if not use.arguments:
        return {}
    args = loaded(use.arguments)
    return args if isinstance(args, dict) else {UNREADABLE: use.arguments}


def _signed(part: Json, signature: str) -> Json:
    return part | {"thoughtSignature": signature} if signature else part


def _plain_text(block: Media) -> str:
    if block.text or block.media_type.lower().partition(";")[0] != "text/plain" or not block.data:
        return block.text
    try:
        return b64decode(block.data).decode()
    except ValueError:
        return ""


def _guessed(block: Media) -> str:
    """Gemini wants a type: by the first bytes, the address's ending, or the kind."""
    for head, media_type in _HEADS:
        if block.data.startswith(head):
            return media_type
    ending = block.url.partition("?")[0].rpartition(".")[2].lower()
    return _ENDINGS.get(ending) or _DEFAULTS[block.kind]
