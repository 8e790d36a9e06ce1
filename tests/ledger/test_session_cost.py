"""What a session has cost, told to nobody but the one who paid for it."""

from pathlib import Path

import pytest

from gw.ledger.session_cost import SessionSum, session_cost
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database, StoreError
from tests.ledger.records import record
from tests.ledger.test_reports import fill

ROWS = [
    record("a", session_id="s", key_id="k1", key_name="anna", billed_pusd=2**63 - 1),
    record("b", session_id="s", key_id="k2", key_name="anna", billed_pusd=2**63 - 1),  # the same key, rotated
    record("c", session_id="s", key_id="k1", key_name="anna", billed_pusd=5, endpoint="count_tokens"),
    record("d", session_id="s", key_id="k3", key_name="bob", billed_pusd=7),
    record("e", session_id="s", key_id="", key_name="", credential="c0ffee", billed_pusd=11),
    record("f", session_id="s2", key_id="k1", key_name="anna", billed_pusd=13),
    record("g", session_id="s", key_id="k9", key_name="", billed_pusd=17),
]


@pytest.mark.parametrize(
    ("session", "who", "expected"),
    [
        ("s", {"key_name": "anna", "key_id": "k1"}, SessionSum(2, 2**64 + 3)),
        ("s", {"key_name": "bob", "key_id": "k3"}, SessionSum(1, 7)),
        ("s", {"key_id": "k9"}, SessionSum(1, 17)),
        ("s", {"credential": "c0ffee"}, SessionSum(1, 11)),
        ("s2", {"key_name": "anna"}, SessionSum(1, 13)),
        ("s2", {"key_name": "bob"}, SessionSum(0, 0)),
        ("s3", {"key_name": "anna"}, SessionSum(0, 0)),
    ],
)
async def test_a_session_is_the_sum_of_what_its_caller_paid(
    database: Database, session: str, who: dict[str, str], expected: SessionSum
):
    await fill(database, *ROWS)
    assert session_cost(database, session, **who) == expected


def test_without_a_ledger_nothing_was_spent(database: Database):
    assert session_cost(database, "s", key_name="anna") == SessionSum(0, 0)


def test_a_ledger_that_cannot_be_read_is_a_named_error(tmp_path: Path):
    (tmp_path / "gw.db").write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(StoreError):
        session_cost(SqliteDatabase(tmp_path / "gw.db"), "s", key_name="anna")
