"""The table of providers."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from gw.domain.quirks import Quirks
from gw.providers.anthropic import Anthropic, AnthropicAws
from gw.providers.azure import Azure, Foundry
from gw.providers.bedrock import Bedrock
from gw.providers.cohere import Cohere
from gw.providers.compatible import COMPATIBLE
from gw.providers.custom import Custom, Tabled
from gw.providers.gemini import Gemini
from gw.providers.openai import OpenAI
from gw.providers.place import Place
from gw.providers.provider import Provider
from gw.providers.vertex import Vertex

REGISTRY: dict[str, Provider] = {
    "anthropic": Anthropic(),
    "anthropic_aws": AnthropicAws(),
    "openai": OpenAI(),
    "azure": Azure(),
    "foundry": Foundry(),
    "bedrock": Bedrock(),
    "vertex": Vertex(),
    "gemini": Gemini(),
    "cohere": Cohere(),
    **{name: Tabled(name, row) for name, row in COMPATIBLE.items()},
    "openai_compatible": Custom(),
    "custom": Custom(),
}


def provider_of(place: Place) -> Provider:
    return REGISTRY[place.provider]


def quirks_of(place: Place, dialect: str, model: str, given: Mapping[str, Any]) -> Quirks:
    """The provider's, with those that the configuration gives laid over them."""
    return replace(provider_of(place).quirks(place, dialect, model), **given)
