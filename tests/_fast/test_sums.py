"""Sums of rows: both twins make the same of any row, and of the garbage that one may hold; nothing leaves 64 bits unnoticed."""

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import sums as compiled
from gw._fast.fields import Rules
from gw._fast.ref import sums as pure

TWINS = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])
TOKENS = ("input", "output", "read", "w5m", "w1h", "thinking", "search", "fetch", "code")
AMOUNTS = ("list", "billed", "a", "b", "c", "d", "e", "f", "g")
TEXTS = (
    "endpoint", "outcome", "usage_source", "price_version", "attempts", "attempt_of", "session_id", "agent_id",
    "parent_agent_id", "requested_model", "team",
)  # fmt: skip
NUMBERS = ("status", "started_us", "ended_us", "first_byte_us", "first_token_us")
COLUMNS = (*TEXTS, *NUMBERS, "else", *AMOUNTS, *TOKENS)
RULES = Rules(
    dimensions=("team", "outcome", "status"),
    account=("team",),
    tokens=TOKENS,
    amounts=AMOUNTS,
    errors=frozenset({"upstream_error", "timed_out"}),
    leaving=frozenset({"timed_out"}),
    contexts=("short", "long"),
    long_context_tokens=100,
    kinds=("main", "subagent", "background", "other"),
    side_prompt_tokens=10,
    small_model="small",
    count_max=1 << 40,
    half_bits=31,
    hour_us=3600,
)
MOST = 2**63 - 1
LANES = 41
BLANK = {**dict.fromkeys(TEXTS, ""), **dict.fromkeys((*NUMBERS, "else", *AMOUNTS, *TOKENS), 0)}

WORDS = {
    "endpoint": ["messages", "models"],
    "outcome": ["completed", "refused", "timed_out", "upstream_error", "stopped"],
    "usage_source": ["exact", "none", "observed", "estimated"],
    "price_version": ["", "unpriced", "v1"],
    "attempts": ["", "[]"],
    "attempt_of": ["", "gw_1"],
    "session_id": ["", "s1", "s2"],
    "agent_id": ["", "", "a1"],
    "parent_agent_id": ["", "a0", "a9"],
    "requested_model": ["large", "Small-1", "é\ud800"],
    "team": ["", "red"],
}
NUMBER = st.integers(-MOST - 1, MOST) | st.integers(-3, 200) | st.sampled_from([0, 0, 0, MOST, -MOST, 1 << 40, (1 << 40) + 1])
ROWS = st.fixed_dictionaries(
    {name: st.sampled_from(WORDS[name]) if name in WORDS else NUMBER for name in COLUMNS}
).map(lambda row: tuple(row[name] for name in COLUMNS))
DIFFERENCES = st.lists(st.integers(-(2**65), 2**65), min_size=9, max_size=9)
PARTS = st.lists(st.tuples(ROWS, st.none() | DIFFERENCES), max_size=12)


def row(**values: Any) -> tuple[Any, ...]:
    return tuple((BLANK | values)[name] for name in COLUMNS)


def gathered(module: Any, parts: list[tuple[tuple[Any, ...], list[int] | None]]) -> Any:
    found = module.Gathered(module.Layout(COLUMNS, RULES))
    for one, amounts in parts:
        if amounts is None:
            found.add(one)
        else:
            found.adjust(one, amounts)
    return found


def seen(found: Any) -> Any:
    """All that it says, whatever the order."""
    hours = {hour: {path: sums.values() for path, sums in paths.items()} for hour, paths in found.hours().items()}
    runs = sorted((run.session, run.agent, run.path, run.parent, run.totals(1 << 61)) for run in found.runs())
    sessions = {session: (run.session, run.totals(MOST), run.values()) for session, run in found.sessions().items()}
    return hours, runs, sessions, len(found)


@given(ROWS)
@settings(max_examples=300, deadline=None)
def test_the_twins_agree_on_any_row(one: tuple[Any, ...]) -> None:
    layouts = [module.Layout(COLUMNS, RULES) for module in (compiled, pure)]
    for what in ("path_of", "session_of"):
        assert getattr(layouts[0], what)(one) == getattr(layouts[1], what)(one)
    assert layouts[0].sums_of(one).values() == layouts[1].sums_of(one).values()


