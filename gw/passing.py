"""Requests that pass to an upstream as they are: files, batches, images, audio, whatever a provider has beside conversations.

Only paths that gw.providers.passages names, to an upstream of the family that the client speaks; admitted like every call, as far
as that can be known before: rate limits, and no hard budget on the path that is spent. Where the answer tells what was used it is
priced; results of a batch are priced line by line, at the batch price, each once however often they are read (a row's id is made
of the result's).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

import orjson

from gw.answer import decoded
from gw.attempts import authorised
from gw.demand import Demand
from gw.deployment import Deployment
from gw.domain.usage import Reading, Usage
from gw.errors import Refusal
from gw.exchange import Outgoing, forward
from gw.providers.passages import Passage
from gw.providers.usage_dialects import usage_from
from gw.settle import Call
from gw.wire.asgi import Message, Receive, Send
from gw.worker import Worker

METERED_MAX = 64 * 1024 * 1024  # an answer larger than this is passed on unread


async def passage(worker: Worker, call: Call, demand: Demand, receive: Receive, send: Send) -> None:
    """Raises Refusal, UpstreamError."""
    found, path, deployment = _place(call, demand)
    door = demand.door
    call.deployment = deployment
    if call.snapshot.governed:
        worker.governor.admit_unweighed(call)
    head = demand.sent.head + deployment.lines(door.dialect or "anthropic", demand.sent.head)
    made = Outgoing(demand.method, path, head, demand.body)
    if call.own_credential:
        made = made._replace(head=head + deployment.own_login(demand.sent.credentials))
    else:
        made = made._replace(head=head + await authorised(deployment.accounts[0].credential, deployment, made, head))
    if found.usage:
        send = _Reader(worker, call, found, deployment, send).send
    elif door.family == "anthropic":
        send = _Homeward(send).send
    await forward(worker, call, made, receive, send)


def _place(call: Call, demand: Demand) -> tuple[Passage, bytes, Deployment]:
    """A client's own login is for the provider whose words it speaks, and not for whoever else has such paths. Raises Refusal
    (unknown_path, upstream_not_allowed, virtual_key_required)."""
    door, refused, foreign = demand.door, False, ""
    for one in call.snapshot.deployments:
        found = one.rules.passed(one.place, demand.method, door.path.encode(), demand.query)
        if found is None or found[0].family != door.family:
            continue
        if call.own_credential and one.provider != door.family:
            foreign = foreign or one.name
            continue
        if call.account.may_use_upstream(one.name):
            return *found, one
        refused = True
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


class _Reader:
    """Reads what an answer has used on its way to the client, and records it before the last byte goes out."""

    def __init__(self, worker: Worker, call: Call, found: Passage, deployment: Deployment, send: Send) -> None:
        self._worker = worker
        self._call = call
        self._found = found
        self._deployment = deployment
        self._send = send
        self._parts: list[bytes] = []
        self._size = 0
        self._encoding = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._encoding = dict(message["headers"]).get(b"content-encoding", b"")
            if message["status"] >= 300:
                self._size = METERED_MAX + 1
        elif self._size <= METERED_MAX:
            part = message.get("body", b"")
            self._parts.append(part)
            self._size += len(part)
            if not message.get("more_body", False):
                self._record(decoded(b"".join(self._parts), self._encoding) or b"")
        await self._send(message)

    def _record(self, body: bytes) -> None:
        found = self._found
        documents = body.splitlines() if found.usage == "lines" else [body]
        for line in documents:
            try:
                read = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            usage = _at(read, found.at)
            if isinstance(usage, dict) and usage:
                model = _at(read, found.model_at)
                self._charge(line, usage, model if isinstance(model, str) and model else self._call.sent_model)

    def _charge(self, line: bytes, usage: dict[str, Any], model: str) -> None:
        """A row of its own; the keeper charges its budgets."""
        call, deployment = self._call, self._deployment
        digest = blake2b(deployment.name.encode() + b"\0" + line, digest_size=12).hexdigest()
        one = Call(f"gw_b{digest}" if self._found.batch else self._worker.call_id(), "messages", call.snapshot, call.worker)
        one.account, one.deployment, one.values = call.account, deployment, call.values
        one.session_id, one.own_credential, one.dialect = call.session_id, call.own_credential, call.dialect
        one.status = one.upstream_status = 200
        one.served_model = one.sent_model = model
        one.batch = self._found.batch
        one.attempt_of = call.call_id
        one.sent = one.billed = True
        provider, _ = deployment.rules.usage(self._found.api or "chat")
        counted, one.charge_pusd = usage_from(provider, self._found.api, usage)
        one.terms = call.snapshot.book.terms(
            deployment.provider,
            deployment.name,
            deployment.region,
            deployment.place.model_behind(model),
            call.account.key_name,
            call.account.team,
            call.started_us,
        )
        one.reading = _whole(counted, model)
        self._worker.settle(one, "completed", "")


def _whole(usage: Usage, model: str) -> Reading:
    return Reading(usage=usage, started=True, finished=True, final_usage=True, model=model, content_empty=False)


def _at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value

