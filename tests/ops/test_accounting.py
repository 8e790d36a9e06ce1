"""The verdict on the books says in words what is not in order, and names nobody."""

from collections.abc import Iterator
from typing import Any

import pytest

from gw.ops.accounting import Accounting, Share, accounting
from gw.ops.metrics_figures import Counted
from gw.ops.metrics_published import Open, Published, Sources
from gw.ops.state import Own, StateFile, block_base

NOW_US = 1_800_000_000_000_000
S = 1_000_000
KEEPER: dict[str, Any] = {"written_us": NOW_US - S, "database_ok": 1, "behind_us": 0, "cells_checked": 5}
GOOD = Sources(NOW_US - S, 24, exact=95, observed=3, estimated=2)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateFile]:
    one = StateFile(tmp_path_factory.mktemp("accounting") / "state.mm", create=True)
    one.claim_block()
    yield one


def look(state: StateFile, keeper: dict[str, Any] | None = None, **published: Any) -> Accounting:
    values = {"sources": GOOD, "open": Open(1, NOW_US - 60 * S, 2), "committed_us": NOW_US - S, **published}
    status = KEEPER if keeper is None else KEEPER | keeper
    return accounting(state, status, Published(NOW_US, Counted(1), **values), NOW_US)


def test_books_in_order_say_how_well_they_are_known(state: StateFile) -> None:
    found = look(state)
    assert (found.verdict, found.reasons) == ("ok", ())
    assert found.priced is not None and found.priced.exact == Share(95, 95.0)
    assert (found.ledger.open_calls, found.ledger.oldest_open_s, found.budgets.open_holds) == (1, 60.0, 2)
    assert (found.budgets.checked, found.budgets.drift_usd) == (5, "0")


CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"written_us": NOW_US - 12 * S}, {}, "the keeper has said nothing for 12 s"),
    ({"database_ok": 0, "behind_us": 90 * S}, {}, "the database takes no rows"),
    ({"behind_us": 31 * S}, {}, "ended 31 s ago"),
    ({"damaged": 1}, {}, "1 damaged stretch of journals"),
    ({"rejected": 2}, {}, "2 frames of journals"),
    ({"cells_corrected": 1, "cells_drift_nusd": 1500}, {}, "1 counter of budgets differed from the ledger, by 0.0000015 USD"),
    ({"left_out_hard_budgets": 2}, {}, "2 hard budgets are defined and not in force"),
    ({}, {"open": Open(1, NOW_US - 3 * 3600 * S, 0)}, "a call has been open for 3.0 h"),
    ({}, {"sources": Sources(1, 24, 100, unpriced=1200, unpriced_models=("a", "b"))}, "1,200 calls have no price (a, b)"),
    ({}, {"sources": Sources(1, 24, 9, unpriced=9, unpriced_models=tuple("abcdefg"))}, "(a, b, c, d, e and 2 more)"),
    ({}, {"sources": Sources(1, 24, 90, 6, 4)}, "10.0 % of the billed calls are estimates"),
]


@pytest.mark.parametrize(("keeper", "published", "words"), CASES, ids=[words for _, _, words in CASES])
def test_what_is_not_in_order_is_said(state: StateFile, keeper: dict[str, Any], published: dict[str, Any], words: str) -> None:
    found = look(state, keeper, **published)
    assert found.verdict == "degraded" and len(found.reasons) == 1 and words in found.reasons[0]


def test_a_few_calls_are_no_share(state: StateFile) -> None:
    assert look(state, sources=Sources(1, 24, 3, 8, 8)).verdict == "ok"


def test_a_gateway_that_has_just_begun_has_nothing_to_say(state: StateFile) -> None:
    found = accounting(state, {}, None, NOW_US)
    assert found.priced is None and found.verdict == "degraded"
    assert look(state, sources=Sources()).priced is None


def test_a_journal_that_cannot_be_written_is_said(state: StateFile) -> None:
    base = state.live_blocks()[0]
    words = state.words

    words[block_base(base) + Own.JOURNAL_HEALTHY] = 0
    assert "a journal cannot be written" in look(state).reasons[0]
    words[block_base(base) + Own.JOURNAL_HEALTHY] = 1
