"""A whole (non-stream) answer: read to its end, judged, settled, then sent, so that its cost can stand in a header."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import orjson
from msgspec.structs import replace

from gw._fast import Found, amount_text, found_in
from gw.domain.call import Outcome
from gw.domain.money import usd_text
from gw.domain.usage import Reading
from gw.errors import Refusal
from gw.naming import named
from gw.ops.metrics import RELAY, SETTLE, timing_text
from gw.settle import Call
from gw.speech import JSON_TYPE, Speech
from gw.translate.anthropic_answer import STATUS_OF
from gw.translate.form import Failure
from gw.translation import GARBLED
from gw.upstream.errors import UpstreamError
from gw.upstream.response import Response
from gw.wire.anthropic import COUNT_MAX, error_slug, read_error
from gw.wire.asgi import Send
from gw.wire.headers import TIMING, Answer, attempts_line
from gw.worker import Worker

Number = int  # compiled, a C integer: answer.pxd
Amount = int  # of any size

PUSD_DECIMALS = 12
WHOLE_MAX = 64 * 1024 * 1024  # a whole answer larger than this is relayed unread
DECODED_MAX = 64 * 1024 * 1024


class Whole(NamedTuple):
    """`rest`: it is larger than WHOLE_MAX, and more is to come."""

    body: bytes
    rest: bool


async def read_whole(response: Response) -> Whole:
    """Of an answer that is not the client's. Raises UpstreamError."""
    parts: list[bytes] = []
    size = 0
    while chunk := response.read_nowait() or await response.read():
        parts.append(chunk)
        size += len(chunk)
        if size > WHOLE_MAX:
            return Whole(b"".join(parts), True)
    return Whole(b"".join(parts), False)


