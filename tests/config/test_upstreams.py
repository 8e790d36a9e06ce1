"""[[upstream]]: every provider can be said, what it lacks is named, and what stood there before means what it meant."""

from pathlib import Path

import pytest
from msgspec.structs import fields

from gw.config.load import ConfigError, parse
from gw.config.model import Config, Upstream
from gw.config.upstream_model import EXAMPLES
from gw.domain.quirks import Quirks
from gw.providers.registry import REGISTRY

NEEDS = {
    "azure": 'resource = "r"',
    "foundry": 'resource = "r"',
    "bedrock": 'region = "us-east-1"',
    "vertex": 'project = "p"',
    "anthropic_aws": 'region = "us-east-1"\nproject = "wrkspc_1"',
    "custom": 'base_url = "http://127.0.0.1:8000"',
    "openai_compatible": 'base_url = "http://127.0.0.1:8000/v1"',
}
ONE = '[[upstream.credential]]\nname = "a"\n'


def upstream_of(text: str, environ: dict[str, str] | None = None) -> Upstream:
    return config_of(text, environ).upstream[0]


def config_of(text: str, environ: dict[str, str] | None = None) -> Config:
    return parse(f'[[upstream]]\nname = "u"\n{text}\n', "config.toml", Path(), environ or {}).config


def complaints(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        config_of(text, environ)
    return [str(problem).removeprefix("config.toml:") for problem in raised.value.problems]


def warned(text: str, environ: dict[str, str] | None = None) -> list[str]:
    loaded = parse(f'[[upstream]]\nname = "u"\n{text}\n', "config.toml", Path(), environ or {})
    return [f"{one.key}: {one.message}" for one in loaded.source.warnings if one.key.startswith("upstream")]


def test_what_stood_there_before_means_what_it_meant() -> None:
    old = 'provider = "anthropic"\nbase_url = "https://api.anthropic.com"\nauth = "x-api-key"\nregion = ""'
    now, before = upstream_of("", {"ANTHROPIC_API_KEY": "k"}), upstream_of(old, {"ANTHROPIC_API_KEY": "k"})
    assert (now.address, now.api_key.reveal(), now.provider) == (before.address, before.api_key.reveal(), before.provider)
    assert now.address == "https://api.anthropic.com"


@pytest.mark.parametrize("name", REGISTRY)
def test_every_provider_can_be_configured_with_the_key_that_its_own_tools_read(name: str) -> None:
    variable = REGISTRY[name].key_env
    upstream = upstream_of(f'provider = "{name}"\n{NEEDS.get(name, "")}', {variable: "a-key"} if variable else {})
    assert upstream.address.startswith("http")
    assert upstream.api_key.reference == (f"env:{variable}" if variable else "")
    assert upstream.authorised
    assert bool(upstream.api_key) == bool(variable)


def test_no_provider_is_ever_sent_anothers_key() -> None:
    environ = {"ANTHROPIC_API_KEY": "secret-of-anthropic"}
    for name in REGISTRY:
        upstream = upstream_of(f'provider = "{name}"\n{NEEDS.get(name, "")}', environ)
        assert bool(upstream.api_key) == (name == "anthropic")


def test_a_key_that_is_given_is_taken() -> None:
    assert upstream_of('provider = "groq"\napi_key = "env:MINE"', {"MINE": "m", "GROQ_API_KEY": "g"}).api_key.reveal() == "m"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            'provider = "bedrock"',
            '1: upstream.region: is required, such as "us-east-1": it is part of the address, the signature and the price',
        ),
        ('provider = "vertex"', "1: upstream.project: is required: the id of the Google Cloud project"),
        (
            'provider = "azure"',
            "1: upstream.resource: is required: the first part of the host openai.azure.com; or give base_url",
        ),
        ('provider = "custom"', "1: upstream.base_url: is required: a custom provider has no address of its own"),
        ('provider = "grok"', None),
        (
            'dialect = "chat"',
            '3: upstream.dialect: is for custom providers; what "anthropic" speaks is known, and api chooses where it can',
        ),
        ('provider = "openai"\napi = "converse"', '4: upstream.api: "openai" knows "auto", "chat", "responses", not "converse"'),
        (
            'provider = "openai_compatible"\nbase_url = "http://127.0.0.1:1"\ndialect = "gemini"',
            '5: upstream.dialect: is not OpenAI\'s; write provider = "custom" for one that speaks gemini',
        ),
        ('model_map = { "a*" = "b*c*" }', '3: upstream.model_map: "b*c*" has a * for which "a*" has none'),
        (
            'model_map = { "a[1m]" = "b" }',
            '3: upstream.model_map: pattern "a[1m]": only * and ? are special, brackets are not supported',
        ),
        ('model_map = { "a" = 5 }', "3: upstream.model_map: must hold names of at most 300 characters in quotes, not 5"),
        (
            'deployments = { "a*" = "b" }',
            '3: upstream.deployments: "a*": patterns are for model_map, a deployment is named in full',
        ),
        (
            "quirks = { parallel_tool = false }",
            '3: upstream.quirks: "parallel_tool" is no quirk that gw knows; did you mean "parallel_tools"?',
        ),
        ('quirks = { images = "no" }', '3: upstream.quirks: images must be true or false, not "no"'),
        ("quirks = { max_tokens_most = 1.5 }", "3: upstream.quirks: max_tokens_most must be a whole number, not 1.5"),
        ('quirks = { fields_dropped = "x" }', '3: upstream.quirks: fields_dropped must be a list such as ["a"], not "x"'),
        ("max_retries = 11", "3: upstream.max_retries: must be 0 to 10, not 11"),
        (
            '[[upstream.credential]]\nname = "a"\napi_key = "k"\n[[upstream.credential]]\nname = "a"\napi_key = "l"',
            '7: upstream.credential.name: duplicate name "a" within the upstream "u"',
        ),
        (
            '[[upstream.credential]]\nname = "a"',
            '3: upstream.credential.api_key: is required: "anthropic" knows no other credential',
        ),
        (
            'provider = "openai"\n[[upstream.credential]]\nname = "a"\napi_key = "k"\naws_profile = "p"',
            '7: upstream.credential.aws_profile: means nothing to the provider "openai"',
        ),
        (
            'provider = "bedrock"\nregion = "r"\n[[upstream.credential]]\nname = "a"\naws_access_key_id = "AKIA"',
            "7: upstream.credential.aws_access_key_id: wants aws_secret_access_key beside it",
        ),
        (
            'provider = "bedrock"\nregion = "r"\n[[upstream.credential]]\nname = "a"\napi_key = "k"\naws_profile = "p"',
            '5: upstream.credential: credential "a" has an api_key and aws_profile; keep one of the two',
        ),
        (
            f'provider = "vertex"\nproject = "p"\n{ONE}google_credentials_file = "/nowhere/x.json"',
            "7: upstream.credential.google_credentials_file: there is no file /nowhere/x.json",
        ),
        (
            f'provider = "foundry"\nresource = "r"\n{ONE}azure_client_id = "c"\nazure_client_secret = "env:S"',
            "8: upstream.credential.azure_client_secret: environment variable S is not set or empty",
        ),
    ],
)
def test_a_mistake_is_named_with_what_to_do(text: str, complaint: str | None) -> None:
    said = complaints(text)
    if complaint is None:
        assert len(said) == 1 and "upstream.provider: must be one of" in said[0] and said[0].endswith('; did you mean "groq"?')
    else:
        assert complaint in said


