"""Which models there are. With a route, an alias or an upstream of another dialect no upstream alone knows: then gw says what its
configuration names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from gw.demand import Demand
from gw.settle import Call
from gw.translate import model_lists
from gw.wire.asgi import Send
from gw.worker import Worker


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
