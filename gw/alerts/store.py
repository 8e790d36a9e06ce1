"""What alerts keep in the database: states, the history, silences, and the outbox.

A decision is one transaction: the states, the rows of the history and the messages in the outbox. So whatever is killed in
between, each alert is decided once; what the outbox holds is sent until a channel has taken it, or it is too old.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from gw.alerts.decide import NOTICES_MAX, Action, State
from gw.alerts.notice import Notice, Severity, Told
from gw.ledger.store import Connection

KEPT_US = 35 * 86_400 * 10**6  # what is over is remembered for so long: no level is told twice in a month
_STATE = State.__struct_fields__
_STATES = f"SELECT {', '.join(_STATE)} FROM alert_state WHERE rule = ?"  # noqa: S608 - our own names
_PUT_STATE = (
    f"INSERT INTO alert_state ({', '.join(_STATE)}) VALUES ({', '.join('?' * len(_STATE))}) "  # noqa: S608
    f"ON CONFLICT (fingerprint) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _STATE[1:])}"
)


class AlertRow(Struct, frozen=True):
    """One alert of the history."""

    id: int
    rule: str
    kind: str
    fingerprint: str
    subject: str
    severity: str
    title: str
    facts: tuple[tuple[str, str], ...]
    advice: str
    level: int
    fired_us: int
    changed_us: int
    resolved_us: int
    told_us: int
    acknowledged_us: int
    acknowledged_by: str


class Silence(Struct, frozen=True):
    """`fingerprint` "": all of the rule."""

    rule: str
    fingerprint: str
    until_us: int
    made_us: int
    made_by: str
    reason: str


class Sending(Struct, frozen=True):
    """One message for one channel."""

    id: str
    channel: str
    notice: Notice
    attempts: int
    made_us: int


class Delivery(Struct, frozen=True):
    """What became of a message, for people."""

    channel: str
    event: str
    made_us: int
    done_us: int
    attempts: int
    outcome: str
    said: str


class Source(Struct, frozen=True):
    """The rule that a decision is of, as messages name it. `closing`: those of its channels in which an alert stays open until
    it is told that it is over."""

    name: str
    kind: str
    severity: Severity
    channels: tuple[str, ...]
    link: str
    closing: tuple[str, ...] = ()


_ALERT = AlertRow.__struct_fields__
_PUT_ALERT = f"INSERT INTO alert ({', '.join(_ALERT)}) VALUES ({', '.join('?' * len(_ALERT))})"  # noqa: S608 - our own names
_ALERTS = f"SELECT {', '.join(_ALERT)} FROM alert"  # noqa: S608
_POST = (
    "INSERT INTO alert_outbox (id, channel, alert_id, event, notice, made_us, due_us, attempts, done_us, outcome, said) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '', '')"
)
_CHANGE_ALERT = "UPDATE alert SET title = ?, facts = ?, advice = ?, level = ?, changed_us = ?, told_us = ? WHERE id = ?"
_SILENCES = "SELECT rule, fingerprint, until_us, made_us, made_by, reason FROM alert_silence WHERE until_us > ?"


# --- decisions ----------------------------------------------------------------------------------------------------------


def states_of(db: Connection, rule: str) -> dict[str, State]:
    found = (State(*row) for row in db.execute(_STATES, (rule,)))
    return {one.fingerprint: replace(one, firing=bool(one.firing)) for one in found}


def carry_out(db: Connection, source: Source, actions: Sequence[Action], now_us: int) -> int:
    """Writes down what was decided, and what is to be sent. How many messages there are. Of those that are over, and of the
    others, NOTICES_MAX are told singly."""
    singly: dict[bool, list[Notice]] = {False: [], True: []}
    others: dict[bool, list[State]] = {False: [], True: []}
    for action in actions:
        state = action.state
        if action.event == "firing" and not state.alert_id:
            state = replace(state, alert_id=_new_alert(db, source, action, now_us))
        elif action.event == "resolved":
            db.execute("UPDATE alert SET resolved_us = ?, changed_us = ? WHERE id = ?", (now_us, now_us, state.alert_id))
        elif action.event:
            values = action.told.title, _json(action.told.facts), action.told.advice, state.level, now_us, state.told_us
            db.execute(_CHANGE_ALERT, (*values, state.alert_id))
        db.execute(_PUT_STATE, [int(value) if isinstance(value, bool) else value for value in astuple(state)])
        if not action.event or not action.loud:
            continue
        notice, over = notice_of(source, action, state, now_us), action.event == "resolved"
        if len(singly[over]) < NOTICES_MAX:
            singly[over].append(notice)
            post(db, source.channels, notice, now_us)
        else:
            others[over].append(state)
            post(db, source.closing if over else (), notice, now_us)
    for over, states in others.items():
        if states:
            post(db, source.channels, _summary(source, states, singly[over][-1], now_us), now_us)
    return sum(len(singly[over]) + bool(others[over]) for over in (False, True))


def post(db: Connection, channels: Iterable[str], notice: Notice, now_us: int) -> None:
    for channel in channels:
        text = _json(notice)
        db.execute(_POST, (f"{notice.id}-{channel}", channel, notice.alert_id, notice.event, text, now_us, now_us))


def forget(  # noqa: PLR0917
    db: Connection, rules: Iterable[str], now_us: int, history_us: int, closing: Iterable[str] = (), link: str = ""
) -> None:
    """What is over for long, what belongs to rules that are gone, and what the history need not hold any more. `closing`: as a
    Source's, of all channels."""
    db.execute("DELETE FROM alert_state WHERE firing = 0 AND over_us < ?", (now_us - KEPT_US,))
    db.execute("DELETE FROM alert_silence WHERE until_us <= ?", (now_us,))
    db.execute("DELETE FROM alert_outbox WHERE done_us > 0 AND made_us < ?", (now_us - history_us,))
    db.execute("DELETE FROM alert WHERE resolved_us > 0 AND fired_us < ?", (now_us - history_us,))
    known = set(rules)
    for (rule,) in db.execute("SELECT DISTINCT rule FROM alert_state").fetchall():
        if rule not in known:
            _close(db, rule, set(closing), link, now_us)
            db.execute(
                "UPDATE alert SET resolved_us = ?, changed_us = ? WHERE rule = ? AND resolved_us = 0", (now_us, now_us, rule)
            )
            db.execute("DELETE FROM alert_state WHERE rule = ?", (rule,))


