"""Full-text search as one more filter of the log: which of the calls that a filter can mean said it.

Conversations know whose they are and when they began, in columns of the log's own names. So what a filter and a scope say of that
is held against them first, and the bound counts what is left: nobody meets it by what others have said.
"""

from collections.abc import Iterator

from gw.content.library import Library, search
from gw.content.vault import ContentError
from gw.ledger.bounded import bounded
from gw.ledger.database import database_of
from gw.ledger.log_filter import Condition, LogFilter
from gw.ledger.log_sql import Term, term
from gw.ledger.store import Dialect

FOUND_MAX = 10_000  # calls that the log is held against
DEADLINE_S = 5.0
SEARCHED = "search_conversations"  # in the audit: whoever asks for this notes it
LONGEST_US = 2 * 86_400_000_000  # from a call's beginning to its end; no attempt is given more than a day
KNOWN = {"key_name", "key_id", "team", "session_id", "started_us"}


class TooMany(Exception):
    """More calls than can be held against the log."""


def calls_that_said(library: Library, text: str, wanted: LogFilter, until_us: int) -> tuple[str, ...]:
    """Ids of the calls, those that began by `until_us`. `wanted`: within its scope. Raises ValueError for a text without words,
    ContentError where nothing is indexed, TooMany, TooSlow and StoreError."""
    if not library.content.searches:
        raise ContentError("conversations are not indexed: [content] search is off, or they are encrypted")
    narrowing = list(_narrowing(database_of(library.address).dialect, wanted))
    with bounded(library.database, DEADLINE_S) as db:
        if db is None:
            return ()
        found = search(library.database, db, text, FOUND_MAX + 1, until_us=until_us + 1, terms=narrowing)
    if len(found) > FOUND_MAX:
        raise TooMany(f"more than {FOUND_MAX:,} calls said that")
    return tuple(found)


def _narrowing(dialect: Dialect, wanted: LogFilter) -> Iterator[Term]:
    for condition in wanted.conditions:
        fields = condition.column.parts or (condition.column.sql,)
        if KNOWN.issuperset(fields):
            yield term(condition, dialect)
        elif condition.column.name == "ended_at":
            yield from _begun(condition)


def _begun(condition: Condition) -> Iterator[Term]:
    """When a call began that ended then."""
    (at_us, *_) = condition.values
    if isinstance(at_us, int) and condition.operator in ("gte", "gt"):
        yield Term("started_us >= ?", (at_us - LONGEST_US,))
    elif isinstance(at_us, int) and condition.operator in ("lte", "lt"):
        yield Term("started_us <= ?", (at_us,))
