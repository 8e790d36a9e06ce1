"""One call, from its first byte to its one record.

`Call` is the only mutable object of the route; it is passed by argument and never shared between calls. `settle` runs
exactly once per call, synchronously: price what was read, append the record to the journal, count it.
"""

from typing import NamedTuple

import orjson
from msgspec.structs import astuple

from gw import __version__, clock
from gw._fast import Peek, Tap
from gw.admit.hold import Hold
from gw.domain.account import Account
from gw.domain.call import CallRecord, Endpoint, OpenCall, Outcome
from gw.domain.estimate import complete
from gw.domain.price import Priced
from gw.domain.text import printable
from gw.domain.usage import Iteration, Reading, Usage
from gw.pricing.book import Terms
from gw.snapshot import Deployment, Snapshot
from gw.watch import Watch
from gw.wire.anthropic import reading_from_tap
from gw.wire.asgi import Receive
from gw.wire.headers import TAGS_MAX, text_of

NOTHING = Reading()
NO_PRICE = Priced(0, 0, 0, 0, 0, 0, 0, 0, 0, "", ())
SETTLE_FAILED = Priced(0, 0, 0, 0, 0, 0, 0, 0, 0, "unpriced", ("settle_failed",))
NOBODY = Account()
Nine = tuple[int, int, int, int, int, int, int, int, int]
NO_TOKENS: Nine = (0, 0, 0, 0, 0, 0, 0, 0, 0)
MODEL_MAX = 256
WORD_MAX = 64
UPLOAD_MAX_S = 600


class Who(NamedTuple):
    """The columns that say whose call it is, in the record's order."""

    key_id: str
    key_name: str
    team: str
    customer: str
    credential: str
    upstream: str
    session_id: str
    agent_id: str
    parent_agent_id: str
    prompt_id: str
    device: str
    project: str
    tags: str
    client_version: str
    requested_model: str


class Call:
    """Everything known of one client request so far."""

    __slots__ = (
        "account",
        "billed",
        "body_bytes",
        "budget",
        "call_id",
        "charged_us",
        "client_gone",
        "deployment",
        "device",
        "endpoint",
        "first_byte_us",
        "first_token_us",
        "hold",
        "own_credential",
        "peek",
        "reading",
        "receive",
        "record",
        "response_bytes",
        "retries",
        "sent",
        "session_id",
        "shadowed",
        "slot",
        "snapshot",
        "started_us",
        "status",
        "stopping",
        "tap",
        "terms",
        "upstream_request_id",
        "upstream_status",
        "values",
        "watch",
        "who",
        "worker",
    )

    def __init__(self, call_id: str, endpoint: Endpoint, snapshot: Snapshot, worker: str) -> None:
        self.call_id = call_id
        self.endpoint = endpoint
        self.snapshot = snapshot
        self.worker = worker
        self.started_us = clock.wall_us()
        self.first_byte_us = 0
        self.first_token_us = 0
        self.account = NOBODY
        self.own_credential = True  # the client's own credential goes upstream
        self.deployment: Deployment | None = None
        self.values: dict[bytes, bytes] = {}
        self.who: Who | None = None
        self.device = ""
        self.terms: Terms | None = None
        self.charged_us = 0  # when it was admitted
        self.hold: Hold | None = None  # what budgets have set aside for it
        self.budget = ""  # the budget or limit that refused or ended it
        self.shadowed = ""  # shadow budgets that would have refused it, comma-separated
        self.session_id = ""
        self.peek: Peek | None = None
        self.tap: Tap | None = None
        self.reading: Reading | None = None  # set by a whole answer; a stream's is asked of the tap
        self.slot = -1
        self.body_bytes = 0
        self.response_bytes = 0
        self.status = 0  # sent to the client
        self.sent = False  # an upstream was asked for: what goes wrong from here on is not gw's refusal
        self.billed = False  # the upstream charges for the call, as far as is known
        self.upstream_status = 0
        self.upstream_request_id = ""
        self.retries = 0
        self.client_gone = False
        self.stopping = False
        self.receive: Receive | None = None  # while an upstream is asked
        self.watch: Watch | None = None
        self.record: CallRecord | None = None  # set by settle: the call is over

    def goes_out(self) -> None:
        """The request is about to be written to the upstream: from here on it may cost money."""
        self.billed = self.endpoint == "messages"

    @property
    def longest_ns(self) -> int:
        """What a slow upload and the upstream's total timeout together can explain."""
        total_s = self.deployment.target.total_timeout_s if self.deployment is not None else 0
        return int((UPLOAD_MAX_S + total_s) * 1_000_000_000)

    def read(self) -> Reading:
        """What is known of the response at this moment."""
        if self.reading is not None:
            return self.reading
        return reading_from_tap(self.tap) if self.tap is not None else NOTHING


