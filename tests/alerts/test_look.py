"""Rules over a ledger, on both databases: what is found, decided once, and told, over restarts and while a database is away."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import astuple, replace

from gw.alerts import store
from gw.alerts.emergency import Emergency
from gw.alerts.look import Looker, Settings, Surroundings, lag
from gw.alerts.meter import Meter
from gw.alerts.notice import Notice
from gw.alerts.store import Silence
from gw.config.alert_model import Alert, Alerts, Notify
from gw.config.secret import Secret
from gw.domain.budget import Budget
from gw.domain.call import CallRecord
from gw.domain.scope import CallPath, Scope
from gw.domain.standing import Standing
from gw.domain.window import bounds, parse_window
from gw.ledger.status import KeeperStatus
from gw.ledger.store import Batch, Database, Store
from tests.ledger.records import NOON_US, record

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
USD = 10**9
NOW = NOON_US + 9 * DAY
CHANNEL = Notify(name="ops", kind="webhook", url=Secret("env:U", "http://127.0.0.1:1/"))
BUDGET = Budget("platform", Scope("team", "platform"), 100 * USD, parse_window("month"))


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Store]:
    opened = database.store()
    await opened.open()
    yield opened
    await opened.close()


class Ground:
    """Rules over one ledger. `spent`: what team platform has used of its budget; `keeper`: what the keeper says."""

    def __init__(self, database: Database, *alerts: Alert) -> None:
        self.database = database
        self.settings = Settings(Alerts(link="https://gw.example.com"), alerts, (CHANNEL,))
        self.spent = 0
        self.keeper: KeeperStatus | None = None
        self.restart()

    def restart(self) -> None:
        self.looker = Looker(self.settings, Surroundings(self.database, self._standings, lambda: self.keeper))

    def look(self, minute: int) -> list[Notice]:
        """What is told that was not told before."""
        now_us = NOW + minute * MINUTE
        self.looker.look(now_us)
        with self.database.changing() as db:
            found = store.due(db, now_us)
            told = []
            while found:
                told += [one.notice for one in found]
                for one in found:
                    store.sent(db, one.id, now_us, "sent", "ok")
                found = store.due(db, now_us)
        return told

    def _standings(self, meter: Meter, now_us: int) -> list[Standing]:
        start_us, end_us = bounds(BUDGET.window, now_us)
        return [Standing(BUDGET, "platform", 100 * USD, self.spent, self.spent, 0, start_us, end_us)]


def call(number: int, at_us: int, nusd: int = 0, **more: Any) -> CallRecord:
    fields = {"key_name": "ci", "key_id": "CI", "team": "platform", "charged_us": at_us, "rules_us": 1, **more}
    return record(
        f"call-{number}-{at_us}",
        started_us=at_us - 1000,
        ended_us=at_us,
        billed_pusd=nusd * 1000,
        list_pusd=nusd * 1000,
        **fields,
    )


async def put(ledger: Store, *calls: CallRecord) -> None:
    await ledger.commit(Batch(rows=[astuple(one) for one in calls]))


async def test_a_budget_is_told_once_for_each_threshold_over_restarts(database: Database, ledger: Store) -> None:
    ground = Ground(database, Alert(name="budgets", kind="budget_threshold"))
    assert ground.look(0) == []
    ground.spent = 81 * USD
    (first,) = ground.look(1)
    assert first.title.startswith('Team "platform" has spent 81 % of its monthly budget') and first.event == "firing"
    ground.restart()
    assert ground.look(2) == []
    ground.spent = 101 * USD
    (second,) = ground.look(3)
    assert second.event == "escalated" and second.dedup == first.dedup and second.alert_id == first.alert_id
    ground.restart()
    assert ground.look(4) == ground.look(60) == []
    with database.reading() as db:
        assert db is not None
        (row,) = store.alerts(db, 10)
        assert (row.rule, row.level, row.resolved_us) == ("budgets", 10_000, 0) and row.title == second.title
        assert [(one.event, one.outcome) for one in store.deliveries(db, row.id)] == [("firing", "sent"), ("escalated", "sent")]


async def test_a_forecast_goes_by_what_was_spent_lately(database: Database, ledger: Store) -> None:
    await put(ledger, *(call(number, NOW - number * HOUR, USD // 2) for number in range(1, 160)))
    ground = Ground(database, Alert(name="soon", kind="budget_forecast"))
    ground.spent = 40 * USD
    (notice,) = ground.look(0)
    assert notice.title.startswith('Team "platform" will exceed its monthly budget of $100.00 about Nov')
    assert dict(notice.facts)["Rate"] == "$0.47 an hour, over the last 7 days"


async def test_errors_are_counted_by_upstream_without_those_of_the_client(database: Database, ledger: Store) -> None:
    bad = {"outcome": "upstream_error", "status": 529, "upstream_status": 529, "error": "overloaded_error"}
    own = {"outcome": "upstream_error", "status": 400, "upstream_status": 400, "error": "invalid_request_error"}
    refused = {"outcome": "refused", "status": 429, "error": "budget_exceeded"}
    at = NOW - MINUTE
    calls = (
        [call(n, at) for n in range(20)]
        + [call(n, at, **own) for n in range(20, 40)]
        + [call(n, at, **refused) for n in range(40, 99)]
    )
    await put(ledger, *calls)
    ground = Ground(database, Alert(name="errors", kind="error_rate", by="upstream", share=0.1, calls_min=20))
    assert ground.look(0) == []
    await put(ledger, *(call(n, at, **bad) for n in range(100, 106)))
    (notice,) = ground.look(1)
    assert notice.title == 'Upstream "anthropic": 13 % of calls fail (6 of 46 in 15 min)'
    assert dict(notice.facts)["Mostly"] == "overloaded_error (6)" and notice.subject == "upstream:anthropic"
    ground.restart()
    assert ground.look(2) == [], "the meter is filled again from the ledger"
    assert ground.look(20) == [], "the calls are out of the window"
    (over,) = ground.look(30)
    assert (over.event, over.title) == ("resolved", 'Upstream "anthropic": calls fail no more')


async def test_a_rate_is_compared_with_the_hours_of_the_past(database: Database, ledger: Store) -> None:
    past = [call(n, NOW - n * 5 * HOUR - 3 * HOUR, 2 * USD) for n in range(30)]
    await put(ledger, *past, call(99, NOW - MINUTE, 9 * USD), call(100, NOW - MINUTE, USD // 10, key_name="other", key_id="O"))
    ground = Ground(database, Alert(name="burn", kind="spend_rate", by="key", times=5, usd_min="1"))
    (notice,) = ground.look(0)
    assert notice.title == 'Key "ci" spends $36.00 an hour, 18 times as much as usual ($2.00)'
    assert dict(notice.facts)["Usual"].startswith("$2.00 (median of 30 hours")
    with_bound = Ground(database, Alert(name="bound", kind="spend_rate", usd_per_hour="30"))
    (notice,) = with_bound.look(0)
    assert notice.title == "All calls cost $36.40 an hour, more than $30.00"


async def test_a_session_is_compared_with_those_of_its_key(database: Database, ledger: Store) -> None:
    usual = [call(n, NOW - 2 * DAY - n * HOUR, USD, session_id=f"s{n}") for n in range(30)]
    strangers = [call(100 + n, NOW - DAY, 90 * USD, session_id=f"t{n}", key_name="other", key_id="O") for n in range(30)]
    await put(ledger, *usual, *strangers)
    ground = Ground(database, Alert(name="sessions", kind="unusual_session", times=5))
    assert ground.look(0) == []
    await put(ledger, call(200, NOW, 7 * USD, session_id="long"))
    (notice,) = ground.look(1)
    assert notice.title == 'A session of key "ci" has cost $7.00, 7 times the usual' and dict(notice.facts)["Session"] == "long"
    await put(ledger, call(201, NOW + 2 * MINUTE, 2 * USD, session_id="long"))
    assert ground.look(2) == [], "it has to double"
    await put(ledger, call(202, NOW + 3 * MINUTE, 3 * USD, session_id="long"))
    assert [one.event for one in ground.look(3)] == ["escalated"]
    assert ground.look(19) == []
    assert [one.event for one in ground.look(30)] == ["resolved"]


async def test_a_model_without_a_price_is_told_when_it_appears(database: Database, ledger: Store) -> None:
    ground = Ground(database, Alert(name="prices", kind="unpriced_model"))
    assert ground.look(0) == []
    await put(ledger, call(1, NOW, price_version="unpriced", requested_model="claude-next"))
    (notice,) = ground.look(1)
    assert notice.title == 'Model "claude-next" has no price: 1 call in the last day counts as $0'
    ground.restart()
    assert ground.look(2) == ground.look(1000) == []


def keeper(**more: Any) -> KeeperStatus:
    return KeeperStatus(pid=1, state="running", written_us=NOW, database_ok=1, **more)


async def test_drift_is_told_when_it_grows(database: Database, ledger: Store) -> None:
    ground = Ground(database, Alert(name="drift", kind="accounting_drift", drift_usd="1"))
    ground.keeper = keeper(cells_drift_nusd=7 * USD)
    assert ground.look(0) == [], "what was before the first look is not news"
    ground.keeper = keeper(cells_drift_nusd=9 * USD, cells_corrected=1)
    (notice,) = ground.look(1)
    assert notice.title.startswith("Budgets and the ledger differed by $2.00")
    assert ground.look(2) == []


async def test_many_at_once_are_ten_messages_and_one_that_says_how_many(database: Database, ledger: Store) -> None:
    await put(ledger, *(call(n, NOW, 50 * USD, key_name=f"key{n:02}", key_id=f"K{n}") for n in range(25)))
    ground = Ground(database, Alert(name="burn", kind="spend_rate", by="key", usd_per_hour="1"))
    told = ground.look(0)
    assert len(told) == 11 and told[-1].title == '15 more alerts of "burn" at the same moment'
    with database.reading() as db:
        assert db is not None and len(store.alerts(db, 100, open_only=True)) == 25


async def test_many_that_are_over_at_once_are_ten_messages_and_one(database: Database, ledger: Store) -> None:
    """But where an alert stays open until it is told that it is over, each is told."""
    await put(ledger, *(call(n, NOW, 50 * USD, key_name=f"key{n:02}", key_id=f"K{n}") for n in range(25)))
    ground = Ground(database, Alert(name="burn", kind="spend_rate", by="key", usd_per_hour="1", resolve_after="1m"))
    pager = Notify(name="pager", kind="pagerduty", secret=Secret("env:P", "p"))
    ground.settings = ground.settings._replace(notify=(CHANNEL, pager))
    ground.restart()
    told = ground.look(0)
    opened = {one.dedup for one in told}
    assert len(told) == 22 and len(opened) == 10, "the message that says how many opens nothing of its own"
    assert ground.look(60) == []
    over = ground.look(62)
    assert {one.event for one in over} == {"resolved"} and opened <= {one.dedup for one in over}
    assert len(over) == 11 + 26 and [one.title for one in over].count('15 more alerts of "burn" are over') == 2


async def test_a_channel_that_takes_nothing_keeps_no_other_one_waiting(database: Database, ledger: Store) -> None:
    ground = Ground(database, Alert(name="budgets", kind="budget_threshold"))
    ground.spent = 90 * USD
    ground.looker.look(NOW)
    with database.changing() as db:
        (one,) = store.due(db, NOW)
        for number in range(1200):
            late = replace(one.notice, id=f"old-{number}", alert_id=0)
            store.post(db, ["dead"], late, NOW - HOUR)
        store.postponed(db, "old-0-dead", NOW + HOUR, "HTTP 500")
        assert [each.channel for each in store.due(db, NOW)] == ["ops"]


async def test_a_rate_is_right_at_any_second_of_a_minute(database: Database, ledger: Store) -> None:
    """A window of one minute, in which nearly all was spent in the minute before."""
    await put(ledger, *(call(n, NOW - n * 1_000_000, USD) for n in range(1, 61)))
    meter = Meter(database)
    meter.look(NOW + 1_000_000)
    (one,) = meter.spending("key", MINUTE, NOW + 1_000_000)
    assert (one.nusd, one.window_us) == (60 * USD, 61_000_000)


async def test_a_rule_that_is_gone_ends_its_alerts(database: Database, ledger: Store) -> None:
    ground = Ground(database, Alert(name="budgets", kind="budget_threshold"))
    ground.spent = 90 * USD
    ground.look(0)
    Ground(database).look(1)
    with database.reading() as db:
        assert db is not None and store.alerts(db, 10, open_only=True) == [] and len(store.alerts(db, 10)) == 1


async def test_where_a_rule_that_is_gone_has_opened_something_it_is_closed(database: Database, ledger: Store) -> None:
    pager = Notify(name="pager", kind="pagerduty", secret=Secret("env:P", "p"))
    ground = Ground(database, Alert(name="budgets", kind="budget_threshold"))
    ground.settings = ground.settings._replace(notify=(CHANNEL, pager))
    ground.restart()
    ground.spent = 90 * USD
    opened = {one.dedup for one in ground.look(0)}
    ground.settings = ground.settings._replace(alert=())
    ground.restart()
    ground.looker.look(NOW + MINUTE)
    with database.changing() as db:
        (closed,) = store.due(db, NOW + MINUTE)
    assert closed.channel == "pager" and closed.notice.event == "resolved" and {closed.notice.dedup} == opened
    assert closed.notice.title == 'the alert "budgets" is no longer in force; budget:platform:team:platform is not watched'
    ground.looker.look(NOW + 500 * MINUTE)
    with database.reading() as db:
        assert db is not None and len(store.deliveries(db, closed.notice.alert_id)) == 3


async def test_what_is_silenced_stands_in_the_history_and_is_told_afterwards(database: Database, ledger: Store) -> None:
    ground = Ground(database, Alert(name="budgets", kind="budget_threshold"))
    with database.changing() as db:
        store.silence(db, Silence("budgets", "", NOW + 5 * MINUTE, NOW, "ann", "release"))
    ground.spent = 90 * USD
    assert ground.look(0) == ground.look(4) == []
    with database.reading() as db:
        assert db is not None and [one.told_us for one in store.alerts(db, 10, open_only=True)] == [0]
    assert [one.event for one in ground.look(5)] == ["firing"]


async def test_a_channel_hears_in_order_though_its_first_message_has_to_wait(database: Database, ledger: Store) -> None:
    ground = Ground(database, Alert(name="budgets", kind="budget_threshold"))
    ground.spent = 90 * USD
    ground.looker.look(NOW)
    with database.changing() as db:
        (first,) = store.due(db, NOW)
        store.postponed(db, first.id, NOW + 10 * MINUTE, "HTTP 500")
    ground.spent = 100 * USD
    ground.looker.look(NOW + MINUTE)
    with database.changing() as db:
        assert store.due(db, NOW + 2 * MINUTE) == []
        assert [one.id for one in store.due(db, NOW + 10 * MINUTE)] == [first.id]
        store.sent(db, first.id, NOW + 10 * MINUTE, "sent", "")
        assert [one.notice.event for one in store.due(db, NOW + 10 * MINUTE)] == ["escalated"]


async def test_a_database_that_is_away_is_told_all_the_same_and_written_down_later(database: Database, ledger: Store) -> None:
    alert = Alert(name="lag", kind="database_lag", behind_s=60)
    told: list[tuple[str, Notice]] = []

    async def tell(channel: str, notice: Notice) -> bool:
        told.append((channel, notice))
        return True

    ground = Ground(database, alert)
    emergency = Emergency(ground.settings, tell)
    down = KeeperStatus(1, "waiting", NOW, 0, behind_us=90_000_000, behind_bytes=2_000_000, error="connection refused")
    for minute in range(3):
        await emergency.look(alert, [lag(alert, down)], NOW + minute * MINUTE)
    assert [(name, one.event, one.title) for name, one in told] == [
        ("ops", "firing", "The ledger is 1 min behind: the database takes no rows")
    ]
    assert emergency.rules == {"lag"}
    for minute in (3, 13):
        await emergency.look(alert, [lag(alert, keeper())], NOW + minute * MINUTE)
    assert [one.event for _, one in told] == ["firing", "resolved"] and not emergency.rules
    emergency.write_down(database)
    with database.reading() as db:
        assert db is not None
        (row,) = store.alerts(db, 10)
        assert (row.rule, row.fired_us, row.resolved_us) == ("lag", NOW, NOW + 13 * MINUTE)
        assert store.deliveries(db, row.id) == [], "nothing is sent twice"


async def test_what_no_channel_took_while_the_database_was_away_is_tried_again(database: Database) -> None:
    alert = Alert(name="lag", kind="database_lag", behind_s=60)
    takes, told = [False, False, True], list[str]()

    async def tell(channel: str, notice: Notice) -> bool:
        told.append(notice.event)
        return takes.pop(0) if takes else True

    emergency = Emergency(Ground(database, alert).settings, tell)
    down = KeeperStatus(1, "waiting", NOW, 0, behind_us=90_000_000, behind_bytes=2_000_000, error="connection refused")
    for minute in range(2):
        await emergency.look(alert, [lag(alert, down)], NOW + minute * MINUTE)
    assert told == ["firing", "firing"]
    for _ in range(2):
        await emergency.send()
    assert told == ["firing"] * 3, "it was taken"


def test_the_meter_adds_up_what_the_ledger_has(database: Database) -> None:
    """A ledger that is not there yet is empty."""
    meter = Meter(database)
    meter.look(NOW)
    assert list(meter.spending("", HOUR, NOW)) == [] and meter.paths == {}


async def test_paths_are_known_by_what_calls_have_shown(database: Database, ledger: Store) -> None:
    await put(ledger, call(1, NOW, USD, project="alpha"))
    meter = Meter(database)
    meter.look(NOW)
    assert list(meter.paths) == [CallPath("", "platform", "ci", "CI", "anthropic", "claude-sonnet-4-5", "alpha")]
    kinds: dict[str, Callable[[], int]] = {}
    for kind in ("", "team", "key", "upstream", "model", "project"):
        kinds[kind] = lambda kind=kind: sum(one.nusd for one in meter.spending(kind, HOUR, NOW))  # type: ignore[misc]
    assert {kind: figure() for kind, figure in kinds.items()} == dict.fromkeys(kinds, USD)
