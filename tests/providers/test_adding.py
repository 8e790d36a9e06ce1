"""docs/providers.md: what it says of adding a provider is done here, and what it lists is what there is."""

import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from gw.clock import wall_us
from gw.config.load import parse
from gw.deployment import Deployment
from gw.domain.quirks import Quirks
from gw.prices import book_of
from gw.providers.place import Place
from gw.providers.provider import Provider
from gw.providers.registry import REGISTRY, provider_of

PAGE = (Path(__file__).parents[2] / "docs/providers.md").read_text()


def block(language: str, of: str) -> str:
    """The first block of the language that has these words."""
    return next(found for found in re.findall(rf"(?ms)^```{language}\n(.*?)^```", PAGE) if of in found)


async def test_one_block_of_the_configuration_adds_a_provider() -> None:
    config = parse(block("toml", "[[upstream]]"), "config.toml", Path(), {"LAB_KEY": "secret"}).config
    lab = Deployment(config.upstream[0])
    model = lab.model_sent("lab/llama-5")
    assert model == "llama-5"
    dialect = lab.rules.dialect(lab.place, model, "messages", "anthropic")
    method, path = lab.rules.request_line(lab.place, dialect, "messages", model, True)
    assert (lab.target.host, lab.target.prefix + path) == ("llm.lab.example", b"/v1/chat/completions")
    assert (method, lab.credential) == (b"POST", b"authorization: Bearer secret\r\n")
    quirks = lab.quirks(dialect, model)
    book = book_of(config.pricing, None)
    assert book.knows(provider="custom", upstream="lab", region="", model=model, at_us=wall_us())
    assert (quirks.max_tokens_field, quirks.parallel_tools, quirks.json_schema) == ("max_tokens", False, True)


async def test_one_file_adds_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, type] = {}
    exec(compile(block("python", "class Acme"), "acme.py", "exec"), written)
    acme: Provider = written["Acme"]()
    monkeypatch.setitem(REGISTRY, acme.name, acme)
    place = Place(provider="acme", region="us")
    provider = provider_of(place)
    assert list(provider.lacking(place)) == []
    assert provider.default_base_url(place) == "https://us.acme.example"
    assert provider.request_line(place, provider.dialect(place, "m", "messages"), "messages", "m", True) == (
        b"POST",
        b"/llm/v2/chat/completions",
    )
    assert (provider.auth(place), provider.credential(place), provider.key_env) == ("bearer", "key", "ACME_API_KEY")
    assert provider.dialect(place, "m", "embeddings") == ""
    assert provider.usage("chat") == ("acme", "chat") and provider.is_billed(200, "messages")


def test_every_provider_is_on_the_page() -> None:
    assert [name for name in REGISTRY if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("quirk", fields(Quirks), ids=[one.name for one in fields(Quirks)])
def test_every_quirk_is_on_the_page_with_its_default(quirk) -> None:
    rows = [line for line in PAGE.splitlines() if re.match(rf"\| [^|]*`{quirk.name}`", line)]
    assert len(rows) == 1
    default = {} if quirk.default_factory is dict else quirk.default
    shown = str(default).lower() if isinstance(default, bool) else "[]" if default == () else f'"{default}"'
    assert (shown if not isinstance(default, int | dict) or isinstance(default, bool) else str(default)) in rows[0]
