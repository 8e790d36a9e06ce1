"""Filters of the log, as they stand in a URL: one parameter for each column, `column` or `column.operator`. Pure.

    team=platform,research      one of these              project=               the project is empty
    model=claude-opus-*         globs: * any text, ? one  error.not=overloaded*  none of these
    status.gte=400              from, also gt, lt, lte    billed_usd.gte=0.5     amounts in USD
    started_at.lt=2026-11-01    moments, or a span ago    stream=true            true or false
    q=ci-runner                 anywhere in names, models, error, tags, project; ids by their beginning
    since=7d, until=2026-11-01  when the call ended: [since, until)

A backslash takes the next character (`,` `*` `?` or itself) as it is. All parameters must hold. The same filter is asked of the
database (gw.ledger.log_sql) and of rows that pass (gw.ledger.log_match).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple

from msgspec import Struct

from gw.domain.money import PUSD_PER_USD
from gw.ledger.log_columns import BY_NAME, ORDERED, SAME, Column

Operator = Literal["in", "not", "gte", "gt", "lte", "lt"]
OPERATORS: tuple[Operator, ...] = ("not", "gte", "gt", "lte", "lt")
TEXT_CHARS_MAX = 4_000  # of a parameter
VALUES_MAX = 100
VALUE_CHARS_MAX = 500
Q_CHARS_MAX = 200
INT_MAX = 2**63 - 1
SPAN = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
SPAN_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
# What `q` looks into: names in any case and anywhere, ids by their beginning.
SOUGHT_NAMES = ("key_name", "team", "customer", "model", "error", "project", "tags")
SOUGHT_IDS = ("call_id", "session_id", "key_id", "upstream_request_id")
FLAGS = {"true": True, "false": False}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Parameters = dict[str, tuple[Column, Operator]]
Wrong = list[tuple[str, str]]  # parameter, what is wrong with it


class Text(NamedTuple):
    """A text to compare with: literal parts with wildcards between them. One part: exactly this."""

    parts: tuple[str, ...]  # each `*` and `?` is a part of its own at an odd position

    @property
    def exact(self) -> bool:
        return len(self.parts) == 1

    @property
    def prefix(self) -> bool:
        """It says how the text begins, and no more."""
        return len(self.parts) == 3 and self.parts[1:] == ("*", "")

    @property
    def glob(self) -> str:
        """As gw.ledger.glob and SQLite read it: what is meant literally in brackets."""
        return "".join(part if at % 2 else re.sub(r"([*?\[])", r"[\1]", part) for at, part in enumerate(self.parts))

    @property
    def regex(self) -> str:
        words = {"*": ".*", "?": "."}
        return "".join(words[part] if at % 2 else re.escape(part) for at, part in enumerate(self.parts))


class Condition(Struct, frozen=True):
    """`values`: Text for text and words, bool for flags, int for all else (pico-USD, microseconds)."""

    column: Column
    operator: Operator
    values: tuple[Text | int | bool, ...]


class LogScope(Struct, frozen=True):
    """Whose calls may be seen at all: everybody's, or those of one key (its name and public id, either may be ""), team or
    customer. A key without both sees nothing."""

    kind: Literal["all", "key", "team", "customer"] = "all"
    name: str = ""
    id: str = ""

    def conditions(self) -> tuple[Condition, ...]:
        if self.kind == "all":
            return ()
        if self.kind != "key":
            return (_is(self.kind, self.name),)
        return (_is("key_name", self.name), _is("key_id", self.id), *((NONE,) if not (self.name or self.id) else ()))


def _is(name: str, value: str) -> Condition:
    return Condition(BY_NAME[name], "in", (Text((value,)),))


NONE = Condition(Column("nothing", "flag", "FALSE", lambda _: False), "in", (True,))
EVERYTHING = LogScope()


class LogFilter(Struct, frozen=True):
    """All conditions hold, and `q` is found unless it is "": in names in any case, in ids as their beginning."""

    conditions: tuple[Condition, ...] = ()
    q: str = ""

    def within(self, scope: LogScope) -> "LogFilter":
        """What of it may be seen."""
        return LogFilter((*scope.conditions(), *self.conditions), self.q)


class FilterError(Exception):
    """`wrong`: every parameter that cannot be read, and why."""

    def __init__(self, wrong: Wrong) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in wrong))
        self.wrong = wrong


def parameters_of(columns: Mapping[str, Column], same: Mapping[str, str]) -> Parameters:
    """Every parameter that a filter may have, in order, but `q`, `since` and `until`. `same`: other names of columns."""
    found: Parameters = {}
    for name in (*columns, *same):
        column = columns[same.get(name, name)]
        found[name] = column, "in"
        for operator in OPERATORS:
            if operator == "not" or column.kind in ORDERED:
                found[f"{name}.{operator}"] = column, operator
    return found


PARAMETERS: Parameters = parameters_of(BY_NAME, SAME)


def parse(query: Mapping[str, str], now_us: int, known: Parameters = PARAMETERS) -> LogFilter:
    """Of all parameters that are not a filter's nothing is said: whoever reads the query knows them. Raises FilterError."""
    wrong: Wrong = []
    conditions = []
    for name, text in query.items():
        if name in ("since", "until"):
            moment = _read(name, text, "moment", now_us, wrong)
            if moment is not None:
                conditions.append(Condition(known["ended_at"][0], "gte" if name == "since" else "lt", (moment,)))
        elif name in known:
            conditions += _condition(name, known[name], text, now_us, wrong)
    q = query.get("q", "")
    if len(q) > Q_CHARS_MAX or "\0" in q:
        wrong.append(("q", f"must be at most {Q_CHARS_MAX} characters, none of them NUL"))
    if wrong:
        raise FilterError(wrong)
    return LogFilter(tuple(conditions), q.strip())


