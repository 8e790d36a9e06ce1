"""Embeddings: OpenAI's request and answer <-> those of Gemini, Vertex AI, Cohere and Bedrock; and what any of them says was used.

A client speaks OpenAI or Gemini, an upstream any of them. Between the two stands `Wanted`: texts in, vectors out.
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
    own: tuple[Json, ...] = ()  # Gemini's requests as they came, with what only Gemini knows (pictures, new fields)


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
    requests = tuple(objects(several)) if isinstance(several, list) else (body,)
    if not requests or not all(_parts(one) for one in requests):
        _wrong("content: must have a part with a text")
    texts = tuple("\n".join(text_at(part, "text") for part in _parts(one)) for one in requests)
    first = requests[0] | object_at(requests[0], "embedContentConfig")  # Vertex AI's clients have them there
    dimensions = count_at(first, "outputDimensionality") or count_at(first, "output_dimensionality")
    purpose = text_at(first, "taskType", "task_type")
    single = not isinstance(several, list)
    return Wanted(model, texts, dimensions, False, purpose, text_at(first, "title"), single, requests)


def _parts(request: Json) -> list[Json]:
    return list(objects(object_at(request, "content").get("parts")))


def texts_of(wanted: Wanted) -> list[str]:
    """Raises Refusal cannot_carry for what is no text."""
    if any(not text_at(part, "text") for one in wanted.own for part in _parts(one)):
        raise Refusal("cannot_carry", "content: this model takes texts only; for anything else choose a model of Gemini's.")
    return list(wanted.texts)


# --- an upstream's request --------------------------------------------------------------------------------------------


def write_openai(wanted: Wanted) -> Json:
    body: Json = {"model": wanted.model, "input": texts_of(wanted), "encoding_format": "float"}
    return body | ({"dimensions": wanted.dimensions} if wanted.dimensions else {})


def write_gemini(wanted: Wanted) -> Json:
    """For batchEmbedContents: one vector for each text, whatever their number."""
    name = wanted.model if wanted.model.startswith("models/") else f"models/{wanted.model}"
    if wanted.own:
        return {"requests": [_flat(one) | {"model": name} for one in wanted.own]}
    extra = _options(wanted)
    return {"requests": [{"model": name, "content": {"parts": [{"text": text}]}, **extra} for text in wanted.texts]}


def _flat(request: Json) -> Json:
    """As the Gemini API has it: without the object that Vertex AI's clients put the options into."""
    rest = {key: value for key, value in request.items() if key != "embedContentConfig"}
    return rest | object_at(request, "embedContentConfig")


def _options(wanted: Wanted) -> Json:
    extra: Json = {"outputDimensionality": wanted.dimensions} if wanted.dimensions else {}
    extra |= {"taskType": wanted.purpose} if wanted.purpose else {}
    return extra | ({"title": wanted.title} if wanted.title else {})


def write_vertex(wanted: Wanted) -> Json:
    """For batchEmbedContents at Vertex AI, whose options stand in an object of their own."""
    options = _options(wanted)
    extra: Json = {"embedContentConfig": options} if options else {}
    contents = [one["content"] for one in wanted.own] or [{"parts": [{"text": text}]} for text in wanted.texts]
    return {"requests": [{"content": content, **extra} for content in contents]}


def write_predict(wanted: Wanted) -> Json:
    """For :predict of Vertex AI's text-embedding models."""
    extra: Json = {"task_type": wanted.purpose} if wanted.purpose else {}
    extra |= {"title": wanted.title} if wanted.title else {}
    body: Json = {"instances": [{"content": text, **extra} for text in texts_of(wanted)]}
    return body | ({"parameters": {"outputDimensionality": wanted.dimensions}} if wanted.dimensions else {})


# Gemini's task -> Cohere's input_type.
_PURPOSES: Final = {"RETRIEVAL_QUERY": "search_query", "CLASSIFICATION": "classification", "CLUSTERING": "clustering"}


def write_cohere(wanted: Wanted) -> Json:
    """Raises Refusal cannot_carry beyond its number of texts."""
    if len(wanted.texts) > COHERE_TEXTS_MAX:
        raise Refusal("cannot_carry", f"input: Cohere takes at most {COHERE_TEXTS_MAX} texts in one request; send them in parts.")
    purpose = _PURPOSES.get(wanted.purpose, "search_document")
    body: Json = {"model": wanted.model, "texts": texts_of(wanted), "input_type": purpose, "embedding_types": ["float"]}
    return body | ({"output_dimension": wanted.dimensions} if wanted.dimensions else {})


def write_bedrock_cohere(wanted: Wanted) -> Json:
    """As Cohere has it, with the model in the address. Raises Refusal cannot_carry."""
    return {name: value for name, value in write_cohere(wanted).items() if name != "model"}


def write_titan(wanted: Wanted) -> Json:
    """Raises Refusal cannot_carry: one text in one request."""
    if len(wanted.texts) != 1:
        raise Refusal("cannot_carry", "input: this model on Bedrock takes one text in one request; send each by itself.")
    body: Json = {"inputText": texts_of(wanted)[0]}
    if "titan-embed-image" in wanted.model:
        return body | ({"embeddingConfig": {"outputEmbeddingLength": wanted.dimensions}} if wanted.dimensions else {})
    if "titan-embed-text-v1" in wanted.model or "titan-embed-g1" in wanted.model:  # which knows no options
        return body
    return body | {"normalize": True} | ({"dimensions": wanted.dimensions} if wanted.dimensions else {})


# --- an upstream's answer ---------------------------------------------------------------------------------------------


def read_openai_answer(body: Json) -> Vectors:
    rows = sorted(objects(body.get("data")), key=lambda row: count_at(row, "index"))
    return Vectors([_floats(row.get("embedding")) for row in rows], usage_of("openai", body))


def read_gemini_answer(body: Json) -> Vectors:
    one = object_at(body, "embedding")
    rows = [one] if one else list(objects(body.get("embeddings")))
    return Vectors([_floats(row.get("values")) for row in rows], usage_of("gemini", body))


def read_predict_answer(body: Json) -> Vectors:
    rows = [object_at(one, "embeddings") for one in objects(body.get("predictions"))]
    return Vectors([_floats(row.get("values")) for row in rows], usage_of("predict", body))


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
    """Embeddings have input only. `family`: "openai" (and all that speak as it does), "gemini", "vertex", "predict", "cohere",
    "titan"."""
    match family:
        case "gemini" | "vertex":
            tokens = count_at(object_at(body, "usageMetadata"), "promptTokenCount")
            rows = (object_at(one, "statistics") for one in objects(body.get("embeddings")))
            tokens = tokens or sum(count_at(row, "tokenCount") for row in rows)
        case "predict":
            rows = (object_at(object_at(one, "embeddings"), "statistics") for one in objects(body.get("predictions")))
            tokens = sum(count_at(row, "token_count") for row in rows)
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
    "vertex_embeddings": Upstream(write_vertex, read_gemini_answer),
    "predict_embeddings": Upstream(write_predict, read_predict_answer),
    "cohere_embeddings": Upstream(write_cohere, read_cohere_answer),
    "bedrock_cohere_embeddings": Upstream(write_bedrock_cohere, read_cohere_answer),
    "titan_embeddings": Upstream(write_titan, read_titan_answer),
}
# Whose errors an upstream of embeddings says; Chat Completions' are everybody else's.
ERRORS_LIKE: Final = {
    "gemini_embeddings": "gemini",
    "vertex_embeddings": "gemini",
    "predict_embeddings": "gemini",
    "titan_embeddings": "converse",
    "bedrock_cohere_embeddings": "converse",
}
