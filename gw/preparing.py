"""Room 6: what a client wants becomes a request to one deployment.

In the same dialect the body goes as it came; only the model's name is spliced in where the route has another, and a stream of
OpenAI's is asked for its usage. Anthropic's own body in another platform's envelope is spliced as well. In another dialect it is
written anew, from the intermediate form.
"""

from __future__ import annotations

import re

import orjson
from msgspec.structs import replace

from gw import __version__
from gw._fast import holds, peek
from gw.counting import Counting, passes, question
from gw.demand import Demand
from gw.deployment import Deployment
from gw.doors import MESSAGES
from gw.errors import Refusal
from gw.exchange import Outgoing
from gw.speech import EmbeddingSpeech, Speech
from gw.translate import embeddings
from gw.translate.amend import EFFORTS, amended
from gw.translate.chat_usage import UsageHidden, with_usage
from gw.translate.dialects import DIALECTS
from gw.translate.fitting import fitted
from gw.translate.form import Effort, Request
from gw.translate.invoke import from_bedrock, to_bedrock, to_vertex
from gw.translate.loose import loaded
from gw.translate.responses_items import without_foreign_thoughts
from gw.translate.seal import MARK_IN_JSON, may_hold_sealed
from gw.translate.splice import spliced
from gw.translation import parsed
from gw.ways import Way

# Where a client's own credential is valid, by the family of the API that it asks: never at another provider's, even if it speaks
# the same.
OWN_AT = {
    "anthropic": ("anthropic", "custom"),
    "openai": ("openai", "openai_compatible", "custom"),
    "gemini": ("gemini", "custom"),
    "cohere": ("cohere", "custom"),
}
OWN_HEAD = b"content-type: application/json\r\naccept-encoding: identity\r\nuser-agent: gw/%b\r\n" % __version__.encode()
BETA = b"anthropic-beta"
# Claude's body in the envelope of one platform or another.
ANTHROPIC, BEDROCK, VERTEX = "anthropic", "invoke", "vertex_anthropic"
ANTHROPICS = frozenset({ANTHROPIC, BEDROCK, VERTEX})
_ENCODING = re.compile(rb"(?m)^content-encoding: .*\r\n")
# With these an upstream would answer another request than the one that is priced, leave usage out of its answer, or refuse gw's
# signature, which is taken for a credential that is wrong.
_CUNNING = re.compile(
    rb"(?mi)^(?:x-goog-fieldmask|x-http-method(?:-override)?|x-method-override|range|if-range"
    rb"|x-amz-(?:date|security-token|content-sha256|target)): .*\r\n"
)


def prepare(demand: Demand, deployment: Deployment, model: str, *, own_credential: bool) -> Outgoing:
    """The request without its credential. `model`: as it goes upstream. Raises Refusal."""
    demand.lost = ()
    door = demand.door
    client = door.dialect or ANTHROPIC
    operation = door.operation
    upstream = deployment.rules.dialect(deployment.place, model, operation, client)  # type: ignore[arg-type]
    if not upstream and operation == "completions":  # as a conversation of one message
        operation = "messages"
        upstream = deployment.rules.dialect(deployment.place, model, "messages", client)
    if not upstream:
        raise Refusal(
            "no_route",
            f'The upstream "{deployment.name}" ({deployment.provider}) does not serve {door.operation} for the model "{model}".',
        )
    if own_credential and (client != upstream or deployment.provider not in OWN_AT.get(door.family, ())):
        raise Refusal(
            "virtual_key_required",
            f'The upstream "{deployment.name}" speaks another API than the one that your credential is for. '
            "Use a virtual key of this gateway (gwk_...).",
        )
    if client == "responses" and not own_credential and "background" in demand.asked.foreign:
        raise Refusal(
            "cannot_carry",
            "background: what such a response costs is not known here when it is made. Ask for it with stream=true instead.",
        )
    speech: Speech | None
    if door.endpoint == "embeddings":
        head, body, speech = _embeddings(demand, deployment, upstream, model)
    elif door.endpoint == "count_tokens":
        head, body, speech = _counted(demand, deployment, client, upstream, model)
    elif client in ANTHROPICS and upstream in ANTHROPICS and may_hold_sealed(demand.plain):
        # Thoughts and tool calls of another upstream's, earlier in the conversation: Anthropic knows neither.
        head, body, speech = _written(demand, deployment, client, upstream, model)
        head, speech = (demand.sent.head, None) if client == upstream == ANTHROPIC else (head, speech)
    elif client == upstream == ANTHROPIC:
        head, body, speech = demand.sent.head, _renamed(demand, _capped(demand, client), model), None
    elif client == upstream:
        head, body, speech = _same(demand, deployment, client, model)
    elif client in ANTHROPICS and upstream in ANTHROPICS:
        head, body, speech = _enveloped(demand, deployment, client, upstream, model)
    else:
        head, body, speech = _written(demand, deployment, client, upstream, model)
    if body is demand.plain:
        body = demand.body  # compressed, if it came so
    elif demand.body is not demand.plain:
        head = _ENCODING.sub(b"", head)
    stream = demand.asked.stream if upstream != ANTHROPIC and door.endpoint == "messages" else False
    try:
        method, path = deployment.rules.request_line(
            deployment.place, upstream, operation, model, stream, demand.upstream_query  # type: ignore[arg-type]
        )
    except ValueError as error:
        raise Refusal("invalid_field", f"The model cannot be asked for: {error}.") from error
    if demand.is_cunning():
        head = straight(head)
    return Outgoing(method, path, head + deployment.lines(upstream, head), body, speech)


