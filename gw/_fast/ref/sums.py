"""The pure twin of sums.pyx."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from gw._fast.fields import Rules

FLAGS, TOKENS, INSTANTS, TOOLS, AMOUNTS = 8, 6, 3, 3, 9
FIRST_AMOUNT = FLAGS + TOKENS + 2 * INSTANTS + TOOLS
LANES = FIRST_AMOUNT + 2 * AMOUNTS
OF_RUN = FLAGS + TOKENS + 1
DIMENSIONS_MAX, ACCOUNT_MAX = 32, 8
HALF_BITS = 31
LOW = (1 << HALF_BITS) - 1
INT64_MAX = 2**63 - 1

Row = tuple[Any, ...]
Path = tuple[Any, ...]


class Sums:
    def __init__(self) -> None:
        self._lanes: Sequence[int] = (0,) * LANES

    def add(self, other: "Sums") -> None:
        if not isinstance(other, Sums):
            raise TypeError("sums are added to sums")
        self._add(other._lanes)

    def copy(self) -> "Sums":
        return _of(self._lanes)

    def values(self) -> tuple[int, ...]:
        return tuple(self._lanes)

    def _add(self, lanes: Sequence[int]) -> None:
        self._lanes = _checked([a + b for a, b in zip(self._lanes, lanes, strict=True)])


def _of(lanes: Sequence[int]) -> Sums:
    found = Sums()
    found._lanes = _checked(lanes)
    return found


def _checked(lanes: Sequence[int]) -> Sequence[int]:
    if max(lanes) > INT64_MAX or min(lanes) < ~INT64_MAX:
        raise OverflowError("a sum beyond 64 bits")
    return lanes


class Run(Sums):
    def __init__(
        self, session: tuple[Any, ...] = (), agent: str = "", path: Path = (), first_us: int = 0, last_us: int = 0
    ) -> None:
        super().__init__()
        self.session, self.agent, self.path, self.first_us, self.last_us = session, agent, path, first_us, last_us
        self.parent = ""

    def extend(self, lanes: Sequence[int], first_us: int, last_us: int) -> None:
        self._add(lanes)
        self.first_us, self.last_us = min(self.first_us, first_us), max(self.last_us, last_us)

    def totals(self, most: int) -> tuple[int, ...]:
        halves = self._lanes[FIRST_AMOUNT : FIRST_AMOUNT + 4]
        owed = [min(max((halves[at] << HALF_BITS) + halves[at + 1], -most), most) for at in (0, 2)]
        return (*self._lanes[:OF_RUN], *owed, self.first_us, self.last_us)


def _together(columns: tuple[str, ...], wanted: tuple[str, ...], count: int) -> slice:
    first = columns.index(wanted[0])
    if len(wanted) != count or columns[first : first + count] != wanted:
        raise ValueError(f"{count} columns that stand together are needed, not {wanted}")
    return slice(first, first + count)


class Layout:
    def __init__(self, columns: tuple[str, ...], rules: Rules) -> None:
        def of(*names: str) -> Any:
            return itemgetter(*map(columns.index, names))

        self.rules, self.width = rules, len(columns)
        self._facts = of("endpoint", "outcome", "usage_source", "price_version")
        self._request = of("outcome", "status", "attempts", "attempt_of")
        self._times = of("started_us", "ended_us", "first_byte_us", "first_token_us")
        self._kind = of("agent_id", "session_id", "usage_source", "requested_model")
        self.run = of("session_id", "agent_id", "parent_agent_id", "started_us", "ended_us")
        self._tokens = _together(columns, rules.tokens, TOKENS + TOOLS)
        self._amounts = _together(columns, rules.amounts, AMOUNTS)
        if len(rules.dimensions) > DIMENSIONS_MAX or len(rules.account) > ACCOUNT_MAX:
            raise ValueError("too many columns")
        self._dimensions, self._session = of(*rules.dimensions), of("session_id", *rules.account)
        if rules.half_bits != HALF_BITS or rules.count_max < 0 or rules.hour_us <= 0:
            raise ValueError("rules that sums do not follow")
        if not set(rules.account) <= set(rules.dimensions):
            raise ValueError("a path does not say whose it is")

    def check(self, row: Row) -> None:
        if not isinstance(row, tuple):
            raise TypeError("a row is a tuple")
        if len(row) < self.width:
            raise ValueError("a row has a value for each column")

    def path_of(self, row: Row) -> Path:
        self.check(row)
        fresh, _, *kept = row[self._tokens][:5]
        context = self.rules.contexts[fresh + sum(kept) > self.rules.long_context_tokens]
        return (*self._dimensions(row), context, self._kind_of(row, fresh, cached=sum(kept) != 0))

    def _kind_of(self, row: Row, fresh: int, *, cached: bool) -> str:
        agent, session, source, model = self._kind(row)
        main, subagent, background, other = self.rules.kinds
        if agent:
            return subagent
        if not session:
            return other
        if cached or source == "none":
            return main
        side = fresh < self.rules.side_prompt_tokens or self.rules.small_model in model.lower()
        return background if side else main

    def session_of(self, row: Row) -> tuple[Any, ...]:
        self.check(row)
        found: tuple[Any, ...] = self._session(row)
        return found

    def _is_request(self, row: Row) -> bool:
        outcome, status, attempts, attempt_of = self._request(row)
        return not (attempt_of and not attempts) and (status != 0 or outcome not in self.rules.leaving)

    def lanes_of(self, row: Row) -> list[int]:
        self.check(row)
        endpoint, outcome, source, price = self._facts(row)
        call = endpoint == "messages"
        completed = call and outcome == "completed"
        failed = call and not completed
        flags = [
            call,
            self._is_request(row),
            failed,
            failed and outcome in self.rules.errors,
            call and outcome == "refused",
            price == "unpriced",
            source == "observed",
            source == "estimated",
        ]
        tokens = [min(max(count, 0), self.rules.count_max) for count in row[self._tokens]]
        times = self._latencies(row) if completed else [0] * (2 * INSTANTS)
        return [*map(int, flags), *tokens[:TOKENS], *times, *tokens[TOKENS:], *_halves(row[self._amounts])]

    def _latencies(self, row: Row) -> list[int]:
        started_us, *instants = self._times(row)
        found = []
        for at_us in instants:
            found += [min(max(at_us - started_us, 0), self.rules.count_max), 1] if at_us else [0, 0]
        return found

    def differing(self, amounts: Sequence[int]) -> list[int]:
        if len(amounts) != AMOUNTS:
            raise ValueError(f"an adjustment has {AMOUNTS} amounts")
        return [*(0,) * FIRST_AMOUNT, *_halves(amounts)]

    def sums_of(self, row: Row) -> Sums:
        return _of(self.lanes_of(row))

    def adjusting(self, amounts: Sequence[int]) -> Sums:
        return _of(self.differing(amounts))


def _halves(amounts: Iterable[int]) -> list[int]:
    return [half for amount in amounts for half in (amount >> HALF_BITS, amount & LOW)]


class Gathered:
    def __init__(self, layout: Layout) -> None:
        if not isinstance(layout, Layout):
            raise TypeError("rows need a layout")
        self._layout = layout
        self._hours: dict[int, dict[Path, Sums]] = {}
        self._runs: dict[tuple[Path, str, str], Run] = {}

    def __len__(self) -> int:
        return len({path for paths in self._hours.values() for path in paths})

    def add(self, row: Row) -> None:
        self._put(row, self._layout.lanes_of(row))

    def add_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.add(row)

    def adjust(self, row: Row, amounts: Sequence[int]) -> None:
        self._layout.check(row)
        self._put(row, _checked(self._layout.differing(amounts)))

    def _put(self, row: Row, lanes: Sequence[int]) -> None:
        path = self._layout.path_of(row)
        session, agent, parent, started_us, ended_us = self._layout.run(row)
        paths = self._hours.setdefault(ended_us // self._layout.rules.hour_us, {})
        paths.setdefault(path, Sums())._add(lanes)
        if not session and not agent:
            return
        first_us = min(started_us, ended_us)
        run = self._runs.get((path, session, agent))
        if run is None:
            run = self._runs[path, session, agent] = Run(self._layout.session_of(row), agent, path, first_us, ended_us)
        run.extend(lanes, first_us, ended_us)
        run.parent = run.parent or parent

    def hours(self) -> dict[int, dict[Path, Sums]]:
        return {hour: dict(paths) for hour, paths in self._hours.items()}

    def runs(self) -> list[Run]:
        return list(self._runs.values())

    def sessions(self) -> dict[tuple[Any, ...], Run]:
        found: dict[tuple[Any, ...], Run] = {}
        for run in self._runs.values():
            whole = found.setdefault(run.session, Run(run.session, first_us=run.first_us, last_us=run.last_us))
            whole.extend(run._lanes, run.first_us, run.last_us)
        return found


def spread(paths: dict[Path, Sums], known: dict[Path, tuple[int, ...]], levels: int) -> list[dict[int, Sums]]:
    found: list[dict[int, Sums]] = [{} for _ in range(levels)]
    for path, sums in paths.items():
        if len(known[path]) != levels:
            raise ValueError("a path has a number at each level")
        for cells, number in zip(found, known[path], strict=True):
            cells.setdefault(number, Sums()).add(sums)
    return found


def rows_of(cells: dict[int, Sums], level: int, at: int) -> list[tuple[int, ...]]:
    return [(level, at, number, *cells[number].values()) for number in sorted(cells)]


def rows_at(rows: list[tuple[int, ...]], at: int) -> list[tuple[int, ...]]:
    if any(len(row) != 3 + LANES for row in rows):
        raise ValueError("rows of another shape")
    return [(level, at, *rest) for level, _, *rest in rows]
