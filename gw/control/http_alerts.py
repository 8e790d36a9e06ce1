"""Operations on alerts: what is watched, what fires, what there was; trying a channel out, acknowledging, silencing.

What is configured stands in config.toml and is changed there. Whatever leads out of the house is the courier's: a test is an
errand, asked for here and answered by a look at it.
"""

import os
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gw.alerts import store
from gw.alerts.decide import fingerprint
from gw.config.alert_model import Alert, Notify
from gw.config.model import Config, wall_us_of
from gw.config.said import nearest
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_body import json_object
from gw.control.http_items import Desk
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX, bounded
from gw.control.http_shapes import Moment, moment
from gw.control.problem import FieldError, Problem, all_invalid, invalid
from gw.domain.shown import iso
from gw.ledger import errand
from gw.ledger.audit import AuditRow, append
from gw.ledger.database import database_of
from gw.ledger.errand import Errand
from gw.ledger.store import Connection, Database

TEST = "alert_test"
REASON_CHARS_MAX = 300
SILENCE_US_MAX = 366 * 86_400 * 10**6
NEWEST = 25  # alerts of the history that come with the rules
ID_MAX = 2**63 - 1


class Fact(Struct, frozen=True):
    label: str
    value: str


class Delivered(Struct, frozen=True):
    """What became of one message."""

    channel: str
    event: str
    made_at: Moment
    done_at: Moment | None
    attempts: int
    outcome: Annotated[str, Meta(description='"sent", "given up", or "" while it is tried.')]
    said: Annotated[str, Meta(description="What the channel answered last.")]


class AlertFired(Struct, frozen=True):
    """One alert of the history."""

    id: int
    rule: str
    kind: str
    severity: str
    subject: Annotated[str, Meta(description="What it is about, for programs: `budget:platform:team:platform`.")]
    title: str
    facts: tuple[Fact, ...]
    advice: str
    fired_at: Moment
    changed_at: Moment
    resolved_at: Annotated[Moment | None, Meta(description="null: it fires.")]
    told_at: Annotated[Moment | None, Meta(description="null: it was silenced.")]
    acknowledged_at: Moment | None
    acknowledged_by: str
    deliveries: tuple[Delivered, ...]


class AlertSilence(Struct, frozen=True):
    """`subject` "": all of the rule."""

    subject: str
    until: Moment
    by: str
    reason: str


class AlertRule(Struct, frozen=True):
    """A rule of config.toml, and how it stands."""

    name: str
    kind: str
    severity: str
    active: bool
    channels: Annotated[tuple[str, ...], Meta(description="Names of [[notify]].")]
    firing: tuple[AlertFired, ...]
    silences: tuple[AlertSilence, ...]


class AlertChannel(Struct, frozen=True):
    """A [[notify]] of config.toml."""

    name: str
    kind: str
    rules: Annotated[tuple[str, ...], Meta(description="That go to it.")]
    last: Annotated[Delivered | None, Meta(description="Of the newest alerts, what went to it last.")]


class AlertRules(Struct, frozen=True):
    items: tuple[AlertRule, ...]
    channels: tuple[AlertChannel, ...]
    history: Annotated[tuple[AlertFired, ...], Meta(description="The newest alerts; all: /api/alerts/history.")]
    next_cursor: Annotated[str | None, Meta(description="For the rest of the history; null: this is all of it.")]


class AlertHistory(Struct, frozen=True):
    """Newest first."""

    items: tuple[AlertFired, ...]
    next_cursor: Annotated[str | None, Meta(description="For the next page; null: this is the last.")]


class ChannelTried(Struct, frozen=True):
    channel: str
    kind: str
    ok: bool
    said: Annotated[str, Meta(description="What it answered.")]


class AlertTest(Struct, frozen=True):
    """A test that was asked for. Look again at its `id` until it is done."""

    id: str
    state: Literal["waiting", "done", "failed"]
    channels: tuple[ChannelTried, ...]
    problem: str


SHAPES = (AlertRules, AlertHistory, AlertFired, AlertTest)


