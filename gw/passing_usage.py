"""Reads what an answer has used that passes as it is, on its way to the client, and records it before the last byte goes out.

A JSON document, lines of JSON (results of a batch), events (images and speech that stream), or a batch that has its results
within. Lines and events are read as they come, so a file of any size is. A batch's results are priced at the batch price, each
once however often they are read: a row's id is made of the result's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import orjson
from msgspec.structs import replace

from gw.deployment import Deployment
from gw.domain.usage import Reading
from gw.providers.passages import Passage
from gw.providers.usage_dialects import usage_from
from gw.settle import Call
from gw.translate.loose import loaded
from gw.translation import Inflater
from gw.wire.asgi import Message, Send
from gw.worker import Worker

log = logging.getLogger("gw.passing")

METERED_MAX = 64 * 1024 * 1024  # of one document, line or event; what is larger cannot be priced
STEP = 64 * 1024  # of compressed bytes


class UsageReader:
    """`asked`: the model that the request has named. Between the gateway and its client: `send` stands for the client's."""

    def __init__(  # noqa: PLR0917 - all that a row of its own needs
        self, worker: Worker, call: Call, found: Passage, deployment: Deployment, asked: str, send: Send
    ) -> None:
        self._worker = worker
        self._call = call
        self._found = found
        self._deployment = deployment
        self._asked = asked
        self._send = send
        self._rest = bytearray()
        self._by_lines = found.usage == "lines"
        self._events = self._deaf = False
        self._inflater: Inflater | None = None
        self._charged: set[str] = set()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            encoding = headers.get(b"content-encoding", b"").strip().lower()
            self._inflater = Inflater(encoding) if encoding not in (b"", b"identity") else None
            self._events = headers.get(b"content-type", b"").startswith(b"text/event-stream")
            self._by_lines = self._by_lines or self._events
            self._deaf = message["status"] >= 300
        elif not self._deaf:
            self._take(message.get("body", b""))
            if not message.get("more_body", False):
                self._read(bytes(self._rest))
        await self._send(message)

    def _take(self, part: bytes) -> None:
        if self._inflater is None:
            self._rest += part
        else:
            for start in range(0, len(part), STEP):
                plain = self._inflater.inflate(part[start : start + STEP])
                if plain is None:
                    return self._give_up("it is encoded in a way that cannot be read here")
                self._rest += plain
        if self._by_lines and (end := self._rest.rfind(b"\n")) >= 0:
            whole = bytes(self._rest[:end])
            del self._rest[: end + 1]
            for line in whole.split(b"\n"):
                self._read(line)
        if len(self._rest) > METERED_MAX:
            self._give_up(f"a document is larger than {METERED_MAX} bytes")
        return None

    def _give_up(self, why: str) -> None:
        self._deaf = True
        self._rest.clear()
        log.error('what "%s" has answered to call %s is not priced: %s', self._deployment.name, self._call.call_id, why)

    def _read(self, document: bytes) -> None:
        if self._events:
            document = document.removeprefix(b"data:") if document.startswith(b"data:") else b""
        read = loaded(document)
        if read is None:
            return
        for one in _inlined(read) if self._found.usage == "inlined" else (read,):
            usage = _at(one, self._found.at)
            if isinstance(usage, dict) and usage:
                model = _at(one, self._found.model_at)
                text = document if one is read else orjson.dumps(one, option=orjson.OPT_SORT_KEYS)
                self._charge(text, one, usage, model if isinstance(model, str) and model else self._asked)

    def _charge(self, text: bytes, one: Any, usage: dict[str, Any], model: str) -> None:
        """A row of its own; the keeper charges its budgets."""
        found, deployment = self._found, self._deployment
        digest = blake2b(deployment.name.encode() + b"\0" + text, digest_size=12).hexdigest()
        if found.batch and digest in self._charged:
            return
        self._charged.add(digest)
        row = _row(self._call, f"gw_b{digest}" if found.batch else self._worker.call_id(), deployment, model)
        provider, _ = deployment.rules.usage(found.api or "chat")
        counted, row.charge_pusd = usage_from(provider, found.api, usage)
        if found.batch:
            counted = replace(counted, service_tier="batch")  # whoever prices the row again must know
        told = _at(one, found.at[:-1])
        refused = isinstance(told, dict) and told.get("stop_reason") == "refusal"
        row.reading = Reading(
            counted,
            started=True,
            finished=True,
            final_usage=True,
            model=model,
            stop_reason="refusal" if refused else "",
            content_empty=refused and not told.get("content"),
        )
        self._worker.settle(row, "completed", "")


def _row(call: Call, call_id: str, deployment: Deployment, model: str) -> Call:
    row = Call(call_id, "messages", call.snapshot, call.worker)
    row.account, row.deployment, row.values, row.told = call.account, deployment, call.values, call.told
    row.session_id, row.own_credential, row.dialect = call.session_id, call.own_credential, call.dialect
    row.status = row.upstream_status = 200
    row.served_model = row.sent_model = model
    row.attempt_of = call.call_id
    row.sent = row.billed = True
    row.terms = call.snapshot.book.terms(
        deployment.provider,
        deployment.name,
        deployment.region,
        deployment.place.model_behind(model),
        call.account.key_name,
        call.account.team,
        call.started_us,
    )
    return row


def _inlined(read: Any) -> Iterator[Any]:
    """Results that stand in a batch of Google's, wherever it has them."""
    if isinstance(read, list):
        for one in read:
            yield from _inlined(one)
    elif isinstance(read, dict):
        for key, value in read.items():
            if key == "inlinedResponses" and isinstance(value, list):
                yield from value
            elif isinstance(value, dict | list):
                yield from _inlined(value)


def _at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