def _condition(name: str, known: tuple[Column, Operator], text: str, now_us: int, wrong: Wrong) -> Iterator[Condition]:
    column, operator = known
    if len(text) > TEXT_CHARS_MAX:
        wrong.append((name, f"must be at most {TEXT_CHARS_MAX} characters"))
        return
    items = list(split(text))
    if len(items) > VALUES_MAX or any(len(part) > VALUE_CHARS_MAX for item in items for part in item.parts):
        wrong.append((name, f"must be at most {VALUES_MAX} values of {VALUE_CHARS_MAX} characters"))
        return
    if "\0" in text:
        wrong.append((name, "must not hold NUL"))
        return
    if column.kind in ("text", "words"):
        yield Condition(column, operator, tuple(items))
        return
    plain = ["".join(item.parts) for item in items]
    if operator not in ("in", "not") and len(plain) > 1:
        wrong.append((name, "must be one value"))
        return
    values = [_read(name, one, column.kind, now_us, wrong) for one in plain]
    yield Condition(column, operator, tuple(value for value in values if value is not None))


def split(text: str) -> Iterator[Text]:
    """The values between commas, backslashes resolved."""
    parts, now = list[str](), ""
    chars = iter(text)
    for char in chars:
        if char == "\\":
            now += next(chars, "\\")
        elif char == ",":
            yield Text((*parts, now))
            parts, now = [], ""
        elif char in "*?":
            parts += [now, char]
            now = ""
        else:
            now += char
    yield Text((*parts, now))


def in_words(text: Text) -> Text:
    """Of a whole list with a comma before and after each of its words: one of them is this."""
    first, *rest = text.parts
    ends = (f",{first},",) if text.exact else (f",{first}", *rest[:-1], f"{rest[-1]},")
    return Text(("", "*", *ends, "*", ""))


def escaped(text: str) -> str:
    """A value that means exactly this text."""
    return re.sub(r"([\\,*?])", r"\\\1", text)


def _read(name: str, text: str, kind: str, now_us: int, wrong: Wrong) -> int | bool | None:
    """None: `wrong` says why."""
    reader, said = READERS[kind]
    try:
        value = reader(text.strip(), now_us)
    except (ValueError, ArithmeticError):
        value = None
    if value is None or not -INT_MAX <= value <= INT_MAX:
        wrong.append((name, f"must be {said}"))
        return None
    return value


def _number(text: str, _: int) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None


def _money(text: str, _: int) -> int | None:
    """Finer than a pico-USD is no amount."""
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", text):
        return None
    try:
        return int(Decimal(text) * PUSD_PER_USD)
    except InvalidOperation:
        return None


def _moment(text: str, now_us: int) -> int | None:
    span = SPAN.fullmatch(text)
    if span:
        return max(now_us - int(span[1]) * SPAN_US[span[2]], 0)
    moment = datetime.fromisoformat(text.replace(" ", "+"))  # a + that a form sent as a blank
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _flag(text: str, _: int) -> bool | None:
    return FLAGS.get(text)


READERS: dict[str, tuple[Callable[[str, int], int | bool | None], str]] = {
    "number": (_number, "a whole number"),
    "money": (_money, "an amount in USD such as 0.5, with at most 12 decimals"),
    "moment": (_moment, "a moment such as 2026-11-01T12:00Z, or a span ago such as 7d, 24h or 30m"),
    "flag": (_flag, "true or false"),
}
