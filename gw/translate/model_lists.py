"""Lists of models, in the shape that a client's dialect has for them."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from gw.translate.form import Json

EPOCH: Final = "1970-01-01T00:00:00Z"  # for a model whose date is not known; Anthropic's own list has it so


class Model(NamedTuple):
    id: str
    display_name: str = ""  # "" the id
    created_s: int = 0  # seconds since 1970; 0 not known
    owner: str = "gw"
    input_most: int = 0  # tokens; 0 not known
    output_most: int = 0


def openai(models: Iterable[Model]) -> Json:
    return {"object": "list", "data": [openai_model(one) for one in models]}


def openai_model(one: Model) -> Json:
    return {"id": one.id, "object": "model", "created": one.created_s, "owned_by": one.owner}


def anthropic(models: Iterable[Model]) -> Json:
    """One page with all of them."""
    data = [anthropic_model(one) for one in models]
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def anthropic_model(one: Model) -> Json:
    created = datetime.fromtimestamp(one.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if one.created_s else EPOCH
    return {
        "type": "model",
        "id": one.id,
        "display_name": one.display_name or one.id,
        "created_at": created,
        "lifecycle": "active",
        "max_input_tokens": one.input_most or None,
        "max_tokens": one.output_most or None,
    }


def gemini(models: Iterable[Model]) -> Json:
    """One page with all of them."""
    return {"models": [gemini_model(one) for one in models]}


def gemini_model(one: Model) -> Json:
    body: Json = {
        "name": f"models/{one.id}",
        "baseModelId": one.id,
        "version": "1",
        "displayName": one.display_name or one.id,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    }
    if one.input_most:
        body["inputTokenLimit"] = one.input_most
    if one.output_most:
        body["outputTokenLimit"] = one.output_most
    return body


# Client's dialect -> (list, one model).
SHAPES: Final[dict[str, tuple[Callable[[Iterable[Model]], Json], Callable[[Model], Json]]]] = {
    "anthropic": (anthropic, anthropic_model),
    "chat": (openai, openai_model),
    "responses": (openai, openai_model),
    "gemini": (gemini, gemini_model),
}
