"""What clients ask beside conversations: which models there are, and how many tokens a request has.

With a route, an alias or an upstream of another dialect no upstream alone knows the answer: then gw gives its own. The list has
what the configuration names; a count that the upstream cannot make is estimated as calls are, and says so in `x-gw-estimated`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from gw._fast import weigh
from gw.demand import Demand
from gw.domain.estimate import tokens_of
from gw.settle import Call
from gw.translate import model_lists
from gw.translate.gemini_count import write_count
from gw.wire.asgi import Send
from gw.worker import Worker

IMAGE_TOKENS, DOCUMENT_TOKENS = 1600, 4600


def names_of(call: Call) -> list[str]:
    """Models that the configuration names and this account may ask for, each once: routes, then upstreams."""
    snapshot, account = call.snapshot, call.account
    found = [one.model for one in snapshot.config.route]
    for place in snapshot.deployments:
        if account.may_use_upstream(place.name):
            found += place.models
            found += place.named
    plain = (name for name in found if not any(mark in name for mark in "*?["))
    return [name for name in dict.fromkeys(plain) if account.may_use_model(name)]


async def tell_models(worker: Worker, call: Call, demand: Demand, send: Send) -> None:
    shape, _ = model_lists.SHAPES[demand.door.dialect or "anthropic"]
    await reply(worker, call, shape(model_lists.Model(name) for name in names_of(call)), send)


async def tell_count(worker: Worker, call: Call, demand: Demand, send: Send) -> None:
    """An estimate."""
    weight = weigh(demand.weighed)
    total = tokens_of(weight.text_bytes, demand.model) + IMAGE_TOKENS * weight.images + DOCUMENT_TOKENS * weight.documents
    body = write_count(total) if demand.door.dialect == "gemini" else {"input_tokens": total}
    await reply(worker, call, body, send, [(b"x-gw-estimated", b"true")])


async def reply(
    worker: Worker, call: Call, body: Any, send: Send, more: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """gw's own answer, and its record before it."""
    written = orjson.dumps(body)
    call.status = 200
    call.response_bytes = len(written)
    worker.settle(call, "completed", "")
    gw_id = call.call_id.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(written)),
        (b"request-id", gw_id),
        (b"x-gw-call-id", gw_id),
        *more,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": written, "more_body": False})
