"""The chain over the ledger: a changed, missing or added call is found at its seq; what retention let go is no fault."""

from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import astuple

from gw.audit import blocks
from gw.audit import record as audit
from gw.audit.blocks import LedgerReport
from gw.ledger.store import Batch, Connection, Database, Store
from tests.audit.tampering import KEY, sql, tamper
from tests.ledger.records import NOON_US, record

DAY_US = 86_400_000_000


@pytest.fixture
async def ledger(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """Twenty-five calls in blocks of ten, the last five of them in none."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 10)
    opened = database.store()
    await opened.open()
    rows = [astuple(record(f"call-{number:02}", billed_pusd=number, started_us=NOON_US + number)) for number in range(1, 26)]
    await opened.commit(Batch(rows=rows))
    while audit.close_block(database, partial_before_us=0):
        pass
    audit.put_signed_anchor(database, KEY, NOON_US)
    yield opened
    await opened.close()


def verified(database: Database) -> LedgerReport:
    return audit.verify_ledger(database, KEY, [])


def found(database: Database) -> list[tuple[str, int, int]]:
    return [(one.what, one.block, one.seq) for one in verified(database).findings]


def test_an_untouched_ledger_is_whole(database: Database, ledger: Store) -> None:
    report = verified(database)
    assert report.is_whole, report.findings
    assert (report.blocks, report.rows, report.gone, report.unchained) == (2, 20, 0, 5)
    assert not audit.close_block(database, partial_before_us=0)
    assert audit.close_block(database, partial_before_us=2**62), "what is old enough is closed though it is few"
    assert verified(database).unchained == 0 and verified(database).is_whole


DEEDS = [
    pytest.param(sql("UPDATE call SET billed_pusd = 0 WHERE seq = 13"), ("edited", 2, 13), id="an amount"),
    pytest.param(sql("UPDATE call SET team = 'red' WHERE seq = 1"), ("edited", 1, 1), id="a team"),
    pytest.param(sql("UPDATE call SET ended_us = ended_us + 1 WHERE seq = 20"), ("edited", 2, 20), id="a moment"),
    pytest.param(sql("DELETE FROM call WHERE seq = 7"), ("missing", 1, 7), id="a deletion"),
    pytest.param(sql("DELETE FROM call WHERE seq = 20"), ("missing", 2, 20), id="a deletion at an end"),
    pytest.param(sql("UPDATE ledger_block SET row_count = 9 WHERE id = 2"), ("block", 2, 11), id="a block"),
    pytest.param(sql("DELETE FROM ledger_block WHERE id = 1"), ("block", 2, 11), id="a block is taken away"),
]


@pytest.mark.parametrize(("deed", "said"), DEEDS)
def test_what_was_done_is_found_where_it_was_done(
    database: Database, ledger: Store, deed: Callable[[Connection], object], said: tuple[str, int, int]
) -> None:
    tamper(database, deed, table="ledger_block")
    assert said in found(database), verified(database).findings
    if said[0] != "block":
        assert len(found(database)) == 1


def test_a_call_that_is_put_in_later_is_found(database: Database, ledger: Store) -> None:
    tamper(database, sql("DELETE FROM call WHERE seq = 5"), table="ledger_block")
    tamper(database, sql("UPDATE call SET seq = 5 WHERE seq = 25"), table="ledger_block")
    assert found(database) == [("edited", 1, 5)], "another call in the place of one that was there"


def test_blocks_that_are_made_anew_are_not_those_that_were_signed(database: Database, ledger: Store) -> None:
    def anew(db: Connection) -> None:
        db.execute("UPDATE call SET billed_pusd = 0 WHERE seq = 13")
        db.execute("DELETE FROM ledger_block WHERE id = 2")
        before = blocks.last_block(db)
        blocks.put_block(db, blocks.closed(before, blocks_rows(db)))

    tamper(database, anew, table="ledger_block")
    assert found(database) == [("rewritten", 2, 11)], "found at its block: its marks were made anew with it"


def blocks_rows(db: Connection) -> list[tuple[int, tuple[object, ...]]]:
    from gw.ledger.sequence import rows_after

    return rows_after(db, 10, 10)


def test_what_retention_lets_go_is_no_fault_once_the_audit_says_so(database: Database, ledger: Store) -> None:
    tamper(database, sql("DELETE FROM call WHERE seq <= 12"), table="ledger_block")
    assert len(found(database)) == 12
    assert audit.note_retired(database, NOON_US + DAY_US, NOON_US + 40 * DAY_US)
    assert not audit.note_retired(database, NOON_US + DAY_US, NOON_US + 41 * DAY_US), "that is no news"
    report = verified(database)
    assert report.is_whole and report.gone == 12
    assert audit.verify(database, KEY, []).is_whole