def opened(call: Call) -> OpenCall:
    """What is known before the first byte goes upstream."""
    stream = call.peek.stream if call.peek is not None else False
    who = call.who or _who(call)
    return OpenCall(
        call.slot,
        call.call_id,
        call.endpoint,
        call.started_us,
        call.worker,
        stream,
        call.body_bytes,
        who,
        __version__,
        call.charged_us,
        call.snapshot.published_us,
    )


def settled(call: Call, outcome: Outcome, error: str) -> CallRecord:
    """The call's final record: priced once, from the best reading there is."""
    reading = call.read()
    refused = bool(reading.error_type) and not reading.started  # an error in place of an answer: providers charge nothing for it
    if refused or not call.billed:
        return build(call, reading, "none", NO_PRICE, outcome=outcome, error=error)
    model = call.peek.model if call.peek is not None and call.peek.model else ""
    reading, source = complete(reading, model=model, request_bytes=call.body_bytes)
    assert call.terms is not None, "no call is billed that was not admitted"
    priced = call.snapshot.book.charge(call.terms, reading, call.started_us)
    return build(call, reading, source, priced, outcome=outcome, error=error)


def unpriced(call: Call, outcome: Outcome, error: str) -> CallRecord:
    """The record of a call whose price could not be computed: marked, never silently 0."""
    return build(call, NOTHING, "estimated", SETTLE_FAILED, outcome=outcome, error=error)


def build(call: Call, reading: Reading, source: str, priced: Priced, *, outcome: Outcome, error: str) -> CallRecord:
    """Every column in one place, by position (measured: half the time of keywords); tests/test_settle.py names each."""
    usage = reading.usage
    who = call.who or _who(call)
    return CallRecord(
        call.call_id,
        call.endpoint,
        call.started_us,
        call.first_byte_us,
        call.first_token_us,
        max(clock.wall_us(), call.started_us),  # the wall clock may go backwards, a call may not
        outcome,
        call.status,
        error,
        *who,
        printable(reading.model, MODEL_MAX),
        call.peek.stream if call.peek is not None else False,
        printable(reading.stop_reason, WORD_MAX),
        *(_tokens(usage) if source != "none" else NO_TOKENS),
        printable(usage.service_tier, WORD_MAX),
        printable(usage.speed, WORD_MAX),
        printable(usage.inference_geo, WORD_MAX),
        _iterations(usage.iterations) if usage.iterations else "",
        source,
        flags_of(reading, priced) if priced.flags or usage.ttl_assumed or reading.garbled else "",
        priced.list_pusd,
        priced.billed_pusd,
        priced.input_pusd,
        priced.output_pusd,
        priced.cache_read_pusd,
        priced.cache_write_5m_pusd,
        priced.cache_write_1h_pusd,
        priced.tools_pusd,
        priced.other_pusd,
        priced.price_version,
        call.upstream_status,
        call.upstream_request_id,
        call.retries,
        call.body_bytes,
        call.response_bytes,
        __version__,
        call.worker,
        call.charged_us,
        call.snapshot.published_us if call.charged_us else 0,
        call.budget,
        call.shadowed,
    )


def _who(call: Call) -> Who:
    """The columns from key_id to requested_model: they are known once the call is planned, and kept from then on."""
    account, values, peek = call.account, call.values, call.peek
    who = Who(
        account.key_id,
        account.key_name,
        account.team,
        account.customer,
        account.credential,
        call.deployment.name if call.deployment is not None else "",
        call.session_id,
        _value(values, b"x-claude-code-agent-id"),
        _value(values, b"x-claude-code-parent-agent-id"),
        _value(values, b"x-claude-code-prompt-id"),
        call.device,
        _value(values, b"x-gw-project"),
        text_of(values[b"x-gw-tags"], TAGS_MAX) if b"x-gw-tags" in values else "",
        _value(values, b"user-agent").split(" ", 1)[0],
        printable(peek.model or "", MODEL_MAX) if peek is not None else "",
    )
    if call.deployment is not None:
        call.who = who
    return who


def _tokens(usage: Usage) -> Nine:
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.thinking_tokens,
        usage.web_search_requests,
        usage.web_fetch_requests,
        usage.code_execution_requests,
    )


def _value(values: dict[bytes, bytes], name: bytes) -> str:
    value = values.get(name)
    return text_of(value) if value else ""


def _iterations(iterations: tuple[Iteration, ...]) -> str:
    return orjson.dumps([astuple(one) for one in iterations]).decode()


def flags_of(reading: Reading, priced: Priced) -> str:
    flags = priced.flags
    if reading.usage.ttl_assumed:
        flags = (*flags, "ttl_assumed")
    if reading.garbled:
        flags = (*flags, "garbled")
    return ",".join(flags)
