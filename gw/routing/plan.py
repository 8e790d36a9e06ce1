"""Which deployment serves a call. Pure: candidates in the order of the configuration, first fit wins."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gw.domain.account import Account, matches_any
from gw.errors import Refusal


class Routable(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def models(self) -> tuple[str, ...]: ...


R = TypeVar("R", bound=Routable)


def plan(account: Account, model: str | None, deployments: Sequence[R]) -> R:
    """The deployment for this account and model (None: an endpoint without a model).

    Raises Refusal: model_not_allowed, upstream_not_allowed (400), no_route (404).
    """
    if model is not None and not account.may_use_model(model):
        raise Refusal(
            "model_not_allowed",
            f'The virtual key "{account.key_name}" may not use the model "{model}". '
            f"It may use: {', '.join(account.models)}. Choose one with /model.",
        )
    serving = [one for one in deployments if model is None or matches_any(model, one.models)]
    if not serving:
        known = ", ".join(sorted({glob for one in deployments for glob in one.models})) or "none"
        raise Refusal("no_route", f'No upstream of this gateway serves the model "{model}". Served: {known}.')
    for one in serving:
        if account.may_use_upstream(one.name):
            return one
    names = ", ".join(one.name for one in serving)
    raise Refusal(
        "upstream_not_allowed", f'The virtual key "{account.key_name}" may not use the upstream that serves this model ({names}).'
    )