def _close(db: Connection, rule: str, closing: set[str], link: str, now_us: int) -> None:
    """Nobody judges the alerts of this rule any more: says so where they were opened."""
    states = {one.alert_id: one for one in states_of(db, rule).values() if one.firing}
    for alert in alerts(db, len(states), rule=rule, open_only=True):
        opened = {one.channel for one in deliveries(db, alert.id) if one.event != "resolved"} & closing
        state = states.get(alert.id)
        if opened and state is not None:
            source = Source(rule, alert.kind, cast(Severity, alert.severity), tuple(sorted(opened)), link)
            over = f'the alert "{rule}" is no longer in force; {state.subject} is not watched'
            told = Told(alert.title, alert.facts, over=over)
            post(db, source.channels, notice_of(source, Action("resolved", state, told), state, now_us), now_us)


def _new_alert(db: Connection, source: Source, action: Action, now_us: int) -> int:
    ((highest,),) = db.execute("SELECT coalesce(max(id), 0) FROM alert").fetchall()
    state, told = action.state, action.told
    row = AlertRow(
        int(highest) + 1,
        source.name,
        source.kind,
        state.fingerprint,
        state.subject,
        source.severity,
        told.title,
        told.facts,
        told.advice,
        state.level,
        now_us,
        now_us,
        0,
        state.told_us,
        0,
        "",
    )
    db.execute(_PUT_ALERT, [_json(value) if isinstance(value, tuple) else value for value in astuple(row)])
    return row.id


def notice_of(source: Source, action: Action, state: State, now_us: int) -> Notice:
    """The message of an action that has an event."""
    told, event = action.told, action.event
    assert event
    title = told.over or f"{state.subject} is as it was" if event == "resolved" else told.title
    return Notice(
        id=f"{state.alert_id}-{event}-{state.level}-{now_us}",
        event=event,
        rule=source.name,
        kind=source.kind,
        severity=source.severity,
        subject=state.subject,
        title=title,
        facts=told.facts,
        advice="" if event == "resolved" else told.advice,
        at_us=now_us,
        since_us=state.since_us,
        alert_id=state.alert_id,
        dedup=f"gw-{state.fingerprint}",
        link=f"{source.link.rstrip('/')}/ui/alerts" if source.link else "",
    )


def _summary(source: Source, others: Sequence[State], single: Notice, now_us: int) -> Notice:
    """Under the key of one that was told singly, so that it opens nothing which nobody would close."""
    count, over = len(others), single.event == "resolved"
    subjects = ", ".join(state.subject for state in others[:5])
    told = Told(
        f'{count} more alerts of "{source.name}" {"are over" if over else "at the same moment"}',
        (("Among them", subjects + (" ..." if count > 5 else "")),),
        "They stand in the history: gw alerts history. If so many are no news, the rule is too narrow.",
    )
    last = max(others, key=lambda state: state.alert_id)  # so that this message comes after all others
    notice = notice_of(source, Action("firing", last, told), last, now_us)
    event = single.event if over else notice.event
    return replace(notice, id=f"{notice.id}-more", event=event, subject="several", dedup=single.dedup, severity="info")


