"""Upstreams, accounts and configurations for tests of routing."""

from pathlib import Path
from typing import NamedTuple

from gw.config.load import parse
from gw.domain.account import Account
from gw.routes import router_of
from gw.routing.asked import Asked
from gw.routing.routes import RatesOf, Router, no_rates


class Up(NamedTuple):
    name: str
    provider: str = "anthropic"
    models: tuple[str, ...] = ("*",)


ONE, TWO, GROQ = Up("one", models=("claude-*",)), Up("two"), Up("groq", "custom", ("llama-*",))
PLACES = (ONE, TWO, GROQ)
HEAD = """
[[upstream]]
name = "one"
models = ["claude-*"]
[[upstream]]
name = "two"
[[upstream]]
name = "groq"
provider = "custom"
base_url = "https://llama.example"
models = ["llama-*"]
"""
KEY = Account(key_id="k1", key_name="ci", team="platform", customer="acme")


def router(text: str = "", rates: RatesOf = no_rates) -> Router:
    """Of the tables in `text`, beside three upstreams: one (claude-*), two (anything), groq (llama-*)."""
    return router_of(parse(HEAD + text, "config.toml", Path("/base"), {}).config, PLACES, rates)


def sent(text: str, model: str, account: Account = KEY, **facts: object) -> list[tuple[str, str]]:
    """Where a call for `model` goes, in order, and as what."""
    found = router(text).decide(account, Asked(model=model, **facts))  # type: ignore[arg-type]
    return [(one.deployment, one.model) for one in found.candidates]