def as_it_came(demand: Demand, way: Way, last: bytes = b"") -> Outgoing | None:
    """Claude's words for Claude's API, under the name that the client has for the model, are most of all requests: what `prepare`
    would answer, with `last` behind the head. None: ask it."""
    door = demand.door
    if not way.plain or way.model != demand.model:
        return None
    if door is not MESSAGES and (door.dialect or door.operation != "messages"):
        return None
    if demand.max_tokens or demand.effort or holds(demand.plain, MARK_IN_JSON):
        return None
    demand.lost = ()
    head = demand.sent.head
    if demand.is_cunning():
        head = straight(head)
    method, path = way.asked_for(demand)
    lines = way.deployment.lines_beside(ANTHROPIC, head)
    return Outgoing(method, path, head + (lines + last if lines else last), demand.body)


def straight(head: bytes) -> bytes:
    """A client's header lines without those that make an upstream answer otherwise than its path and body say."""
    cunning = b"range: " in head or b"x-amz-" in head or b"x-goog-" in head or b"method" in head
    return _CUNNING.sub(b"", head) if cunning else head


Made = tuple[bytes, bytes, Speech | None]


def _same(demand: Demand, deployment: Deployment, client: str, model: str) -> Made:
    """Bytes through."""
    asked = demand.asked
    body = _capped(demand, client)
    if client == "responses" and may_hold_sealed(body):
        body = orjson.dumps(without_foreign_thoughts(loaded(body)))
    if client in ("chat", "responses", "completions"):
        body = _renamed(demand, body, model)
    if client == "chat":
        lost: list[str] = []
        body = fitted(body, deployment.quirks(client, model), lost)
        demand.lost = lost
    hidden = None
    if client in ("chat", "completions") and asked.stream and deployment.quirks(client, model).stream_usage:
        body, added = with_usage(body)
        hidden = UsageHidden() if added else None
    return demand.sent.head, body, _passing(client, client, deployment, demand, model, hidden)


def _enveloped(demand: Demand, deployment: Deployment, client: str, upstream: str, model: str) -> Made:
    """Claude on another platform than the client speaks to: a few bytes of the body change, and the beta headers."""
    head, body, betas = demand.sent.head, _capped(demand, client), demand.header_values(BETA)
    lost: list[str] = []
    if client == BEDROCK:
        body, names = from_bedrock(body, model, stream=demand.door.stream)
        betas = [*betas, *(name.encode() for name in names)]
        head = OWN_HEAD
    if upstream == BEDROCK:
        body = to_bedrock(body, betas, model, lost)
        head = OWN_HEAD
    elif upstream == VERTEX:
        body, names = to_vertex(body, betas, model, lost)
        head = OWN_HEAD + _beta_line(names)
    else:
        body = _renamed(demand, body, model)
        head += _beta_line([name.decode("latin-1") for name in betas])
    demand.lost = lost
    return head, body, _passing(client, upstream, deployment, demand, model)


