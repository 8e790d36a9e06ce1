"""Operations that show how things are: where an account stands, what is configured, how the gateway is. Nothing is changed."""

import json
import os
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, astuple

from gw import __version__, clock
from gw.admit.fills import fills
from gw.admit.standings import standings
from gw.config.effective import effective
from gw.config.load import BUILT_IN, ConfigError, Loaded, Source, parse, read_text
from gw.config.load import Problem as Complaint
from gw.config.said import nearest
from gw.control.host import Host
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk, found, translated
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX, bounded
from gw.control.http_schema import TABLES
from gw.control.http_shapes import (
    AccountPath,
    AccountView,
    AuditChange,
    AuditPage,
    BrokenItem,
    ConfigProblem,
    ConfigValue,
    ConfigView,
    CourierView,
    DutyView,
    StatusView,
    WorkerView,
    fill_view,
    moment,
    standing_view,
)
from gw.control.problem import FieldError, all_invalid, invalid
from gw.control.service import Kind
from gw.domain.scope import KINDS, CallPath
from gw.domain.shown import iso
from gw.ledger.status import STATUS_FILE, read_status
from gw.ops.accounting import accounting
from gw.ops.courier_status import read_courier_status
from gw.ops.metrics_published import read_published
from gw.ops.ready import readiness
from gw.ops.state import COUNTER_BASE, Own, StateFile, Word, block_base

NAME_CHARS_MAX = 500
OPEN_PARTS = ("upstream", "model", "project", "session")  # what a call has besides its key
ID_MAX = 2**63 - 1
AUDITED = (*TABLES, "sign_in", "call", "content", "export", "report", "alert", "ledger")  # kinds of what the audit tells of
NS_PER_MS = 1_000_000


def account(desk: Desk, ask: Ask) -> Answer:
    """GET /api/accounts/{kind}/{name}: from the account outwards by what is defined, the rest of the path by the query."""
    kind, name = ask.path["kind"], ask.path["name"]
    if kind not in KINDS:
        raise invalid("path", "kind", f"must be one of {', '.join(KINDS)}{nearest(kind, list(KINDS))}")
    path = _path(desk, kind, name, ask.query)
    state, book = desk.host.state, desk.host.snapshot.budget_book
    return _shown(
        AccountView(
            kind=kind,
            name=name,
            path=AccountPath(path.customer, path.team, path.key_name, path.upstream, path.model, path.project, path.session),
            budgets=tuple(map(standing_view, standings(state.cells, book, path, ask.now_us))),
            limits=tuple(map(fill_view, fills(state.cells, state.buckets, book, path, clock.mono_ns()))),
            as_of=iso(ask.now_us),
        )
    )


def _path(desk: Desk, kind: str, name: str, query: dict[str, str]) -> CallPath:
    errors = [FieldError("query", kind, "is in the path already")] if kind in query else []
    errors += [FieldError("query", part, "is too long") for part, value in query.items() if len(value) > NAME_CHARS_MAX]
    if errors:
        raise all_invalid(errors)
    path = CallPath(**{part: query.get(part, "") for part in OPEN_PARTS})
    if kind in OPEN_PARTS:
        return path._replace(**{kind: name})
    item = found(desk, cast(Kind, kind), name)
    if kind == "customer":
        return path._replace(customer=name)
    if kind == "team":
        return path._replace(team=name, customer=item.fields["customer"])
    team = item.fields["team"]
    customer = found(desk, "team", team).fields["customer"] if team else ""
    return path._replace(key_name=item.name, key_id=item.public_id, team=team, customer=customer)