def rules(desk: Desk, ask: Ask) -> Answer:
    """GET /api/alerts."""
    config, database = desk.host.snapshot.config, _database(desk)
    with database.reading() as db:
        firing = [_fired(db, row) for row in store.alerts(db, LIMIT_MAX, open_only=True)] if db is not None else []
        quiet = store.silences(db, ask.now_us) if db is not None else []
        rows = store.alerts(db, NEWEST + 1) if db is not None else []
        newest = tuple(_fired(db, row) for row in rows[:NEWEST]) if db is not None else ()
    subjects = {fingerprint(one.rule, one.subject): one.subject for one in firing}
    items = []
    for alert in config.alert:
        silences = tuple(
            AlertSilence(subjects.get(one.fingerprint, one.fingerprint), iso(one.until_us), one.made_by, one.reason)
            for one in quiet
            if one.rule == alert.name
        )
        own = tuple(one for one in firing if one.rule == alert.name)
        items.append(AlertRule(alert.name, alert.kind, alert.severity, alert.active, _channels(config, alert), own, silences))
    channels = tuple(_channel(one, items, newest) for one in config.notify)
    return _shown(AlertRules(tuple(items), channels, newest, str(newest[-1].id) if len(rows) > NEWEST else None))


def history(desk: Desk, ask: Ask) -> Answer:
    """GET /api/alerts/history. A cursor is the id of the last alert of the page before."""
    errors: list[FieldError] = []
    limit = bounded(ask.query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    before = bounded(ask.query, "cursor", errors, default=0, high=ID_MAX)
    firing = ask.query.get("firing", "false")
    if firing not in ("true", "false"):
        errors.append(FieldError("query", "firing", "must be true or false"))
    if errors:
        raise all_invalid(errors)
    with _database(desk).reading() as db:
        rule, open_only = ask.query.get("rule", ""), firing == "true"
        rows = store.alerts(db, limit + 1, before or None, rule, open_only=open_only) if db is not None else []
        items = tuple(_fired(db, row) for row in rows[:limit]) if db is not None else ()
    return _shown(AlertHistory(items, str(items[-1].id) if len(rows) > limit else None))


def acknowledge(desk: Desk, ask: Ask) -> Answer:
    """POST /api/alerts/history/{id}/acknowledge: somebody looks after it."""
    json_object(ask.body, optional=True)
    number = ask.path["id"]
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise Problem("not_found", f'there is no alert "{number[:40]}"')
    with _database(desk).changing() as db:
        known = store.alert_of(db, int(number))
        if known is None:
            raise Problem("not_found", f"there is no alert {number}")
        row = store.acknowledge(db, int(number), ask.actor, ask.now_us)
        assert row is not None
        if not known.acknowledged_us:
            _note(db, ask, "acknowledge", known.rule, {"alert": known.id, "title": known.title})
        return _shown(_fired(db, row))


def silence(desk: Desk, ask: Ask) -> Answer:
    """POST /api/alerts/{name}/silence: nothing is told of it until then."""
    alert = _known(desk, ask.path["name"])
    values = json_object(ask.body)
    unknown = [FieldError("body", name[:80], "unknown field") for name in values if name not in ("until", "subject", "reason")]
    until_us = _until(values.get("until"), ask.now_us, unknown)
    subject, reason = _text(values, "subject", unknown), _text(values, "reason", unknown)
    if unknown:
        raise all_invalid(unknown)
    mark = fingerprint(alert.name, subject) if subject else ""
    with _database(desk).changing() as db:
        store.silence(db, store.Silence(alert.name, mark, until_us, ask.now_us, ask.actor, reason))
        _note(db, ask, "silence", alert.name, {"until": iso(until_us), "subject": subject, "reason": reason})
    return rules(desk, ask)


def unsilence(desk: Desk, ask: Ask) -> Answer:
    """DELETE /api/alerts/{name}/silence."""
    alert, subject = _known(desk, ask.path["name"]), ask.query.get("subject", "")
    with _database(desk).changing() as db:
        if not store.unsilence(db, alert.name, fingerprint(alert.name, subject) if subject else ""):
            raise Problem("not_found", f'the alert "{alert.name}" is not silenced')
        _note(db, ask, "unsilence", alert.name, {"subject": subject})
    return Answer(204)


def test(desk: Desk, ask: Ask) -> Answer:
    """POST /api/alerts/{name}/test: a message that is marked as a test goes to each of its channels."""
    json_object(ask.body, optional=True)
    alert = _known(desk, ask.path["name"])
    if not _channels(desk.host.snapshot.config, alert):
        raise invalid("path", "name", f'the alert "{alert.name}" has no channels: there is no [[notify]] for it')
    made = Errand(os.urandom(12).hex(), TEST, alert.name, {}, ask.now_us, ask.actor)
    with _database(desk).changing() as db:
        errand.ask(db, made)
        _note(db, ask, "test", alert.name, {"test": made.id})
    return _shown(_tested(made), 202)


def tested(desk: Desk, ask: Ask) -> Answer:
    """GET /api/alerts/{name}/test/{id}: what the channels have answered."""
    with _database(desk).reading() as db:
        found = errand.find(db, ask.path["id"]) if db is not None else None
    if found is None or found.kind != TEST or found.name != ask.path["name"]:
        raise Problem("not_found", "there is no such test")
    return _shown(_tested(found))


# --- parts ----------------------------------------------------------------------------------------------------------------


def _database(desk: Desk) -> Database:
    return database_of(desk.host.snapshot.config.storage.address)


def _known(desk: Desk, name: str) -> Alert:
    alerts = desk.host.snapshot.config.alert
    for alert in alerts:
        if alert.name == name:
            return alert
    raise Problem("not_found", f'there is no alert "{name[:80]}"{nearest(name, [alert.name for alert in alerts])}')


def _channels(config: Config, alert: Alert) -> tuple[str, ...]:
    from gw.alerts.look import channels_of  # noqa: PLC0415 - brings along what judges

    return channels_of(alert, config.notify)


def _channel(one: Notify, rules: list[AlertRule], newest: tuple[AlertFired, ...]) -> AlertChannel:
    sent = [each for alert in newest for each in alert.deliveries if each.channel == one.name]
    last = max(sent, key=lambda each: each.done_at or each.made_at, default=None)
    return AlertChannel(one.name, one.kind, tuple(rule.name for rule in rules if one.name in rule.channels), last)


def _fired(db: Connection, row: store.AlertRow) -> AlertFired:
    sent = tuple(
        Delivered(one.channel, one.event, iso(one.made_us), moment(one.done_us), one.attempts, one.outcome, one.said)
        for one in store.deliveries(db, row.id)
    )
    return AlertFired(
        id=row.id,
        rule=row.rule,
        kind=row.kind,
        severity=row.severity,
        subject=row.subject,
        title=row.title,
        facts=tuple(Fact(label, value) for label, value in row.facts),
        advice=row.advice,
        fired_at=iso(row.fired_us),
        changed_at=iso(row.changed_us),
        resolved_at=moment(row.resolved_us),
        told_at=moment(row.told_us),
        acknowledged_at=moment(row.acknowledged_us),
        acknowledged_by=row.acknowledged_by,
        deliveries=sent,
    )


def _tested(one: Errand) -> AlertTest:
    state: Literal["waiting", "done", "failed"] = "waiting" if not one.done_us else "done" if one.outcome == "done" else "failed"
    channels = msgspec.convert(one.answer.get("channels", ()), tuple[ChannelTried, ...])
    return AlertTest(one.id, state, channels, str(one.answer.get("error", "")))


def _note(db: Connection, ask: Ask, action: str, name: str, about: dict[str, Any]) -> None:
    after = msgspec.json.encode(about).decode()
    append(db, AuditRow(0, ask.now_us, ask.actor, "api", action, "alert", name, "", after))


def _until(value: object, now_us: int, errors: list[FieldError]) -> int:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        until_us = wall_us_of(found) if found is not None and found.tzinfo is not None else 0
    except (ValueError, OverflowError):
        until_us = 0
    if not now_us < until_us <= now_us + SILENCE_US_MAX:
        errors.append(FieldError("body", "until", "must be a date-time with offset, later than now and within a year"))
    return until_us


def _text(values: dict[str, Any], name: str, errors: list[FieldError]) -> str:
    value = values.get(name, "")
    if not isinstance(value, str) or len(value) > REASON_CHARS_MAX or not value.isprintable():
        errors.append(
            FieldError("body", name, f"must be text of at most {REASON_CHARS_MAX} characters, without control characters")
        )
        return ""
    return value


def _shown(view: Struct, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(view) + b"\n", headers=NO_STORE)
