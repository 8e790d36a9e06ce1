"""Sums and lists: exact, filtered, grouped."""

import pytest
from msgspec.structs import astuple

from gw.domain.call import CallRecord
from gw.domain.rolled import TOKENS
from gw.ledger import reports
from gw.ledger.reports import Filters
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Batch, Database
from tests.ledger.records import NOON_US, record

DAY_US = 86_400_000_000
USD = 10**12


async def fill(database: Database, *records: CallRecord) -> None:
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in records]))
    await store.close()


def grouped(rows: list[reports.UsageRow]) -> dict[str, tuple[int, int]]:
    """Group -> (calls, billed)."""
    return {row.group: (row.calls, row.billed_pusd) for row in rows}


def test_no_ledger_yet_is_no_rows(database: Database) -> None:
    assert reports.usage(database, "team") == [] and reports.logs(database) == ([], 0) and not reports.any_calls(database)
    if isinstance(database, SqliteDatabase):
        assert not database.path.exists()


async def test_sums_beyond_sixty_three_bits_are_exact(database: Database) -> None:
    amount = 2**63 - 1  # 9.2 million dollars in one row
    await fill(database, *(record(f"c{index}", billed_pusd=amount, list_pusd=amount - index) for index in range(7)))
    (row,) = reports.usage(database, "team")
    assert row.billed_pusd == 7 * amount and row.list_pusd == 7 * amount - sum(range(7))
    assert reports.total([row, row]).billed_pusd == 14 * amount


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("key", {"ci": (2, 3), "passthrough abc": (1, 4), "": (1, 8)}),
        ("team", {"t1": (2, 3), "": (2, 12)}),
        ("customer", {"acme": (2, 3), "": (2, 12)}),
        ("model", {"claude-sonnet-4-5-20250929": (3, 7), "asked": (1, 8)}),
        ("session", {"s1": (3, 7), "s2": (1, 8)}),
        ("agent", {"": (3, 13), "a1": (1, 2)}),
        ("upstream", {"anthropic": (4, 15)}),
        ("day", {"2026-11-01": (3, 7), "2026-11-02": (1, 8)}),
        ("project", {"": (4, 15)}),
        ("outcome", {"completed": (3, 7), "upstream_error": (1, 8)}),
        ("device", {"": (4, 15)}),
    ],
)
async def test_groups(database: Database, by: reports.By, expected: dict[str, tuple[int, int]]) -> None:
    key = {"key_id": "id1", "key_name": "ci", "team": "t1", "customer": "acme"}
    await fill(
        database,
        record("a", billed_pusd=1, session_id="s1", **key),
        record("b", billed_pusd=2, session_id="s1", agent_id="a1", **key),
        record("c", billed_pusd=4, session_id="s1", credential="abc"),
        record(
            "d",
            billed_pusd=8,
            session_id="s2",
            outcome="upstream_error",
            served_model="",
            requested_model="asked",
            ended_us=NOON_US + DAY_US,
        ),
        record("n", endpoint="count_tokens", team="counted", key_name="counted", session_id="counted"),
    )
    rows = reports.usage(database, by)
    assert grouped(rows) == expected
    if by == "day":
        assert [row.group for row in rows] == ["2026-11-01", "2026-11-02"]
    else:
        assert [row.billed_pusd for row in rows] == sorted((row.billed_pusd for row in rows), reverse=True)


async def test_only_messages_are_calls_but_no_cost_is_hidden(database: Database) -> None:
    await fill(
        database, record("a"), record("b", endpoint="count_tokens"), record("c", endpoint="models", team="x", billed_pusd=3)
    )
    assert grouped(reports.usage(database, "team")) == {"": (1, 0), "x": (0, 3)}


async def test_tokens_are_summed_by_class(database: Database) -> None:
    classes = {name: 10**index for index, name in enumerate(TOKENS)}
    await fill(database, record("a", **classes), record("b", **classes, outcome="client_gone"))
    (row,) = reports.usage(database, "team")
    assert [getattr(row, name) for name in TOKENS] == [2 * value for value in classes.values()]
    assert (row.calls, row.failed) == (2, 1)


