"""The columns of the log: each field of a call under the name that people and programs see, and what follows from several.

A field becomes a column by itself: `ended_us` is the moment `ended_at`, `billed_pusd` the amount `billed_usd`, all others keep
their names. Each column is an expression of SQL and a function of a row, which say the same (tests/ledger/test_log_match.py).
"""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import fields

from gw.domain.call import CallRecord
from gw.ledger.kinds import context_sql, kind_sql
from gw.ledger.rollup_shape import CONTEXTS, DIMENSIONS, KINDS, path_of
from gw.ledger.store import COLUMNS, Row

Kind = Literal["text", "words", "number", "money", "moment", "flag"]
AT = {name: index for index, name in enumerate(COLUMNS)}
ORDERED: tuple[Kind, ...] = ("number", "money", "moment")
TOKEN_CLASSES = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
PUSD_PER_NUSD = 1000
US_PER_MS = 1000
assert DIMENSIONS[-2:] == ("context", "kind")


class Column(Struct, frozen=True):
    """`unit`: what one of the value as it is filtered and shown (pico-USD, microsecond, millisecond) is of the expression."""

    name: str
    kind: Kind
    sql: str
    value: Callable[[Row], Any]
    about: str = ""
    parts: tuple[str, ...] = ()  # of text that stands in several fields: any of them may match; the first that is not "" is shown


def _field(name: str, kind: Kind, about: str, shown: str = "", factor: int = 1) -> Column:
    index = AT[name]
    if factor == 1:
        return Column(shown or name, kind, name, lambda row: row[index], about)
    return Column(shown or name, kind, f"({name} * {factor})", lambda row: row[index] * factor, about)


def _own() -> list[Column]:
    found = []
    for one in fields(CallRecord):
        about = ABOUT.get(one.name, "")
        if one.name.endswith("_us"):
            found.append(_field(one.name, "moment", about, f"{one.name[:-3]}_at"))
        elif one.name.endswith("_pusd"):
            found.append(_field(one.name, "money", about, f"{one.name[:-5]}_usd"))
        elif one.name.endswith("_nusd"):
            found.append(_field(one.name, "money", about, f"{one.name[:-5]}_usd", PUSD_PER_NUSD))
        elif one.name in LISTS:
            found.append(_field(one.name, "words", about))
        else:
            kinds: dict[Any, Kind] = {bool: "flag", int: "number"}
            found.append(_field(one.name, kinds.get(one.type, "text"), about))
    return found


def _tokens(row: Row) -> int:
    return sum(int(row[AT[name]]) for name in TOKEN_CLASSES)


def _duration_ms(row: Row) -> int:
    return int(max((row[AT["ended_us"]] - row[AT["started_us"]]) // US_PER_MS, 0))


def _ttft_ms(row: Row) -> int:
    first = row[AT["first_token_us"]]
    return int(max((first - row[AT["started_us"]]) // US_PER_MS, 0)) if first else 0


def _failed_attempts(row: Row) -> int:
    text = row[AT["attempts"]]
    return text.count(MORE) + 1 if text else 0


def first_of(*names: str) -> Callable[[Row], str]:
    """The first of these texts that is not empty."""
    at = [AT[name] for name in names]
    return lambda row: next((row[index] for index in at if row[index]), "")


ABOUT: dict[str, str] = {
    "endpoint": "messages, count_tokens or models.",
    "ended_us": "When the call ended; `since` and `until` look at this.",
    "outcome": "completed, refused, upstream_error, client_gone, timed_out, stopped or gw_error.",
    "status": "HTTP status that the client saw; 0: it left before.",
    "error": "Slug of the refusal or of the upstream's error.",
    "credential": "Digest of the client's own credential, in passthrough.",
    "prompt_id": "Of the turn: what the developer typed once.",
    "device": "Digest of the client's device.",
    "tags": "As sent in x-gw-tags.",
    "usage_source": "exact, observed, estimated or none.",
    "usage_flags": "What is special about how it was counted or priced.",
    "list_pusd": "At list price.",
    "billed_pusd": "As billed. `cost_usd` means the same.",
    "budget": "The budget or limit that refused or ended it.",
    "shadowed": "Shadow budgets that would have refused it.",
    "retries": "Requests that were sent again, upstream by upstream or on a fresh connection.",
    "dialect": 'Of the client: chat, responses, gemini, converse, ...; "": Anthropic\'s.',
    "sent_model": "As the upstream was asked for it, where that is another name than the client's.",
    "route": "What decided where it went: rule:NAME, route:PATTERN, tier:NAME, named, complexity:SCORE->TIER, kept:TIER.",
    "attempts": "JSON of the attempts before the last: [[upstream, status, error, milliseconds], ...].",
    "attempt_of": "The first row of the same request: an attempt that was billed, and failed; or what passed, and used this.",
}
LISTS = ("usage_flags", "shadowed", "tags")  # words with commas between
MORE = "],["  # between two attempts
_FAILED_ATTEMPTS = (
    f"(CASE WHEN attempts <> '' THEN 1 + (LENGTH(attempts) - LENGTH(REPLACE(attempts, '{MORE}', ''))) / {len(MORE)} ELSE 0 END)"
)
DURATION = f"((CASE WHEN ended_us > started_us THEN ended_us - started_us ELSE 0 END) / {US_PER_MS})"
_TTFT = f"((CASE WHEN first_token_us > started_us THEN first_token_us - started_us ELSE 0 END) / {US_PER_MS})"
MODEL = "(CASE WHEN served_model <> '' THEN served_model ELSE requested_model END)"  # as indexed: migrations/*/0008_logs.sql
TOKENS = f"({' + '.join(TOKEN_CLASSES)})"
DERIVED = (
    Column("model", "text", MODEL, first_of("served_model", "requested_model"), "Served; where none served it, as requested."),
    Column(
        "key",
        "text",
        "(CASE WHEN key_name <> '' THEN key_name ELSE key_id END)",
        first_of("key_name", "key_id"),
        "Name or public id of the virtual key.",
        ("key_name", "key_id"),
    ),
    Column("tokens", "number", TOKENS, _tokens, "Of all classes together."),
    Column("kind", "text", kind_sql(), lambda row: path_of(row)[-1], f"Of its session: {', '.join(KINDS)}."),
    Column("context_window", "text", context_sql(), lambda row: path_of(row)[-2], f"Of its prompt: {', '.join(CONTEXTS)}."),
    Column("duration_ms", "number", DURATION, _duration_ms, "From its beginning to its end."),
    Column("ttft_ms", "number", _TTFT, _ttft_ms, "From its beginning to the first token; 0: there was none."),
    Column("failed_attempts", "number", _FAILED_ATTEMPTS, _failed_attempts, "Before the last attempt; `attempts` has them."),
    Column(
        "unpriced",
        "flag",
        "(price_version = 'unpriced')",
        lambda row: row[AT["price_version"]] == "unpriced",
        "Its model had no price: it counts as 0.",
    ),
    Column(
        "estimated",
        "flag",
        "(usage_source IN ('observed', 'estimated'))",
        lambda row: row[AT["usage_source"]] in ("observed", "estimated"),
        "Billed by what was observed or estimated, not by the provider's last word.",
    ),
)
BY_NAME: dict[str, Column] = {column.name: column for column in (*_own(), *DERIVED)}
# Other words for the same, in filters, `sort` and `fields`.
SAME = {
    "cost_usd": "billed_usd",
    "session": "session_id",
    "agent": "agent_id",
    "parent_agent": "parent_agent_id",
    "prompt": "prompt_id",
}


def column_of(name: str) -> Column | None:
    return BY_NAME.get(SAME.get(name, name))
