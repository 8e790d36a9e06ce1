"""Operations on exports: what is configured and how it went, and asking for a run. The courier runs it; a run that was asked for
is an errand."""

import os
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gw.config.export_model import Export
from gw.config.model import wall_us_of
from gw.config.said import nearest
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_body import json_object
from gw.control.http_items import Desk
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX, bounded
from gw.control.http_shapes import Moment, moment
from gw.control.problem import FieldError, Problem, all_invalid
from gw.domain.schedule import next_after, parse_schedule
from gw.domain.shown import iso
from gw.export import runs
from gw.export.runs import Run
from gw.ledger import errand
from gw.ledger.audit import AuditRow, append
from gw.ledger.database import database_of
from gw.ledger.errand import Errand
from gw.ledger.store import Database

ERRAND = "export"
ID_MAX = 2**63 - 1


class ExportRun(Struct, frozen=True):
    """One run. Of numbers (calls, adjustments, audit) it has a first and a last, of periods and windows times."""

    id: int
    export: str
    what: str
    status: Annotated[str, Meta(description='"planned", "running", "failed" (it will be gone on with) or "done".')]
    error: Annotated[str, Meta(description='Of the last attempt; "" if it went well.')]
    reason: Annotated[str, Meta(description='"schedule", "request" or "window".')]
    asked_by: str
    attempts: int
    first: int | None
    last: int | None
    starts_at: Moment | None
    ends_at: Moment | None
    revision: Annotated[int, Meta(description="Of a period: 1 for its first export; 0: not of a period.")]
    rows: int
    bytes: int
    files: int
    totals: Annotated[dict[str, str], Meta(description="Sums of the columns of money, in USD.")]
    target: str
    manifest: str
    planned_at: Moment
    begun_at: Moment | None
    ended_at: Moment | None


class ExportState(Struct, frozen=True):
    """An export, as it is configured and as it stands."""

    name: str
    what: str
    to: str
    format: str
    every: Annotated[str, Meta(description='"": only when it is asked for.')]
    next_at: Moment | None
    last: Annotated[ExportRun | None, Meta(description="The last run that is done.")]
    waiting: Annotated[ExportRun | None, Meta(description="A run that is under way, or will be tried again.")]


class Exports(Struct, frozen=True):
    items: tuple[ExportState, ...]


class ExportRuns(Struct, frozen=True):
    """Newest first."""

    items: tuple[ExportRun, ...]
    next_cursor: Annotated[str | None, Meta(description="For the next page; null: this is the last.")]


class ExportAsked(Struct, frozen=True):
    """A run that was asked for."""

    id: str
    export: str
    outcome: Annotated[str, Meta(description='"done", "failed", or "" while it is not yet.')]
    error: str
    runs: Annotated[tuple[int, ...], Meta(description="What it came to; none if there was nothing new.")]


SHAPES = (Exports, ExportRuns, ExportAsked)


def listing(desk: Desk, ask: Ask) -> Answer:
    """GET /api/exports."""
    items = []
    with _database(desk).reading() as db:
        for one in desk.host.snapshot.config.export:
            newest = runs.runs(db, one.name, LIMIT_DEFAULT) if db is not None else []
            done = next((_run(run) for run in newest if run.status == "done"), None)
            waiting = runs.unfinished(db, one.name) if db is not None else None
            due = iso(next_after(parse_schedule(one.every), ask.now_us)) if one.every else None
            waits = _run(waiting) if waiting is not None else None
            items.append(ExportState(one.name, one.what, one.to, one.format, one.every, due, done, waits))
    return _shown(Exports(tuple(items)))


def history(desk: Desk, ask: Ask) -> Answer:
    """GET /api/exports/{name}/runs; of one that is configured no more, too, while its runs are remembered."""
    errors: list[FieldError] = []
    limit = bounded(ask.query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    before = bounded(ask.query, "cursor", errors, default=0, high=ID_MAX)
    if errors:
        raise all_invalid(errors)
    name = ask.path["name"]
    with _database(desk).reading() as db:
        found = runs.runs(db, name, limit + 1, before) if db is not None else []
    if not found and not before:
        _known(desk, name)
    page = tuple(_run(run) for run in found[:limit])
    return _shown(ExportRuns(page, str(page[-1].id) if len(found) > limit else None))


def run(desk: Desk, ask: Ask) -> Answer:
    """POST /api/exports/{name}/run: all that is due; with `since` or `until`, that window once more."""
    export = _known(desk, ask.path["name"])
    values = json_object(ask.body, optional=True)
    known = ("since", "until")
    errors = [
        FieldError("body", name[:80], f"unknown field{nearest(name, list(known))}") for name in values if name not in known
    ]
    fields = {f"{name}_us": _moment(name, values.get(name), errors) for name in known}
    if not errors and fields["until_us"] and fields["since_us"] >= fields["until_us"]:
        errors.append(FieldError("body", "until", "must be later than since"))
    if errors:
        raise all_invalid(errors)
    made = Errand(os.urandom(12).hex(), ERRAND, export.name, fields, ask.now_us, ask.actor)
    about = {"errand": made.id, **{name: iso(us) for name, us in zip(known, fields.values(), strict=True) if us}}
    with _database(desk).changing() as db:
        errand.ask(db, made)
        after = msgspec.json.encode(about).decode()
        append(db, AuditRow(0, ask.now_us, ask.actor, "api", "run", "export", export.name, "", after))
    return _shown(_asked(made), 202)


def asked(desk: Desk, ask: Ask) -> Answer:
    """GET /api/exports/{name}/run/{id}: what became of it."""
    with _database(desk).reading() as db:
        found = errand.find(db, ask.path["id"]) if db is not None else None
    if found is None or found.kind != ERRAND or found.name != ask.path["name"]:
        raise Problem("not_found", "No such run was asked for.")
    return _shown(_asked(found))


def _known(desk: Desk, name: str) -> Export:
    exports = desk.host.snapshot.config.export
    for export in exports:
        if export.name == name:
            return export
    raise Problem("not_found", f'There is no export "{name[:80]}"{nearest(name, [one.name for one in exports])}.')


def _database(desk: Desk) -> Database:
    return database_of(desk.host.snapshot.config.storage.address)


def _moment(name: str, value: object, errors: list[FieldError]) -> int:
    """UTC microseconds; 0 if it is not given."""
    if value is None:
        return 0
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.year not in range(1971, 2200):
        errors.append(FieldError("body", name, "must be a date-time with its offset, such as 2026-11-01T00:00:00Z"))
        return 0
    return wall_us_of(found)


def _run(run: Run) -> ExportRun:
    numbers = run.chain
    return ExportRun(
        id=run.id,
        export=run.export,
        what=run.what,
        status=run.status,
        error=run.error,
        reason=run.reason,
        asked_by=run.asked_by,
        attempts=run.attempts,
        first=run.low if numbers else None,
        last=run.high if numbers else None,
        starts_at=None if numbers else iso(run.low),
        ends_at=None if numbers else iso(run.high),
        revision=run.revision,
        rows=run.rows_count,
        bytes=run.bytes_count,
        files=run.objects_count,
        totals=msgspec.json.decode(run.totals, type=dict[str, str]),
        target=run.target,
        manifest=run.manifest,
        planned_at=iso(run.planned_us),
        begun_at=moment(run.begun_us),
        ended_at=moment(run.ended_us),
    )


def _asked(one: Errand) -> ExportAsked:
    found = one.answer.get("runs", ())
    return ExportAsked(one.id, one.name, one.outcome, str(one.answer.get("error", "")), tuple(found))


def _shown(view: Struct, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(view) + b"\n", headers=NO_STORE)
