"""Where a Gemini answer has its words from: grounding in a search or in files, recitation; and back, for a Gemini client.

Google counts in bytes of UTF-8, the form in characters.
"""

from typing import Any, Final

from gw.translate.form import Citation, Json
from gw.translate.gemini_words import generation
from gw.translate.loose import count_at, object_at, objects, text, text_at

CITATIONS_MAX: Final = 500


def citations_in(words: str, grounding: Json, recitation: Json) -> list[Citation]:
    """`words`: the text that they are about."""
    data = words.encode("utf-8", "replace")
    chunks = list(objects(grounding.get("groundingChunks")))
    found = []
    for support in objects(grounding.get("groundingSupports")):
        segment = object_at(support, "segment")
        start, end = _range(data, segment)
        for index in support.get("groundingChunkIndices") or ():
            if isinstance(index, int) and 0 <= index < len(chunks):
                found.append(_citation(chunks[index], start, end))
    for one in objects(recitation.get("citations") or recitation.get("citationSources")):
        start, end = _range(data, one)
        if uri := text_at(one, "uri"):
            found.append(Citation(title=text_at(one, "title"), url=uri, text_start=start, text_end=end))
    return found[:CITATIONS_MAX]


def _citation(chunk: Json, start: int, end: int) -> Citation:
    """Of a web page, a place on the map, or a passage of a file."""
    kind: Any = next((kind for kind in ("web", "maps", "retrievedContext", "image") if isinstance(chunk.get(kind), dict)), "")
    source = object_at(chunk, kind) if kind else {}
    return Citation(
        cited=text(source.get("text")),
        title=text_at(source, "title", "documentName"),
        url=text_at(source, "uri", "sourceUri"),
        text_start=start,
        text_end=end,
    )


def _range(data: bytes, place: Json) -> tuple[int, int]:
    """In characters; (-1, -1) for the whole of the text."""
    start, end = count_at(place, "startIndex"), count_at(place, "endIndex")
    if not start < end <= len(data):
        return -1, -1
    first = len(data[:start].decode("utf-8", "ignore"))
    return first, first + len(data[start:end].decode("utf-8", "ignore"))


def searches_in(grounding: Json, model: str) -> int:
    """What Google bills of them: each query since Gemini 3, each grounded answer before. Free quotas are not known here."""
    queries = [one for one in grounding.get("webSearchQueries") or () if isinstance(one, str) and one]
    return len(queries) if generation(model) >= (3, 0) else min(len(queries), 1)


def grounding_json(cited: list[tuple[Citation, str, int]]) -> Json:
    """groundingMetadata of citations, each with its block's text and the bytes of the answer's text before it."""
    chunks: list[Json] = []
    places: dict[tuple[str, str, str], int] = {}
    supports: list[Json] = []
    for citation, words, before in cited:
        source = (citation.url, citation.title, "" if citation.url else citation.cited)
        if source not in places:
            places[source] = len(chunks)
            chunks.append(_chunk(citation))
        whole = citation.text_start < 0
        start = 0 if whole else len(words[: citation.text_start].encode("utf-8", "replace"))
        said = words if whole else words[citation.text_start : citation.text_end]
        end = start + len(said.encode("utf-8", "replace"))
        segment: Json = {"startIndex": before + start, "endIndex": before + end, "text": said}
        supports.append({"segment": segment, "groundingChunkIndices": [places[source]]})
    return {"groundingChunks": chunks, "groundingSupports": supports}


def _chunk(citation: Citation) -> Json:
    if citation.url:
        return {"web": {"uri": citation.url, **({"title": citation.title} if citation.title else {})}}
    return {"retrievedContext": {"title": citation.title, "text": citation.cited}}