async def relay_whole(  # noqa: PLR0917 - compiled, it is a C function
    worker: Worker, call: Call, response: Response, answer: Answer, send: Send, speech: Speech | None = None
) -> None:
    """Reads the answer to its end, settles, sends it with its cost."""
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := response.read_nowait() or await response.read():
            parts.append(chunk)
            size += len(chunk)
            if size > WHOLE_MAX:
                call.status = response.status
                await send({"type": "http.response.start", "status": response.status, "headers": answer.headers})
                return await _relay_unread(worker, call, response, b"".join(parts), send)
    except UpstreamError:
        call.reading = Reading(text_bytes=size)
        raise
    body = tell(worker, call, response.status, answer, parts[0] if len(parts) == 1 else b"".join(parts), speech)
    if body is not None:
        await send({"type": "http.response.start", "status": call.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def tell(  # noqa: PLR0917 - as relay_whole
    worker: Worker, call: Call, status: Number, answer: Answer, body: bytes, speech: Speech | None = None
) -> bytes | None:
    """A whole answer, judged and settled: what the client gets, with `answer.headers`; None: it has left. Raises Refusal if the
    upstream refused gw's own credential."""
    call.laps.skip()
    if speech is None:
        outcome, error = _judge(call, status, answer, body)
    else:
        outcome, error, body, status = _translate(worker, call, status, answer, body, speech)
    demand = call.demand
    if status < 300 and demand is not None and demand.renamed:
        body = named(body, demand.model) if speech is None else speech.named(body)
    call.laps.lap(SETTLE)
    call.response_bytes = len(body)
    if call.account.stores_content and speech is None:
        worker.content.whole(call.call_id, body, answer.encoding)
    if call.client_gone:
        worker.settle(call, "client_gone", error)
        return None
    call.status = status
    if not call.metered and call.endpoint == "models" and outcome == "completed" and call.account.models != ("*",):
        body = _allowed_models(call, body)
    worker.settle(call, outcome, error)
    if call.metered and call.record is not None and call.record.charged:
        answer.headers.append((b"x-gw-cost-usd", _cost_text(call.record.billed_pusd)))
    if status < 400:
        answer.headers.extend(worker.governor.headers(call))
    if call.attempts is not None:
        answer.headers.append(attempts_line(call.attempts))
    if demand is not None and status < 400 and demand.lost:
        answer.headers.extend(demand.left_out())
    answer.headers.append((b"content-length", amount_text(len(body), 0)))
    call.laps.lap(RELAY)
    if TIMING in call.values:
        answer.headers.append((TIMING, timing_text(call.laps)))
    return body


def _translate(  # noqa: PLR0917 - as tell
    worker: Worker, call: Call, status: int, answer: Answer, body: bytes, speech: Speech
) -> tuple[Outcome, str, bytes, int]:
    """As `_judge`, and the bytes and the status that the client gets."""
    plain = decoded(body, answer.encoding)
    if status >= 400:
        failure = speech.failure(status, plain if plain is not None else b"")
        _must_be_the_clients(call, status, failure.kind, failure.message)
        if not speech.same:
            answer.headers[:], body = speech.error(failure, call.call_id, answer.headers)
        return "upstream_error", error_slug(failure.kind, status), body, status
    if plain is None:
        call.reading = Reading(garbled=True, text_bytes=len(body))
        if not speech.same:
            body, status = _instead(call, answer, speech, GARBLED)
        return "upstream_error", "upstream_garbled", body, status
    heard = speech.whole(plain)
    if not speech.same:
        answer.headers[:] = [*speech.kept(answer.headers), JSON_TYPE]
        body = heard.client
    if not call.metered:
        return "completed", "", body, status
    if heard.failure is not None and not (speech.same or speech.claudes):
        body, status = _instead(call, answer, speech, heard.failure)
    call.first_token_us = call.first_byte_us
    if call.account.stores_content:
        worker.content.whole(call.call_id, heard.tap, b"")
    call.served_model, call.charge_pusd = heard.served_model, heard.charge_pusd
    found = _read(call, heard.tap, 0)
    if found.started:
        return "completed", "", body, status
    if heard.failure is not None and heard.failure.usage.output_tokens:  # it is billed all the same
        call.reading = Reading(heard.failure.usage, started=True, final_usage=True, content_empty=False)
    if heard.failure is not None and heard.failure.code == "garbled":
        call.found = None
        call.reading = Reading(garbled=True, text_bytes=len(plain))
        if b"json" not in answer.content_type:
            call.billed = False
        return "upstream_error", "upstream_garbled", body, status
    return "upstream_error", error_slug(found.error_type, call.upstream_status), body, status


def _instead(call: Call, answer: Answer, speech: Speech, failure: Failure) -> tuple[bytes, int]:
    """What a client of another dialect gets of an error that stands in place of an answer: under a status that says so."""
    answer.headers[:], body = speech.error(failure, call.call_id, answer.headers)
    return body, 502 if failure.code == "garbled" else failure.status or STATUS_OF.get(failure.kind, 500)


def _read(call: Call, told: bytes, ttl: int) -> Found:
    """Of an answer that does not tell its usage the output is estimated from its size."""
    found = call.found = found_in(told, ttl)
    found.cap(COUNT_MAX)
    if found.started and call.endpoint == "messages" and call.last_word() is None:
        call.reading = replace(call.read(), text_bytes=len(told))
    return found


def _must_be_the_clients(call: Call, status: int, kind: str, message: str) -> None:
    """Raises Refusal if what the upstream refuses is gw's own credential."""
    if status in (401, 403) and not call.own_credential:
        deployment = call.deployment
        assert deployment is not None
        raise Refusal(
            "upstream_credential_refused",
            f'The upstream "{deployment.name}" refused the gateway\'s credential '
            f"({status} {deployment.hides(kind)[:64]}: {deployment.hides(message)[:300]}). "
            "Tell your gateway administrator.",
        )


def _cost_text(pusd: Amount) -> bytes:
    """In USD, exact."""
    try:
        return amount_text(pusd, PUSD_DECIMALS)
    except (OverflowError, ValueError):  # beyond 63 bits, or less than nothing
        return usd_text(pusd).encode()


def _judge(call: Call, status: Number, answer: Answer, body: bytes) -> tuple[Outcome, str]:
    """Reads usage or error from a whole answer. Raises Refusal if the upstream refused gw's own credential."""
    plain = decoded(body, answer.encoding)
    if status >= 400:
        kind, message = read_error(plain if plain is not None else b"")
        _must_be_the_clients(call, status, kind, message)
        return "upstream_error", error_slug(kind, status)
    if call.endpoint != "messages":
        return "completed", ""
    call.first_token_us = call.first_byte_us
    ttl = call.peek.ttl if call.peek is not None else 0
    if plain is not None:
        found = _read(call, plain, ttl)
        if found.started:
            return "completed", ""
        if found.error_type:
            return "upstream_error", error_slug(found.error_type, status)
    reading = call.read() if plain is not None else Reading(garbled=True)
    call.reading = replace(reading, text_bytes=len(body if plain is None else plain))
    if b"json" not in answer.content_type:
        call.billed = False  # a page of some proxy, not an answer of the provider
    return "upstream_error", "upstream_garbled"


async def _relay_unread(worker: Worker, call: Call, response: Response, chunk: bytes, send: Send) -> None:
    """An answer beyond any sense: relayed, billed by estimate, marked."""
    while chunk:
        call.response_bytes += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await response.read()
    call.reading = Reading(text_bytes=call.response_bytes, garbled=True)
    worker.settle(call, "completed", "")
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _allowed_models(call: Call, body: bytes) -> bytes:
    """The upstream's list, cut to what this key may use."""
    try:
        listed = orjson.loads(body)
        listed["data"] = [one for one in listed["data"] if call.account.may_use_model(one["id"])]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body
    return orjson.dumps(listed)


def decoded(body: bytes, encoding: bytes) -> bytes | None:
    """The readable form of an answer that came encoded all the same; None if it cannot be read."""
    if encoding in (b"", b"identity"):
        return body
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        return None
    decoder = zlib.decompressobj(47)
    try:
        plain = decoder.decompress(body, DECODED_MAX)
    except zlib.error:
        return None
    return plain if decoder.eof else None
