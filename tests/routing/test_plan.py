"""The first configured upstream that serves the model and that the key may use; else a refusal that says what to do."""

from typing import NamedTuple

import pytest

from gw.domain.account import Account
from gw.errors import Refusal
from gw.routing.plan import plan


class Place(NamedTuple):
    name: str
    models: tuple[str, ...] = ("*",)


A, B, ANY = Place("a", ("claude-opus-*",)), Place("b", ("claude-*",)), Place("any")
KEY = Account(key_id="k", key_name="k")

PLANNED = [
    ("claude-opus-5-5", {}, [A, B, ANY], "a"),
    ("claude-haiku-5-5", {}, [A, B, ANY], "b"),
    ("groq/llama", {}, [A, B, ANY], "any"),
    ("claude-opus-5-5", {}, [ANY, A], "any"),
    ("claude-opus-5-5", {"upstreams": ("b",)}, [A, B, ANY], "b"),
    ("claude-opus-5-5", {"upstreams": ("an*",)}, [A, B, ANY], "any"),
    ("claude-opus-5-5", {"models": ("claude-haiku-*", "claude-opus-*")}, [A], "a"),
    (None, {}, [A, B], "a"),
    (None, {"models": ("claude-haiku-*",), "upstreams": ("b",)}, [A, B], "b"),
]


@pytest.mark.parametrize(("model", "limits", "places", "name"), PLANNED)
def test_first_fit_in_the_order_of_the_configuration(
    model: str | None, limits: dict[str, tuple[str, ...]], places: list[Place], name: str
) -> None:
    assert plan(Account(key_id="k", key_name="k", **limits), model, places).name == name


REFUSED = [
    ("claude-opus-5-5", {"models": ("claude-haiku-*",)}, [A, B], "model_not_allowed", "claude-haiku-*"),
    ("Claude-Opus-5-5", {"models": ("claude-opus-*",)}, [ANY], "model_not_allowed", "Claude-Opus-5-5"),
    ("claude-opus-5-5", {"upstreams": ("c",)}, [A, B], "upstream_not_allowed", "a, b"),
    ("gpt-9", {}, [A, B], "no_route", "claude-*, claude-opus-*"),
    ("gpt-9", {}, [], "no_route", "none"),
    ("gpt-9", {"models": ("claude-*",)}, [A], "model_not_allowed", "/model"),
]


@pytest.mark.parametrize(("model", "limits", "places", "slug", "says"), REFUSED)
def test_what_cannot_be_served_is_refused_with_what_can(
    model: str, limits: dict[str, tuple[str, ...]], places: list[Place], slug: str, says: str
) -> None:
    with pytest.raises(Refusal) as caught:
        plan(Account(key_id="k", key_name="k", **limits), model, places)
    assert caught.value.slug == slug and says in caught.value.message


def test_the_keys_limits_come_before_the_routes() -> None:
    """A key must not learn what is served by asking for what it may not have."""
    with pytest.raises(Refusal) as caught:
        plan(Account(key_id="k", key_name="k", models=("x",)), "secret-model", [Place("a", ("y",))])
    assert caught.value.slug == "model_not_allowed"
