"""Who calls in a made-up ledger, and what a day of theirs looks like. Deterministic: a seed and a day make the same calls.

A company of some customers with teams, a virtual key for each developer, projects per team. A session is a conversation whose
context grows with each step until it is compacted; beside it run subagents on a smaller model, and side requests on the small
one. Some calls are refused, fail or are cut. Prices are those of the models' families in pico-USD per token; one customer has a
discount. Times are of working days, mostly.
"""

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from msgspec.structs import fields

from gw.domain.call import CallRecord

KEYS_PER_TEAM = 15
TEAMS = 40
CUSTOMERS = ("acme", "globex", "initech", "umbrella")
DISCOUNTED, BILLED_PERCENT = "acme", 90
CALLS_PER_TURN = 7
CALLS_PER_SESSION = 60  # of the conversation itself, on the average
WEEKEND_PERCENT = 15
CONTEXT_MAX = 180_000  # tokens; then it is compacted
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US


class Model(NamedTuple):
    """Rates in pico-USD per token."""

    asked: str
    served: str
    input: int
    output: int
    read: int
    written: int


OPUS = Model("claude-opus-5-5", "claude-opus-5-5", 5_000_000, 25_000_000, 500_000, 6_250_000)
SONNET = Model("claude-sonnet-5-5", "claude-sonnet-5-5-20260915", 3_000_000, 15_000_000, 300_000, 3_750_000)
HAIKU = Model("claude-haiku-5-5", "claude-haiku-5-5-20260915", 1_000_000, 5_000_000, 100_000, 1_250_000)
ENDINGS = (  # outcome, status, error, of 1,024 calls
    ("refused", 429, "budget_exceeded", 6),
    ("refused", 429, "rate_limited", 4),
    ("upstream_error", 529, "upstream_overloaded_error", 8),
    ("client_gone", 200, "", 9),
    ("timed_out", 504, "upstream_idle_timeout", 1),
)
_ENDINGS = [one[:3] for one in ENDINGS for _ in range(one[3])]
_BAD = len(_ENDINGS)

Row = tuple[Any, ...]  # the fields of a CallRecord
_AT = {name: index for index, name in enumerate(CallRecord.__struct_fields__)}
_BLANK: list[Any] = ["" if one.type is str else one.type(0) for one in fields(CallRecord)]
_BLANK[_AT["stream"]] = True
_BLANK[_AT["endpoint"]] = "messages"
_BLANK[_AT["upstream"]] = "anthropic"
_BLANK[_AT["gw_version"]] = "0.1.0"
_BLANK[_AT["rules_us"]] = 1


class Developer(NamedTuple):
    key_id: str
    key_name: str
    team: str
    customer: str
    device: str
    projects: tuple[str, ...]
    main: Model


class Piece(NamedTuple):
    """What the calls of one conversation, of the main one or a subagent's, have in common."""

    developer: Developer
    session: str
    agent: str
    model: Model
    project: str
    at_us: int
    calls: int


def developers() -> list[Developer]:
    dice = Random("developers")
    found = []
    for number in range(TEAMS * KEYS_PER_TEAM):
        team = number % TEAMS
        found.append(
            Developer(
                f"vk_{dice.getrandbits(48):012x}",
                f"dev-{number:03}",
                f"team-{team:02}",
                CUSTOMERS[team % len(CUSTOMERS)],
                f"{dice.getrandbits(256):064x}",
                tuple(f"team-{team:02}/service-{dice.randrange(4)}" for _ in range(2)),
                OPUS if dice.random() < 0.6 else SONNET,
            )
        )
    return found


def calls_of_day(seed: int, day: int, count: int, people: list[Developer]) -> list[Row]:
    """`count` calls, more or less, that begin on a day (since 1970, UTC), in the order of their end."""
    dice = Random(f"{seed}/{day}")
    rows: list[Row] = []
    while len(rows) < count:
        for piece in _session(dice, day, people):
            rows += _conversation(dice, piece)
    rows.sort(key=lambda row: row[_AT["ended_us"]])
    return rows


def weight_of(day: int) -> int:
    """Of 100: how much of a working day it is. 1970 began on a Thursday."""
    return WEEKEND_PERCENT if (day + 3) % 7 > 4 else 100


