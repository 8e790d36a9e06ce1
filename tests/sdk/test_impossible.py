"""What cannot be carried from one dialect to another: the official SDKs get a refusal that says what, before anything is sent.

The table is that of docs/translation.md, as far as it refuses; what it leaves out is named in the answer's header `x-gw-dropped`.
"""

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from google.genai import types

from tests.sdk.conftest import House
from tests.sdk.test_beside import sdk
from tests.support.fakes.ground import MODELS

USER = [{"role": "user", "content": "hi [scene:free impossible]"}]
PDF = base64.b64encode(b"%PDF-1.4 a page").decode()
Ask = Callable[[Any, str], Any]


def web_search(client: Any, model: str) -> Any:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    return client.messages.create(model=model, max_tokens=50, messages=USER, tools=tools)


def pdf(client: Any, model: str) -> Any:
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    content = [{"type": "document", "source": source}, {"type": "text", "text": "what is in it?"}]
    return client.messages.create(model=model, max_tokens=50, messages=[{"role": "user", "content": content}])


def image_url(client: Any, model: str) -> Any:
    content = [{"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.png"}}]
    return client.messages.create(model=model, max_tokens=50, messages=[{"role": "user", "content": content}])


def file_id(client: Any, model: str) -> Any:
    content = [{"type": "file", "file": {"file_id": "file-123"}}, {"type": "text", "text": "what is in it?"}]
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])


def two_answers(client: Any, model: str) -> Any:
    return client.chat.completions.create(model=model, messages=USER, n=2)


def earlier_response(client: Any, model: str) -> Any:
    return client.responses.create(model=model, input="go on", previous_response_id="resp_1")


def file_search(client: Any, model: str) -> Any:
    return client.responses.create(model=model, input="hi", tools=[{"type": "file_search", "vector_store_ids": ["v"]}])


def suffix(client: Any, model: str) -> Any:
    return client.completions.create(model=model, prompt="a", suffix="b")


def token_ids(client: Any, model: str) -> Any:
    return client.embeddings.create(model=model, input=[[1, 2, 3]])


def google_search(client: Any, model: str) -> Any:
    config = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch())])
    return client.models.generate_content(model=model, contents="hi", config=config)


def cached_content(client: Any, model: str) -> Any:
    config = types.GenerateContentConfig(cached_content="cachedContents/1")
    return client.models.generate_content(model=model, contents="hi", config=config)


def spoken(client: Any, model: str) -> Any:
    asked = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    return client.chat.completions.create(model=model, messages=USER, **asked)


def searched(client: Any, model: str) -> Any:
    return client.chat.completions.create(model=model, messages=USER, web_search_options={})


def painted(client: Any, model: str) -> Any:
    config = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])
    return client.models.generate_content(model=model, contents="draw", config=config)


def guarded(client: Any, model: str) -> Any:
    guardrail = {"guardrailIdentifier": "g", "guardrailVersion": "1"}
    return client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "hi"}]}], guardrailConfig=guardrail)


def guard_content(client: Any, model: str) -> Any:
    content = [{"guardContent": {"text": {"text": "hi"}}}]
    return client.converse(modelId=model, messages=[{"role": "user", "content": content}])


class Impossible(NamedTuple):
    """`says`: a part of the refusal, in any case."""

    client: str
    upstreams: tuple[str, ...]
    ask: Ask
    says: str


OTHERS = {name: tuple(one for one in MODELS if one != name) for name in MODELS}
NO_CLAUDE = ("chat", "responses", "gemini", "cohere", "deepseek")
IMPOSSIBLE = (
    Impossible("anthropic", NO_CLAUDE, web_search, "web_search"),
    Impossible("anthropic", ("cohere", "deepseek"), pdf, "document"),
    Impossible("anthropic", ("converse",), image_url, "An image by its address"),
    Impossible("chat", ("anthropic", "gemini", "converse"), file_id, "file"),
    Impossible("chat", ("cohere",), file_id, "document"),
    Impossible("chat", ("anthropic", "responses", "gemini", "converse", "cohere"), two_answers, "n"),
    Impossible("chat", ("anthropic", "responses", "gemini"), spoken, "sound"),
    Impossible("chat", ("anthropic", "responses", "converse"), searched, "web_search_options"),
    Impossible("gemini", ("anthropic", "chat", "responses"), painted, "responseModalities"),
    Impossible("converse", ("anthropic", "chat", "gemini"), guarded, "guardrailConfig"),
    Impossible("responses", OTHERS["responses"], earlier_response, "previous_response_id"),
    Impossible("responses", OTHERS["responses"], file_search, "file_search"),
    Impossible("chat", ("anthropic", "gemini", "converse"), suffix, "suffix"),
    Impossible("chat", ("gemini", "cohere"), token_ids, "token ids"),
    Impossible("gemini", OTHERS["gemini"], google_search, "google"),
    Impossible("gemini", OTHERS["gemini"], cached_content, "cachedContent"),
    Impossible("converse", OTHERS["converse"], guard_content, "guardContent"),
)
CELLS = [(one, upstream) for one in IMPOSSIBLE for upstream in one.upstreams]


NAMES = [f"{one.client}-{upstream}-{one.ask.__name__}" for one, upstream in CELLS]


@pytest.mark.parametrize(("one", "upstream"), CELLS, ids=NAMES)
def test_it_is_refused_in_clear_words(sdk_house: House, one: Impossible, upstream: str) -> None:
    before = len(sdk_house.fakes.bills.lines())
    client = sdk_house.clients[one.client]
    with pytest.raises(client.refusals[400]) as refused:
        one.ask(sdk(sdk_house, one.client), MODELS[upstream])
    assert one.says.lower() in str(refused.value).lower()
    assert len(sdk_house.fakes.bills.lines()) == before  # nothing was sent
