"""One call, from its first byte to its one record.

`Call` is the only mutable object of the route; it is passed by argument and never shared between calls. `settle` runs
exactly once per call, synchronously: price what was read, append the record to the journal, count it.
"""

from typing import TYPE_CHECKING

import orjson
from msgspec.structs import astuple

from gw import __version__
from gw._fast import Found, Frame, Laps, Peek, Tap, Weight, shown, told_by
from gw.admit.hold import Hold
from gw.clock import wall_us
from gw.deployment import Deployment
from gw.domain.account import Account
from gw.domain.call import WHO, CallRecord, Endpoint, OpenCall, Outcome
from gw.domain.estimate import complete
from gw.domain.price import Priced
from gw.domain.settled import Settled
from gw.domain.trace import parent_of
from gw.domain.usage import Iteration, Reading, Usage
from gw.known import Known
from gw.ledger.frames import CLOSE, OPEN
from gw.ops.metrics import RELAY
from gw.pricing.book import UNPRICED, Bill, Terms
from gw.snapshot import Snapshot
from gw.watch import Watch
from gw.wire.anthropic import COUNT_MAX, reading_of
from gw.wire.asgi import Receive
from gw.wire.trace import TRACEPARENT

if TYPE_CHECKING:
    from gw.demand import Demand

METERED = frozenset({"messages", "embeddings"})  # what providers charge for, and budgets are held to
NOTHING = Reading()
NO_PRICE = Priced(0, 0, 0, 0, 0, 0, 0, 0, 0, "", ())
SETTLE_FAILED = Priced(0, 0, 0, 0, 0, 0, 0, 0, 0, "unpriced", ("settle_failed",))
NOBODY = Account()
UNTOLD = told_by({})
MODEL_MAX = 256
WORD_MAX = 64
UPLOAD_MAX_S = 600
OPEN_COLUMNS = OpenCall.__struct_fields__.index("free")
WAY_COLUMNS = len(OpenCall.__struct_fields__)  # of a call that may go to several places
CLOSE_COLUMNS = len(CallRecord.__struct_fields__)
WHO_COLUMNS = len(WHO)
NO_TRACE = ("", "", 0)
AMOUNTS = 9  # of Priced: list, billed, and the billed split


