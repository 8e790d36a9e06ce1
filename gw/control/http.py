"""The control API as an ASGI application: who asks, what for, the answer.

Only the body is read on the worker's loop. All else (JSON, SQL, the look at the cells) happens in THREADS threads of its
own, so that a worker's calls never wait for it; when OPEN_MAX requests are under way, a further one is refused. An
operation is a plain function from `Ask` to `Answer` (http_operations.py has the table); `Problem` is the one way to say no.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from gw import clock
from gw.config.said import nearest
from gw.control import http_admin
from gw.control.auth import Guard
from gw.control.host import Host
from gw.control.http_answer import NO_STORE, Answer, Ask, Client, json_answer
from gw.control.http_items import Desk
from gw.control.http_live_socket import PATH as SOCKET_PATH
from gw.control.http_live_socket import REFUSED, socket
from gw.control.http_operation import Operation
from gw.control.http_operations import OPERATIONS
from gw.control.pages import ROOT as PAGES
from gw.control.pages import pages
from gw.control.problem import MEDIA_TYPE, Problem, invalid
from gw.control.session import Principal
from gw.control.signins import FLUSH_S, SignIns, turned_away, who
from gw.ledger.store import StoreError

THREADS = 1  # requests wait for each other rather than for the calls that share the processor
OPEN_MAX = 64  # under way in one worker
SLOW_OPEN_MAX = 8  # of these, reports that look through many rows
# How long that thread may keep the interpreter while the loop waits for it. With Python's own 5 ms a worker whose API is asked
# without a pause serves 2,300 small requests a second instead of 31,000, with this 4,900.
SWITCH_S = 0.0005
BODY_BYTES_MAX = 1 << 20
BODY_TIMEOUT_S = 20.0
PREFIX = "anthropic"
METHODS_WITH_BODY = ("POST", "PATCH")
BODY_TYPES = ("application/json", "application/merge-patch+json")
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class ControlApi:
    """One per worker process, born at its first request."""

    def __init__(self, host: Host, environ: Mapping[str, str] = os.environ) -> None:
        self._host = host
        self._guard = Guard(host.state_dir, environ)
        self._desk = Desk(host, self._guard)
        self._threads = ThreadPoolExecutor(THREADS, "gw-api")
        self._slow = ThreadPoolExecutor(THREADS, "gw-reports")  # what is quick does not wait for it
        self._slow_open = 0
        self._open = 0
        self._signins = SignIns()
        self._writing: asyncio.Future[None] | None = None
        self._routes = _routes()
        sys.setswitchinterval(SWITCH_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        request_id = self._host.call_id()
        request = Request({**scope, "path": escaped_path(scope), "root_path": ""}, receive)
        address = request.client.host if request.client else ""
        try:
            answer = await self._answer(request)
        except Problem as problem:
            answer = (http_admin.refusal if http_admin.serves(request.scope["path"]) else _refusal)(problem, request_id)
            if turned_away(problem.slug):
                self._signins.failed(problem.slug, address, clock.wall_us())
        except ClientDisconnect:
            return
        except BaseException:
            await self._send(_refusal(Problem("internal"), request_id), request_id, request, send)
            raise
        self._write_signins()
        await self._send(answer, request_id, request, send)

    def _write_signins(self) -> None:
        """Failures that wait for company are written later, though nobody should ask again."""
        if self._writing is not None and not self._writing.done():
            return
        loop, now_ns = asyncio.get_running_loop(), clock.mono_ns()
        if self._signins.is_due(now_ns):
            address = self._host.snapshot.config.storage.address
            self._writing = loop.run_in_executor(self._threads, self._signins.write, address, clock.wall_us(), now_ns)
        elif self._signins.waits and not self._signins.reminded:
            self._signins.reminded = True
            loop.call_later(FLUSH_S, self._remind)

    def _remind(self) -> None:
        self._signins.reminded = False
        self._write_signins()

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if escaped_path(scope) == SOCKET_PATH:
            await socket(self._desk, self._guard, scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": REFUSED})

    async def _answer(self, request: Request) -> Answer:
        path: str = request.scope["path"]
        if path == PAGES or path.startswith(f"{PAGES}/"):
            return await asyncio.get_running_loop().run_in_executor(self._threads, pages, path, request.method, request.headers)
        if http_admin.serves(path):
            return await self._report(request)
        found = self._find(request)
        principal = None
        address = request.client.host if request.client else ""
        if isinstance(found, Problem) or not found.public:
            keys = not isinstance(found, Problem) and found.keys
            changes = request.method not in ("GET", "HEAD")
            principal = self._guard.admit(
                request.headers, address, clock.mono_ns(), self._host, keys=keys, changes=changes
            )
            self._signins.seen(who(principal), address, clock.wall_us(), clock.mono_ns())
        if isinstance(found, Problem):  # what there is and what not is no stranger's business
            raise found
        if self._open >= OPEN_MAX or (found.slow and self._slow_open >= SLOW_OPEN_MAX):
            raise Problem("busy")
        self._open += 1
        self._slow_open += found.slow
        threads = self._slow if found.slow else self._threads
        try:
            body = await _body(request) if request.method in METHODS_WITH_BODY else b""
            return await asyncio.get_running_loop().run_in_executor(threads, self._perform, found, request, body, principal)
        finally:
            self._open -= 1
            self._slow_open -= found.slow

    async def _report(self, request: Request) -> Answer:
        """Reports in the shape of Anthropic's Admin API."""
        address = request.client.host if request.client else ""
        headers = http_admin.as_bearer(request.headers)
        principal = self._guard.admit(headers, address, clock.mono_ns(), self._host, keys=False, changes=False)
        self._signins.seen(who(principal), address, clock.wall_us(), clock.mono_ns())
        if self._open >= OPEN_MAX or self._slow_open >= SLOW_OPEN_MAX:
            raise Problem("busy")
        self._open += 1
        self._slow_open += 1
        query = request.query_params.multi_items()
        asked = (self._desk, request.method, request.scope["path"], query, clock.wall_us())
        try:
            return await asyncio.get_running_loop().run_in_executor(self._slow, http_admin.report, *asked)
        finally:
            self._open -= 1
            self._slow_open -= 1

    def _find(self, request: Request) -> Operation | Problem:
        for route, operations in self._routes:
            match, child = route.matches(request.scope)
            if match is Match.NONE:
                continue
            method = "GET" if request.method == "HEAD" else request.method
            if method not in operations:
                return Problem("method_not_allowed", headers={"allow": _allowed(operations)})
            request.scope.update(child)
            return operations[method]
        return Problem("unknown_path")

    def _perform(self, operation: Operation, request: Request, body: bytes, principal: Principal | None) -> Answer:
        """In a thread of ours."""
        address = request.client.host if request.client else ""
        session = self._guard.session(request.headers, self._host)
        ask = Ask(
            path={name: _decoded(value) for name, value in request.path_params.items()},
            query=_query(request, operation),
            body=body,
            if_match=request.headers.get("if-match", ""),
            if_none_match=request.headers.get("if-none-match", ""),
            actor=who(principal) if principal is not None else "",
            now_us=clock.wall_us(),
            principal=principal,
            client=Client(address, _is_secure(request), session),
            accept=request.headers.get("accept", ""),
            last_event_id=request.headers.get("last-event-id", ""),
        )
        try:
            return operation.perform(self._desk, ask)
        except StoreError as error:
            raise Problem("database_unavailable", str(error)) from error

    async def _send(self, answer: Answer, request_id: str, request: Request, send: Send) -> None:
        headers = {**SECURITY_HEADERS, "request-id": request_id, **answer.headers}
        if answer.stream is not None and request.method != "HEAD":
            await answer.stream({**headers, "content-type": answer.media_type}, request.receive, send)
            return
        response = Response(answer.body, answer.status, headers, answer.media_type if answer.body else None)
        if request.method == "HEAD" or answer.status in (204, 304):
            response.body = b""
        await response(request.scope, request.receive, send)


