"""The page is one answer for all, in both forms that Prometheus reads, and is made at most once a second."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import astuple
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from gw.ops import metrics_page
from gw.ops.metrics_figures import Counted
from gw.ops.metrics_page import LedgerText, Page, exposition, wants_openmetrics
from gw.ops.metrics_published import BudgetGauge, BudgetWindow, Published, encoded, write_published
from gw.ops.metrics_tally import Tally
from gw.ops.state import Own, StateFile, Word
from tests.ledger.records import NOON_US, record

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
NASTY = 'a "quoted" \\ name\nof two lines'


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateFile]:
    yield StateFile(tmp_path_factory.mktemp("page") / "state.mm", create=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tally = Tally(Counted(1, labels=("team", "key", "upstream", "model")))
    common: dict[str, Any] = {"upstream_status": 200, "team": "red", "served_model": "m", "first_byte_us": NOON_US + 200_000}
    paid = record("gw_1", key_name=NASTY, input_tokens=7, billed_pusd=3, list_pusd=2_500_000_000_000, retries=2, **common)
    free = record("gw_2", outcome="refused", error="budget_exceeded", usage_source="none", **{**common, "upstream_status": 0})
    tally.add([astuple(paid), astuple(free)])
    tally.adjust(-(10**12), 5)
    budgets = (BudgetGauge("a day", "team", "red", "hard", 5 * 10**9, 10**9, 1),)
    windows = (BudgetWindow("a day", NOON_US, NOON_US + 1_500_000, 2), BudgetWindow("for ever", 0, 0, 0))
    write_published(tmp_path, encoded(Published(1, tally.counted(1, 1), budgets, windows)))
    return tmp_path


def samples(page: bytes, *, openmetrics: bool = False) -> Samples:
    families = (read_openmetrics if openmetrics else read_text)(page.decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples}


def test_both_forms_say_the_same(state: StateFile, folder: Path) -> None:
    text, openmetrics = (exposition(state, folder, openmetrics=asked) for asked in (False, True))
    one, other = samples(text), samples(openmetrics, openmetrics=True)
    moving = {("gw_uptime_seconds", ()), ("gw_keeper_silence_seconds", ())}
    assert {name: one[name] for name in one.keys() - moving} == {name: other[name] for name in other.keys() - moving}
    assert openmetrics.endswith(b"# EOF\n") and openmetrics.count(b"# EOF") == 1 and b"# EOF" not in text


def test_every_family_stands_once_and_has_a_text(state: StateFile, folder: Path) -> None:
    for line in ("TYPE", "HELP"):
        found = [one.split(" ")[2] for one in exposition(state, folder).decode().splitlines() if one.startswith(f"# {line}")]
        assert len(found) == len(set(found)) > 40
    assert not [one.name for one in read_text(exposition(state, folder).decode()) if not one.documentation]


def test_names_in_the_ledger_cannot_break_the_page(state: StateFile, folder: Path) -> None:
    found = samples(exposition(state, folder))
    labels = {"team": "red", "key": NASTY, "upstream": "anthropic", "model": "m"}
    assert found["gw_ledger_tokens_total", tuple(sorted({**labels, "class": "input"}.items()))] == 7
    assert found["gw_ledger_cost_usd_total", tuple(sorted({**labels, "kind": "billed"}.items()))] == 3e-12
    assert found["gw_ledger_cost_usd_total", tuple(sorted({**labels, "kind": "list"}.items()))] == 2.5


def test_what_the_keeper_counts_is_shown(state: StateFile, folder: Path) -> None:
    page = samples(exposition(state, folder))
    found = {(name, *(value for _, value in labels)): value for (name, labels), value in page.items()}
    assert found["gw_ledger_errors_total", "budget_exceeded", "", "refused", "red", "anthropic"] == 1
    assert found["gw_ledger_retries_total", "m", "anthropic"] == 2
    assert found["gw_ledger_first_byte_seconds_bucket", "0.1", "m", "anthropic"] == 0
    assert found["gw_ledger_first_byte_seconds_bucket", "0.25", "m", "anthropic"] == 1
    assert found["gw_ledger_first_byte_seconds_sum", "m", "anthropic"] == 0.2
    assert found["gw_ledger_adjustments_usd_total", "down", "list"] == 1
    assert found["gw_ledger_adjustments_usd_total", "up", "billed"] == 5e-12
    where = ("red", "a day", "hard", "team")
    assert [found[f"gw_budget_{name}_usd", *where] for name in ("limit", "settled", "reserved")] == [5, 1, 1e-9]
    assert found["gw_budget_window_end_timestamp_seconds", "a day"] == NOON_US / 1e6 + 1.5
    assert ("gw_budget_window_end_timestamp_seconds", "for ever") not in found
    assert found["gw_budget_accounts_hidden", "a day"] == 2


def test_without_a_keeper_the_page_has_what_workers_count(state: StateFile, tmp_path: Path) -> None:
    found = {name for name, _ in samples(exposition(state, tmp_path))}
    assert "gw_calls_total" in found and not [name for name in found if name.startswith(("gw_ledger_", "gw_keeper_"))]


def test_calls_that_wait_and_workers_that_ended_are_counted(state: StateFile, tmp_path: Path) -> None:
    block = state.claim_block()
    block.waits(1)
    block.waits(1)
    block.waits(-1)
    before = state.words[Word.WORKERS_ENDED]
    state.bury(999_999)
    found = samples(exposition(state, tmp_path))
    assert found["gw_queue_calls", ()] == 1 and found["gw_worker_ends_total", ()] == before + 1
    block.release()
    assert state.sum_own(Own.WAITING) == 0


async def test_those_who_ask_while_a_page_is_made_share_the_next_one(
    state: StateFile, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []
    begun, go_on = threading.Event(), threading.Event()

    def counting(*_: object, openmetrics: bool, pause: object) -> bytes:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()  # it is not on the loop
        made.append(openmetrics)
        page = b"page %d" % len(made)
        begun.set()
        assert go_on.wait(20)
        return page

    monkeypatch.setattr(metrics_page, "exposition", counting)
    page = Page(state, folder)
    first = asyncio.create_task(page.answer(""))
    await asyncio.to_thread(begun.wait, 20)
    others = [asyncio.create_task(page.answer("text/plain")) for _ in range(5)]
    await asyncio.sleep(0)
    go_on.set()
    assert (await first)[1] == b"page 1"
    assert {body for _, body in await asyncio.gather(*others)} == {b"page 2"}, "what they asked for came after the first began"
    assert (await page.answer("application/openmetrics-text"))[1] == b"page 3" and made == [False, False, True]


def test_what_was_published_is_made_into_text_once(state: StateFile, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []
    read = metrics_page.read_published
    monkeypatch.setattr(metrics_page, "read_published", lambda path: looked.append(path) or read(path))
    ledger = LedgerText(folder)
    first, again = (ledger.text(openmetrics=False, pause=lambda: None) for _ in range(2))
    assert first is again and len(looked) == 1
    ledger.text(openmetrics=True, pause=lambda: None)
    write_published(folder, encoded(Published(2, Counted(1))))
    assert len(ledger.text(openmetrics=False, pause=lambda: None)) < len(first) and len(looked) == 3


ACCEPTS = [
    ("", False),
    ("*/*", False),
    ("text/plain;version=0.0.4", False),
    ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5", True),
    ("application/openmetrics-text; version=0.0.1", True),
    ("APPLICATION/OpenMetrics-Text", True),
    ("application/openmetrics-text;version=2.0.0,text/plain", False),
    ("application/openmetrics-text;q=0", False),
    (";;;,,=;", False),
]


@pytest.mark.parametrize(("accept", "wanted"), ACCEPTS)
def test_openmetrics_goes_to_whoever_asks_for_it(accept: str, *, wanted: bool) -> None:
    assert wants_openmetrics(accept) is wanted
