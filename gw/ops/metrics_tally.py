"""What rows of the ledger add up to, told apart by who called what. Counted by the keeper as it writes them; pure.

Five tables of sums, each with a bounded number of places: what comes when a table is full is counted under "other".

    paths     labels as configured                      calls by endpoint and outcome, tokens, cost, calls that read the cache
    services  upstream, model                           histograms of time, retries, calls without a price
    errors    labels without the model, outcome, slug   calls
    failures  upstream, slug, again or elsewhere        attempts that failed there, and where the request went then
    dialects  upstream, the client's dialect            calls to messages

A model is named once an upstream has taken a call for it: clients may ask for anything, and refusals must not fill the tables.
A session is never a label.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple, get_args

from msgspec import Struct, field

from gw.domain.attempts import attempts_of, is_left, nexts
from gw.domain.call import CallRecord, Endpoint, Outcome
from gw.domain.labels import DEFAULT_LABELS
from gw.domain.money import PUSD_PER_USD
from gw.domain.scope import model_name
from gw.errors import REFUSALS

OTHER = "other"
SERVICES_OF_SERIES = 20  # a service has some sixty samples where a path has some eight: so many fewer are kept
PLACES_MAX = 16_384  # callers whose places are remembered
COUNT_BITS = 40  # a provider's garbage must not make a sum that nobody can write
MONEY_BITS = 60
SLUG_CHARS_MAX = 64
US_PER_S = 1_000_000

ENDPOINTS: tuple[str, ...] = get_args(Endpoint)
OUTCOMES: tuple[str, ...] = get_args(Outcome)
TOKEN_CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class Timing(NamedTuple):
    """A histogram of a service. `bounds_us`: upper ones, inclusive; above them is one more bucket, then the sum in us."""

    name: str
    text: str
    bounds_us: tuple[int, ...]


def _us(*seconds: str) -> tuple[int, ...]:
    return tuple(int(float(one) * US_PER_S) for one in seconds)


_ANSWER = _us("0.05", "0.1", "0.25", "0.5", "1", "2", "4", "8", "15", "30", "60", "120")
TIMINGS = (
    Timing(
        "gw_ledger_call_duration_seconds",
        "Start of a messages call to its end",
        _us("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "120", "300", "600", "1800"),
    ),
    Timing("gw_ledger_first_byte_seconds", "Start of a messages call to the first byte of the upstream's answer", _ANSWER),
    Timing("gw_ledger_first_token_seconds", "Start of a messages call to its first token", _ANSWER),
    Timing(
        "gw_ledger_token_gap_seconds",
        "Mean time between two output tokens of a completed stream",
        _us("0.001", "0.0025", "0.005", "0.01", "0.02", "0.03", "0.05", "0.075", "0.1", "0.25", "0.5", "1"),
    ),
)
DURATION, FIRST_BYTE, FIRST_TOKEN, GAP = range(len(TIMINGS))

# Figures of a path
CALLS = 0  # [endpoint][outcome]
TOKENS = CALLS + len(ENDPOINTS) * len(OUTCOMES)  # [class]
LIST = TOKENS + len(TOKEN_CLASSES)  # whole USD, then pico-USD: their product does not fit 64 bits
BILLED = LIST + 2
HITS = BILLED + 2
PATH_FIGURES = HITS + 1

# Figures of a service
TIMES = [sum(len(one.bounds_us) + 2 for one in TIMINGS[:at]) for at in range(len(TIMINGS) + 1)]
RETRIES = TIMES[-1]
UNPRICED = RETRIES + 1
SERVICE_FIGURES = UNPRICED + 1

_CALL_AT = {
    (endpoint, outcome): CALLS + e * len(OUTCOMES) + o
    for e, endpoint in enumerate(ENDPOINTS)
    for o, outcome in enumerate(OUTCOMES)
}
_at = CallRecord.__struct_fields__.index
_ENDPOINT, _OUTCOME, _ERROR = _at("endpoint"), _at("outcome"), _at("error")
_STARTED, _FIRST_BYTE, _FIRST_TOKEN, _ENDED = (_at(f"{name}_us") for name in ("started", "first_byte", "first_token", "ended"))
_STREAM, _SOURCE, _STATUS, _RETRIES = _at("stream"), _at("usage_source"), _at("upstream_status"), _at("retries")
_LIST, _BILLED, _VERSION, _OUTPUT = _at("list_pusd"), _at("billed_pusd"), _at("price_version"), _at("output_tokens")
_CLASSES = tuple((TOKENS + nth, _at(f"{name}_tokens")) for nth, name in enumerate(TOKEN_CLASSES))
_CACHE_READ = _at("cache_read_tokens")
_ATTEMPTS, _SEEN, _UPSTREAM = _at("attempts"), _at("status"), _at("upstream")
_WHO = (
    "customer", "team", "key_name", "key_id", "credential", "upstream", "project", "requested_model", "served_model", "dialect",
)  # fmt: skip
_who = itemgetter(*map(_at, _WHO))

Labels = tuple[str, ...]
Place = tuple[list[int], list[int], list[int], Labels]  # of path, service and dialect; what errors are told apart by


class Adjusted(Struct):
    """What repricing has added to history since the gateway began; whole USD and pico-USD in each pair, up and down apart."""

    calls: int = 0
    list_up: list[int] = field(default_factory=lambda: [0, 0])
    list_down: list[int] = field(default_factory=lambda: [0, 0])
    billed_up: list[int] = field(default_factory=lambda: [0, 0])
    billed_down: list[int] = field(default_factory=lambda: [0, 0])


class Counted(Struct):
    """All sums as they are kept between two keepers and read by workers. Rows up to `seq` are in them."""

    started_us: int  # of this run of the gateway
    seq: int = 0
    adjusted_seq: int = 0  # adjustments up to this number are
    labels: Labels = DEFAULT_LABELS
    series_max: int = 1000
    paths: list[tuple[Labels, list[int]]] = field(default_factory=list)
    services: list[tuple[Labels, list[int]]] = field(default_factory=list)
    errors: list[tuple[Labels, int]] = field(default_factory=list)
    adjusted: Adjusted = field(default_factory=Adjusted)
    failures: list[tuple[Labels, int]] = field(default_factory=list)
    dialects: list[tuple[Labels, list[int]]] = field(default_factory=list)


class Tally:
    """Goes on from sums that were kept; `counted` keeps them."""

    def __init__(self, before: Counted) -> None:
        self._before = before
        self._paths = {labels: list(figures) for labels, figures in before.paths}
        self._services = {labels: list(figures) for labels, figures in before.services}
        self._errors = dict(before.errors)
        self._failures = dict(before.failures)
        self._dialects = {labels: list(figures) for labels, figures in before.dialects}
        self._places: dict[tuple[bool, Labels], Place] = {}
        self.adjusted = before.adjusted

    def counted(self, seq: int, adjusted_seq: int) -> Counted:
        """The same lists, not copies: to be encoded at once."""
        before = self._before
        return Counted(
            before.started_us,
            seq,
            adjusted_seq,
            before.labels,
            before.series_max,
            list(self._paths.items()),
            list(self._services.items()),
            list(self._errors.items()),
            self.adjusted,
            list(self._failures.items()),
            list(self._dialects.items()),
        )

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows in the order of CallRecord's fields, each once. 3 us a row (bench/micro/bench_metrics.py)."""
        places = self._places
        for row in rows:
            status = row[_STATUS]
            named = row[_SOURCE] != "none" or status == 429 or status >= 500
            who = _who(row)
            path, service, dialect, account = places.get((named, who)) or self._place(who, named=named)
            at = _CALL_AT.get((row[_ENDPOINT], row[_OUTCOME]))
            if at is not None:
                path[at] += 1
            if row[_ERROR]:
                self._error(account, row[_OUTCOME], row[_ERROR])
            if row[_ATTEMPTS]:
                self._failed(row)
            if row[_ENDPOINT] != "messages":
                continue
            dialect[0] += 1
            for figure, column in _CLASSES:
                count = row[column]
                if 0 < count < 1 << COUNT_BITS:
                    path[figure] += count
            path[HITS] += row[_CACHE_READ] > 0
            _add_money(path, LIST, row[_LIST])
            _add_money(path, BILLED, row[_BILLED])
            if status:
                _add_times(service, row)
            service[RETRIES] += row[_RETRIES]
            service[UNPRICED] += row[_VERSION] == "unpriced"

    def adjust(self, list_pusd: int, billed_pusd: int) -> None:
        """One adjustment of a call."""
        one = self.adjusted
        one.calls += 1
        _add_money(one.list_up if list_pusd > 0 else one.list_down, 0, abs(list_pusd))
        _add_money(one.billed_up if billed_pusd > 0 else one.billed_down, 0, abs(billed_pusd))

    # --- places -----------------------------------------------------------------------------------------------------------

    def _place(self, who: Labels, *, named: bool) -> Place:
        series_max, labels = self._before.series_max, self._before.labels
        values = _values(dict(zip(_WHO, who, strict=True)), named=named)
        path = _entered(self._paths, tuple(values[label] for label in labels), series_max, PATH_FIGURES)
        service, dialect = [0] * SERVICE_FIGURES, [0]  # of calls that went nowhere: nobody looks at it
        if values["upstream"]:
            services_max = max(series_max // SERVICES_OF_SERIES, 1)
            service = _entered(self._services, (values["upstream"], values["model"]), services_max, SERVICE_FIGURES)
            dialect = _entered(self._dialects, (values["upstream"], values["dialect"]), series_max, 1)
        account = tuple(values[label] for label in labels if label != "model")
        if len(self._places) >= PLACES_MAX:
            self._places.clear()
        found = self._places[named, who] = path, service, dialect, account
        return found

    def _error(self, account: Labels, outcome: str, slug: str) -> None:
        labels = (*account, outcome, _slug(slug))
        if labels not in self._errors and len(self._errors) >= self._before.series_max:
            labels = (*(OTHER,) * len(account), outcome if outcome in OUTCOMES else OTHER, OTHER)
        self._errors[labels] = self._errors.get(labels, 0) + 1


    def _failed(self, row: tuple[Any, ...]) -> None:
        """A row that is left is told of once more by the one that followed."""
        if is_left(row[_OUTCOME], row[_SEEN]):
            return
        for one in nexts(attempts_of(row[_ATTEMPTS]), row[_UPSTREAM]):
            labels = (one.attempt.upstream, _slug(one.attempt.error), one.then)
            if labels not in self._failures and len(self._failures) >= self._before.series_max:
                labels = (OTHER, OTHER, one.then)
            self._failures[labels] = self._failures.get(labels, 0) + 1


def _slug(slug: str) -> str:
    known = slug in REFUSALS or (len(slug) <= SLUG_CHARS_MAX and slug.isascii() and slug.replace("_", "").isalnum())
    return slug if known else OTHER


def _values(who: Mapping[str, str], *, named: bool) -> dict[str, str]:
    """What each label may say of such a caller. One in passthrough has no key: the digest of its own credential stands for it."""
    passthrough = f"passthrough {who['credential']}" if who["credential"] else ""
    return {
        "customer": who["customer"],
        "team": who["team"],
        "key": who["key_name"] or passthrough or who["key_id"],
        "upstream": who["upstream"],
        "model": (who["served_model"] or model_name(who["requested_model"])) if named else "",
        "project": who["project"],
        "dialect": who["dialect"] or "anthropic",
    }


def _entered(table: dict[Labels, list[int]], labels: Labels, most: int, figures: int) -> list[int]:
    if labels not in table and len(table) >= most:
        labels = (OTHER,) * len(labels)
    found = table.get(labels)
    if found is None:
        found = table[labels] = [0] * figures
    return found


def _add_money(figures: list[int], at: int, pusd: int) -> None:
    if 0 < pusd < 1 << MONEY_BITS:
        usd, figures[at + 1] = divmod(figures[at + 1] + pusd, PUSD_PER_USD)
        figures[at] += usd


def _add_times(service: list[int], row: tuple[Any, ...]) -> None:
    """The wall clock may go backwards, a histogram may not."""
    started_us, first_byte_us, first_token_us, ended_us = row[_STARTED], row[_FIRST_BYTE], row[_FIRST_TOKEN], row[_ENDED]
    _observe(service, DURATION, ended_us - started_us)
    if first_byte_us:
        _observe(service, FIRST_BYTE, first_byte_us - started_us)
    if first_token_us:
        _observe(service, FIRST_TOKEN, first_token_us - started_us)
        if row[_STREAM] and row[_OUTCOME] == "completed" and row[_OUTPUT] > 1:
            _observe(service, GAP, (ended_us - first_token_us) // (row[_OUTPUT] - 1))


def _observe(service: list[int], timing: int, us: int) -> None:
    us = min(max(us, 0), 1 << COUNT_BITS)
    bounds, base = TIMINGS[timing].bounds_us, TIMES[timing]
    service[base + bisect_left(bounds, us)] += 1
    service[base + len(bounds) + 1] += us
