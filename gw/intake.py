"""Takes what Claude Code reports of itself (OTLP over HTTP), where `[claude_telemetry]` asks for it: who, how much, and onto
the spool.

Deny by default: only a valid virtual key may report, for nobody else would check a credential of another kind. A worker looks at
nothing but the size; the courier reads the rest. Refusals have OTLP's own shape: google.rpc.Status, in the encoding of the
request.
"""

import asyncio
import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import orjson

from gw import clock
from gw.admit.auth import EndedKey
from gw.config.telemetry_model import ClaudeTelemetry
from gw.domain.account import Account
from gw.domain.telemetry import Owner
from gw.errors import Refusal
from gw.telemetry.spool import Parcel, Spool, SpoolFull
from gw.wire.asgi import Receive, Scope, Send
from gw.wire.body import read_body, readable
from gw.wire.headers import read_request
from gw.worker import Worker

SIGNALS = {"/v1/logs": "logs", "/v1/metrics": "metrics", "/v1/traces": "traces"}
JSON, PROTOBUF = "application/json", "application/x-protobuf"
ASIDE_BYTES = 65_536  # a larger body is unpacked and written in a thread: calls do not wait for it
NS_PER_MINUTE = 60_000_000_000
BODY_TIMEOUT_S = 30.0
STATUS_OF: dict[int, int] = {400: 3, 401: 16, 405: 12, 413: 8, 415: 3, 429: 8, 503: 14}  # HTTP -> google.rpc.Code
UNKNOWN = 2

log = logging.getLogger("gw.intake")


class Said(NamedTuple):
    """A refusal."""

    status: int
    message: str
    retry_after_s: int = 0


class Pace:
    """How often each key may report: a bucket per key that fills within a minute. Keys are known ones, so there are few."""

    def __init__(self) -> None:
        self._full_at: dict[str, int] = {}

    def wait_ns(self, key_id: str, per_minute: int, now_ns: int) -> int:
        """0: it may, and has."""
        each = NS_PER_MINUTE // per_minute
        full_at = max(self._full_at.get(key_id, 0), now_ns)
        if full_at + each - now_ns > NS_PER_MINUTE:
            return full_at + each - now_ns - NS_PER_MINUTE
        self._full_at[key_id] = full_at + each
        return 0


class Intake:
    """One per worker. Nothing is opened before somebody reports."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._spool = Spool(Path(worker.state_dir))
        self._pace = Pace()
        self._one = asyncio.Lock()

    @property
    def settings(self) -> ClaudeTelemetry:
        return self._worker.snapshot.config.claude_telemetry

    def serves(self, path: str) -> bool:
        return path in SIGNALS and self.settings.enabled

    async def __call__(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        kind = _content_type(scope)
        try:
            said = await self._take(SIGNALS[path], kind, scope, receive)
        except (EndedKey, Refusal) as refusal:
            said = Said(refusal.kind.status, refusal.message, refusal.retry_after_s)
        except TimeoutError:
            said = Said(400, f"No whole body came within {BODY_TIMEOUT_S:.0f} s.")
        await _answer(kind, said, send)

    def close(self) -> None:
        self._spool.close()

    async def _take(self, signal: str, kind: str, scope: Scope, receive: Receive) -> Said | None:
        """None: it is kept."""
        if scope["method"] != "POST":
            return Said(405, "OTLP is sent by POST.")
        sent = read_request(scope["headers"])
        snapshot, settings = self._worker.snapshot, self.settings
        account = snapshot.authenticator.authenticate(sent.gw_key, sent.api_key, sent.authorization, clock.wall_us()).account
        if not account.key_id:
            return Said(401, "Telemetry needs a virtual key (gwk_...): OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer gwk_...")
        if kind not in (JSON, PROTOBUF) or (kind == PROTOBUF and not reads_protobuf()):
            return Said(415, f"Send {JSON}{f' or {PROTOBUF}' if reads_protobuf() else ''}: OTEL_EXPORTER_OTLP_PROTOCOL.")
        wait_ns = self._pace.wait_ns(account.key_id, settings.requests_per_minute, clock.mono_ns())
        if wait_ns:
            return Said(429, f'The key "{account.key_name}" reports too often.', wait_ns // 1_000_000_000 + 1)
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await read_body(receive, sent.content_length, settings.body_bytes_max)
        if body is None:
            return Said(400, "The body is cut short.")
        encoding = sent.content_encoding.decode("latin-1")
        parcel = Parcel(clock.wall_us(), signal, kind, "" if encoding == "identity" else encoding, _owner(account), body)
        return await self._keep(parcel, settings)

    async def _keep(self, parcel: Parcel, settings: ClaudeTelemetry) -> Said | None:
        try:
            async with self._one:
                if len(parcel.body) > ASIDE_BYTES:
                    await asyncio.to_thread(self._append, parcel, settings)
                else:
                    self._append(parcel, settings)
        except SpoolFull as error:
            log.warning("telemetry is not taken: %s", error)
            return Said(503, "This gateway cannot keep telemetry at the moment.", 30)
        return None

    def _append(self, parcel: Parcel, settings: ClaudeTelemetry) -> None:
        readable(parcel.body, parcel.encoding.encode("latin-1"), settings.body_bytes_max)  # it can be unpacked, within bounds
        self._spool.append(parcel, settings.spool_bytes_max)


@cache
def reads_protobuf() -> bool:
    """Whether the extra is installed that the courier needs for it."""
    try:
        return find_spec("opentelemetry.proto") is not None
    except ModuleNotFoundError:
        return False


def _owner(account: Account) -> Owner:
    return Owner(account.key_id, account.key_name, account.team, account.customer)


def _content_type(scope: Scope) -> str:
    value = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return str(value.partition(b";")[0].strip().lower().decode("latin-1"))


def status_message(code: int, message: str) -> bytes:
    """google.rpc.Status as protobuf: 1 is the code, 2 the message."""
    text = message.encode()[:16_000]
    size = bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 127 | 128, len(text) >> 7])
    return b"\x08" + bytes([code]) + b"\x12" + size + text


async def _answer(kind: str, said: Said | None, send: Send) -> None:
    """What was asked in JSON, or in neither, is answered in JSON."""
    protobuf = kind == PROTOBUF
    status, body = 200, b"" if protobuf else b"{}"
    headers = [(b"content-type", (PROTOBUF if protobuf else JSON).encode())]
    if said is not None:
        code = STATUS_OF.get(said.status, UNKNOWN)
        status = said.status
        body = status_message(code, said.message) if protobuf else orjson.dumps({"code": code, "message": said.message})
        if said.retry_after_s:
            headers.append((b"retry-after", b"%d" % said.retry_after_s))
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