async def test_calls_without_a_price_and_estimates_are_counted_by_group(database: Database) -> None:
    await fill(
        database,
        record("a", team="t", price_version="unpriced", served_model="rare"),
        record("b", team="t", price_version="unpriced", usage_source="observed", served_model="", requested_model="mystery"),
        record("c", team="t", price_version="unpriced", served_model="", requested_model="mystery"),
        record("d", team="u", usage_source="estimated", billed_pusd=1),
        record("e", team="u", usage_source="none", outcome="refused"),
    )
    first, second = reports.usage(database, "team")
    assert (first.group, first.unpriced, first.estimated) == ("u", 0, 1)
    assert (second.group, second.unpriced, second.estimated) == ("t", 3, 1)
    whole = reports.total([first, second])
    assert (whole.unpriced, whole.estimated) == (3, 2)
    assert reports.unpriced_models(database) == ["mystery", "rare"]
    assert reports.unpriced_models(database, filters=Filters(model="rare")) == ["rare"]
    assert reports.unpriced_models(database, filters=Filters(team="u")) == []


FILTERS = [
    (Filters(), "abc"),
    (Filters(key="ci"), "a"),
    (Filters(key="id1"), "a"),
    (Filters(team="t", customer="x"), "b"),
    (Filters(model="claude-opus-*"), "b"),
    (Filters(model="served-[bx]"), "b"),
    (Filters(session="5e55"), "ac"),
    (Filters(session="5e55-1"), "a"),
    (Filters(project="p"), "c"),
    (Filters(upstream="other"), "c"),
    (Filters(outcome="timed_out"), "b"),
    (Filters(status=504), "b"),
    (Filters(error="upstream_*"), "b"),
    (Filters(team="' OR 1=1 --"), ""),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
async def test_filters(database: Database, filters: Filters, expected: str) -> None:
    await fill(
        database,
        record("a", key_id="id1", key_name="ci", session_id="5e55-1"),
        record(
            "b",
            team="t",
            customer="x",
            requested_model="claude-opus-4-1",
            served_model="served-b",
            outcome="timed_out",
            status=504,
            error="upstream_idle_timeout",
        ),
        record("c", session_id="5e55-2", project="p", upstream="other"),
    )
    records, _ = reports.logs(database, filters)
    assert [one.call_id for one in records] == list(expected)
    assert sum(row.calls for row in reports.usage(database, "model", filters=filters)) == len(expected)


async def test_span_is_half_open_over_the_calls_end(database: Database) -> None:
    await fill(database, *(record(str(at), ended_us=at) for at in (10, 11, 12)))
    records, _ = reports.logs(database, since_us=11, until_us=12)
    assert [one.call_id for one in records] == ["11"]
    assert sum(row.calls for row in reports.usage(database, "day", 11, 12)) == 1


async def test_logs_give_whole_records_newest_last_and_a_cursor(database: Database) -> None:
    sent = [record(f"c{index}", stream=bool(index % 2), tags="x,y") for index in range(5)]
    await fill(database, *sent)
    records, cursor = reports.logs(database, limit=3)
    assert records == sent[2:]
    assert reports.logs(database, after=cursor) == ([], cursor)
    late = [record(f"d{index}") for index in range(5)]
    await fill(database, *late)
    first, cursor = reports.logs(database, limit=2, after=cursor)
    rest, cursor = reports.logs(database, limit=100, after=cursor)
    assert first + rest == late and reports.logs(database, after=cursor)[0] == []


async def test_cursor_passes_over_what_the_filter_left_out(database: Database) -> None:
    await fill(database, record("a", team="t"), record("b"))
    assert reports.logs(database, Filters(team="t"), limit=0) == ([], 2)
    assert reports.logs(database, Filters(team="t"), after=0, limit=5)[1] == 2