def escaped_path(scope: Scope) -> str:
    """The path below /anthropic or the root as it was sent, so that a name may hold a slash (`%2F`); doubled and trailing
    slashes are forgiven."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    parts = [part for part in raw.decode("latin-1").split("/") if part]
    return "/" + "/".join(parts[1:] if parts[:1] == [PREFIX] else parts)


def _routes() -> list[tuple[Route, dict[str, Operation]]]:
    """Paths in the order of the table, each with its methods."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [(Route(path, _unused), operations) for path, operations in by_path.items()]


def _unused(_: Request) -> Response:
    raise AssertionError("routes are matched here, never called")


def _is_secure(request: Request) -> bool:
    """Whoever ends TLS in front of gw says so."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


def _allowed(operations: Mapping[str, Operation]) -> str:
    return ", ".join(sorted([*operations, *(["HEAD"] if "GET" in operations else [])]))


def _decoded(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError as error:
        raise Problem("not_found", "The path is not UTF-8.") from error


def _query(request: Request, operation: Operation) -> dict[str, str]:
    """Raises Problem for a parameter that the operation does not know, or that is given twice."""
    known = [one.name for one in operation.parameters if one.where == "query"] + list(operation.families)
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise invalid("query", name[:80], f"unknown parameter{nearest(name, known) or _known(known)}")
        if name in query:
            raise invalid("query", name, "is given twice")
        query[name] = value
    return query


def _known(names: list[str]) -> str:
    return f"; known here: {', '.join(names)}" if names else "; there is none here"


async def _body(request: Request) -> bytes:
    """Raises Problem, ClientDisconnect."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > BODY_BYTES_MAX:
        raise Problem("body_too_large")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise Problem("body_too_large")
    except TimeoutError as error:
        raise Problem("request_incomplete", f"No whole body came within {BODY_TIMEOUT_S:.0f} s.") from error
    if size:
        _check_type(request.headers)
    return b"".join(parts)


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in BODY_TYPES:
        raise Problem("unsupported_media_type", f"Content-Type is {kind[:80] or 'missing'}.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported_media_type", "A body with a Content-Encoding is not read here.")


def _refusal(problem: Problem, request_id: str) -> Answer:
    return json_answer(
        problem.body(request_id), problem.kind.status, headers={**NO_STORE, **problem.headers}, media_type=MEDIA_TYPE
    )
