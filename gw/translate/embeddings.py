"""Embeddings: OpenAI's request and answer <-> those of Gemini, Cohere and Bedrock's Titan; and what any of them says was used.

A client speaks OpenAI or Gemini, an upstream any of the four. Between the two stands `Wanted`: texts in, vectors out.
Sources: API references of OpenAI, Google, Cohere (v2 embed) and AWS, as read in November 2026.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from struct import pack, unpack
from typing import Any, Final, NamedTuple, NoReturn

from msgspec import Struct

from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate.form import Json
from gw.translate.loose import count_at, object_at, objects, text_at

COHERE_TEXTS_MAX: Final = 96


class Wanted(Struct, frozen=True):
    """`single`: the client's dialect answers with one vector instead of a list."""

    model: str
    texts: tuple[str, ...]
    dimensions: int = 0  # 0: the model's own
    base64: bool = False  # OpenAI's little-endian float32
    purpose: str = ""  # Gemini's word: RETRIEVAL_QUERY, ...
    title: str = ""
    single: bool = False


class Vectors(NamedTuple):
    vectors: list[list[float]]
    usage: Usage


def _wrong(message: str) -> NoReturn:
    raise Refusal("invalid_field", message)


# --- a client's request -----------------------------------------------------------------------------------------------


def read_openai(body: Json) -> Wanted:
    """Raises Refusal: invalid_field; cannot_carry for token ids, which only the model's own provider understands."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        _wrong("input: must be a text or a list of texts, and not empty")
    if not all(isinstance(one, str) for one in texts):
        raise Refusal("cannot_carry", "input: token ids are the model's own; send texts, or choose a model of OpenAI's.")
    return Wanted(text_at(body, "model"), tuple(texts), count_at(body, "dimensions"), body.get("encoding_format") == "base64")


def read_gemini(body: Json, model: str) -> Wanted:
    """embedContent, or batchEmbedContents with `requests`; in camelCase or snake_case. Raises Refusal invalid_field."""
    several = body.get("requests")
    requests = list(objects(several)) if isinstance(several, list) else [body]
    texts = [_gemini_text(object_at(one, "content")) for one in requests]
    if not texts or not all(texts):
        _wrong("content: must have a part with a text")
    first = requests[0]
    dimensions = count_at(first, "outputDimensionality") or count_at(first, "output_dimensionality")
    purpose = text_at(first, "taskType", "task_type")
    return Wanted(model, tuple(texts), dimensions, False, purpose, text_at(first, "title"), not isinstance(several, list))


def _gemini_text(content: Json) -> str:
    return "\n".join(text_at(part, "text") for part in objects(content.get("parts")))


# --- an upstream's request --------------------------------------------------------------------------------------------


def write_openai(wanted: Wanted) -> Json:
    body: Json = {"model": wanted.model, "input": list(wanted.texts), "encoding_format": "float"}
    return body | ({"dimensions": wanted.dimensions} if wanted.dimensions else {})


def write_gemini(wanted: Wanted) -> Json:
    """For batchEmbedContents: one vector for each text, whatever their number."""
    extra: Json = {"outputDimensionality": wanted.dimensions} if wanted.dimensions else {}
    extra |= {"taskType": wanted.purpose} if wanted.purpose else {}
    extra |= {"title": wanted.title} if wanted.title else {}
    name = wanted.model if wanted.model.startswith("models/") else f"models/{wanted.model}"
    return {"requests": [{"model": name, "content": {"parts": [{"text": text}]}, **extra} for text in wanted.texts]}


# Gemini's task -> Cohere's input_type.
_PURPOSES: Final = {"RETRIEVAL_QUERY": "search_query", "CLASSIFICATION": "classification", "CLUSTERING": "clustering"}


def write_cohere(wanted: Wanted) -> Json:
    """Raises Refusal cannot_carry beyond its number of texts."""
    if len(wanted.texts) > COHERE_TEXTS_MAX:
        raise Refusal("cannot_carry", f"input: Cohere takes at most {COHERE_TEXTS_MAX} texts in one request; send them in parts.")
    purpose = _PURPOSES.get(wanted.purpose, "search_document")
    body: Json = {"model": wanted.model, "texts": list(wanted.texts), "input_type": purpose, "embedding_types": ["float"]}
    return body | ({"output_dimension": wanted.dimensions} if wanted.dimensions else {})


def write_titan(wanted: Wanted) -> Json:
    """Raises Refusal cannot_carry: one text in one request."""
    if len(wanted.texts) != 1:
        raise Refusal("cannot_carry", "input: this model on Bedrock takes one text in one request; send each by itself.")
    body: Json = {"inputText": wanted.texts[0], "normalize": True}
    return body | ({"dimensions": wanted.dimensions} if wanted.dimensions else {})


# --- an upstream's answer ---------------------------------------------------------------------------------------------


def read_openai_answer(body: Json) -> Vectors:
    rows = sorted(objects(body.get("data")), key=lambda row: count_at(row, "index"))
    return Vectors([_floats(row.get("embedding")) for row in rows], usage_of("openai", body))


def read_gemini_answer(body: Json) -> Vectors:
    one = object_at(body, "embedding")
    rows = [one] if one else list(objects(body.get("embeddings")))
    return Vectors([_floats(row.get("values")) for row in rows], usage_of("gemini", body))


def read_cohere_answer(body: Json) -> Vectors:
    found = body.get("embeddings")
    rows = found.get("float") if isinstance(found, dict) else found
    return Vectors([_floats(row) for row in rows] if isinstance(rows, list) else [], usage_of("cohere", body))


def read_titan_answer(body: Json) -> Vectors:
    return Vectors([_floats(body.get("embedding"))], usage_of("titan", body))


def _floats(value: Any) -> list[float]:
    if isinstance(value, str):  # base64 of little-endian float32
        try:
            data = b64decode(value, validate=True)
            return list(unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4]))
        except ValueError:
            return []
    return [one for one in value if isinstance(one, int | float)] if isinstance(value, list) else []


def usage_of(family: str, body: Json) -> Usage:
    """Embeddings have input only. `family`: "openai" (and all that speak as it does), "gemini", "cohere", "titan"."""
    match family:
        case "gemini":
            tokens = count_at(object_at(body, "usageMetadata"), "promptTokenCount")
        case "cohere":
            billed = object_at(object_at(body, "meta"), "billed_units")
            tokens = count_at(billed, "input_tokens") + count_at(billed, "image_tokens")
        case "titan":
            tokens = count_at(body, "inputTextTokenCount")
        case _:
            usage = object_at(body, "usage")
            tokens = count_at(usage, "prompt_tokens") or count_at(usage, "input_tokens") or count_at(usage, "total_tokens")
    return Usage(input_tokens=tokens)


# --- a client's answer ------------------------------------------------------------------------------------------------


def write_openai_answer(found: Vectors, wanted: Wanted, model: str) -> Json:
    """`model`: the client's name of it."""
    tokens = found.usage.input_tokens
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(vector) if wanted.base64 else vector}
            for index, vector in enumerate(found.vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _packed(vector: list[float]) -> str:
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode()


def write_gemini_answer(found: Vectors, wanted: Wanted) -> Json:
    rows = [{"values": vector} for vector in found.vectors]
    usage = {"usageMetadata": {"promptTokenCount": found.usage.input_tokens, "totalTokenCount": found.usage.input_tokens}}
    return {"embedding": rows[0] if rows else {"values": []}, **usage} if wanted.single else {"embeddings": rows, **usage}


class Upstream(NamedTuple):
    write: Callable[[Wanted], Json]
    read: Callable[[Json], Vectors]


# By the words that gw.providers.provider.Provider.dialect says for the operation.
UPSTREAMS: Final[dict[str, Upstream]] = {
    "embeddings": Upstream(write_openai, read_openai_answer),
    "gemini_embeddings": Upstream(write_gemini, read_gemini_answer),
    "cohere_embeddings": Upstream(write_cohere, read_cohere_answer),
    "titan_embeddings": Upstream(write_titan, read_titan_answer),
}
