"""The courier's part in alerts: rules are looked at, messages are sent, channels are tried out on request."""

import asyncio
import logging
from itertools import count

from msgspec.structs import replace

from gw import clock
from gw.admit.standings import standing
from gw.alerts import store
from gw.alerts.deliver import GIVE_UP_US, backoff_us, deliver
from gw.alerts.emergency import Emergency
from gw.alerts.look import Looker, Settings, Surroundings, channels_of, lag
from gw.alerts.meter import Meter
from gw.alerts.notice import Notice
from gw.alerts.store import Sending
from gw.budgets import accounts_of, book_of
from gw.config.alert_model import Alert, Notify
from gw.config.combined import combined
from gw.config.model import Config
from gw.courier import Desk, ErrandFailed
from gw.domain.budget_book import BudgetBook
from gw.domain.standing import Standing
from gw.ledger.errand import Errand
from gw.ledger.status import read_status
from gw.ledger.store import StoreError

log = logging.getLogger("gw.alerts")

SEND_EVERY_S = 1.0
_tests = count(1)


async def watch(desk: Desk, settings: Settings) -> None:
    """Looks at the rules every so often. Without the database, only what it has to do with is looked at."""
    around = Surroundings(desk.database, Standings(desk), lambda: read_status(desk.state_dir))
    looker = Looker(settings, around)
    channels = {one.name: one for one in settings.notify}

    async def tell(channel: str, notice: Notice) -> bool:
        outcome = await deliver(channels[channel], notice)
        if not outcome.ok:
            log.error("the database is away, and %s could not be told: %s", channel, outcome.said)
        return outcome.ok or not outcome.again or clock.wall_us() - notice.at_us > GIVE_UP_US

    emergency = Emergency(settings, tell)
    while True:
        now_us = clock.wall_us()
        away = False
        try:
            await asyncio.to_thread(looker.look, now_us, emergency.rules)
        except StoreError as error:
            away = True
            log.warning("alerts cannot be judged now: %s", error)
        await _in_emergency(desk, settings, emergency, now_us, away=away)
        await asyncio.sleep(settings.alerts.every_s)


async def _in_emergency(desk: Desk, settings: Settings, emergency: Emergency, now_us: int, *, away: bool) -> None:
    status = read_status(desk.state_dir)
    await emergency.send()
    for alert in settings.alert:
        concerned = alert.active and alert.kind == "database_lag" and (away or alert.name in emergency.rules)
        if concerned and status is not None:
            await emergency.look(alert, [lag(alert, status)], now_us)
    if not away:
        try:
            await asyncio.to_thread(emergency.write_down, desk.database)
        except StoreError as error:
            log.warning("what was told while the database was away cannot be written down yet: %s", error)


class Standings:
    """Where accounts of budgets stand: those with a name in the configuration, and those that calls have shown."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._version = -1
        self._book = BudgetBook()
        self._named: set[tuple[str, str]] = set()

    def __call__(self, meter: Meter, now_us: int) -> list[Standing]:
        self._heed()
        wanted = set(self._named)
        for path in meter.paths:
            wanted |= {(budget.id, account) for budget, account in self._book.for_path(path).budgets}
        by_id = {budget.id: budget for budget in self._book.budgets}
        return [standing(self._desk.state.cells, by_id[budget], account, now_us) for budget, account in sorted(wanted)]

    def _heed(self) -> None:
        """What is in force may have changed."""
        published = self._desk.published
        if published.version == self._version:
            return
        config = combined(self._desk.config, published.stored, published.left_out)
        self._book = book_of(config)
        self._named = {(budget.id, account) for budget in self._book.budgets for account in accounts_of(budget, config)}
        self._version = published.version


# --- the outbox -----------------------------------------------------------------------------------------------------------


async def send(desk: Desk, notify: tuple[Notify, ...]) -> None:
    """Each channel by itself, in its order."""
    channels = {one.name: one for one in notify}
    while True:
        sendings = await asyncio.to_thread(_due, desk)
        if not sendings:
            await asyncio.sleep(SEND_EVERY_S)
            continue
        await asyncio.gather(*(_attempt(desk, channels.get(one.channel), one) for one in sendings))


def _due(desk: Desk) -> list[Sending]:
    with desk.database.reading() as db:
        return store.due(db, clock.wall_us()) if db is not None else []


async def _attempt(desk: Desk, channel: Notify | None, sending: Sending) -> None:
    if channel is None:
        await asyncio.to_thread(_done, desk, sending, "given up", "there is no such channel any more")
        return
    outcome = await deliver(channel, sending.notice)
    now_us = clock.wall_us()
    if outcome.ok:
        await asyncio.to_thread(_done, desk, sending, "sent", outcome.said)
    elif outcome.again and now_us - sending.made_us < GIVE_UP_US:
        due_us = now_us + backoff_us(sending.attempts, outcome.after_s)
        await asyncio.to_thread(_postponed, desk, sending, due_us, outcome.said)
        log.warning("%s could not be told of alert %s, trying again: %s", sending.channel, sending.notice.rule, outcome.said)
    else:
        await asyncio.to_thread(_done, desk, sending, "given up", outcome.said)
        log.error("%s was not told of alert %s: %s", sending.channel, sending.notice.rule, outcome.said)


def _done(desk: Desk, sending: Sending, outcome: str, said: str) -> None:
    with desk.database.changing() as db:
        store.sent(db, sending.id, clock.wall_us(), outcome, said)


def _postponed(desk: Desk, sending: Sending, due_us: int, said: str) -> None:
    with desk.database.changing() as db:
        store.postponed(db, sending.id, due_us, said)


# --- trying out -----------------------------------------------------------------------------------------------------------


async def try_out(desk: Desk, errand: Errand) -> dict[str, object]:
    """Sends a message that is marked as a test through each channel of the alert; what each has answered."""
    alert = next((one for one in desk.config.alert if one.name == errand.name), None)
    if alert is None:
        raise ErrandFailed(f'there is no [[alert]] "{errand.name}" in force')
    names = channels_of(alert, desk.config.notify)
    channels = [one for one in desk.config.notify if one.name in names]
    answers = await asyncio.gather(*(_try(channel, _test_notice(desk.config, alert, errand)) for channel in channels))
    return {"channels": answers}


async def _try(channel: Notify, notice: Notice) -> dict[str, object]:
    outcome = await deliver(channel, notice)
    if outcome.ok and channel.kind == "pagerduty":  # nobody is to be left with an incident
        await deliver(channel, replace(notice, event="resolved"))
    return {"channel": channel.name, "kind": channel.kind, "ok": outcome.ok, "said": outcome.said}


def _test_notice(config: Config, alert: Alert, errand: Errand) -> Notice:
    now_us = clock.wall_us()
    number = f"{now_us}-{next(_tests)}"
    return Notice(
        id=f"test-{number}",
        event="test",
        rule=alert.name,
        kind=alert.kind,
        severity=alert.severity,
        subject="test",
        title=f'this channel hears of alert "{alert.name}"; nothing is wrong',
        facts=(("Asked by", errand.asked_by), ("Alert", f"{alert.name} ({alert.kind}, {alert.severity})")),
        advice="Nothing is to be done.",
        at_us=now_us,
        since_us=now_us,
        alert_id=0,
        dedup=f"gw-test-{number}",
        link=config.alerts.link,
    )
