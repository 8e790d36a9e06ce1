"""What rollups hold of calls: by which dimensions they are kept, what is counted, and what one row of the ledger adds.

Sums are kept per hour and per day (UTC, by the end of the call), at several *levels*: `full` by all dimensions together, every
other by the few that reports ask for most, so that a question about teams reads a row per team and day, not one per combination.
A combination of one level is a *path* and has a number. Beside them stand sums of each session, and in it of each agent and path.

Amounts are signed pico-USD. Here they are kept in the halves of gw.ledger.sums, so that no amount of money ends the exactness; a
session and an agent keep them whole, up to CAPPED. Counts are of calls to `messages`, but for `requests`, `unpriced`, `observed`
and `estimated`, which are of all endpoints, and tokens and money, which are of whatever cost something. A client's request counts
once in `requests`, however many rows it has (gw.domain.attempts): in the one whose answer it got.
"""

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Any, Literal, NamedTuple, get_args

from gw.domain import rolled
from gw.domain.attempts import is_request
from gw.ledger.store import COLUMNS, Row
from gw.ledger.sums import HALF_BITS

HOUR_US = 3_600_000_000
HOURS_PER_DAY = 24
DAY_US = HOURS_PER_DAY * HOUR_US

Kind = Literal["main", "subagent", "background", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Context = Literal["0-200k", "200k-1M"]
CONTEXTS: tuple[Context, ...] = get_args(Context)
LONG_CONTEXT_TOKENS = 200_000  # of a prompt: beyond them providers speak of another context window
# Claude Code's side requests (a title, a page that was fetched, a search) mark nothing to be cached, which the conversation
# itself always does; they are short, or go to the small model. A conversation on a provider without caching begins above this.
SIDE_PROMPT_TOKENS = 4096
SMALL_MODEL = "haiku"

OF_ROW, DIMENSIONS = rolled.OF_ROW, rolled.DIMENSIONS
Path = tuple[Any, ...]  # values of DIMENSIONS; those that a level leaves out are "" (status: 0)
NO_PATH: Path = tuple(0 if name == "status" else "" for name in DIMENSIONS)


class Level(NamedTuple):
    """`number` stands in the tables."""

    number: int
    dimensions: tuple[str, ...]


ACCOUNT = ("customer", "team", "key_id", "key_name", "credential")
MODEL = ("requested_model", "served_model")
FULL = Level(0, DIMENSIONS)
# From the shortest on: a question is answered by the first that has all it asks about.
LEVELS = (
    Level(1, ()),
    Level(2, ("kind",)),
    Level(3, ("upstream",)),
    Level(4, ("customer", "team")),
    Level(5, MODEL),
    Level(6, ("outcome", "status", "error")),
    Level(7, ("project",)),
    Level(8, ("customer", "team", *MODEL, "kind")),
    Level(9, ACCOUNT),
    FULL,
)

TOKENS, TOOLS, AMOUNTS = rolled.TOKENS, rolled.TOOLS, rolled.AMOUNTS
COUNTS = (
    "calls",
    "requests",  # of clients: one row of each
    "failed",  # calls that did not end "completed"
    "errors",  # of these, those that the upstream or gw failed
    "refused",  # of these, those that gw said no to
    "unpriced",  # cost 0 in the sums, for want of a price
    "observed",
    "estimated",
    *TOKENS,
    # of calls that completed: microseconds from their beginning, and how many there were
    "total_us",
    "total_count",
    "first_byte_us",
    "first_byte_count",
    "first_token_us",
    "first_token_count",
    *TOOLS,
)
OF_SESSION = COUNTS[: COUNTS.index("total_us") + 1]  # what is counted of sessions and their agents, beside money
HALVES = tuple(f"{name[:-5]}_{half}" for name in AMOUNTS for half in ("high", "low"))
MEASURES = (*COUNTS, *HALVES)
NO_COUNTS = (0,) * len(COUNTS)
Sums = int
"""Values of MEASURES in one integer, 64 bits for each: so sums are added as numbers, thirty times as fast as one by one."""

ERRORS = frozenset({"upstream_error", "timed_out", "gw_error"})
COUNT_MAX = 1 << 40  # of one call: what is beyond (tokens, microseconds) is garbage, and must not spoil every sum
CAPPED = 1 << 62  # pico-USD, 4.6 million dollars: from there on a session's cost is counted no further
LOW = (1 << HALF_BITS) - 1

_dimensions_of = itemgetter(*map(COLUMNS.index, OF_ROW))
_AMOUNTS = slice(COLUMNS.index(AMOUNTS[0]), COLUMNS.index(AMOUNTS[-1]) + 1)
_TOKENS = slice(COLUMNS.index(TOKENS[0]), COLUMNS.index(TOOLS[-1]) + 1)
assert COLUMNS[_AMOUNTS] == AMOUNTS and COLUMNS[_TOKENS] == (*TOKENS, *TOOLS)
_facts_of = itemgetter(*map(COLUMNS.index, ("endpoint", "outcome", "usage_source", "price_version")))
_request_of = itemgetter(*map(COLUMNS.index, ("outcome", "status", "attempts", "attempt_of")))
_times_of = itemgetter(*map(COLUMNS.index, ("started_us", "ended_us", "first_byte_us", "first_token_us")))
_NO_LATENCIES = (0,) * 6
_kind_facts = itemgetter(*map(COLUMNS.index, ("agent_id", "session_id", "usage_source", "requested_model", *TOKENS[:5])))
_session_of = itemgetter(*map(COLUMNS.index, ("session_id", *ACCOUNT)))
ENDED, STARTED = COLUMNS.index("ended_us"), COLUMNS.index("started_us")
AGENT, PARENT = COLUMNS.index("agent_id"), COLUMNS.index("parent_agent_id")
session_of = _session_of  # the session's id and whose it is


def path_of(row: Row) -> Path:
    """At the level `full`."""
    agent, session, source, model, fresh, _, read, written_5m, written_1h = _kind_facts(row)
    cached = read + written_5m + written_1h
    context: Context = "200k-1M" if fresh + cached > LONG_CONTEXT_TOKENS else "0-200k"
    kind: Kind
    if agent:
        kind = "subagent"
    elif not session:
        kind = "other"
    elif not cached and source != "none" and (fresh < SIDE_PROMPT_TOKENS or SMALL_MODEL in model.lower()):
        kind = "background"
    else:
        kind = "main"
    return (*_dimensions_of(row), context, kind)


def sums_of(row: Row) -> Sums:
    """What the row adds. Written for speed: the keeper does this for every call."""
    endpoint, outcome, source, price = _facts_of(row)
    counted, completed = _counted(endpoint, outcome, is_request(*_request_of(row)), source, price == "unpriced")
    tokens = row[_TOKENS]
    if max(tokens) > COUNT_MAX or min(tokens) < 0:
        tokens = tuple(min(max(count, 0), COUNT_MAX) for count in tokens)
    a, b, c, d, e, f, g, h, i = row[_AMOUNTS]
    k, m = HALF_BITS, LOW
    bits = _LANES.pack(
        *counted, *tokens[:6], *(_latencies(*_times_of(row)) if completed else _NO_LATENCIES), *tokens[6:],
        a >> k, a & m, b >> k, b & m, c >> k, c & m, d >> k, d & m, e >> k, e & m, f >> k, f & m, g >> k, g & m, h >> k, h & m,
        i >> k, i & m,
    )  # fmt: skip
    return (int.from_bytes(bits, "little") ^ _SIGNS) - _SIGNS


@lru_cache(maxsize=1024)
def _counted(endpoint: str, outcome: str, request: bool, source: str, unpriced: bool) -> tuple[tuple[int, ...], bool]:
    """The first of COUNTS, and whether it is a call that completed."""
    call = endpoint == "messages"
    completed = call and outcome == "completed"
    flags = (
        call,
        request,
        call and not completed,
        call and outcome in ERRORS,
        call and outcome == "refused",
        unpriced,
        source == "observed",
        source == "estimated",
    )
    return tuple(map(int, flags)), completed


def _latencies(started_us: int, ended_us: int, byte_us: int, token_us: int) -> tuple[int, ...]:
    """For each instant the microseconds until then, and 1; of what never happened (0) nothing."""
    total = ended_us - started_us if ended_us else 0
    byte = byte_us - started_us if byte_us else 0
    token = token_us - started_us if token_us else 0
    if min(total, byte, token) < 0 or max(total, byte, token) > COUNT_MAX:
        total, byte, token = (min(max(one, 0), COUNT_MAX) for one in (total, byte, token))
    return total, int(ended_us != 0), byte, int(byte_us != 0), token, int(token_us != 0)


def adjusting(amounts: Sequence[int]) -> Sums:
    """What an adjustment adds: these differences of AMOUNTS, and no call."""
    return packed(*NO_COUNTS, *(half for amount in amounts for half in (amount >> HALF_BITS, amount & LOW)))


def packed(*values: int) -> Sums:
    """Each within 64 bits, signed."""
    return (int.from_bytes(_LANES.pack(*values), "little") ^ _SIGNS) - _SIGNS


def unpacked(sums: Sums) -> tuple[int, ...]:
    """Values of MEASURES. Adding has kept them apart, for a negative one has taken from the one above it what this gives back."""
    return _LANES.unpack(((sums + _SIGNS) ^ _SIGNS).to_bytes(_LANES.size, "little"))


_LANES = Struct(f"<{len(MEASURES)}q")
_SIGNS = sum(1 << (64 * lane + 63) for lane in range(len(MEASURES)))


def paths_of(path: Path) -> list[Path]:
    """The same call's path at each of LEVELS, from its path at the level `full`."""
    return [
        tuple(value if taken else blank for value, taken, blank in zip(path, taking, NO_PATH, strict=True)) for taking in _TAKING
    ]


_TAKING = tuple(tuple(name in level.dimensions for name in DIMENSIONS) for level in LEVELS)
