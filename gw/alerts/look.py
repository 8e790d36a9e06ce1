"""One look at all rules: facts in, actions out. Everything it needs of the rest of gw is given to it.

Rules are of the configuration; what they look at is read from the ledger's rollups (`past`), from what came since the last look
(`Meter`), from the cells of budgets and from the keeper's status. All of it runs in a thread of the courier.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import NamedTuple

from gw.alerts import judge, past
from gw.alerts.decide import Condition, Rule, decide, fingerprint
from gw.alerts.judge import Forecast, Spending
from gw.alerts.meter import Meter
from gw.alerts.store import Source, carry_out, forget, silences, states_of
from gw.config.alert_model import Alert, Alerts, Notify
from gw.domain.budget import BASIS
from gw.domain.limit import parse_per
from gw.domain.money import nusd_from_usd
from gw.domain.standing import Standing
from gw.ledger.spending import Span, spent
from gw.ledger.status import KeeperStatus
from gw.ledger.store import Database

MILLI = 1000
PAST_EVERY_US = 3600 * 1_000_000  # how often what is usual is read anew
FORECAST_EVERY_US = 600 * 1_000_000
FORGET_EVERY_US = 3600 * 1_000_000
DAY_US = 86_400 * 1_000_000

log = logging.getLogger("gw.alerts")


class Settings(NamedTuple):
    """The part of the configuration that alerts are made of."""

    alerts: Alerts
    alert: tuple[Alert, ...]
    notify: tuple[Notify, ...]


class Surroundings(NamedTuple):
    """`standings`: where accounts of budgets stand now, of those that `Meter.paths` names among others; sessions are not
    among them."""

    database: Database
    standings: Callable[[Meter, int], list[Standing]]
    keeper: Callable[[], KeeperStatus | None]


class Looker:
    """Keeps what it has read lately. Methods raise StoreError, and are to be called in one thread after the other."""

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self.meter = Meter(around.database)
        self._hours: dict[str, tuple[int, dict[str, tuple[int, ...]]]] = {}
        self._recent: tuple[int, dict[tuple[str, str], tuple[int, int]]] = (0, {})
        self._sessions: dict[str, dict[str, judge.Session]] = {}
        self._drift_nusd = -1
        self._forget_us = 0

    def look(self, now_us: int, elsewhere: frozenset[str] = frozenset()) -> int:
        """All rules once. How many messages are to be sent. `elsewhere`: rules that somebody else decides about now."""
        self.meter.look(now_us)
        messages = 0
        for alert in self._settings.alert:
            if alert.active and alert.name not in elsewhere:
                conditions = list(self.conditions(alert, now_us))
                messages += self._decide(alert, conditions, now_us)
        status = self._around.keeper()
        if status is not None:
            self._drift_nusd = status.cells_drift_nusd
        if now_us >= self._forget_us:
            self._forget_us = now_us + FORGET_EVERY_US
            with self._around.database.changing() as db:
                names = [alert.name for alert in self._settings.alert if alert.active]
                closing, link = closing_of(self._settings.notify), self._settings.alerts.link
                forget(db, names, now_us, self._settings.alerts.history_days * DAY_US, closing, link)
        return messages

    def _decide(self, alert: Alert, conditions: list[Condition], now_us: int) -> int:
        """Nothing is written where nothing is news."""
        database, rule = self._around.database, rule_of(alert)
        with database.reading() as db:
            known = states_of(db, alert.name) if db is not None else {}
            quiet = [one for one in silences(db, now_us) if one.rule == alert.name] if db is not None else []
        everything = any(not one.fingerprint for one in quiet)
        marks = {fingerprint(alert.name, one.subject) for one in conditions} | set(known)
        silenced = frozenset(marks if everything else {one.fingerprint for one in quiet})
        if not decide(rule, conditions, known, now_us, silenced=silenced):
            return 0
        with database.changing() as db:
            actions = decide(rule, conditions, states_of(db, alert.name), now_us, silenced=silenced)
            for action in actions:
                if action.event:
                    log.info("alert %s %s: %s", alert.name, action.event, action.told.title or action.state.subject)
            return carry_out(db, source_of(alert, self._settings), actions, now_us)

    # --- what each kind looks at ------------------------------------------------------------------------------------------

    def conditions(self, alert: Alert, now_us: int) -> Iterable[Condition]:
        window_us = parse_per(alert.window) // 1000
        if alert.kind == "budget_threshold":
            at = sorted(int(Decimal(repr(part)) * BASIS) for part in alert.at)
            return judge.budget_threshold(self._standings(alert, now_us), at)
        if alert.kind == "budget_forecast":
            return judge.budget_forecast(self._forecasts(alert, now_us), now_us)
        if alert.kind == "spend_rate":
            times, least = _milli(alert.times), nusd_from_usd(alert.usd_min or "0")
            found = self._spending(alert, window_us, now_us)
            return judge.spend_rate(found, nusd_from_usd(alert.usd_per_hour or "0"), times, least, alert.history_min)
        if alert.kind == "unusual_session":
            times, least = _milli(alert.times), nusd_from_usd(alert.usd_min or "0")
            return judge.unusual_session(self._unusual(alert, window_us, now_us), times, least, alert.history_min)
        if alert.kind == "error_rate":
            found_errors = (one for one in self.meter.errors(alert.by, window_us, now_us) if _matches(alert, one.name))
            return judge.error_rate(found_errors, _milli(alert.share), alert.calls_min)
        if alert.kind == "unpriced_model":
            return judge.unpriced_model((one for one in self.meter.unpriced() if fnmatchcase(one.model, alert.match)), now_us)
        return self._keeper(alert)

    def _standings(self, alert: Alert, now_us: int) -> Iterator[Standing]:
        for one in self._around.standings(self.meter, now_us):
            if fnmatchcase(one.budget.id, alert.budget):
                yield one

    def _forecasts(self, alert: Alert, now_us: int) -> Iterator[Forecast]:
        due_us, recent = self._recent
        standings = list(self._around.standings(self.meter, now_us))
        if now_us >= due_us:
            recent = self._read_recent({one.budget.id: one for one in standings if one.end_us}, now_us)
            self._recent = now_us + FORECAST_EVERY_US, recent
        for one in standings:
            if one.end_us and fnmatchcase(one.budget.id, alert.budget):
                nusd, length_us = recent.get((one.budget.id, one.account), (0, judge.recent_us(one.end_us - one.start_us)))
                yield Forecast(one, nusd, length_us)

    def _read_recent(self, budgets: Mapping[str, Standing], now_us: int) -> dict[tuple[str, str], tuple[int, int]]:
        """What each account of these budgets has spent lately, and within how long."""
        lengths: dict[str, int] = {name: judge.recent_us(one.end_us - one.start_us) for name, one in budgets.items()}
        spans = [Span(one.budget, now_us - lengths[name], now_us) for name, one in budgets.items()]
        found = spent(self._around.database, spans, now_us=now_us)
        return {(one.span.budget.id, one.account): (one.nusd, lengths[one.span.budget.id]) for one in found.values()}

    def _spending(self, alert: Alert, window_us: int, now_us: int) -> Iterator[Spending]:
        usual = self._usual(alert.by, now_us) if alert.times else {}
        for one in self.meter.spending(alert.by, window_us, now_us):
            if _matches(alert, one.name):
                yield Spending(one.kind, one.name, one.nusd, one.window_us, usual.get(one.name, ()))

    def _usual(self, kind: str, now_us: int) -> dict[str, tuple[int, ...]]:
        due_us, found = self._hours.get(kind, (0, {}))
        if now_us >= due_us:
            found = past.hours(self._around.database, kind, now_us)
            self._hours[kind] = now_us + PAST_EVERY_US, found
        return found

    def _unusual(self, alert: Alert, window_us: int, now_us: int) -> Iterator[judge.Session]:
        """Sessions that had a call within the window; those that had none for so long are over."""
        known = self._sessions.setdefault(alert.name, {})
        for one in past.sessions(self._around.database, alert.by or "key", list(self.meter.touched.values()), now_us):
            known[f"{one.session}\0{one.name}"] = one
        for mark, one in list(known.items()):
            if one.last_us < now_us - window_us:
                del known[mark]
            elif _matches(alert, one.name):
                yield one

    def _keeper(self, alert: Alert) -> Iterator[Condition]:
        status = self._around.keeper()
        if status is None:
            return
        if alert.kind == "accounting_drift":
            now = status.cells_drift_nusd
            before = now if self._drift_nusd < 0 else 0 if self._drift_nusd > now else self._drift_nusd  # first look; new keeper
            yield judge.accounting_drift(now, before, nusd_from_usd(alert.drift_usd or "0"), status.cells_corrected)
        else:
            yield lag(alert, status)


def lag(alert: Alert, status: KeeperStatus) -> Condition:
    problem = status.error if not status.database_ok else ""
    return judge.database_lag(status.behind_us, status.behind_bytes, alert.behind_s * 1_000_000, problem)


def rule_of(alert: Alert) -> Rule:
    return Rule(alert.name, parse_per(alert.cooldown) // 1000, parse_per(alert.resolve_after) // 1000)


def source_of(alert: Alert, settings: Settings) -> Source:
    channels = channels_of(alert, settings.notify)
    closing = tuple(name for name in closing_of(settings.notify) if name in channels)
    return Source(alert.name, alert.kind, alert.severity, channels, settings.alerts.link, closing)


def closing_of(notify: Iterable[Notify]) -> tuple[str, ...]:
    """Channels in which an alert stays open until they are told that it is over."""
    return tuple(one.name for one in notify if one.kind == "pagerduty")


def channels_of(alert: Alert, notify: Iterable[Notify]) -> tuple[str, ...]:
    return tuple(one.name for one in notify if any(fnmatchcase(one.name, pattern) for pattern in alert.notify))


def _matches(alert: Alert, name: str) -> bool:
    return not alert.by or fnmatchcase(name, alert.match)


def _milli(number: float) -> int:
    return int(Decimal(repr(number)) * MILLI)
