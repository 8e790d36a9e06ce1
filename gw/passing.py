"""Requests that pass to an upstream as they are: files, batches, images, audio, whatever a provider has beside conversations.

Only paths that gw.providers.passages names, to an upstream of the family that the client speaks; admitted like every call, as far
as that can be known before: the models that it names, rate limits, and no hard budget on the path that is spent. Where the answer
tells what was used it is priced (gw.passing_usage).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gw import clock
from gw.attempts import authorised, no_credential
from gw.credentials.credential import CredentialError
from gw.demand import Demand
from gw.deployment import Deployment, Keyed
from gw.errors import Refusal
from gw.exchange import NEVER, Outgoing, Turned, forward
from gw.passing_models import model_of
from gw.passing_usage import UsageReader
from gw.preparing import OWN_AT, straight
from gw.providers.passages import Passage
from gw.settle import Call
from gw.wire.asgi import Message, Receive, Send
from gw.worker import Worker

NOT_THERE = frozenset({404})
ASKED_MAX = 8  # accounts that are asked for one thing


class Place(NamedTuple):
    """`path`: as it goes upstream."""

    passage: Passage
    path: bytes
    deployment: Deployment
    keyed: Keyed


async def passage(worker: Worker, call: Call, demand: Demand, receive: Receive, send: Send) -> None:
    """What asks for something that was made before (a batch, a file) asks each account in turn until one knows it: who has made
    it is not written down anywhere. Raises Refusal, UpstreamError."""
    places = _places(call, demand)
    asked = model_of(demand, call.account, call.snapshot.body_bytes_max, needed=places[0].passage.usage == "body")
    while True:
        place = places.pop(0)
        began_us = clock.wall_us()
        try:
            return await _ask(worker, call, demand, place, asked, NOT_THERE if places else NEVER, receive, send)
        except Turned:
            name, ms = place.deployment.name, (clock.wall_us() - began_us) // 1000
            call.attempts = [*(call.attempts or ()), (name, 404, "upstream_not_found_error", ms)]


async def _ask(  # noqa: PLR0917 - one attempt's whole surroundings
    worker: Worker,
    call: Call,
    demand: Demand,
    place: Place,
    asked: str,
    again: frozenset[int],
    receive: Receive,
    send: Send,
) -> None:
    """Raises Refusal, UpstreamError, Turned."""
    found, path, deployment, keyed = place
    door = demand.door
    if call.deployment is not deployment:
        call.deployment, call.who, call.who_columns = deployment, None, None
        if call.snapshot.governed:
            worker.governor.admit_unweighed(call)
    head = straight(demand.sent.head)
    head += deployment.lines(door.dialect or "anthropic", head)
    made = Outgoing(demand.method, path, head, demand.body, again=again)
    if call.own_credential:
        made.head = head + deployment.own_login(demand.sent.credentials)
    else:
        try:
            made.head = head + await authorised(keyed.credential, deployment, made)
        except CredentialError as error:
            raise no_credential(error) from error
    if found.usage:
        send = UsageReader(worker, call, found, deployment, asked, send).send
    elif door.family == "anthropic":
        send = _Homeward(send).send
    await forward(worker, call, made, receive, send)


def _places(call: Call, demand: Demand) -> list[Place]:
    """One at least, and only one for what makes something. A client's own login is for the provider whose words it speaks, and
    only where no upstream is that for whoever says to be like it. Raises Refusal (unknown_path, upstream_not_allowed,
    virtual_key_required)."""
    door, refused, foreign = demand.door, False, ""
    places: list[Place] = []
    for one in call.snapshot.deployments:
        found = one.rules.passed(one.place, demand.method, door.path.encode(), demand.query)
        if found is None or found[0].family != door.family:
            continue
        if call.own_credential and one.provider not in (door.family, *OWN_AT.get(door.family, ())):
            foreign = foreign or one.name
        elif call.account.may_use_upstream(one.name):
            places += [Place(*found, one, keyed) for keyed in one.accounts]
        else:
            refused = True
    if places:
        if call.own_credential:
            return [next((one for one in places if one.deployment.provider == door.family), places[0])]
        makes = demand.body or demand.method not in (b"GET", b"HEAD", b"POST", b"DELETE")
        return places[: 1 if makes else ASKED_MAX]
    if foreign:
        raise Refusal(
            "virtual_key_required",
            f'{door.path[:200]} is served by "{foreign}" here, for which your own login is not meant. '
            "Use a virtual key of this gateway (gwk_...).",
        )
    if refused:
        key = call.account.key_name
        raise Refusal("upstream_not_allowed", f'The virtual key "{key}" may not use the upstream of {door.path[:200]}.')
    raise Refusal("unknown_path", f"Nothing is served at {door.path[:200]}: no upstream of this gateway has it.")


_RESULTS_URL = re.compile(rb'("results_url"\s*:\s*")https?://[^"]*?(/v1/messages/batches/)')


class _Homeward:
    """Keeps a client from being led past gw, with its virtual key, and what it reads there from not being metered: the address of
    a batch's results becomes a path, which SDKs resolve against the address that they were given for the provider."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            body, headers = message.get("body", b""), start["headers"]
            if not message.get("more_body", False) and all(name != b"content-encoding" for name, _ in headers):
                body = _RESULTS_URL.sub(rb"\1\2", body)
                headers = [(name, b"%d" % len(body) if name == b"content-length" else value) for name, value in headers]
                message = {**message, "body": body}
            await self._send({**start, "headers": headers})
        await self._send(message)