class Call:
    """Everything known of one client request so far."""

    __slots__ = (
        "account", "attempt_of", "attempts", "billed", "body_bytes", "budget", "call_id", "charge_pusd",
        "charged_us", "client_gone", "demand", "deployment", "device", "dialect", "endpoint", "first_byte_us",
        "first_token_us", "found", "hold", "known", "laps", "metered", "own_credential", "peek", "reading", "receive", "record",
        "response_bytes", "retries", "route", "second_slot", "sent", "sent_model", "served_model", "session_id",
        "shadowed", "slot", "snapshot", "started_us", "status", "stopping", "tap", "terms", "ticked", "told",
        "upstream_request_id", "upstream_status", "values", "watch", "weight", "who", "who_columns", "worker",
    )  # fmt: skip

    def __init__(self, call_id: str, endpoint: Endpoint, snapshot: Snapshot, worker: str) -> None:
        self.call_id = call_id
        self.endpoint = endpoint
        self.metered = endpoint == "messages" or endpoint in METERED
        self.dialect = ""  # the client's, if not Anthropic's
        self.snapshot = snapshot
        self.worker = worker
        self.started_us = wall_us()
        self.laps = Laps()  # gw's own time
        self.first_byte_us = 0
        self.first_token_us = 0
        self.account = NOBODY
        self.own_credential = True  # the client's own credential goes upstream
        self.deployment: Deployment | None = None
        self.demand: Demand | None = None  # of a call that may go to several places
        self.values: dict[bytes, bytes] = {}
        self.told = UNTOLD
        self.known: Known | None = None  # of this call, once its `who` is kept
        self.who: tuple[str, ...] | None = None  # the columns of WHO
        self.who_columns: bytes | None = None  # of it, as they stand in a frame
        self.device = ""
        self.terms: Terms | None = None
        self.charged_us = 0  # when it was admitted
        self.hold: Hold | None = None  # what budgets have set aside for it
        self.budget = ""  # the budget or limit that refused or ended it
        self.shadowed = ""  # shadow budgets that would have refused it, comma-separated
        self.session_id = ""
        self.peek: Peek | None = None
        self.tap: Tap | None = None
        self.found: Found | None = None  # what a whole answer said; a stream's is asked of the tap
        self.reading: Reading | None = None  # set by what knows better
        self.slot = -1
        self.second_slot = -1  # of a call that holds twice
        self.weight: Weight | None = None  # of a call that budgets are held to
        self.body_bytes = 0
        self.response_bytes = 0
        self.status = 0  # sent to the client
        self.sent = False  # an upstream was asked for: what goes wrong from here on is not gw's refusal
        self.billed = False  # the upstream charges for the call, as far as is known
        self.upstream_status = 0
        self.upstream_request_id = ""
        self.charge_pusd: int | None = None  # what the provider says that it charges
        self.retries = 0
        self.served_model = ""  # as the upstream names it, where the answer that is read does not
        self.sent_model = ""  # what goes upstream, if not as the client has it
        self.route = ""  # why it goes where it goes
        self.attempts: list[tuple[str, int, str, int]] | None = None  # upstream, status, slug, ms: of those before this one
        self.attempt_of = ""  # the row of one that was billed
        self.client_gone = False
        self.stopping = False
        self.receive: Receive | None = None  # while an upstream is asked
        self.ticked = False  # a tick of the worker has found it running
        self.watch: Watch | None = None
        self.record: Settled | None = None  # set by settle: the call is over

    def goes_out(self) -> None:
        """The request is about to be written to the upstream: from here on it may cost money."""
        self.billed = self.metered
        self.laps.lap(RELAY)

    @property
    def longest_ns(self) -> int:
        """What a slow upload can explain, or, from then on that it is `sent`, the upstream's total timeout."""
        longest_s = self.deployment.target.total_timeout_s if self.sent and self.deployment is not None else UPLOAD_MAX_S
        return int(longest_s * 1_000_000_000)

    def read(self) -> Reading:
        """What is known of the response at this moment."""
        if self.reading is not None:
            return self.reading
        if self.found is not None:
            return reading_of(self.found)
        return reading_of(self.tap.found()) if self.tap is not None else NOTHING

    def last_word(self) -> Found | None:
        """What the response has said at its end. None: it has not, or not in so many words."""
        if self.reading is None and self.found is None and self.tap is not None:
            found = self.tap.found()
            found.cap(COUNT_MAX)
            self.found = found if found.final_usage else None
        last = self.found
        if self.reading is not None or last is None or not last.final_usage or last.garbled:
            return None
        told = last.input_tokens | last.output_tokens | last.cache_read_tokens
        told |= last.cache_write_5m_tokens | last.cache_write_1h_tokens
        # No answer is without a token, nor has one so many.
        return last if told < COUNT_MAX and (told or last.iterations) else None


def opened(call: Call, frame: Frame) -> None:
    """Writes what is known before the first byte goes upstream: the columns of OpenCall."""
    peek = call.peek
    frame.begin(OPEN, OPEN_COLUMNS if call.demand is None else WAY_COLUMNS)
    frame.number(call.slot)
    frame.text(call.call_id)
    frame.text(call.endpoint)
    frame.number(call.started_us)
    frame.text(call.worker)
    frame.flag(peek.stream if peek is not None else False)
    frame.number(call.body_bytes)
    frame.array(WHO_COLUMNS)
    _who(call, frame)
    frame.text(__version__)
    frame.number(call.charged_us)
    frame.number(call.snapshot.published_us if call.charged_us else 0)
    frame.number(call.hold.at_most_nusd if call.hold is not None else 0)
    frame.shown(call.sent_model, MODEL_MAX)
    if call.demand is not None:
        frame.flag(False)
        frame.text(call.dialect)  # as way_of
        frame.text(call.route)
        frame.text(orjson.dumps(call.attempts).decode() if call.attempts else "")
        frame.text(call.attempt_of)


def way_of(call: Call) -> tuple[str, str, str, str]:
    """The last columns of OpenCall."""
    attempts = orjson.dumps(call.attempts).decode() if call.attempts else ""
    return call.dialect, call.route, attempts, call.attempt_of


