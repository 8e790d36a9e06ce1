"""Operations on conversations that are kept. To read one is noted in the audit before anything of it is shown."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gw.content.conversation import Conversation, conversation
from gw.content.library import Library
from gw.content.store import CallRow
from gw.content.vault import ContentError
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_listing import BOOLS
from gw.control.http_shapes import Moment
from gw.control.problem import Problem, invalid
from gw.domain.shown import iso
from gw.ledger.audit import note
from gw.ledger.database import database_of

RAW_TYPE = "application/octet-stream"
PARTS = ("request", "answer")
READ = "read_conversation"


class ConversationView(Struct, frozen=True):
    """What a call said and was answered, as far as it was kept; what rules took out of it is gone."""

    call_id: str
    started_at: Moment
    key: str
    key_id: str
    team: str
    session_id: str
    request_bytes: Annotated[int, Meta(description="As it came.")]
    request_problem: Annotated[str, Meta(description='Why it was not kept: too_large, spool_full, spool_failed; else "".')]
    answer_bytes: int
    answer_problem: str
    system: list[Any]
    messages: Annotated[list[Any], Meta(description="As the client sent them.")]
    tools: list[Any]
    parameters: Annotated[dict[str, Any], Meta(description="All else that the request says.")]
    answer: Annotated[
        dict[str, Any] | None,
        Meta(description="The message that the answer's events make; of one that was cut, what had come. null: none was kept."),
    ]
    unreadable: Annotated[tuple[str, ...], Meta(description="request, answer: what is no JSON; ask for it with `raw`.")]


def show(desk: Desk, ask: Ask) -> Answer:
    """GET /api/logs/{call_id}/conversation."""
    raw, part = ask.query.get("raw", "false"), ask.query.get("part", PARTS[0])
    if raw not in BOOLS:
        raise invalid("query", "raw", "must be true or false")
    if part not in PARTS:
        raise invalid("query", "part", f"must be one of {', '.join(PARTS)}")
    if "part" in ask.query and not BOOLS[raw]:
        raise invalid("query", "part", "goes with raw=true")
    call_id = ask.path["call_id"]
    row, request, answer = _read(desk, call_id)
    about = {"raw": part} if BOOLS[raw] else {}
    note(database_of(_address(desk)), ask.now_us, ask.actor, "api", READ, "call", call_id, about)
    if BOOLS[raw]:
        name = f'attachment; filename="{part}.bin"'
        body = request if part == "request" else answer
        return Answer(200, body, RAW_TYPE, {**NO_STORE, "content-disposition": name})
    return Answer(200, msgspec.json.encode(view(conversation(row, (request, answer)))) + b"\n", headers=NO_STORE)


def view(found: Conversation) -> ConversationView:
    row = found.call
    return ConversationView(
        row.call_id,
        iso(row.started_us),
        row.key_name,
        row.key_id,
        row.team,
        row.session_id,
        row.request_bytes,
        row.request_problem,
        row.answer_bytes,
        row.answer_problem,
        found.system,
        found.messages,
        found.tools,
        found.parameters,
        found.answer,
        found.unreadable,
    )


def _read(desk: Desk, call_id: str) -> tuple[CallRow, bytes, bytes]:
    library = _library(desk)
    row = library.row(call_id)
    if row is None:
        raise Problem("not_found", "No content is kept of this call: it was not to be kept, or is gone by its age.")
    try:
        raw = library.raw(call_id)
    except ContentError as error:
        raise Problem("content_unreadable", str(error)) from error
    if raw is None:
        raise Problem("not_found", "The content of this call has just gone.")
    return row, raw.request, raw.answer


def _library(desk: Desk) -> Library:
    return Library(desk.host.snapshot.config.content, _address(desk))


def _address(desk: Desk) -> str:
    return desk.host.snapshot.config.storage.address