def _session(dice: Random, day: int, people: list[Developer]) -> Iterator[Piece]:
    who = people[min(int(dice.paretovariate(0.9)) - 1, 10**6) % len(people)] if dice.random() < 0.3 else dice.choice(people)
    session = f"{dice.getrandbits(32):08x}-{dice.getrandbits(16):04x}-4000-8000-{dice.getrandbits(48):012x}"
    project = dice.choice(who.projects)
    start = day * DAY_US + int(min(max(dice.gauss(13, 3), 0), 23.9) * HOUR_US)
    calls = 1 + int(dice.expovariate(1 / CALLS_PER_SESSION))
    yield Piece(who, session, "", who.main, project, start, calls)
    for _ in range(calls // 30):
        agent = f"a{dice.getrandbits(64):016x}"
        later = start + dice.randrange(1 + calls * 15 * SECOND_US)
        yield Piece(who, session, agent, SONNET, project, later, 1 + dice.randrange(20))
    for _ in range(calls // 12):
        yield Piece(who, session, "", HAIKU, project, start + dice.randrange(1 + calls * 15 * SECOND_US), 1)


def _conversation(dice: Random, piece: Piece) -> Iterator[Row]:
    who, model = piece.developer, piece.model
    side = model is HAIKU
    base = _BLANK.copy()
    for name, value in (
        ("key_id", who.key_id),
        ("key_name", who.key_name),
        ("team", who.team),
        ("customer", who.customer),
        ("device", who.device),
        ("project", piece.project),
        ("session_id", piece.session),
        ("agent_id", piece.agent),
        ("requested_model", model.asked),
        ("client_version", "claude-cli/2.1.329"),
    ):
        base[_AT[name]] = value
    at_us, context, left = piece.at_us, 12_000, 0
    for _ in range(piece.calls):
        bits = dice.getrandbits(64)
        if not left:
            base[_PROMPT], left = f"{bits:016x}", CALLS_PER_TURN
        left -= 1
        output, fresh, first_us = 30 + (bits & 1023), 3 + (bits >> 10 & 7), 400_000 + (bits >> 16 & 0xFFFFF)
        took_us = first_us + output * 15_000
        row = base.copy()
        row[_STARTED] = row[_CHARGED] = at_us
        row[_CALL] = f"gw_{at_us // 1000:012x}{bits:016x}"
        row[_WORKER] = f"{bits & 3}-synthetic"
        grown = 0 if side else 300 + (bits >> 37 & 2047)
        if _end(row, bits >> 48 & 1023, at_us, first_us, took_us):
            tokens = (1500 + (bits >> 24 & 2047), output, 0, 0) if side else (fresh, output, context, grown)
            _price(row, model, tokens, BILLED_PERCENT if who.customer == DISCOUNTED else 100)
        context = 15_000 if context > CONTEXT_MAX else context + grown
        at_us += took_us + (bits >> 20 & 0xFFFFFF)
        yield tuple(row)


_CALL, _STARTED, _CHARGED, _WORKER = (_AT[name] for name in ("call_id", "started_us", "charged_us", "worker"))
_PROMPT = _AT["prompt_id"]
_ENDED, _BYTE, _TOKEN = (_AT[name] for name in ("ended_us", "first_byte_us", "first_token_us"))
_OUTCOME, _STATUS, _ERROR, _SOURCE = (_AT[name] for name in ("outcome", "status", "error", "usage_source"))
_SERVED, _STOP, _TIER, _VERSION = (_AT[name] for name in ("served_model", "stop_reason", "service_tier", "price_version"))
_TOKENS = slice(_AT["input_tokens"], _AT["cache_write_5m_tokens"] + 1)
_PRICES = slice(_AT["list_pusd"], _AT["cache_write_5m_pusd"] + 1)
_REQUEST, _BYTES, _ANSWER = (_AT[name] for name in ("upstream_request_id", "request_bytes", "response_bytes"))


def _end(row: list[Any], chance: int, at_us: int, first_us: int, took_us: int) -> bool:
    """How it ended; whether it cost something."""
    if chance < _BAD:
        outcome, status, error = _ENDINGS[chance]
        row[_ENDED] = at_us + (50_000 if outcome == "refused" else first_us)
        row[_OUTCOME], row[_STATUS], row[_ERROR] = outcome, status, error
        row[_SOURCE] = "observed" if outcome == "client_gone" else "none"
        return outcome == "client_gone"
    row[_ENDED], row[_BYTE], row[_TOKEN] = at_us + took_us, at_us + first_us, at_us + first_us + 5_000
    row[_OUTCOME], row[_STATUS], row[_SOURCE], row[_STOP] = "completed", 200, "exact", "tool_use"
    return True


def _price(row: list[Any], model: Model, tokens: tuple[int, int, int, int], percent: int) -> None:
    fresh, output, read, written = tokens
    parts = [fresh * model.input, output * model.output, read * model.read, written * model.written]
    total = sum(parts)
    if percent != 100:
        parts = [part * percent // 100 for part in parts]
    row[_TOKENS] = tokens
    row[_PRICES] = (total, sum(parts), *parts)
    row[_SERVED], row[_TIER], row[_VERSION] = model.served, "standard", f"2026-11-21/anthropic/{model.asked}"
    row[_REQUEST] = f"req_{row[_CALL][3:]}"
    row[_BYTES], row[_ANSWER] = 4 * (fresh + read + written), 60 * output
