"""What a finished call is called in telemetry: the GenAI semantic conventions of OpenTelemetry
(open-telemetry/semantic-conventions-genai, as of v1.42), and `gw.*` for what they have no name for. Pure.

Conventions that are easily missed: `gen_ai.usage.input_tokens` counts what was read from and written to a cache as well, which
Anthropic's own `input_tokens` does not; `gen_ai.system` is the older name of `gen_ai.provider.name`, and both are given.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import urlsplit

from gw.config.model import Upstream
from gw.domain.attempts import attempts_of, is_left, nexts
from gw.domain.call import CallRecord
from gw.domain.money import PUSD_PER_USD, usd_text

Value = str | int | float | bool | tuple[str, ...]
Attribute = tuple[str, Value]

US_PER_S = 1_000_000
US_PER_MS = 1000
OPERATIONS = {"messages": "chat"}  # the others have no name in the conventions: their own stands
PROVIDERS = {
    "anthropic_aws": "anthropic", "bedrock": "aws.bedrock", "vertex": "gcp.vertex_ai", "gemini": "gcp.gemini",
    "azure": "azure.ai.openai", "foundry": "azure.ai.inference", "mistral": "mistral_ai", "xai": "x_ai",
}  # fmt: skip  # the others are called as the conventions call them, or have no name there
NOT_FAILED = ("completed", "client_gone")  # a developer who presses Escape is no error

# Who a call was for -> (attribute, field of the record).
IDENTITIES: dict[str, tuple[Attribute, ...]] = {
    "key": (("gw.key", "key_name"), ("gw.key.id", "key_id")),
    "team": (("gw.team", "team"),),
    "customer": (("gw.customer", "customer"),),
    "project": (("gw.project", "project"),),
    "tags": (("gw.tags", "tags"),),
    "session": (("gen_ai.conversation.id", "session_id"),),
    "prompt": (("gw.prompt.id", "prompt_id"),),
    "agent": (("gw.agent.id", "agent_id"), ("gw.agent.parent_id", "parent_agent_id")),
    "device": (("gw.device", "device"),),
    "credential": (("gw.credential", "credential"),),
}
OF_METRICS = ("key", "team", "customer", "project")  # the others would make a series of each call

_TEXTS: tuple[tuple[str, str], ...] = (
    ("gen_ai.response.model", "served_model"),
    ("gw.upstream", "upstream"),
    ("gw.upstream.request_id", "upstream_request_id"),
    ("gw.usage.source", "usage_source"),
    ("gw.usage.flags", "usage_flags"),
    ("gw.price.version", "price_version"),
    ("gw.service_tier", "service_tier"),
    ("gw.speed", "speed"),
    ("gw.inference_geo", "inference_geo"),
    ("gw.client.version", "client_version"),
    ("gw.budget", "budget"),
    ("gw.worker", "worker"),
    ("gw.client.dialect", "dialect"),
    ("gw.sent_model", "sent_model"),
    ("gw.route", "route"),
    ("gw.attempt_of", "attempt_of"),
)
_COUNTS: tuple[tuple[str, str], ...] = (
    ("http.response.status_code", "status"),
    ("gw.upstream.status_code", "upstream_status"),
    ("gw.retries", "retries"),
    ("gw.web_search_requests", "web_search_requests"),
    ("gw.web_fetch_requests", "web_fetch_requests"),
    ("gw.code_execution_requests", "code_execution_requests"),
)


class Place(NamedTuple):
    """Where an upstream is, as the conventions name it."""

    provider: str
    address: str
    port: int


NOWHERE = Place("anthropic", "", 0)  # of a call that was refused before it was planned, or of an upstream that is gone


class Naming:
    """How calls are named under one configuration."""

    def __init__(self, places: Mapping[str, Place], identities: Iterable[str]) -> None:
        self._places = places
        self._allowed = frozenset(one for one in IDENTITIES if any(fnmatchcase(one, pattern) for pattern in identities))
        self._who = tuple(pair for one, pairs in IDENTITIES.items() if one in self._allowed for pair in pairs)
        self._who_of_metrics = tuple(IDENTITIES[one][0] for one in OF_METRICS if one in self._allowed)

    def allows(self, identity: str) -> bool:
        return identity in self._allowed

    def place(self, record: CallRecord) -> Place:
        return self._places.get(record.upstream, NOWHERE)

    def attributes(self, record: CallRecord) -> list[Attribute]:
        """Of a span or an event, each key once. What is empty is left out."""
        found = [*self._common(record), ("gw.call.id", record.call_id), ("gw.outcome", record.outcome)]
        found += [(key, value) for key, name in self._who if (value := getattr(record, str(name)))]
        found += [(key, value) for key, name in _TEXTS if (value := getattr(record, name))]
        found += [(key, value) for key, name in _COUNTS if (value := getattr(record, name))]
        if record.stream:
            found.append(("gen_ai.request.stream", True))
            if record.first_token_us:
                found.append(("gen_ai.response.time_to_first_chunk", waited_s(record)))
        if record.stop_reason:
            found.append(("gen_ai.response.finish_reasons", (record.stop_reason,)))
        if failed(record):
            found.append(("error.type", error_of(record)))
        found += [("gw.request.bytes", record.request_bytes), ("gw.response.bytes", record.response_bytes)]
        if record.usage_source != "none":
            found += _usage(record)
        return found

    def of_metrics(self, record: CallRecord) -> tuple[Attribute, ...]:
        """What series are told apart by; few values each."""
        found = self._common(record)
        if record.served_model:
            found.append(("gen_ai.response.model", record.served_model))
        found += [(key, value) for key, name in self._who_of_metrics if (value := getattr(record, str(name)))]
        return tuple(found)

    def _common(self, record: CallRecord) -> list[Attribute]:
        place = self.place(record)
        found: list[Attribute] = [
            ("gen_ai.operation.name", operation_of(record)),
            ("gen_ai.provider.name", place.provider),
            ("gen_ai.system", place.provider),
        ]
        if record.requested_model:
            found.append(("gen_ai.request.model", record.requested_model))
        if place.address:
            found += [("server.address", place.address), ("server.port", place.port)]
        return found


def places_of(upstreams: Iterable[Upstream]) -> dict[str, Place]:
    """By name."""
    found = {}
    for one in upstreams:
        url = urlsplit(one.address)
        port = url.port or (443 if url.scheme == "https" else 80)
        found[one.name] = Place(PROVIDERS.get(one.provider, one.provider), url.hostname or "", port)
    return found


def operation_of(record: CallRecord) -> str:
    return OPERATIONS.get(record.endpoint, record.endpoint)


def failed(record: CallRecord) -> bool:
    return record.outcome not in NOT_FAILED


def error_of(record: CallRecord) -> str:
    """Of a call that failed: few values, for it tells series apart."""
    return record.error or record.outcome


def failed_attempts(record: CallRecord) -> list[tuple[int, tuple[Attribute, ...]]]:
    """(us since the call's beginning when it ended, what an event says of it) for each attempt before the last. Only how long
    each took is known, so they follow each other; those before an earlier row of the request stand at the beginning. None of a
    row that is left: the one that followed tells of all."""
    found, at_us = list[tuple[int, tuple[Attribute, ...]]](), 0
    for one in () if is_left(record.outcome, record.status) else nexts(attempts_of(record.attempts), record.upstream):
        at_us += 0 if record.attempt_of else one.attempt.ms * US_PER_MS
        said: tuple[Attribute, ...] = (
            ("gw.upstream", one.attempt.upstream),
            ("gw.upstream.status_code", one.attempt.status),
            ("error.type", one.attempt.error),
            ("gw.attempt.duration_ms", one.attempt.ms),
            ("gw.attempt.then", one.then),
        )
        found.append((min(at_us, max(record.ended_us - record.started_us, 0)), said))
    return found


def waited_s(record: CallRecord) -> float:
    """From the call's beginning to its first token."""
    return max(record.first_token_us - record.started_us, 0) / US_PER_S


def lasted_s(record: CallRecord) -> float:
    return max(record.ended_us - record.started_us, 0) / US_PER_S


def read_tokens(record: CallRecord) -> int:
    """All of the prompt, cached or not."""
    return record.input_tokens + record.cache_read_tokens + written_tokens(record)


def written_tokens(record: CallRecord) -> int:
    return record.cache_write_5m_tokens + record.cache_write_1h_tokens


def usd_value(pusd: int) -> float:
    """For backends that need a number; the exact amount stands beside it as text."""
    return pusd / PUSD_PER_USD


def _usage(record: CallRecord) -> list[Attribute]:
    found: list[Attribute] = [
        ("gen_ai.usage.input_tokens", read_tokens(record)),
        ("gen_ai.usage.output_tokens", record.output_tokens),
        ("gen_ai.usage.cache_read.input_tokens", record.cache_read_tokens),
        ("gen_ai.usage.cache_creation.input_tokens", written_tokens(record)),
        ("gw.cost.billed_usd", usd_text(record.billed_pusd)),
        ("gw.cost.list_usd", usd_text(record.list_pusd)),
        ("gw.cost.usd", usd_value(record.billed_pusd)),
    ]
    if record.thinking_tokens:
        found.append(("gen_ai.usage.reasoning.output_tokens", record.thinking_tokens))
    return found
