"""What is known of how spending grew is asked of the ledger seldom, and never stands in the way of what stands in the cells."""

from pathlib import Path

import pytest

from gw import clock
from gw.control import burns
from gw.control.burns import KEPT_NS, REST_NS, Burns
from gw.domain.scope import Scope
from gw.ledger.burn import Lines
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import StoreError
from tests.ledger.records import NOON_US

NOW_US = NOON_US + 5 * HOUR_US


class Ledger:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.down, self.ns = 0, False, KEPT_NS
        monkeypatch.setattr(burns, "burned", self.burned)
        monkeypatch.setattr(clock, "mono_ns", lambda: self.ns)

    def burned(self, *_: object) -> Lines:
        self.asked += 1
        if self.down:
            raise StoreError("gone")
        return {"a": [self.asked]}


def test_it_is_asked_once_a_minute_and_when_an_hour_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, kept, database = Ledger(monkeypatch), Burns(), SqliteDatabase(tmp_path / "gw.db")
    team = Scope("team", "a")
    assert [kept.of(database, team, NOON_US, NOW_US + at)[1] for at in (0, 1, HOUR_US - 1)] == [{"a": [1]}] * 3
    assert kept.of(database, team, NOON_US, NOW_US + HOUR_US)[1] == {"a": [2]}
    assert kept.of(database, Scope("team", "b"), NOON_US, NOW_US)[1] == {"a": [3]}
    ledger.ns += KEPT_NS
    assert kept.of(database, team, NOON_US, NOW_US)[1] == {"a": [4]}


def test_a_ledger_that_does_not_answer_is_left_alone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, kept, database = Ledger(monkeypatch), Burns(), SqliteDatabase(tmp_path / "gw.db")
    ledger.down = True
    for team in "abc":
        assert kept.of(database, Scope("team", team), NOON_US, NOW_US) == ([], {})
    assert ledger.asked == 1
    ledger.ns, ledger.down = ledger.ns + REST_NS, False
    assert kept.of(database, Scope("team", "a"), NOON_US, NOW_US)[1] == {"a": [2]}