def _written(demand: Demand, deployment: Deployment, client: str, upstream: str, model: str) -> Made:
    """In another dialect."""
    asked = demand.asked_as(model)
    _cap(asked, demand)
    dialect = upstream if upstream in DIALECTS else ANTHROPIC
    body = DIALECTS[dialect].write_request(asked, deployment.quirks(upstream, model))
    if upstream == ANTHROPIC:
        body = {"model": model, **body}
        if asked.stream:
            body["stream"] = True
    try:
        written = orjson.dumps(body)
    except TypeError as error:  # nested beyond what it writes: a tool's schema
        raise Refusal("invalid_field", f"The request cannot be written for the upstream: {error}.") from error
    if upstream == VERTEX:
        written, _ = to_vertex(written, (), model, asked.lost)
    demand.lost = asked.lost
    return OWN_HEAD, written, _speech(client, upstream, deployment, demand.asked)


def _counted(demand: Demand, deployment: Deployment, client: str, upstream: str, model: str) -> Made:
    sealed = upstream in ANTHROPICS and may_hold_sealed(demand.plain)
    if client == upstream == ANTHROPIC and not sealed:
        return demand.sent.head, _renamed(demand, demand.plain, model), None
    speech = Counting(client, upstream, demand)
    if not sealed and passes(demand, deployment, upstream):
        head, body, _ = _same(demand, deployment, client, model)
    elif not sealed and (client, upstream) == (ANTHROPIC, VERTEX):  # which has the model in the body, here alone
        head, body, _ = _enveloped(demand, deployment, client, upstream, model)
        body = spliced(body, (), {"model": model})
    else:
        head, body = OWN_HEAD, orjson.dumps(question(demand, deployment, upstream, model))
    return head, body, speech


def _embeddings(demand: Demand, deployment: Deployment, upstream: str, model: str) -> tuple[bytes, bytes, EmbeddingSpeech]:
    body = demand.json
    client = demand.door.dialect
    speech = EmbeddingSpeech(client, upstream, demand.model)
    if client == upstream == "embeddings":
        return demand.sent.head, _renamed(demand, demand.plain, model), speech
    wanted = embeddings.read_openai(body) if client == "embeddings" else embeddings.read_gemini(body, model)
    speech.wanted = replace(wanted, model=model)
    return OWN_HEAD, orjson.dumps(embeddings.UPSTREAMS[upstream].write(speech.wanted)), speech


def _passing(  # noqa: PLR0917 - as _speech
    client: str, upstream: str, deployment: Deployment, demand: Demand, model: str, hidden: UsageHidden | None = None
) -> Speech:
    """Of answers that pass as they are."""
    speech = _speech(client, upstream, deployment, demand.asked, hidden)
    speech.shown = demand.model if model != demand.model else ""
    return speech


def _speech(client: str, upstream: str, deployment: Deployment, asked: Request, hidden: UsageHidden | None = None) -> Speech:
    provider = deployment.quirks(upstream, asked.model).usage_of or deployment.rules.usage(upstream)[0]
    return Speech(client, upstream, provider, asked, hidden=hidden)


def _renamed(demand: Demand, body: bytes, model: str) -> bytes:
    """With the upstream's name of the model, every other byte as it was."""
    if model == demand.model:
        return body
    found = peek(body)
    if found.error:  # as `"max_tokens": null` is to it, and to others is not
        return orjson.dumps((parsed(body) or {}) | {"model": model})
    if found.model_start < 0:
        return body
    return b"%b%b%b" % (body[: found.model_start], orjson.dumps(model), body[found.model_end :])


def _capped(demand: Demand, client: str) -> bytes:
    """The readable body, under the caps of the rules."""
    if not (demand.max_tokens or demand.effort) or demand.door.endpoint == "count_tokens":
        return demand.plain
    return amended(demand.plain, client, demand.max_tokens, demand.effort)


def _cap(asked: Request, demand: Demand) -> None:
    if demand.max_tokens and (asked.max_tokens is None or asked.max_tokens > demand.max_tokens):
        asked.max_tokens = demand.max_tokens
    if demand.effort:
        asked.effort = lowered(asked.effort, demand.effort)


def lowered(effort: Effort, cap: str) -> Effort:
    """No more than the cap, which is one of EFFORTS."""
    if cap == "none":
        return Effort(mode="off", level="none", shown=effort.shown)
    if not effort.level or effort.level not in EFFORTS or EFFORTS.index(effort.level) > EFFORTS.index(cap):
        return replace(effort, level=cap)
    return effort


def _beta_line(names: list[str]) -> bytes:
    return b"anthropic-beta: %b\r\n" % ",".join(names).encode("latin-1") if names else b""
