"""Where each provider's requests go, what is spoken there, and how they are authorised."""

import re
from typing import get_args

import pytest

from gw.config.upstream_model import Api, Auth, Dialect, Name
from gw.credentials.static import LINES
from gw.domain.quirks import Quirks
from gw.providers.place import Place
from gw.providers.provider import Operation
from gw.providers.registry import REGISTRY, provider_of, quirks_of
from gw.providers.usage_dialects import usage_from

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
LISTED = frozenset(OPERATIONS) - {"other"}


def somewhere(name: str, **more: object) -> Place:
    """A place that lacks nothing."""
    base_url = "http://h" if name in ("custom", "openai_compatible") else ""
    return Place(**{"provider": name, "region": "eu-west-1", "project": "p", "resource": "r", "base_url": base_url, **more})


PROFILE = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"
# (what the configuration says, model, operation, stream) -> the whole URL; "" = not served
REQUESTS = [
    ({"provider": "anthropic"}, "claude-opus-5-5", "messages", True, "https://api.anthropic.com/v1/messages"),
    ({"provider": "anthropic"}, "m", "count_tokens", False, "https://api.anthropic.com/v1/messages/count_tokens"),
    ({"provider": "anthropic"}, "", "models", False, "https://api.anthropic.com/v1/models"),
    ({"provider": "anthropic", "base_url": "http://h/v1"}, "m", "messages", False, "http://h/v1/messages"),
    ({"provider": "anthropic"}, "m", "embeddings", False, ""),
    ({"provider": "anthropic_aws"}, "m", "messages", False, "https://aws-external-anthropic.eu-west-1.api.aws/v1/messages"),
    ({"provider": "openai"}, "gpt-5.1", "messages", True, "https://api.openai.com/v1/responses"),
    ({"provider": "openai"}, "gpt-4o", "messages", True, "https://api.openai.com/v1/chat/completions"),
    ({"provider": "openai", "api": "chat"}, "gpt-5.1", "messages", True, "https://api.openai.com/v1/chat/completions"),
    ({"provider": "openai", "api": "responses"}, "gpt-4o", "messages", True, "https://api.openai.com/v1/responses"),
    ({"provider": "openai"}, "gpt-5.1", "count_tokens", False, "https://api.openai.com/v1/responses/input_tokens"),
    ({"provider": "openai"}, "text-embedding-3-small", "embeddings", False, "https://api.openai.com/v1/embeddings"),
    ({"provider": "openai"}, "gpt-3.5-turbo-instruct", "completions", True, "https://api.openai.com/v1/completions"),
    ({"provider": "azure"}, "prod", "messages", False, "https://r.openai.azure.com/openai/v1/chat/completions"),
    (
        {"provider": "azure", "deployments": {"prod": "gpt-5.1"}},
        "prod",
        "messages",
        False,
        "https://r.openai.azure.com/openai/v1/responses",
    ),
    (
        {"provider": "azure", "api_version": "2024-10-21"},
        "my dep/1",
        "messages",
        True,
        "https://r.openai.azure.com/openai/deployments/my%20dep%2F1/chat/completions?api-version=2024-10-21",
    ),
    (
        {"provider": "azure", "api_version": "2025-04-01-preview", "api": "responses"},
        "prod",
        "messages",
        True,
        "https://r.openai.azure.com/openai/responses?api-version=2025-04-01-preview",
    ),
    (
        {"provider": "azure", "api_version": "preview"},
        "e",
        "embeddings",
        False,
        "https://r.openai.azure.com/openai/v1/embeddings?api-version=preview",
    ),
    ({"provider": "azure"}, "gpt-5.1", "count_tokens", False, ""),
    ({"provider": "foundry"}, "claude-opus-5-5", "messages", True, "https://r.services.ai.azure.com/anthropic/v1/messages"),
    (
        {"provider": "foundry", "deployments": {"prod": "claude-sonnet-5"}, "base_url": "https://h/anthropic"},
        "prod",
        "count_tokens",
        False,
        "https://h/anthropic/v1/messages/count_tokens",
    ),
    ({"provider": "foundry"}, "gpt-5.1", "messages", True, "https://r.services.ai.azure.com/openai/v1/responses"),
    (
        {"provider": "bedrock"},
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "messages",
        True,
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
        "/invoke-with-response-stream",
    ),
    (
        {"provider": "bedrock"},
        "amazon.nova-pro-v1:0",
        "messages",
        True,
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse-stream",
    ),
    (
        {"provider": "bedrock", "deployments": {PROFILE: "anthropic.claude-x"}},
        PROFILE,
        "messages",
        False,
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/"
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fx/invoke",
    ),
    (
        {"provider": "bedrock", "api": "converse", "region": "cn-north-1"},
        "anthropic.claude-x",
        "messages",
        False,
        "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/anthropic.claude-x/converse",
    ),
    (
        {"provider": "bedrock", "api": "anthropic"},
        "anthropic.claude-x",
        "messages",
        True,
        "https://bedrock-mantle.eu-west-1.api.aws/anthropic/v1/messages",
    ),
    (
        {"provider": "bedrock", "api": "responses"},
        "openai.gpt-5.5",
        "messages",
        True,
        "https://bedrock-mantle.eu-west-1.api.aws/openai/v1/responses",
    ),
    (
        {"provider": "bedrock"},
        "amazon.titan-embed-text-v2:0",
        "embeddings",
        False,
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.titan-embed-text-v2%3A0/invoke",
    ),
    (
        {"provider": "vertex", "region": "us-east5"},
        "claude-sonnet-4-5@20250929",
        "messages",
        True,
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models/"
        "claude-sonnet-4-5%4020250929:streamRawPredict",
    ),
    (
        {"provider": "vertex", "region": ""},
        "claude-opus-5-5",
        "count_tokens",
        False,
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict",
    ),
    (
        {"provider": "vertex", "region": "eu"},
        "gemini-2.5-pro",
        "messages",
        True,
        "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/"
        "gemini-2.5-pro:streamGenerateContent?alt=sse",
    ),
    (
        {"provider": "vertex", "region": "global"},
        "publishers/google/models/gemini-2.5-pro",
        "count_tokens",
        False,
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-pro:countTokens",
    ),
    (
        {"provider": "vertex", "region": "us-east5"},
        "meta/llama-3.3-70b-instruct-maas",
        "messages",
        True,
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/endpoints/openapi/chat/completions",
    ),
    (
        {"provider": "gemini"},
        "models/gemini-2.5-flash",
        "messages",
        False,
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
    ),
    (
        {"provider": "gemini"},
        "gemini-embedding-001",
        "embeddings",
        False,
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-001:batchEmbedContents",
    ),
    (
        {"provider": "gemini", "api": "chat"},
        "gemini-2.5-flash",
        "messages",
        True,
        "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    ),
    ({"provider": "cohere"}, "command-a-03-2025", "messages", True, "https://api.cohere.com/v2/chat"),
    ({"provider": "cohere"}, "embed-v4.0", "embeddings", False, "https://api.cohere.com/v2/embed"),
    ({"provider": "cohere", "api": "chat"}, "c", "messages", True, "https://api.cohere.com/compatibility/v1/chat/completions"),
    ({"provider": "groq"}, "llama-3.3-70b-versatile", "messages", True, "https://api.groq.com/openai/v1/chat/completions"),
    ({"provider": "openrouter"}, "anthropic/claude-x", "messages", True, "https://openrouter.ai/api/v1/chat/completions"),
    ({"provider": "fireworks"}, "accounts/f/models/m", "messages", True, "https://api.fireworks.ai/inference/v1/chat/completions"),
    ({"provider": "ollama", "base_url": "http://box:11434/v1"}, "m", "embeddings", False, "http://box:11434/v1/embeddings"),
    ({"provider": "custom", "base_url": "http://h:1"}, "m", "messages", True, "http://h:1/v1/chat/completions"),
    ({"provider": "custom", "base_url": "http://h:1/x/v1"}, "m", "models", False, "http://h:1/x/v1/models"),
    (
        {"provider": "custom", "base_url": "https://api.deepseek.com/anthropic", "dialect": "anthropic"},
        "deepseek-v4-pro",
        "messages",
        True,
        "https://api.deepseek.com/anthropic/v1/messages",
    ),
    (
        {"provider": "custom", "base_url": "http://h", "dialect": "gemini"},
        "m",
        "messages",
        True,
        "http://h/v1beta/models/m:streamGenerateContent?alt=sse",
    ),
    ({"provider": "custom", "base_url": "http://h", "dialect": "converse"}, "m:1", "messages", True, "http://h/model/m%3A1/converse-stream"),
]


@pytest.mark.parametrize(("said", "model", "operation", "stream", "url"), REQUESTS)
def test_a_request_goes_there(said: dict[str, object], model: str, operation: Operation, stream: bool, url: str) -> None:
    place = somewhere(str(said["provider"]), **{name: value for name, value in said.items() if name != "provider"})
    provider = provider_of(place)
    assert list(provider.lacking(place)) == []
    dialect = provider.dialect(place, model, operation)
    assert bool(dialect) == bool(url)
    if url:
        method, path = provider.request_line(place, dialect, operation, model, stream)
        assert (place.base_url or provider.default_base_url(place)) + path.decode() == url
        assert method == (b"GET" if operation == "models" else b"POST")


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize("model", ["claude-opus-5-5", "anthropic.claude-x", "gpt-5.1", "gemini-2.5-pro", "meta/llama", "m"])
def test_what_is_said_to_be_served_has_a_line(name: str, model: str) -> None:
    for api in ("auto", *REGISTRY[name].apis):
        place = somewhere(name, api=api)
        for operation in LISTED:
            for client in ("", "anthropic", "chat", "responses", "gemini", "converse", "invoke", "cohere"):
                dialect = REGISTRY[name].dialect(place, model, operation, client)
                if dialect:
                    method, path = REGISTRY[name].request_line(place, dialect, operation, model, True, b"beta=true")
                    assert method in (b"GET", b"POST") and re.fullmatch(rb"/[!-~]*", path)


@pytest.mark.parametrize(
    ("name", "model", "client", "dialect"),
    [
        ("openai", "gpt-5.1", "chat", "chat"),
        ("openai", "gpt-4o", "responses", "responses"),
        ("openai", "gpt-5.1", "anthropic", "responses"),
        ("openai", "gpt-4o", "gemini", "chat"),
        ("bedrock", "anthropic.claude-x", "converse", "converse"),
        ("bedrock", "anthropic.claude-x", "anthropic", "invoke"),
        ("bedrock", "amazon.nova-pro-v1:0", "invoke", "invoke"),
        ("bedrock", "amazon.nova-pro-v1:0", "chat", "converse"),
        ("groq", "m", "responses", "responses"),
        ("mistral", "m", "responses", "chat"),
        ("groq", "m", "anthropic", "chat"),
    ],
)
def test_where_several_are_spoken_the_clients_is_taken(name: str, model: str, client: str, dialect: str) -> None:
    assert REGISTRY[name].dialect(somewhere(name), model, "messages", client) == dialect


def test_what_the_configuration_chooses_is_spoken_to_every_client() -> None:
    for client in ("chat", "responses", "anthropic"):
        assert REGISTRY["openai"].dialect(somewhere("openai", api="chat"), "gpt-5.1", "messages", client) == "chat"
        assert REGISTRY["bedrock"].dialect(somewhere("bedrock", api="converse"), "claude", "messages", client) == "converse"


@pytest.mark.parametrize("model", ["", ".", ".."])
@pytest.mark.parametrize("name", ["bedrock", "gemini", "azure"])
def test_a_model_that_would_lead_elsewhere_is_refused(name: str, model: str) -> None:
    place = somewhere(name, api_version="2024-10-21" if name == "azure" else "", api="auto")
    dialect = {"bedrock": "converse", "gemini": "gemini", "azure": "chat"}[name]
    with pytest.raises(ValueError, match="cannot be part of a path"):
        provider_of(place).request_line(place, dialect, "messages", model, False)


def test_a_clients_query_goes_on_without_its_credentials() -> None:
    place = somewhere("gemini")
    _, path = provider_of(place).request_line(place, "gemini", "messages", "m", True, b"key=AIza&alt=json&trace=1&KEY=x")
    assert path == b"/v1beta/models/m:streamGenerateContent?alt=sse&trace=1"
    _, path = REGISTRY["anthropic"].request_line(somewhere("anthropic"), "anthropic", "messages", "m", True, b"beta=true")
    assert path == b"/v1/messages?beta=true"
    _, path = REGISTRY["openai"].request_line(somewhere("openai"), "chat", "messages", "m", True, b"beta=true")
    assert path == b"/v1/chat/completions", "another API's option"


@pytest.mark.parametrize(
    ("name", "key"),
    [("azure", "resource"), ("foundry", "resource"), ("bedrock", "region"), ("vertex", "project"), ("custom", "base_url")],
)
def test_what_is_lacking_is_named(name: str, key: str) -> None:
    assert [found for found, _ in provider_of(Place(provider=name)).lacking(Place(provider=name))] == [key]


@pytest.mark.parametrize("name", REGISTRY)
def test_every_provider_can_be_configured_and_authorised(name: str) -> None:
    provider, place = REGISTRY[name], somewhere(name)
    assert name in get_args(Name) and len(get_args(Name)) == len(REGISTRY)
    assert provider.name == name or name == "openai_compatible"
    assert set(provider.apis) <= set(get_args(Api))
    assert provider.auth(place) in LINES and provider.auth(Place(provider=name, auth="bearer")) == "bearer"
    assert set(get_args(Auth)) - {""} <= LINES.keys()
    assert provider.credential(place) in ("key", "aws", "google", "azure", "none")
    assert (provider.credential(place) == "aws") == bool(provider.signing(place, "")[0])
    assert (provider.credential(place) == "none") == (provider.key_env == "") or name == "vertex"
    assert isinstance(provider.quirks(place, "chat", "m"), Quirks)
    assert [one for one in get_args(Dialect) if one]


@pytest.mark.parametrize("name", REGISTRY)
def test_only_successful_answers_that_were_made_are_billed(name: str) -> None:
    asked = [(status, one) for status in (199, 200, 299, 300, 400, 429, 500) for one in OPERATIONS]
    billed = [pair for pair in asked if REGISTRY[name].is_billed(*pair)]
    assert {status for status, _ in billed} == {200, 299}
    assert {one for _, one in billed} == set(OPERATIONS) - {"count_tokens", "models"}


def test_signatures_are_for_the_host_that_is_asked() -> None:
    services = {"auto": "bedrock", "converse": "bedrock", "anthropic": "bedrock-mantle", "chat": "bedrock-mantle"}
    for api, service in services.items():
        assert REGISTRY["bedrock"].signing(somewhere("bedrock", api=api), "") == (service, "eu-west-1")


def test_quirks_of_the_configuration_lie_over_the_providers() -> None:
    place = somewhere("groq")
    assert quirks_of(place, "chat", "m", {}).max_tokens_field == "max_completion_tokens"
    found = quirks_of(place, "chat", "m", {"max_tokens_field": "max_tokens", "images": False})
    assert (found.max_tokens_field, found.images, found.reasoning_field) == ("max_tokens", False, "reasoning")


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize(
    ("dialect", "usage"),
    [
        ("chat", {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}),
        ("responses", {"input_tokens": 10, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}),
        ("gemini", {"promptTokenCount": 10, "candidatesTokenCount": 3, "cachedContentTokenCount": 4}),
        ("anthropic", {"input_tokens": 6, "output_tokens": 3, "cache_read_input_tokens": 4}),
        ("converse", {"inputTokens": 6, "outputTokens": 3, "cacheReadInputTokens": 4}),
    ],
)
def test_usage_is_read_in_the_dialect_that_it_is_in_whoever_sent_it(name: str, dialect: str, usage: dict[str, object]) -> None:
    found, _ = usage_from(*REGISTRY[name].usage(dialect), usage)
    assert (found.input_tokens, found.cache_read_tokens, found.output_tokens) == (6, 4, 3)