def settled(call: Call, frame: Frame, outcome: Outcome, error: str) -> Settled:
    """Writes the call's final record: priced once, from the best reading there is."""
    found = call.last_word() if call.billed else None
    if found is not None and call.terms is not None and not found.error_type and call.charge_pusd is None:
        bill = call.snapshot.book.bill(call.terms, found)
        if bill is not None:
            return plain(call, frame, found, bill, outcome, error)
    reading = call.read()
    refused = bool(reading.error_type) and not reading.started  # an error in place of an answer: providers charge nothing for it
    if refused or not call.billed:
        return closed(call, frame, reading, "none", NO_PRICE, outcome, error)
    model = call.peek.model if call.peek is not None and call.peek.model else ""
    reading, source = complete(reading, model=model, request_bytes=call.body_bytes)
    assert call.terms is not None, "no call is billed that was not admitted"
    priced = call.snapshot.book.charge(call.terms, reading, call.started_us, exact_pusd=call.charge_pusd)
    return closed(call, frame, reading, source, priced, outcome, error)


def unpriced(call: Call, frame: Frame, outcome: Outcome, error: str) -> Settled:
    """Writes the record of a call whose price could not be computed: marked, never silently 0."""
    return closed(call, frame, NOTHING, "estimated", SETTLE_FAILED, outcome, error)


def closed(  # noqa: PLR0917 - compiled, it is a C function
    call: Call, frame: Frame, reading: Reading, source: str, priced: Priced, outcome: str, error: str
) -> Settled:
    """Writes the columns of CallRecord, in its order; tests/test_settle.py names each."""
    done = _begun(call, frame, outcome, error, source)
    frame.shown(call.served_model or reading.model, MODEL_MAX)
    frame.flag(call.peek.stream if call.peek is not None else False)
    frame.shown(reading.stop_reason, WORD_MAX)
    _usage(done, frame, reading.usage)
    frame.text(source)
    frame.text(flags_of(reading, priced))
    _price(done, frame, priced)
    _ended(call, frame, done)
    return done


def plain(  # noqa: PLR0917 - as closed
    call: Call, frame: Frame, found: Found, bill: Bill, outcome: str, error: str
) -> Settled:
    """As `closed`, of almost every call: exact, at flat rates. tests/test_settle.py: the bytes are the same."""
    done = _begun(call, frame, outcome, error, "exact")
    frame.shown(call.served_model or found.model, MODEL_MAX)
    frame.flag(call.peek.stream if call.peek is not None else False)
    frame.shown(found.stop_reason, WORD_MAX)
    done.input_tokens, done.output_tokens = found.input_tokens, found.output_tokens
    done.cache_read_tokens, done.cache_write_5m_tokens = found.cache_read_tokens, found.cache_write_5m_tokens
    done.cache_write_1h_tokens = found.cache_write_1h_tokens
    frame.number(found.input_tokens)
    frame.number(found.output_tokens)
    frame.number(found.cache_read_tokens)
    frame.number(found.cache_write_5m_tokens)
    frame.number(found.cache_write_1h_tokens)
    frame.number(found.thinking_tokens)
    frame.number(found.web_search_requests)
    frame.number(found.web_fetch_requests)
    frame.number(found.code_execution_requests)
    frame.shown(found.service_tier, WORD_MAX)
    frame.shown(found.speed, WORD_MAX)
    frame.shown(found.inference_geo, WORD_MAX)
    frame.text(orjson.dumps(found.iterations).decode() if found.iterations else "")
    frame.text("exact")
    flags = (*bill.flags, "ttl_assumed") if found.ttl_assumed else bill.flags
    frame.text(",".join(flags) if flags else "")
    done.list_pusd = done.billed_pusd = bill.billed_pusd
    frame.number(bill.billed_pusd)
    frame.number(bill.billed_pusd)
    frame.number(bill.input_pusd)
    frame.number(bill.output_pusd)
    frame.number(bill.cache_read_pusd)
    frame.number(bill.cache_write_5m_pusd)
    frame.number(bill.cache_write_1h_pusd)
    frame.number(bill.tools_pusd)
    frame.number(0)
    frame.text(bill.version)
    _ended(call, frame, done)
    return done


def _begun(call: Call, frame: Frame, outcome: str, error: str, source: str) -> Settled:
    """The columns before the answer's."""
    done = Settled(call.endpoint, outcome, error, source)
    done.started_us = call.started_us
    done.first_token_us = call.first_token_us
    done.ended_us = max(wall_us(), call.started_us)  # the wall clock may go backwards, a call may not
    done.retries = call.retries
    frame.begin(CLOSE, CLOSE_COLUMNS)
    frame.text(call.call_id)
    frame.text(call.endpoint)
    frame.number(call.started_us)
    frame.number(call.first_byte_us)
    frame.number(call.first_token_us)
    frame.number(done.ended_us)
    frame.text(outcome)
    frame.number(call.status)
    frame.text(error)
    _who(call, frame)
    return done


