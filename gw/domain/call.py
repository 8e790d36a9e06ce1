"""The record of one call: one definition for the journal, the ledger's columns, the CLI and later the API.

Field order is the journal's encoding (msgpack array): only ever append, each new field with a default.
Times are UTC microseconds since 1970 (0 = never happened); money is pico-USD; digests are lower-case hex.
"""

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import fields

Endpoint = Literal["messages", "count_tokens", "models", "embeddings", "other"]
Outcome = Literal["completed", "refused", "upstream_error", "client_gone", "timed_out", "stopped", "gw_error"]


class CallRecord(Struct, frozen=True, array_like=True):
    """Immutable; written once, before the end of the response is sent to the client."""

    call_id: str
    endpoint: str
    # times
    started_us: int
    first_byte_us: int  # first byte of the upstream's response
    first_token_us: int  # first content delta of a stream; first byte of a whole answer
    ended_us: int
    # what the client saw
    outcome: str
    status: int  # HTTP status sent to the client; 0 if it left before one was sent
    error: str  # stable slug (gw's refusal, or upstream_<type>), else ""
    # who
    key_id: str  # public id of the virtual key, else ""
    key_name: str
    team: str
    customer: str
    credential: str  # digest of the client's own credential in passthrough, else ""
    upstream: str
    session_id: str
    agent_id: str
    parent_agent_id: str
    prompt_id: str
    device: str  # digest of metadata.user_id's device_id
    project: str
    tags: str  # as sent in x-gw-tags, bounded
    client_version: str  # "claude-cli/2.1.329", first product of the user agent
    # what
    requested_model: str
    served_model: str
    stream: bool
    stop_reason: str
    # tokens by class
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    thinking_tokens: int
    web_search_requests: int
    web_fetch_requests: int
    code_execution_requests: int
    service_tier: str
    speed: str
    inference_geo: str
    iterations: str  # JSON array as tuple form of domain.usage.Iteration, "" if none
    usage_source: str  # exact | observed | estimated | none
    usage_flags: str  # comma-separated: ttl_assumed, garbled, unpriced, ...
    # money, pico-USD
    list_pusd: int
    billed_pusd: int
    input_pusd: int  # the billed split by class; sums to billed_pusd exactly
    output_pusd: int
    cache_read_pusd: int
    cache_write_5m_pusd: int
    cache_write_1h_pusd: int
    tools_pusd: int  # web search and other per-use charges
    other_pusd: int  # compaction, advisor and fallback iterations, and what rounding leaves
    price_version: str  # which card and overrides; "" with usage_source none; "unpriced" if no card was found
    # upstream
    upstream_status: int
    upstream_request_id: str
    retries: int
    # sizes
    request_bytes: int
    response_bytes: int
    gw_version: str = ""
    worker: str = ""
    # budgets
    charged_us: int = 0  # when it began, or got what it had waited for: each budget is charged in the window of this instant
    rules_us: int = 0  # when the rules were published by which it was admitted; 0 = it was not
    budget: str = ""  # budget or limit that refused or ended it, else ""
    shadowed: str = ""  # shadow budgets that would have refused it, comma-separated
    at_most_nusd: int = 0  # counted by budgets that reserve the worst, where what was billed is no last word; 0 = as billed
    # trace context, as the client sent it in a valid traceparent (gw.domain.trace); not known of a call whose worker died
    trace_id: str = ""  # 32 lower-case hex digits, "" for none
    parent_span_id: str = ""  # 16 of them
    trace_flags: int = 0  # bit 0: sampled
    # the way it took
    dialect: str = ""  # of the client, if not Anthropic's (gw.translate.dialects)
    sent_model: str = ""  # the model's id as it went upstream, where that is another than the client asked for
    route: str = ""  # what decided where it went, and why, if the configuration has routes or rules
    attempts: str = ""  # JSON array of the attempts before the last: [upstream, status, error, milliseconds]; "" if there was one
    attempt_of: str = ""  # id of the earlier row of the same client request: that attempt was billed, and failed


WHO: tuple[str, ...] = CallRecord.__struct_fields__[
    CallRecord.__struct_fields__.index("key_id") : CallRecord.__struct_fields__.index("requested_model") + 1
]
"""The columns that say whose call it is and what was asked for: known before the call goes upstream."""


class OpenCall(Struct, frozen=True, array_like=True):
    """A call about to be sent upstream: what is known of it if its worker dies. Small, for every call writes one."""

    slot: int  # observation slot in the state file, -1 = none
    call_id: str
    endpoint: str
    started_us: int
    worker: str
    stream: bool
    request_bytes: int
    who: tuple[str, ...]  # the values of WHO
    gw_version: str = ""
    charged_us: int = 0
    rules_us: int = 0
    at_most_nusd: int = 0
    sent_model: str = ""
    # of a call that may go to several places
    free: bool = False  # its attempt has failed and charges nothing, and no other has begun
    dialect: str = ""
    route: str = ""
    attempts: str = ""
    attempt_of: str = ""

    def record(self) -> CallRecord:
        """As it stands in the ledger if nothing more can be learnt: "stopped" by "worker_died", nothing used."""
        known: dict[str, Any] = {
            "call_id": self.call_id,
            "endpoint": self.endpoint,
            "started_us": self.started_us,
            "ended_us": self.started_us,
            "worker": self.worker,
            "stream": self.stream,
            "request_bytes": self.request_bytes,
            "gw_version": self.gw_version,
            "charged_us": self.charged_us,
            "rules_us": self.rules_us,
            "at_most_nusd": self.at_most_nusd,
            "sent_model": self.sent_model,
            "dialect": self.dialect,
            "route": self.route,
            "attempts": self.attempts,
            "attempt_of": self.attempt_of,
            "outcome": "stopped",
            "error": "worker_died",
            "usage_source": "none",
            **dict(zip(WHO, self.who, strict=True)),
        }
        blank: dict[Any, Any] = {int: 0, str: "", bool: False}
        return CallRecord(**{field.name: known.get(field.name, blank[field.type]) for field in fields(CallRecord)})