@given(PARTS)
@settings(max_examples=300, deadline=None)
def test_the_twins_gather_the_same(parts: list[tuple[tuple[Any, ...], list[int] | None]]) -> None:
    assert seen(gathered(compiled, parts)) == seen(gathered(pure, parts))


@TWINS
@given(parts=PARTS)
@settings(max_examples=100, deadline=None)
def test_what_is_gathered_is_the_sum_of_what_each_adds(module: Any, parts: list[tuple[Any, list[int] | None]]) -> None:
    layout = module.Layout(COLUMNS, RULES)
    added = [
        (one, (layout.sums_of(one) if amounts is None else layout.adjusting(amounts)).values()) for one, amounts in parts
    ]
    found = gathered(module, parts)
    hours: dict[Any, dict[Any, list[int]]] = {}
    for one, values in added:
        sums = hours.setdefault(one[COLUMNS.index("ended_us")] // 3600, {}).setdefault(layout.path_of(one), [0] * LANES)
        sums[:] = [a + b for a, b in zip(sums, values, strict=True)]
    assert {hour: {path: list(one.values()) for path, one in paths.items()} for hour, paths in found.hours().items()} == hours
    for session, run in found.sessions().items():
        mine = [(one, values) for one, values in added if layout.session_of(one) == session and (session[0] or one[7])]
        assert run.values() == tuple(map(sum, zip(*(values for _, values in mine), strict=True)))
        started, ended = ([one[COLUMNS.index(name)] for one, _ in mine] for name in ("started_us", "ended_us"))
        assert (run.first_us, run.last_us) == (min(started + ended), max(ended))


CLAIMS: list[tuple[dict[str, Any], dict[int, int]]] = [
    ({"endpoint": "models", "outcome": "completed", "ended_us": 9}, {1: 1}),
    ({"endpoint": "messages", "outcome": "refused", "status": 400, "ended_us": 9}, {0: 1, 1: 1, 2: 1, 4: 1}),
    ({"endpoint": "messages", "outcome": "timed_out"}, {0: 1, 2: 1, 3: 1}),  # left: another attempt followed
    ({"endpoint": "messages", "outcome": "timed_out", "status": 504}, {0: 1, 1: 1, 2: 1, 3: 1}),
    ({"attempt_of": "gw_1"}, {}),
    ({"attempt_of": "gw_1", "attempts": "[]"}, {1: 1}),
    ({"price_version": "unpriced", "usage_source": "observed"}, {1: 1, 5: 1, 6: 1}),
    ({"usage_source": "estimated", "w1h": -1, "thinking": 2**63 - 1, "code": 5}, {1: 1, 7: 1, 13: 1 << 40, 22: 5}),
    (
        {"endpoint": "messages", "outcome": "completed", "started_us": 100, "ended_us": 107, "first_token_us": 99},
        {0: 1, 1: 1, 14: 7, 15: 1, 19: 1},
    ),
    (
        {"endpoint": "messages", "outcome": "completed", "started_us": -MOST, "ended_us": MOST, "first_byte_us": -MOST - 1},
        {0: 1, 1: 1, 14: 1 << 40, 15: 1, 17: 1},
    ),
    ({"list": -1, "billed": (5 << 31) + 3, "g": -MOST - 1}, {1: 1, 23: -1, 24: 2**31 - 1, 25: 5, 26: 3, 39: -(2**32)}),
]


@TWINS
@pytest.mark.parametrize(("values", "wanted"), CLAIMS)
def test_a_row_adds(module: Any, values: dict[str, Any], wanted: dict[int, int]) -> None:
    found = module.Layout(COLUMNS, RULES).sums_of(row(**values)).values()
    assert {lane: value for lane, value in enumerate(found) if value} == wanted and len(found) == LANES


@TWINS
@pytest.mark.parametrize(
    ("values", "context", "kind"),
    [
        ({"agent_id": "a", "session_id": "s"}, "short", "subagent"),
        ({"input": 101}, "long", "other"),
        ({"session_id": "s", "input": 50, "w5m": 50, "output": 99}, "short", "main"),
        ({"session_id": "s", "input": 9}, "short", "background"),
        ({"session_id": "s", "input": 9, "usage_source": "none"}, "short", "main"),
        ({"session_id": "s", "input": 10}, "short", "main"),
        ({"session_id": "s", "input": 10, "requested_model": "The SMALL one"}, "short", "background"),
        ({"session_id": "s", "input": 10, "requested_model": "small", "read": 1}, "short", "main"),
        ({"session_id": "s", "read": MOST, "w5m": MOST, "w1h": MOST}, "long", "main"),
        ({"session_id": "s", "read": MOST, "w5m": -MOST, "input": 3}, "short", "background"),
    ],
)
def test_a_path_ends_with_context_and_kind(module: Any, values: dict[str, Any], context: str, kind: str) -> None:
    found = module.Layout(COLUMNS, RULES).path_of(row(team="t", outcome="o", status=7, **values))
    assert found == ("t", "o", 7, context, kind)


@TWINS
def test_a_sum_that_would_leave_64_bits_is_refused_and_stays(module: Any) -> None:
    layout = module.Layout(COLUMNS, RULES)
    most, least = (layout.adjusting([sign * (MOST << 31)] * 9) for sign in (1, -1))
    before = most.values()
    with pytest.raises(OverflowError):
        most.add(layout.adjusting([1 << 31, *[0] * 8]))
    assert most.values() == before
    most.add(least)
    assert set(most.values()) == {0}
    with pytest.raises(OverflowError):
        least.add(least)
    for amount in (1 << 94, -(1 << 94) - 1):
        with pytest.raises(OverflowError):
            layout.adjusting([amount] * 9)


@TWINS
def test_a_copy_is_on_its_own(module: Any) -> None:
    one = module.Layout(COLUMNS, RULES).adjusting(range(9))
    other = one.copy()
    other.add(one)
    assert other.values() == tuple(2 * value for value in one.values())
    with pytest.raises(TypeError):
        one.add(None)


@TWINS
def test_a_run_keeps_the_first_parent_and_bounds_its_money(module: Any) -> None:
    calls = [row(session_id="s", agent_id="a", parent_agent_id=name, list=MOST, billed=-MOST) for name in ("", "p", "q")]
    (run,) = gathered(module, [(one, None) for one in calls]).runs()
    assert (run.session, run.agent, run.parent) == (("s", ""), "a", "p")
    assert run.totals(1 << 61)[-4:] == (1 << 61, -(1 << 61), 0, 0) and len(run.totals(1)) == 19


@TWINS
def test_a_path_counts_at_each_level_and_its_rows_stand_by_number(module: Any) -> None:
    found = gathered(module, [(row(team=team, output=1), None) for team in "abca"])
    (paths,) = found.hours().values()
    numbers = {path: (1, 9 - nth) for nth, path in enumerate(paths)}
    first, second = module.spread(paths, numbers, 2)
    assert [sums.values()[9] for sums in first.values()] == [4]
    rows = module.rows_of(second, 8, 5)
    assert [(one[:3], one[3 + 9]) for one in rows] == [((8, 5, 7), 1), ((8, 5, 8), 1), ((8, 5, 9), 2)]
    assert module.rows_at(rows, 6) == [(8, 6, *one[2:]) for one in rows]
    assert sum(sums.values()[9] for sums in paths.values()) == 4, "what was spread is as it was"
    gc.collect()
    assert rows == module.rows_of(second, 8, 5)
    with pytest.raises(ValueError, match="each level"):
        module.spread(paths, numbers, 3)
    with pytest.raises(ValueError, match="shape"):
        module.rows_at([(1, 2, 3)], 4)


@TWINS
def test_columns_and_rows_that_do_not_fit_are_refused(module: Any) -> None:
    for changed in (
        {"tokens": TOKENS[:8]},
        {"amounts": (*AMOUNTS[:8], "team")},
        {"half_bits": 30},
        {"account": ("session_id",)},
        {"dimensions": ("team",) * 33},
        {"dimensions": ("team", "unknown")},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            module.Layout(COLUMNS, RULES._replace(**changed))
    layout = module.Layout(COLUMNS, RULES)
    for use in (layout.path_of, layout.session_of, layout.sums_of, module.Gathered(layout).add):
        with pytest.raises(ValueError, match="each column"):
            use(row()[:-1])
        with pytest.raises(TypeError):
            use(list(row()))
    with pytest.raises(ValueError, match="9 amounts"):
        layout.adjusting([0] * 8)
    with pytest.raises(TypeError):
        module.Gathered(None)