def test_a_missing_key_is_a_warning_that_names_the_variable() -> None:
    assert warned('provider = "groq"') == [
        "upstream.api_key: environment variable GROQ_API_KEY is not set or empty: virtual keys cannot use this upstream"
    ]


@pytest.mark.parametrize("name", ["bedrock", "vertex", "azure", "foundry", "ollama", "custom"])
def test_what_needs_no_key_warns_of_none(name: str) -> None:
    assert warned(f'provider = "{name}"\n{NEEDS.get(name, "")}') == []


def test_several_credentials_take_the_place_of_the_key() -> None:
    text = f'{ONE}api_key = "env:A"\nweight = 3\n[[upstream.credential]]\nname = "b"\napi_key = "env:B"'
    upstream = upstream_of(text, {"A": "one"})
    assert [(one.name, one.weight, bool(one.api_key)) for one in upstream.credential] == [("a", 3, True), ("b", 1, False)]
    assert upstream.authorised
    assert warned(text, {"A": "one"}) == [
        "upstream.credential.api_key: environment variable B is not set or empty: this credential is not used"
    ]
    assert warned('api_key = "env:C"\n' + text, {"A": "one", "B": "two", "C": "three"}) == [
        "upstream.api_key: is not used: the upstream has [[upstream.credential]]"
    ]


def test_a_virtual_key_needs_an_upstream_that_has_something_to_send() -> None:
    key = '\n[[key]]\nname = "k"\nsecret_hash = "' + "0" * 64 + '"'
    assert config_of('provider = "bedrock"\nregion = "us-east-1"' + key).key
    assert config_of('provider = "ollama"' + key).key
    assert complaints('provider = "groq"' + key) == [
        '1: upstream.api_key: environment variable GROQ_API_KEY is not set or empty, and key "k" needs it'
    ]
    several = '[[upstream.credential]]\nname = "a"\napi_key = "env:A"'
    assert complaints(several + key) == [
        '5: upstream.credential.api_key: environment variable A is not set or empty, and key "k" needs it'
    ]


def test_every_quirk_can_be_set() -> None:
    said = ", ".join(f"{one.name} = {_toml({} if one.default_factory is dict else one.default)}" for one in fields(Quirks))
    found = upstream_of(f"quirks = {{ {said} }}").quirks
    assert found.keys() == {one.name for one in fields(Quirks)}
    assert Quirks(**found) == Quirks(extra={"a": 1})


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ a = 1 }"
    return "[]" if isinstance(value, tuple) else repr(value).replace("'", '"')


def test_examples_say_what_they_claim() -> None:
    config = parse(EXAMPLES["upstream"], "config.toml", Path(), {"LAB_KEY": "k", "ANTHROPIC_KEY_MAIN": "m"}).config
    by_name = {one.name: one for one in config.upstream}
    assert by_name["lab"].place.base_url == "http://127.0.0.1:8000/v1"
    assert by_name["azure"].place.model_behind("prod-chat") == "gpt-5.1"
    assert [one.weight for one in by_name["anthropic"].credential] == [2, 1]


def test_no_secret_of_a_credential_is_printed() -> None:
    text = f'provider = "bedrock"\nregion = "r"\n{ONE}aws_access_key_id = "AKIA"\naws_secret_access_key = "very-secret"'
    upstream = upstream_of(text)
    assert "very-secret" not in repr(upstream)
    assert any("aws_secret_access_key: the secret stands in the file itself" in one for one in warned(text))


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_an_address_may_end_in_v1_or_not(end: str) -> None:
    upstream = upstream_of(f'base_url = "https://proxy.example/claude{end}"')
    assert upstream.address == upstream.place.base_url == "https://proxy.example/claude"
