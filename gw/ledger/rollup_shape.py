"""What rollups hold of calls: by which dimensions they are kept, what is counted, and what one row of the ledger adds.

Sums are kept per hour and per day (UTC, by the end of the call), at several *levels*: `full` by all dimensions together, every
other by the few that reports ask for most, so that a question about teams reads a row per team and day, not one per combination.
A combination of one level is a *path* and has a number. Beside them stand sums of each session, and in it of each agent and path.

Amounts are signed pico-USD. Here they are kept in the halves of gw.ledger.sums, so that no amount of money ends the exactness; a
session and an agent keep them whole, up to CAPPED. Counts are of calls to `messages`, but for `requests`, `unpriced`, `observed`
and `estimated`, which are of all endpoints, and tokens and money, which are of whatever cost something. A client's request counts
once in `requests`, however many rows it has (gw.domain.attempts): in the one whose answer it got.
"""

from typing import Any, Literal, NamedTuple, get_args

from gw._fast import Layout, Run, Sums
from gw._fast.fields import Rules
from gw.domain import rolled
from gw.domain.attempts import LEAVING
from gw.ledger.store import COLUMNS
from gw.ledger.sums import HALF_BITS

HOUR_US = 3_600_000_000
HOURS_PER_DAY = 24
DAY_US = HOURS_PER_DAY * HOUR_US

Kind = Literal["main", "subagent", "background", "other"]
KINDS: tuple[Kind, Kind, Kind, Kind] = get_args(Kind)
Context = Literal["0-200k", "200k-1M"]
CONTEXTS: tuple[Context, Context] = get_args(Context)
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
ERRORS = frozenset({"upstream_error", "timed_out", "gw_error"})
COUNT_MAX = 1 << 40  # of one call: what is beyond (tokens, microseconds) is garbage, and must not spoil every sum
CAPPED = 1 << 62  # pico-USD, 4.6 million dollars: from there on a session's cost is counted no further
LOW = (1 << HALF_BITS) - 1

LAYOUT = Layout(
    COLUMNS,
    Rules(
        dimensions=OF_ROW,
        account=ACCOUNT,
        tokens=(*TOKENS, *TOOLS),
        amounts=AMOUNTS,
        errors=ERRORS,
        leaving=frozenset(LEAVING),
        contexts=CONTEXTS,
        long_context_tokens=LONG_CONTEXT_TOKENS,
        kinds=KINDS,
        side_prompt_tokens=SIDE_PROMPT_TOKENS,
        small_model=SMALL_MODEL,
        count_max=COUNT_MAX,
        half_bits=HALF_BITS,
        hour_us=HOUR_US,
    ),
)
path_of = LAYOUT.path_of  # at the level `full`
sums_of = LAYOUT.sums_of  # what a row adds; gw._fast.sums counts it as COUNTS say
assert len(Sums().values()) == len(MEASURES) and len(Run().totals(0)) == len(OF_SESSION) + 4


def paths_of(path: Path) -> list[Path]:
    """The same call's path at each of LEVELS, from its path at the level `full`."""
    return [
        tuple(value if taken else blank for value, taken, blank in zip(path, taking, NO_PATH, strict=True)) for taking in _TAKING
    ]


_TAKING = tuple(tuple(name in level.dimensions for name in DIMENSIONS) for level in LEVELS)
