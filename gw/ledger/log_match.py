"""A filter of the log asked of a row that passes, as `gw.ledger.log_sql` asks it of the database. Pure.

It is made once of a filter and asked of every row: a plain function over the values that it needs.
"""

import re
from collections.abc import Callable

from gw.ledger.log_columns import AT, BY_NAME, Column
from gw.ledger.log_filter import SOUGHT_IDS, SOUGHT_NAMES, Condition, LogFilter, Text, in_words
from gw.ledger.store import Row

Test = Callable[[Row], bool]

def matcher(wanted: LogFilter) -> Test:
    """Whether a row is among what is wanted."""
    tests = [_test(condition) for condition in wanted.conditions]
    if wanted.q:
        tests.append(_found(wanted.q))
    if not tests:
        return lambda row: True
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _test(condition: Condition) -> Test:
    column, operator = condition.column, condition.operator
    if column.kind in ("text", "words"):
        matches = _any_text(column, [value for value in condition.values if isinstance(value, Text)])
        return matches if operator == "in" else lambda row: not matches(row)
    value = column.value
    if operator in ("in", "not"):
        known = frozenset(condition.values)
        return (lambda row: value(row) in known) if operator == "in" else lambda row: value(row) not in known
    bound = condition.values[0]
    assert isinstance(bound, int)
    tests: dict[str, Test] = {
        "gte": lambda row: value(row) >= bound,
        "gt": lambda row: value(row) > bound,
        "lte": lambda row: value(row) <= bound,
        "lt": lambda row: value(row) < bound,
    }
    return tests[operator]


def _any_text(column: Column, texts: list[Text]) -> Test:
    value = column.value
    if column.kind == "words":
        fits_list = _fits(list(map(in_words, texts)))
        return lambda row: fits_list(f",{value(row).replace(', ', ',')},")
    fits = _fits(texts)
    if column.parts:
        at = [AT[name] for name in column.parts]
        return lambda row: any(fits(row[index]) for index in at)
    return lambda row: fits(value(row))


def _fits(texts: list[Text]) -> Callable[[str], bool]:
    exact = frozenset(text.parts[0] for text in texts if text.exact)
    globs = [text.regex for text in texts if not text.exact]
    if not globs:
        return exact.__contains__
    pattern = re.compile("|".join(f"(?:{glob})" for glob in globs), re.DOTALL)
    return lambda text: text in exact or pattern.fullmatch(text) is not None


def _found(q: str) -> Test:
    """Names hold it, in any case, or an id begins with it as it stands."""
    names, ids, folded = [BY_NAME[name].value for name in SOUGHT_NAMES], [AT[name] for name in SOUGHT_IDS], q.casefold()

    def found(row: Row) -> bool:
        return any(folded in name(row).casefold() for name in names) or any(row[at].startswith(q) for at in ids)

    return found
