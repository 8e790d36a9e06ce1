"""The fake upstream's own bill: one line per request, priced from a table of its own.

Independent of gw's pricing on purpose: it shares no code and no data with it. Rates and amounts are whole pico-USD.
A line is final when it is added, and it is added before the last byte of the answer goes out.
"""

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from gw.clock import wall_us
from gw.demo.exchange import Chunk, Reply, Request


class Card(Struct, frozen=True):
    """Pico-USD per token: input, output, 5-minute write, 1-hour write, read."""

    input: int
    output: int
    write_5m: int
    write_1h: int
    read: int


# Anthropic's list of November 2026, written out by hand: USD per million tokens times 1,000,000.
CARDS: dict[str, Card] = {
    "claude-fable-5-2": Card(8_000_000, 40_000_000, 10_000_000, 16_000_000, 200_000),
    "claude-mythos-5-2": Card(8_000_000, 40_000_000, 10_000_000, 16_000_000, 200_000),
    "claude-fable-5": Card(10_000_000, 50_000_000, 12_500_000, 20_000_000, 1_000_000),
    "claude-opus-5-5": Card(4_000_000, 20_000_000, 5_000_000, 8_000_000, 200_000),
    "claude-opus-5": Card(5_000_000, 25_000_000, 6_250_000, 10_000_000, 500_000),
    "claude-opus-4-8": Card(5_000_000, 25_000_000, 6_250_000, 10_000_000, 500_000),
    "claude-opus-4-7": Card(5_000_000, 25_000_000, 6_250_000, 10_000_000, 500_000),
    "claude-sonnet-5-5": Card(2_000_000, 10_000_000, 2_500_000, 4_000_000, 100_000),
    "claude-sonnet-5": Card(2_000_000, 10_000_000, 2_500_000, 4_000_000, 200_000),
    "claude-sonnet-4-6": Card(3_000_000, 15_000_000, 3_750_000, 6_000_000, 300_000),
    "claude-haiku-5-5": Card(100_000, 500_000, 125_000, 200_000, 10_000),
    "claude-haiku-4-5": Card(1_000_000, 5_000_000, 1_250_000, 2_000_000, 100_000),
    "claude-haiku-4-5-20251001": Card(1_000_000, 5_000_000, 1_250_000, 2_000_000, 100_000),
    # Not Anthropic's: a negotiated price for a model that no catalog lists under this name.
    "groq/llama-3.3-70b-versatile": Card(590_000, 790_000, 590_000, 590_000, 590_000),
}
FAST: dict[str, Card] = {
    "claude-fable-5-2": Card(16_000_000, 80_000_000, 20_000_000, 32_000_000, 400_000),
    "claude-opus-5-5": Card(8_000_000, 40_000_000, 10_000_000, 16_000_000, 400_000),
    "claude-opus-5": Card(10_000_000, 50_000_000, 12_500_000, 20_000_000, 1_000_000),
    "claude-opus-4-8": Card(10_000_000, 50_000_000, 12_500_000, 20_000_000, 1_000_000),
}
LONG: dict[str, Card] = {"claude-haiku-5-5": Card(500_000, 2_500_000, 625_000, 1_000_000, 50_000)}
_CREDENTIALS = ("x-api-key", "authorization")
LONG_PROMPT = 100_000  # tokens; strictly more than this makes a long prompt
WEB_SEARCH = 10_000_000_000  # pico-USD each, never multiplied


def _count(usage: Mapping[str, Any], name: str) -> int:
    return int(usage.get(name) or 0)


def _tokens_cost(model: str, usage: Mapping[str, Any], *, fast: bool) -> int:
    """One usage object at one card; no per-use charges, no multipliers."""
    written = _count(usage, "cache_creation_input_tokens")
    hour = min(written, _count(usage.get("cache_creation") or {}, "ephemeral_1h_input_tokens"))
    prompt = _count(usage, "input_tokens") + _count(usage, "cache_read_input_tokens") + written
    card = (FAST if fast else CARDS)[model]
    if model in LONG and prompt > LONG_PROMPT:
        card = LONG[model]
    return (
        _count(usage, "input_tokens") * card.input
        + _count(usage, "output_tokens") * card.output
        + (written - hour) * card.write_5m
        + hour * card.write_1h
        + _count(usage, "cache_read_input_tokens") * card.read
    )


def cost_pusd(model: str, usage: Mapping[str, Any]) -> int:
    """What the provider charges for this usage, pico-USD. Raises KeyError for a model without a card.

    Compaction and advisor entries of `iterations` are charged on top of the top-level figures; with a fallback entry the
    entries replace them, and a declined attempt that produced nothing is free.
    """
    fast = usage.get("speed") == "fast"
    entries = usage.get("iterations") or []
    kinds = {entry["type"] for entry in entries}
    if "fallback_message" in kinds:
        amount = 0
        for entry in entries:
            if entry["type"] == "message" and not _count(entry, "output_tokens"):
                continue
            amount += _tokens_cost(entry.get("model") or model, entry, fast=fast)
    elif model in LONG and kinds == {"message"}:
        amount = sum(_tokens_cost(model, entry, fast=fast) for entry in entries)
    else:
        amount = _tokens_cost(model, usage, fast=fast)
        for entry in entries:
            if entry["type"] == "compaction":
                amount += _tokens_cost(model, entry, fast=fast)
            elif entry["type"] == "advisor_message":
                amount += _tokens_cost(entry["model"], entry, fast=False)
    if usage.get("inference_geo") == "us":
        amount, rest = divmod(amount * 11, 10)
        amount += rest > 5 or (rest == 5 and amount % 2 == 1)
    return amount + _count(usage.get("server_tool_use") or {}, "web_search_requests") * WEB_SEARCH