# --- the outbox -----------------------------------------------------------------------------------------------------------


def due(db: Connection, now_us: int) -> list[Sending]:
    """The oldest of each channel, if it is time for it: what came later waits for it, so that a channel hears in order; but for
    no other channel."""
    query = (
        "SELECT id, channel, notice, attempts, made_us, due_us FROM alert_outbox WHERE done_us = 0 AND channel = ? "
        "ORDER BY made_us, alert_id, id LIMIT 1"
    )
    found = []
    for (waiting,) in db.execute("SELECT DISTINCT channel FROM alert_outbox WHERE done_us = 0").fetchall():
        one, channel, text, attempts, made_us, due_us = db.execute(query, (waiting,)).fetchone()
        if due_us <= now_us:
            found.append(Sending(one, channel, msgspec.json.decode(text, type=Notice), attempts, made_us))
    return found


def sent(db: Connection, sending_id: str, now_us: int, outcome: str, said: str) -> None:
    """`outcome`: "sent", or "given up"."""
    query = "UPDATE alert_outbox SET done_us = ?, outcome = ?, said = ?, attempts = attempts + 1 WHERE id = ?"
    db.execute(query, (now_us, outcome, said, sending_id))


def postponed(db: Connection, sending_id: str, due_us: int, said: str) -> None:
    db.execute("UPDATE alert_outbox SET due_us = ?, said = ?, attempts = attempts + 1 WHERE id = ?", (due_us, said, sending_id))


def deliveries(db: Connection, alert_id: int) -> list[Delivery]:
    columns = "channel, event, made_us, done_us, attempts, outcome, said"
    query = f"SELECT {columns} FROM alert_outbox WHERE alert_id = ? ORDER BY made_us, id"  # noqa: S608 - ours
    return [Delivery(*row) for row in db.execute(query, (alert_id,))]


# --- for people -----------------------------------------------------------------------------------------------------------


def alerts(
    db: Connection, limit: int, before_id: int | None = None, rule: str = "", *, open_only: bool = False
) -> list[AlertRow]:
    """Newest first."""
    wanted: dict[str, int | str] = {}
    if before_id is not None:
        wanted["id < ?"] = before_id
    if rule:
        wanted["rule = ?"] = rule
    terms = [*wanted, *(["resolved_us = 0"] if open_only else [])]
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    rows = db.execute(f"{_ALERTS}{where} ORDER BY id DESC LIMIT ?", (*wanted.values(), limit))  # literals, parameters
    return [_alert(row) for row in rows]


def alert_of(db: Connection, alert_id: int) -> AlertRow | None:
    row = db.execute(f"{_ALERTS} WHERE id = ?", (alert_id,)).fetchone()
    return _alert(row) if row is not None else None


def acknowledge(db: Connection, alert_id: int, who: str, now_us: int) -> AlertRow | None:
    """The first one who does it stands there."""
    query = "UPDATE alert SET acknowledged_us = ?, acknowledged_by = ? WHERE id = ? AND acknowledged_us = 0"
    db.execute(query, (now_us, who, alert_id))
    return alert_of(db, alert_id)


def silences(db: Connection, now_us: int) -> list[Silence]:
    return [Silence(*row) for row in db.execute(f"{_SILENCES} ORDER BY rule, fingerprint", (now_us,))]


def silence(db: Connection, one: Silence) -> None:
    """In the place of an earlier one of the same."""
    unsilence(db, one.rule, one.fingerprint)
    query = "INSERT INTO alert_silence (rule, fingerprint, until_us, made_us, made_by, reason) VALUES (?, ?, ?, ?, ?, ?)"
    db.execute(query, astuple(one))


def unsilence(db: Connection, rule: str, fingerprint: str = "") -> bool:
    """Whether there was one."""
    query = "DELETE FROM alert_silence WHERE rule = ? AND fingerprint = ?"
    return db.execute(query, (rule, fingerprint)).rowcount > 0


def _alert(row: Sequence[object]) -> AlertRow:
    named = dict(zip(_ALERT, row, strict=True))
    named["facts"] = msgspec.json.decode(str(named["facts"]), type=tuple[tuple[str, str], ...])
    return AlertRow(**named)  # type: ignore[arg-type]  # the table's columns are the struct's fields


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
