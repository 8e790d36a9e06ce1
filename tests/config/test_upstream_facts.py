"""What is said of an upstream's table: its dialects, and where its credentials come from, never what they are."""

from pathlib import Path

import pytest

from gw.config.load import parse
from gw.config.upstream_facts import credentials_of, dialects_of
from gw.config.upstream_model import Upstream


def upstream(text: str, **environ: str) -> Upstream:
    return parse(f'[[upstream]]\nname = "one"\n{text}', "config.toml", Path(), environ).config.upstream[0]


@pytest.mark.parametrize(
    ("text", "dialects"),
    [
        ("", ("anthropic",)),
        ('provider = "openai"', ("chat", "responses")),
        ('provider = "openai"\napi = "chat"', ("chat",)),
        ('provider = "deepseek"', ("chat",)),
        ('provider = "gemini"', ("gemini",)),
        ('provider = "bedrock"\nregion = "us-east-1"\nmodels = ["amazon.nova-*"]\napi = "converse"', ("converse",)),
        ('provider = "vertex"\nproject = "p"', ("anthropic", "chat", "gemini")),
        ('provider = "vertex"\nproject = "p"\nmodels = ["gemini-*"]', ("gemini",)),
        (
            'provider = "vertex"\nproject = "p"\nmodels = ["best"]\nmodel_map = { "best" = "claude-opus-5-5" }',
            ("anthropic", "gemini"),
        ),
        ('provider = "custom"\nbase_url = "http://127.0.0.1:9"\ndialect = "cohere"', ("cohere",)),
    ],
)
def test_dialects_are_those_of_the_models_that_it_serves(text: str, dialects: tuple[str, ...]) -> None:
    assert dialects_of(upstream(text)) == dialects


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ("", "env:ANTHROPIC_API_KEY", False, 1)),
        ('api_key = "env:THERE"', ("", "env:THERE", True, 1)),
        ('provider = "ollama"', ("", "none needed", True, 1)),
        ('provider = "bedrock"\nregion = "us-east-1"', ("", "AWS: as AWS's tools find it", None, 1)),
        ('provider = "vertex"\nproject = "p"', ("", "Google: Application Default Credentials", None, 1)),
        ('provider = "azure"\nresource = "r"', ("", "Entra ID: as the tools of Azure find it", None, 1)),
        ('[[upstream.credential]]\nname = "a"\napi_key = "env:THERE"\nweight = 3', ("a", "env:THERE", True, 3)),
        (
            'provider = "bedrock"\nregion = "us-east-1"\n[[upstream.credential]]\nname = "a"\naws_profile = "work"\n'
            'aws_role_arn = "arn:aws:iam::1:role/gw"',
            ("a", "AWS: profile work, as arn:aws:iam::1:role/gw", None, 1),
        ),
    ],
)
def test_credentials_are_named_by_where_they_come_from(text: str, said: tuple[str, str, bool | None, int]) -> None:
    (found,) = credentials_of(upstream(text, THERE="sk-hidden"))
    assert found == said and "hidden" not in repr(found)