class Line(Struct, frozen=True):
    """One request as the upstream saw it. Times in UTC microseconds, 0 = never; digests are SHA-256 in hex."""

    request_id: str
    started_us: int
    ended_us: int
    method: str
    target: str
    model: str
    stream: bool
    status: int
    end: str  # complete | cut_by_client | cut_by_upstream
    cut_us: int  # when the client's leaving was noticed
    credential: str  # header name that carried it: x-api-key, authorization, both, or ""
    credential_sha256: str  # of the key or bearer token; with both headers, of the x-api-key
    headers: dict[str, str]  # every other request header
    request_sha256: str
    request_bytes: int
    response_sha256: str  # of the body bytes handed to the socket
    response_bytes: int
    output_tokens: int  # produced when the answer ended
    usage: dict[str, Any] | None  # what was reported, or would have been; None if never billed
    billed: bool
    cost_pusd: int
    priced: bool  # False: billed, but the model has no card here, so cost_pusd is 0


def _credential(request: Request) -> tuple[str, str]:
    """(which headers carried it, SHA-256 of it); ("", "") without one."""
    sent = [name for name in _CREDENTIALS if request.header(name)]
    if not sent:
        return "", ""
    value = request.header(sent[0]).removeprefix("Bearer ")
    return ("both" if len(sent) == 2 else sent[0]), hashlib.sha256(value.encode()).hexdigest()


class Tally:
    """What has been sent of one reply so far; makes the invoice line at its end."""

    def __init__(self, request: Request, reply: Reply, request_id: str) -> None:
        self.request = request
        self.reply = reply
        self.request_id = request_id
        self.started_us = wall_us()
        self.digest = hashlib.sha256()
        self.sent_bytes = 0
        self.output_tokens = -1
        self.line_added = False

    def count(self, chunk: Chunk) -> None:
        self.digest.update(chunk.data)
        self.sent_bytes += len(chunk.data)
        if chunk.output_tokens >= 0:
            self.output_tokens = chunk.output_tokens

    def line(self, end: str) -> Line:
        """The bill: the usage as reported; of an answer that ended early the prompt and what had been produced, if anything."""
        request, reply = self.request, self.reply
        usage = reply.usage
        billed = usage is not None and self.output_tokens >= 0 and not reply.refused_free
        if usage is not None and self.output_tokens < usage["output_tokens"]:
            usage = {**usage, "output_tokens": max(self.output_tokens, 0)}
            usage.pop("iterations", None)
            usage.pop("server_tool_use", None)
        model = reply.model or request.head.model
        priced = billed and model in CARDS
        carried, credential = _credential(request)
        now = wall_us()
        return Line(
            request_id=self.request_id,
            started_us=self.started_us,
            ended_us=now,
            method=request.method,
            target=request.target,
            model=request.head.model,
            stream=request.head.stream,
            status=reply.status,
            end=end,
            cut_us=now if end == "cut_by_client" else 0,
            credential=carried,
            credential_sha256=credential,
            headers={name: value for name, value in request.headers if name not in _CREDENTIALS},
            request_sha256=hashlib.sha256(request.body).hexdigest(),
            request_bytes=len(request.body),
            response_sha256=self.digest.hexdigest(),
            response_bytes=self.sent_bytes,
            output_tokens=max(self.output_tokens, 0),
            usage=usage,
            billed=billed,
            cost_pusd=cost_pusd(model, usage) if priced and usage is not None else 0,
            priced=priced,
        )


class Invoice:
    """All lines, in the order in which the answers ended; optionally also appended to a file as JSON lines.

    Written by the server's thread, read from any thread.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = path.open("ab", buffering=0) if path else None

    def add(self, line: Line) -> None:
        with self._lock:
            self._lines.append(line)
            if self._file:
                self._file.write(msgspec.json.encode(line) + b"\n")

    def lines(self, *, session: str | None = None) -> list[Line]:
        """A copy; with `session`, only requests that carried this session id."""
        with self._lock:
            lines = list(self._lines)
        if session is None:
            return lines
        return [line for line in lines if line.headers.get("x-claude-code-session-id") == session]

    def billed(self, *, session: str | None = None) -> list[Line]:
        return [line for line in self.lines(session=session) if line.billed]

    def total_pusd(self, *, session: str | None = None) -> int:
        return sum(line.cost_pusd for line in self.lines(session=session))

    def json(self) -> bytes:
        """All lines as one JSON array."""
        return msgspec.json.encode(self.lines())

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


def read_lines(path: Path) -> list[Line]:
    """Lines of an invoice file; an unfinished last line is left out."""
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    return [msgspec.json.decode(row, type=Line) for row in whole.splitlines()]
