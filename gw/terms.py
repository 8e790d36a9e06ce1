"""At what price a call is made."""

from __future__ import annotations

from gw.deployment import Deployment
from gw.errors import Refusal
from gw.settle import Call


def price(call: Call, model: str, deployment: Deployment) -> None:
    """A virtual key may not spend at an unknown price, unless the configuration says so."""
    call.charged_us = call.started_us
    snapshot, account = call.snapshot, call.account
    call.terms = snapshot.book.terms(
        deployment.provider, deployment.name, deployment.region, model, account.key_name, account.team, call.started_us
    )
    needs_price = snapshot.key_needs_price if account.key_id else snapshot.passthrough_needs_price
    if needs_price and not call.terms.known:
        raise Refusal(
            "model_unpriced",
            f'The price of the model "{model}" is not known, so it cannot be charged to a virtual key. '
            "Choose another with /model, or ask your gateway administrator to add a [[pricing.override]] for it.",
        )
