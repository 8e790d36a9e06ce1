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
ALL = ("*",)


def plan(account: Account, model: str | None, deployments: Sequence[R]) -> R:
    """The deployment for this account and model (None: an endpoint without a model).

    Raises Refusal: model_not_allowed, upstream_not_allowed (400), no_route (404).
    """
    allowed = model is None or account.any_model or account.may_use_model(model)
    for one in deployments if allowed else ():
        serves = model is None or one.models == ALL or matches_any(model, one.models)
        if serves and (account.any_upstream or account.may_use_upstream(one.name)):
            return one
    raise _refusal(account, model, deployments)


def _refusal(account: Account, model: str | None, deployments: Sequence[R]) -> Refusal:
    """Why no deployment can serve it."""
    if model is not None and not account.may_use_model(model):
        return Refusal(
            "model_not_allowed",
            f'The virtual key "{account.key_name}" may not use the model "{model}". '
            f"It may use: {', '.join(account.models)}. Choose one with /model.",
        )
    serving = [one for one in deployments if model is None or matches_any(model, one.models)]
    if not serving:
        known = ", ".join(sorted({glob for one in deployments for glob in one.models})) or "none"
        return Refusal("no_route", f'No upstream of this gateway serves the model "{model}". Served: {known}.')
    names = ", ".join(one.name for one in serving)
    return Refusal(
        "upstream_not_allowed", f'The virtual key "{account.key_name}" may not use the upstream that serves this model ({names}).'
    )
