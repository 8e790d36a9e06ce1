"""`GET /api/me` and `GET /api/oauth/usage`: a caller asks where it stands. Nothing is spent, held or recorded by asking.

Budgets and limits are read from the shared state, so they are of this instant; what a session has cost is read from the
ledger, in a thread, and lags by what the keeper has not yet moved there (some 100 ms).

The budgets are those of a call that the same caller would make with the same headers. Those of a model apply only if the
query names one (`?model=`), those of an upstream if that, or there being but one, says which it would be.
"""

import asyncio
import logging
from typing import NamedTuple
from urllib.parse import parse_qs

from gw import clock
from gw.admit.fills import fills
from gw.admit.standings import standings
from gw.domain.account import Account
from gw.domain.scope import CallPath
from gw.domain.text import printable
from gw.errors import Refusal
from gw.ops import metrics
from gw.routing.plan import plan
from gw.settle import MODEL_MAX
from gw.snapshot import Snapshot
from gw.wire.asgi import Scope, Send
from gw.wire.headers import VALUE_MAX, read_request, text_of
from gw.wire.me import SessionCost, me, oauth_usage
from gw.wire.refusals import refusal_answer
from gw.worker import Worker

log = logging.getLogger("gw.me")


class Asked(NamedTuple):
    account: Account
    path: CallPath  # of the call that this caller would make


async def me_page(worker: Worker, scope: Scope, send: Send) -> None:
    """`?session=`, else the header x-claude-code-session-id, asks for the cost of that session of the caller's."""
    snapshot, now_us = worker.snapshot, clock.wall_us()
    try:
        account, path = asked(snapshot, scope, now_us)
    except Refusal as refusal:
        return await _refuse(worker, refusal, scope, send)
    session = None
    if path.session:
        session = await asyncio.to_thread(_session_cost, snapshot.config.storage.address, account, path.session)
    cells, buckets, book = worker.state.cells, worker.state.buckets, snapshot.budget_book
    found = standings(cells, book, path, now_us)
    limits = fills(cells, buckets, book, path, clock.mono_ns())
    await _reply(worker, scope, send, me(account, found, limits, session, now_us))


async def oauth_usage_page(worker: Worker, scope: Scope, send: Send) -> None:
    """For `/usage` of Claude Code in native gateway mode."""
    snapshot, now_us = worker.snapshot, clock.wall_us()
    try:
        _, path = asked(snapshot, scope, now_us)
    except Refusal as refusal:
        return await _refuse(worker, refusal, scope, send)
    await _reply(worker, scope, send, oauth_usage(standings(worker.state.cells, snapshot.budget_book, path, now_us)))


def asked(snapshot: Snapshot, scope: Scope, now_us: int) -> Asked:
    """Raises Refusal: who it is, as for a call (401); or that the model it names is not for it (400, 404)."""
    sent = read_request(scope["headers"])
    account = snapshot.authenticator.authenticate(sent.gw_key, sent.api_key, sent.authorization, now_us).account
    query = parse_qs(scope["query_string"].decode("latin-1"))
    model = printable(query.get("model", [""])[0], MODEL_MAX)
    session = text_of(sent.values.get(b"x-claude-code-session-id", b""))
    if "session" in query:
        session = printable(query["session"][0], VALUE_MAX)
    path = CallPath(
        customer=account.customer,
        team=account.team,
        key_name=account.key_name,
        key_id=account.key_id,
        upstream=_upstream(snapshot, account, model),
        model=model,
        project=text_of(sent.values.get(b"x-gw-project", b"")),
        session=session,
    )
    return Asked(account, path)


def _upstream(snapshot: Snapshot, account: Account, model: str) -> str:
    """Where a call for this model would go; without one, the only place where any would go. "": nobody can say."""
    if model:
        return plan(account, model, snapshot.deployments).name
    names = [one.name for one in snapshot.deployments if account.may_use_upstream(one.name)]
    return names[0] if len(names) == 1 else ""


def _session_cost(address: str, account: Account, session_id: str) -> SessionCost:
    # A worker has no SQL, and loads none, until somebody asks.
    from gw.ledger.database import database_of  # noqa: PLC0415
    from gw.ledger.session_cost import session_cost  # noqa: PLC0415
    from gw.ledger.store import StoreError  # noqa: PLC0415

    try:
        calls, billed_pusd = session_cost(
            database_of(address),
            session_id,
            key_name=account.key_name,
            key_id=account.key_id,
            credential=account.credential,
        )
    except StoreError as error:
        log.warning("the cost of a session cannot be read: %s", error)
        return SessionCost(session_id, None, None)
    return SessionCost(session_id, calls, billed_pusd)


async def _refuse(worker: Worker, refusal: Refusal, scope: Scope, send: Send) -> None:
    metrics.refuse(worker.block.counters, refusal.slug)
    contact = worker.snapshot.config.server.contact
    await _send(scope, send, *refusal_answer(refusal, worker.call_id(), contact=contact))


async def _reply(worker: Worker, scope: Scope, send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"request-id", worker.call_id().encode()),
    ]
    await _send(scope, send, 200, headers, body)


async def _send(scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})
