"""Counts rows of the ledger as gw.ops.metrics_figures says. Done by the keeper as it writes them; pure.

Written for speed: where a caller's figures stand is looked up once, by what a row says of who called, and it is compiled as it
stands (the .pxd makes C integers of the columns' places).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gw._fast import Figures
from gw.domain.attempts import attempts_of, is_left, nexts
from gw.domain.call import CallRecord
from gw.domain.money import PUSD_PER_USD
from gw.domain.scope import model_name
from gw.errors import REFUSALS
from gw.ops.metrics_figures import (
    BILLED,
    CALLS,
    DURATION,
    ENDPOINTS,
    FIRST_BYTE,
    FIRST_TOKEN,
    GAP,
    HITS,
    LIST,
    OTHER,
    OUTCOMES,
    PATH_FIGURES,
    RETRIES,
    SERVICE_FIGURES,
    SERVICES_OF_SERIES,
    TIMES,
    TIMINGS,
    TOKEN_CLASSES,
    TOKENS,
    UNPRICED,
    Counted,
    Labels,
)

PLACES_MAX = 16_384  # callers whose places are remembered
COUNT_BITS = 40  # a provider's garbage must not make a sum that nobody can write
MONEY_BITS = 60
SLUG_CHARS_MAX = 64

_CALL_AT = {
    endpoint: {outcome: CALLS + e * len(OUTCOMES) + o for o, outcome in enumerate(OUTCOMES)}
    for e, endpoint in enumerate(ENDPOINTS)
}
_NOWHERE: dict[str, int] = {}
_at = CallRecord.__struct_fields__.index
_ENDPOINT, _OUTCOME, _ERROR = _at("endpoint"), _at("outcome"), _at("error")
_STARTED, _BYTE, _TOKEN, _ENDED = (_at(f"{name}_us") for name in ("started", "first_byte", "first_token", "ended"))
_STREAM, _SOURCE, _STATUS, _RETRIED = _at("stream"), _at("usage_source"), _at("upstream_status"), _at("retries")
_LISTED, _PAID, _VERSION, _OUTPUT = _at("list_pusd"), _at("billed_pusd"), _at("price_version"), _at("output_tokens")
_INPUT, _CACHE_READ = _at("input_tokens"), _at("cache_read_tokens")
assert CallRecord.__struct_fields__[_INPUT:][: len(TOKEN_CLASSES)] == tuple(f"{name}_tokens" for name in TOKEN_CLASSES)
_ATTEMPTS, _SEEN = _at("attempts"), _at("status")
_WHO = (
    "customer", "team", "key_name", "key_id", "credential", "upstream", "project", "requested_model", "served_model", "dialect",
)  # fmt: skip
_CUSTOMER, _TEAM, _KEY_NAME, _KEY_ID, _CREDENTIAL, _UP, _PROJECT, _ASKED, _SERVED, _DIALECT = map(_at, _WHO)
_BOUNDS, _AT = tuple(one.bounds_us for one in TIMINGS), tuple(TIMES)
# C integers of the same figures
_TOKENS, _LIST, _BILLED, _HITS, _RETRIES, _UNPRICED, _CLASSES = TOKENS, LIST, BILLED, HITS, RETRIES, UNPRICED, len(TOKEN_CLASSES)
_WHOLE, _BEGUN, _SPOKEN, _BETWEEN = DURATION, FIRST_BYTE, FIRST_TOKEN, GAP
_COUNT_MAX, _PUSD_MAX, _USD = 1 << COUNT_BITS, 1 << MONEY_BITS, PUSD_PER_USD

Row = tuple[Any, ...]
Word64 = int  # compiled, a C integer: metrics_tally.pxd


class Place:
    """Where the figures of a caller stand, and what its errors are told apart by."""

    def __init__(self, path: Figures, service: Figures, dialect: Figures, account: Labels) -> None:
        self.path, self.service, self.dialect, self.account = path, service, dialect, account


class Tally:
    """Goes on from sums that were kept; `counted` keeps them."""

    def __init__(self, before: Counted) -> None:
        self._before = before
        self._paths = {labels: Figures(figures) for labels, figures in before.paths}
        self._services = {labels: Figures(figures) for labels, figures in before.services}
        self._errors = dict(before.errors)
        self._failures = dict(before.failures)
        self._dialects = {labels: Figures(figures) for labels, figures in before.dialects}
        self._named: dict[Labels, Place] = {}  # by who called
        self._nameless: dict[Labels, Place] = {}
        self.adjusted = before.adjusted

    def counted(self, seq: int, adjusted_seq: int) -> Counted:
        """To be encoded at once: `adjusted` is the same object."""
        before = self._before
        return Counted(
            before.started_us,
            seq,
            adjusted_seq,
            before.labels,
            before.series_max,
            [(labels, figures.shown()) for labels, figures in self._paths.items()],
            [(labels, figures.shown()) for labels, figures in self._services.items()],
            list(self._errors.items()),
            self.adjusted,
            list(self._failures.items()),
            [(labels, figures.shown()) for labels, figures in self._dialects.items()],
        )

    def add(self, rows: Iterable[Row]) -> None:
        """Rows in the order of CallRecord's fields, each once."""
        for row in rows:
            self._add(row)

    def _add(self, row: Row) -> None:
        status = row[_STATUS]
        named = row[_SOURCE] != "none" or status == 429 or status >= 500
        who = (
            row[_CUSTOMER], row[_TEAM], row[_KEY_NAME], row[_KEY_ID], row[_CREDENTIAL], row[_UP], row[_PROJECT], row[_ASKED],
            row[_SERVED], row[_DIALECT],
        )  # fmt: skip
        place = self._named.get(who) if named else self._nameless.get(who)
        if place is None:
            place = self._place(who, named=named)
        path = place.path
        at = _CALL_AT.get(row[_ENDPOINT], _NOWHERE).get(row[_OUTCOME])
        if at is not None:
            path.add(at, 1)
        if row[_ERROR]:
            self._error(place.account, row[_OUTCOME], row[_ERROR])
        if row[_ATTEMPTS]:
            self._failed(row)
        if row[_ENDPOINT] != "messages":
            return
        place.dialect.add(0, 1)
        for nth in range(_CLASSES):
            count = row[_INPUT + nth]
            if 0 < count < _COUNT_MAX:
                path.add(_TOKENS + nth, count)
        if row[_CACHE_READ] > 0:
            path.add(_HITS, 1)
        listed, billed = row[_LISTED], row[_PAID]
        if 0 < listed < _PUSD_MAX:
            path.add_money(_LIST, listed, _USD)
        if 0 < billed < _PUSD_MAX:
            path.add_money(_BILLED, billed, _USD)
        service = place.service
        if status:
            _add_times(service, row)
        if row[_RETRIED]:
            service.add(_RETRIES, row[_RETRIED])
        if row[_VERSION] == "unpriced":
            service.add(_UNPRICED, 1)

    def adjust(self, list_pusd: int, billed_pusd: int) -> None:
        """One adjustment of a call."""
        one = self.adjusted
        one.calls += 1
        _add_money(one.list_up if list_pusd > 0 else one.list_down, abs(list_pusd))
        _add_money(one.billed_up if billed_pusd > 0 else one.billed_down, abs(billed_pusd))

    # --- places -----------------------------------------------------------------------------------------------------------

    def _place(self, who: Labels, *, named: bool) -> Place:
        series_max, labels = self._before.series_max, self._before.labels
        values = _values(dict(zip(_WHO, who, strict=True)), named=named)
        path = _entered(self._paths, tuple(values[label] for label in labels), series_max, PATH_FIGURES)
        service, dialect = Figures([0] * SERVICE_FIGURES), Figures([0])  # of calls that went nowhere: nobody looks at it
        if values["upstream"]:
            services_max = max(series_max // SERVICES_OF_SERIES, 1)
            service = _entered(self._services, (values["upstream"], values["model"]), services_max, SERVICE_FIGURES)
            dialect = _entered(self._dialects, (values["upstream"], values["dialect"]), series_max, 1)
        account = tuple(values[label] for label in labels if label != "model")
        if len(self._named) + len(self._nameless) >= PLACES_MAX:
            self._named.clear()
            self._nameless.clear()
        found = Place(path, service, dialect, account)
        (self._named if named else self._nameless)[who] = found
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
        for one in nexts(attempts_of(row[_ATTEMPTS]), row[_UP]):
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


def _entered(table: dict[Labels, Figures], labels: Labels, most: int, count: int) -> Figures:
    if labels not in table and len(table) >= most:
        labels = (OTHER,) * len(labels)
    found = table.get(labels)
    if found is None:
        found = table[labels] = Figures([0] * count)
    return found


def _add_money(pair: list[int], pusd: int) -> None:
    if 0 < pusd < 1 << MONEY_BITS:
        usd, pair[1] = divmod(pair[1] + pusd, PUSD_PER_USD)
        pair[0] += usd


def _add_times(service: Figures, row: Row) -> None:
    """The wall clock may go backwards, a histogram may not."""
    started_us, first_byte_us, first_token_us, ended_us = row[_STARTED], row[_BYTE], row[_TOKEN], row[_ENDED]
    service.observe(_AT[_WHOLE], _BOUNDS[_WHOLE], _passed(started_us, ended_us))
    if first_byte_us:
        service.observe(_AT[_BEGUN], _BOUNDS[_BEGUN], _passed(started_us, first_byte_us))
    if first_token_us:
        service.observe(_AT[_SPOKEN], _BOUNDS[_SPOKEN], _passed(started_us, first_token_us))
        count = row[_OUTPUT]
        if row[_STREAM] and row[_OUTCOME] == "completed" and count > 1:
            if first_token_us < 0 or ended_us < 0:  # no instants: they may be further apart than 64 bits say
                gap_us = min(max((row[_ENDED] - row[_TOKEN]) // (row[_OUTPUT] - 1), 0), 1 << COUNT_BITS)
            else:
                gap_us = min(max((ended_us - first_token_us) // (count - 1), 0), _COUNT_MAX)
            service.observe(_AT[_BETWEEN], _BOUNDS[_BETWEEN], gap_us)


def _passed(since_us: Word64, until_us: Word64) -> Word64:
    """From 0 to what is believed, within 64 bits on the way."""
    if until_us <= since_us:
        return 0
    if (until_us >> 1) - (since_us >> 1) >= _COUNT_MAX:
        return _COUNT_MAX
    return min(until_us - since_us, _COUNT_MAX)
