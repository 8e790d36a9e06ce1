"""How upstreams have done and what models were called, from the rollups.

Spans are whole hours, so that nothing but rollups is read; only of the last minutes the calls themselves are looked at.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gw.ledger.request_attempts import Failures, failures
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.store import Connection, Database, Dialect
from gw.ledger.usage import ALL, Scope
from gw.ledger.usage_measures import MEASURES, Measure, columns_of
from gw.ledger.usage_sql import GROUPS, Question, Stretch, sums
from gw.ledger.usage_time import stretches_of

Figures = dict[str, int]
OF_UPSTREAM: tuple[Measure, ...] = tuple(
    MEASURES[name] for name in ("calls", "errors", "refused", "error_rate", "first_token_ms", "latency_ms", "billed_usd")
)
OF_MODEL: tuple[Measure, ...] = tuple(
    MEASURES[name] for name in ("calls", "requests", "errors", "unpriced", "tokens", "cache_read_share", "billed_usd", "list_usd")
)
LATELY_US = 300 * 1_000_000
SERVED_MAX = 5  # names under which an upstream answered for one model


class Done(NamedTuple):
    """What an upstream has done; a list has a place for each bucket."""

    whole: Figures
    lately: Figures  # in the last LATELY_US
    calls: list[int]
    errors: list[int]


class Called(NamedTuple):
    """A model, as clients name it."""

    requested: str
    served: tuple[str, ...]  # as upstreams name it in their answers, what was called most first
    whole: Figures


class Found(NamedTuple):
    upstreams: dict[str, Done]  # by name; also those that are configured no more
    models: list[Called]  # the dearest first
    failures: dict[str, Failures]  # of the last hour, by upstream


def look(database: Database, limits: Sequence[int], now_us: int) -> Found:
    """`limits`: where buckets begin, and the end of the last, at whole hours. Raises StoreError."""
    with database.reading() as db:
        if db is None:
            return Found({}, [], {})
        ups, models = _upstreams(db, database.dialect, limits, now_us), _models(db, database.dialect, limits)
        return Found(ups, models, failures(db, now_us - HOUR_US))


def none(measures: Sequence[Measure]) -> Figures:
    return dict.fromkeys(columns_of(measures), 0)


def _ask(
    db: Connection, dialect: Dialect, stretches: Sequence[Stretch], groups: Sequence[str], measures: Sequence[Measure]
) -> dict[tuple[str | int, ...], Figures]:
    columns = columns_of(measures)
    asked = Question(stretches, [GROUPS[name] for name in groups], Scope.conditions(ALL), columns)
    return {key: dict(zip(columns, figures, strict=True)) for key, figures in sums(db, dialect, asked).items()}


def _upstreams(db: Connection, dialect: Dialect, limits: Sequence[int], now_us: int) -> dict[str, Done]:
    found: dict[str, Done] = {}

    def of(name: str) -> Done:
        count = len(limits) - 1
        return found.setdefault(name, Done(none(OF_UPSTREAM), none(OF_UPSTREAM), [0] * count, [0] * count))

    for (bucket, upstream), figures in _ask(db, dialect, stretches_of(limits), ["upstream"], OF_UPSTREAM).items():
        done = of(str(upstream))
        _add(done.whole, figures)
        done.calls[int(bucket)] = figures["calls"]
        done.errors[int(bucket)] = figures["errors"]
    lately = [Stretch(0, now_us - LATELY_US, now_us + 1)]
    for (_, upstream), figures in _ask(db, dialect, lately, ["upstream"], OF_UPSTREAM).items():
        _add(of(str(upstream)).lately, figures)
    return found


def _models(db: Connection, dialect: Dialect, limits: Sequence[int]) -> list[Called]:
    whole: dict[str, Figures] = {}
    served: dict[str, dict[str, int]] = {}
    span = [Stretch(0, limits[0], limits[-1])]
    for (_, requested, answered), figures in _ask(db, dialect, span, ["requested_model", "served_model"], OF_MODEL).items():
        _add(whole.setdefault(str(requested), none(OF_MODEL)), figures)
        if answered:
            served.setdefault(str(requested), {})[str(answered)] = figures["requests"]
    cost = MEASURES["billed_usd"].value
    names = sorted(whole, key=lambda name: (-cost(whole[name]), -whole[name]["requests"], name))
    return [Called(name, _most(served.get(name, {})), whole[name]) for name in names if name]


def _most(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:SERVED_MAX])


def _add(total: Figures, more: Figures) -> None:
    for column, value in more.items():
        total[column] += value