def audit(desk: Desk, ask: Ask) -> Answer:
    """GET /api/audit. A cursor is the id of the last entry of the page before."""
    errors: list[FieldError] = []
    limit = bounded(ask.query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    before = bounded(ask.query, "cursor", errors, default=0, high=ID_MAX)
    kind = ask.query.get("kind", "")
    if "kind" in ask.query and kind not in AUDITED:
        errors.append(FieldError("query", "kind", f"must be one of {', '.join(AUDITED)}{nearest(kind, list(AUDITED))}"))
    if errors:
        raise all_invalid(errors)
    with translated():
        entries = desk.service.audit(limit + 1, before or None, kind, ask.query.get("name", ""))
    items = tuple(AuditChange(one.id, iso(one.at_us), *astuple(one)[2:]) for one in entries[:limit])
    return _shown(AuditPage(items, str(items[-1].id) if len(entries) > limit else None))


def config(desk: Desk, ask: Ask) -> Answer:
    """GET /api/config: every value in force with its origin, and what of the file or the database is not in force, and why."""
    snapshot = desk.host.snapshot
    loaded = _loaded(desk.host)
    values = tuple(
        ConfigValue(".".join(str(part) for part in (*row.path, row.key)), row.value, row.origin, row.note)
        for row in effective(loaded.config, loaded.source)
    )
    pending, problems = _on_disk(desk.host)
    return _shown(
        ConfigView(
            source=loaded.source.name,
            fingerprint=loaded.config.fingerprint,
            snapshot_version=snapshot.version,
            values=values,
            warnings=tuple(map(_complaint, loaded.source.warnings)),
            problems=problems,
            pending=pending,
            broken=_broken(desk),
        )
    )


def _loaded(host: Host) -> Loaded:
    """What is in force, with the origin of each value; without origins, if a file that it names has gone meanwhile."""
    origin = host.snapshot.published
    try:
        return parse(origin.config_text, origin.config_name, Path(origin.config_base), os.environ)
    except ConfigError as error:
        return Loaded(host.snapshot.config, Source(origin.config_name, {}, tuple(error.problems)))


def _on_disk(host: Host) -> tuple[bool, tuple[ConfigProblem, ...]]:
    """Whether the file is another than the one in force, and why it could not be used."""
    origin = host.snapshot.published
    if origin.config_name == BUILT_IN:
        return False, ()
    try:
        text = read_text(Path(origin.config_name))
        if text == origin.config_text:
            return False, ()
        parse(text, origin.config_name, Path(origin.config_base), os.environ)
    except ConfigError as error:
        return True, tuple(map(_complaint, error.problems))
    return True, ()


def _broken(desk: Desk) -> tuple[BrokenItem, ...]:
    with translated():
        items = [item for kind in TABLES for item in desk.service.list(kind)]
    return tuple(BrokenItem(item.kind, item.name, item.source, item.problem) for item in items if item.problem)


def _complaint(problem: Complaint) -> ConfigProblem:
    return ConfigProblem(problem.source, problem.line, problem.key, problem.message)


def status(desk: Desk, ask: Ask) -> Answer:
    """GET /api/status."""
    host = desk.host
    words = host.state.words
    ready, said = readiness(host.state, host.state_dir / STATUS_FILE, ask.now_us)
    reasons = json.loads(said)
    keeper = read_status(host.state_dir)
    return _shown(
        StatusView(
            version=__version__,
            started_at=iso(words[Word.STARTED_US]),
            draining=bool(words[Word.DRAINING]),
            ready=ready,
            reasons=tuple(reasons["reasons"]),
            degraded=tuple(reasons["degraded"]),
            snapshot_version=words[Word.SNAPSHOT_VERSION],
            snapshot_published_at=iso(host.snapshot.published_us),
            reload_problem=keeper.config_problem if keeper is not None else "",
            workers=tuple(_worker(host.state, index) for index in host.state.live_blocks()),
            keeper=keeper,
            courier=_courier(host.state_dir),
            accounting=accounting(
                host.state, asdict(keeper) if keeper is not None else {}, read_published(host.state_dir), ask.now_us
            ),
        )
    )


def _courier(state_dir: Path) -> CourierView | None:
    said = read_courier_status(state_dir)
    if said is None:
        return None
    duties = (DutyView(name, one.state, moment(one.since_us), one.failures, one.error) for name, one in said.duties.items())
    return CourierView(said.pid, iso(said.written_us), tuple(sorted(duties, key=lambda one: one.name)))


def _worker(state: StateFile, index: int) -> WorkerView:
    own = state.words[block_base(index) : block_base(index) + COUNTER_BASE]
    return WorkerView(
        index=index,
        pid=own[Own.PID],
        started_at=iso(own[Own.STARTED_US]),
        in_flight=own[Own.IN_FLIGHT],
        snapshot_version=own[Own.SNAPSHOT_VERSION],
        journal_healthy=bool(own[Own.JOURNAL_HEALTHY]),
        silent_ms=max(clock.mono_ns() - own[Own.HEARTBEAT_NS], 0) // NS_PER_MS,
    )


def _shown(view: Struct) -> Answer:
    return Answer(200, msgspec.json.encode(view) + b"\n", headers=NO_STORE)