def _ended(call: Call, frame: Frame, done: Settled) -> None:
    """The columns behind the price."""
    frame.number(call.upstream_status)
    frame.text(call.upstream_request_id)
    frame.number(call.retries)
    frame.number(call.body_bytes)
    frame.number(call.response_bytes)
    frame.text(__version__)
    frame.text(call.worker)
    frame.number(call.charged_us)
    frame.number(call.snapshot.published_us if call.charged_us else 0)
    frame.text(call.budget)
    frame.text(call.shadowed)
    guessed = done.charged and not done.exact
    frame.number(call.hold.at_most_nusd if guessed and call.hold is not None else 0)
    sent = call.values.get(TRACEPARENT)
    trace_id, span_id, flags = parent_of(sent) if sent is not None else NO_TRACE
    frame.text(trace_id)
    frame.text(span_id)
    frame.number(flags)
    frame.text(call.dialect)
    frame.shown(call.sent_model, MODEL_MAX)
    frame.text(call.route)
    frame.text(orjson.dumps(call.attempts).decode() if call.attempts else "")
    frame.text(call.attempt_of)


def _who(call: Call, frame: Frame) -> None:
    """The columns of WHO, encoded once: every call that goes upstream writes them twice."""
    if call.who_columns is not None:
        frame.raw(call.who_columns)
        return
    start = frame.size
    for text in columns_of(call):
        frame.text(text)
    if call.who is not None:
        call.who_columns = frame.since(start)
        if call.known is not None:
            call.known.who_columns = call.who_columns


def columns_of(call: Call) -> tuple[str, ...]:
    """From key_id to requested_model: they are known once the call is planned, and kept from then on."""
    if call.who is not None:
        return call.who
    account, told, peek = call.account, call.told, call.peek
    model = peek.model if peek is not None else None
    version = call.snapshot.version
    known: Known | None = told.known
    if known is not None and known.fits(account, call.deployment, call.session_id, call.device, model, version):
        call.known, call.who, call.who_columns = known, known.who, known.who_columns
        return known.who
    who = (
        account.key_id,
        account.key_name,
        account.team,
        account.customer,
        account.credential,
        call.deployment.name if call.deployment is not None else "",
        call.session_id,
        told.agent_id, told.parent_agent_id, told.prompt_id,
        call.device,
        told.project, told.tags, told.client,
        shown(model or "", MODEL_MAX),
    )
    call.known = None
    if call.deployment is not None:
        call.who = who
        if told is not UNTOLD:
            known = Known(account, call.deployment, call.session_id, call.device, model, version, who)
            call.known = told.known = known
    return who


def _usage(done: Settled, frame: Frame, usage: Usage) -> None:
    """Tokens by class, and how they were served. What is not billed has no tokens."""
    a, b, c, d, e, thinking, searches, fetches, executions, tier, speed, geo, iterations, _ = astuple(usage)
    if done.usage_source == "none":
        a = b = c = d = e = thinking = searches = fetches = executions = 0
    done.input_tokens, done.output_tokens, done.cache_read_tokens = a, b, c
    done.cache_write_5m_tokens, done.cache_write_1h_tokens = d, e
    for count in (a, b, c, d, e, thinking, searches, fetches, executions):
        frame.integer(count)
    frame.shown(tier, WORD_MAX)
    frame.shown(speed, WORD_MAX)
    frame.shown(geo, WORD_MAX)
    frame.text(_iterations(iterations) if iterations else "")


def _price(done: Settled, frame: Frame, priced: Priced) -> None:
    """Money and which price it was. tests/test_settle.py: the first nine fields of Priced are the record's, in its order."""
    amounts = astuple(priced)
    done.list_pusd, done.billed_pusd = amounts[0], amounts[1]
    done.unpriced = priced.price_version == UNPRICED
    for amount in amounts[:AMOUNTS]:
        frame.integer(amount)
    frame.text(priced.price_version)


def _iterations(iterations: tuple[Iteration, ...]) -> str:
    return orjson.dumps([astuple(one) for one in iterations]).decode()


def flags_of(reading: Reading, priced: Priced) -> str:
    flags = priced.flags
    if not flags and not reading.usage.ttl_assumed and not reading.garbled:
        return ""
    if reading.usage.ttl_assumed:
        flags = (*flags, "ttl_assumed")
    if reading.garbled:
        flags = (*flags, "garbled")
    return ",".join(flags)
