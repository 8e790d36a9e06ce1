"""Content of Chat Completions messages <-> blocks: texts, images, files, sound."""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from gw.errors import Refusal
from gw.translate.capability import document_text
from gw.translate.chat_words import CHAT, thinking_chunk
from gw.translate.form import Block, Cache, Foreign, Json, Media, Text, Thinking
from gw.translate.loose import object_at, text, text_at

_SOUND: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}  # OpenAI's words -> media types
_SOUND_WORDS: Final = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/wave": "wav"}


# --- a client's parts -> blocks ---------------------------------------------------------------------------------------


def part_blocks(content: Any, place: str) -> list[Block]:
    """Of a message's content: a text, a list of parts, or nothing. Raises Refusal invalid_field."""
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)] if content else []
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise Refusal("invalid_field", f"{place}.content: must be a text or a list of parts")
    blocks: list[Block] = []
    for index, part in enumerate(content):
        if isinstance(part, str):
            blocks.append(Text(part))
        elif isinstance(part, dict):
            blocks.append(part_block(part, f"{place}.content[{index}]"))
        else:
            raise Refusal("invalid_field", f"{place}.content[{index}]: must be an object")
    return blocks


def part_block(part: Json, place: str) -> Block:
    cache = cache_of(part)
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            return Text(text_at(part, "text"), cache=cache)
        case "refusal":
            return Text(text_at(part, "refusal"))
        case "thinking":  # Mistral
            return Thinking(thinking_chunk(part))
        case "image_url" | "input_image":
            inner = part.get("image_url")
            source = inner if isinstance(inner, dict) else {"url": inner, "detail": part.get("detail")}
            return _addressed("image", text_at(source, "url"), f"{place}.image_url.url", cache, text_at(source, "detail"))
        case "video_url":
            return _addressed("video", text_at(object_at(part, "video_url"), "url"), f"{place}.video_url.url", cache)
        case "input_audio":
            inner = object_at(part, "input_audio")
            word = text_at(inner, "format")
            media_type = _SOUND.get(word, f"audio/{word}" if word else "")
            return Media("audio", media_type, data=_filled(inner, "data", place), cache=cache)
        case "file":
            return _file(object_at(part, "file"), place, cache)
        case kind:
            return Foreign(CHAT, text(kind), part)


def cache_of(part: Json) -> Cache:
    """Anthropic's mark, which OpenRouter takes too; and OpenAI's own."""
    mark = part.get("cache_control")
    if isinstance(mark, dict):
        return "1h" if mark.get("ttl") == "1h" else "5m"
    own = part.get("prompt_cache_breakpoint")
    if isinstance(own, dict):
        return "1h" if own.get("ttl") == "12h" else "5m"
    return ""


def _filled(inner: Json, name: str, place: str) -> str:
    if not (value := text_at(inner, name)):
        raise Refusal("invalid_field", f"{place}.{name}: is missing or empty")
    return value


def _addressed(kind: Any, url: str, place: str, cache: Cache, detail: str = "") -> Media:
    if not url:
        raise Refusal("invalid_field", f"{place}: is missing or empty")
    media_type, data = data_url(url)
    if data:
        return Media(kind, media_type, data=data, detail=detail, cache=cache)
    return Media(kind, url=url, detail=detail, cache=cache)


def _file(inner: Json, place: str, cache: Cache) -> Media:
    title = text_at(inner, "filename")
    if id := text_at(inner, "file_id"):
        return Media("document", file_id=id, title=title, cache=cache)
    given = _filled(inner, "file_data", f"{place}.file")
    if given.startswith(("https://", "http://")):  # OpenRouter
        return Media("document", "application/pdf", url=given, title=title, cache=cache)
    media_type, data = data_url(given)
    kind = "image" if media_type.startswith("image/") else "document"
    return Media(kind, media_type or "application/pdf", data=data or given, title=title, cache=cache)  # type: ignore[arg-type]


def data_url(url: str) -> tuple[str, str]:
    """(media type, base64) of a `data:` URL; ("", "") for another."""
    if not url.startswith("data:"):
        return "", ""
    head, _, body = url[5:].partition(",")
    if head.endswith(";base64"):
        return head.removesuffix(";base64").partition(";")[0], unquote_to_bytes(body).decode("latin-1") if "%" in body else body
    return "", ""


# --- blocks -> an upstream's parts ------------------------------------------------------------------------------------


def text_part(block: Text, cache_marks: bool) -> Json:
    return marked({"type": "text", "text": block.text}, block.cache if cache_marks else "")


def marked(part: Json, cache: Cache) -> Json:
    if cache:
        part["cache_control"] = {"type": "ephemeral", "ttl": "1h"} if cache == "1h" else {"type": "ephemeral"}
    return part


def media_part(block: Media) -> Json | None:
    """None for what Chat Completions has no words for."""
    match block.kind:
        case "image" if block.data or block.url:
            url = block.url or f"data:{block.media_type or 'image/png'};base64,{block.data}"
            return {"type": "image_url", "image_url": {"url": url, **({"detail": block.detail} if block.detail else {})}}
        case "document" if block.text:
            return {"type": "text", "text": document_text(block)}
        case "document" if block.data:
            media_type = block.media_type or "application/pdf"
            name = block.title or ("document.pdf" if media_type == "application/pdf" else "document")
            return {"type": "file", "file": {"filename": name, "file_data": f"data:{media_type};base64,{block.data}"}}
        case "document" if block.file_id:
            return {"type": "file", "file": {"file_id": block.file_id}}
        case "audio" if block.data:
            word = _SOUND_WORDS.get(block.media_type, block.media_type.rpartition("/")[2] or "wav")
            return {"type": "input_audio", "input_audio": {"data": block.data, "format": word}}
        case "video" if block.data or block.url:  # vLLM, SGLang, OpenRouter
            url = block.url or f"data:{block.media_type or 'video/mp4'};base64,{block.data}"
            return {"type": "video_url", "video_url": {"url": url}}
    return None
