"""Whoever changes the audit is found at the very row, on both databases."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gw.audit.anchor import Anchor, anchors_in, anchors_of, line_of, unsigned
from gw.audit.record import put_signed_anchor, verify
from gw.audit.sign import HmacKey, signed
from gw.audit.verify import Verification, merged
from gw.ledger.audit import COLUMNS, GENESIS, AuditRow, Head, append, read_head, seal
from gw.ledger.store import Connection, Database
from tests.audit.tampering import KEY, MARKS, ROWS, filled, found, rechained, row, sql, tamper, verified

INSERT = f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({MARKS})"


def renumbered(db: Connection) -> None:
    """Rows after the fifth move up by one."""
    for number in range(6, ROWS + 1):
        db.execute("UPDATE audit SET id = ? WHERE id = ?", (number - 1, number))


def exchanged(first: int, second: int) -> Callable[[Connection], object]:
    def deed(db: Connection) -> None:
        for before, after in ((first, -1), (second, first), (-1, second)):
            db.execute("UPDATE audit SET id = ? WHERE id = ?", (after, before))

    return deed


def test_an_untouched_audit_is_whole(database: Database) -> None:
    filled(database, anchored_at=(3, 7))
    report = verified(database)
    assert report.is_whole, report.findings
    assert (report.rows, report.first_id, report.last_id, report.anchors, report.signed_id) == (9, 1, 9, 2, 7)
    assert verified(database, 4, 6).is_whole and verified(database, 4, 6).rows == 3


def test_an_empty_audit_is_whole(database: Database) -> None:
    assert verified(database).is_whole
    database.prepare()
    assert verified(database).is_whole


EDITS: list[tuple[str, object]] = [
    ("at_us", 1006),
    ("actor", "somebody else"),
    ("via", "cli"),
    ("action", "create"),
    ("kind", "key"),
    ("name", "team 6"),
    ("before_json", ""),
    ("after_json", '{"a":6}'),
    ("prev_hash", "ab" * 32),
    ("hash", "cd" * 32),
]


@pytest.mark.parametrize("at", [1, 5, ROWS])
def test_every_column_of_a_row_is_held_by_its_hash(database: Database, at: int) -> None:
    filled(database)
    untouched = {name: value for name, value in zip(COLUMNS, _row(database, at), strict=True)}
    for column, value in EDITS:
        tamper(database, sql(f"UPDATE audit SET {column} = ? WHERE id = ?", value, at))
        assert found(verified(database)) == [("edited", at, at)], column
        tamper(database, sql(f"UPDATE audit SET {column} = ? WHERE id = ?", untouched[column], at))
    assert verified(database).is_whole


def _row(database: Database, number: int) -> AuditRow:
    with database.reading() as db:
        assert db is not None
        return AuditRow(*db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit WHERE id = ?", (number,)).fetchone())


FOREIGN = row(5)._replace(id=ROWS + 1)
DEEDS = [
    pytest.param([sql("DELETE FROM audit WHERE id = 1")], [("missing", 1, 1)], id="the first is deleted"),
    pytest.param([sql("DELETE FROM audit WHERE id = 5")], [("missing", 5, 5)], id="one in the middle is deleted"),
    pytest.param([sql("DELETE FROM audit WHERE id IN (4, 5, 6)")], [("missing", 4, 6)], id="several are deleted"),
    pytest.param([sql("DELETE FROM audit WHERE id = 9")], [("missing", 9, 9)], id="the last is deleted"),
    pytest.param([sql("DELETE FROM audit WHERE id > 6")], [("missing", 7, 9)], id="the end is cut off"),
    pytest.param([sql("DELETE FROM audit")], [("missing", 1, 9)], id="all are deleted"),
    pytest.param([exchanged(4, 5)], [("moved", 4, 4), ("moved", 5, 5)], id="two neighbours are exchanged"),
    pytest.param([exchanged(3, 7)], [("moved", 3, 3), ("moved", 7, 7)], id="two far rows are exchanged"),
    pytest.param([sql("UPDATE audit SET id = 90 WHERE id = 5")], [("missing", 5, 5), ("moved", 90, 90)], id="one is put last"),
    pytest.param([sql(INSERT, *FOREIGN)], [("inserted", 10, 10)], id="one without a hash is put behind"),
    pytest.param([sql(INSERT, *FOREIGN.after("ab" * 32))], [("inserted", 10, 10)], id="one that follows nothing is put behind"),
    pytest.param([sql("UPDATE audit SET hash = '', prev_hash = '' WHERE id = 5")], [("inserted", 5, 5)], id="hashes are removed"),
    pytest.param([sql("DELETE FROM audit_head")], [("head", 9, 9)], id="the head is removed"),
]


@pytest.mark.parametrize(("deeds", "said"), DEEDS)
def test_what_was_done_to_rows_is_found_where_it_was_done(
    database: Database, deeds: list[Callable[[Connection], object]], said: list[tuple[str, int, int]]
) -> None:
    filled(database)
    tamper(database, *deeds)
    report = verified(database)
    assert found(report) == said, report.findings


def test_rows_that_move_up_into_a_gap_are_found_from_there_on(database: Database) -> None:
    filled(database)
    tamper(database, sql("DELETE FROM audit WHERE id = 5"), renumbered)
    assert found(verified(database)) == [*(("moved", number, number) for number in (5, 6, 7, 8)), ("missing", 9, 9)]


def test_a_row_that_is_put_behind_with_a_right_hash_lies_beyond_the_head(database: Database) -> None:
    filled(database)
    tamper(database, lambda db: db.execute(INSERT, FOREIGN.after(read_head(db).hash)))  # type: ignore[union-attr]
    assert found(verified(database)) == [("inserted", 10, 10)]
    with database.changing() as db:
        append(db, row(11))
    assert found(verified(database)) == [("inserted", 10, 10)], "and what gw writes then does not follow it"


RECHAINED = [
    pytest.param([sql("UPDATE audit SET actor = 'mallory' WHERE id = 5")], [("rewritten", 5, 5)], id="an edit"),
    pytest.param([sql("DELETE FROM audit WHERE id = 5")], [("missing", 5, 5)], id="a deletion"),
    pytest.param([sql("DELETE FROM audit WHERE id = 1")], [("missing", 1, 1)], id="a deletion of the first"),
    pytest.param([sql("DELETE FROM audit WHERE id > 6")], [("missing", 7, 8)], id="a cut: what was not signed is lost"),
    pytest.param([exchanged(4, 5)], [("rewritten", 4, 4), ("rewritten", 5, 5)], id="an exchange"),
    pytest.param(
        [sql("UPDATE audit SET actor = 'mallory' WHERE id = 2"), sql("UPDATE audit SET actor = 'm' WHERE id = 8")],
        [("rewritten", 2, 2), ("rewritten", 8, 8)],
        id="two edits",
    ),
]


@pytest.mark.parametrize(("deeds", "said"), RECHAINED)
def test_a_chain_that_is_computed_anew_without_the_key_is_found_at_the_row(
    database: Database, deeds: list[Callable[[Connection], object]], said: list[tuple[str, int, int]]
) -> None:
    filled(database, anchored_at=(3, 8))
    tamper(database, *deeds, rechained)
    assert found(verified(database)) == said


def test_a_chain_that_is_computed_anew_and_its_anchors_taken_away_is_found_by_those_that_were_kept(database: Database) -> None:
    filled(database, anchored_at=(3, 8))
    with database.reading() as db:
        assert db is not None
        lines = [line_of(one) for one in anchors_of(db)]
    tamper(database, sql("UPDATE audit SET actor = 'mallory' WHERE id = 5"), rechained)
    tamper(database, sql("DELETE FROM audit_anchor"), table="audit_anchor")
    assert verified(database).is_whole, "nobody can tell without them"
    assert found(verify(database, KEY, anchors_in(lines, "kept"))) == [("rewritten", 5, 5)]


def test_an_anchor_of_another_key_is_no_witness(database: Database) -> None:
    filled(database, anchored_at=(3,))
    put_signed_anchor(database, HmacKey(b"q" * 32), 2010)
    report = verified(database)
    assert found(report) == [("anchor", 2, 2)] and (report.anchors, report.signed_id) == (1, 3)


@pytest.mark.parametrize("column", ["at_us", "first_id", "last_id", "hash", "digests", "ledger_id", "previous", "signature"])
def test_every_column_of_an_anchor_is_signed(database: Database, column: str) -> None:
    filled(database, anchored_at=(3, 8))
    value: object = 4 if column in ("at_us", "first_id", "last_id", "ledger_id") else "AAAA"
    tamper(database, sql(f"UPDATE audit_anchor SET {column} = ? WHERE id = 1", value), table="audit_anchor")
    assert ("anchor", 1, 1) in found(verified(database))


def test_an_anchor_that_is_taken_away_is_missed_by_the_next(database: Database) -> None:
    filled(database, anchored_at=(3, 6, 9))
    tamper(database, sql("DELETE FROM audit_anchor WHERE id = 2"), table="audit_anchor")
    assert found(verified(database)) == [("anchor", 3, 3)]


def test_rows_of_earlier_versions_become_the_beginning_of_the_chain_once(database: Database) -> None:
    database.prepare()
    with database.changing() as db:
        for number in (1, 2, 4):
            db.execute(INSERT, row(number)._replace(id=number))
    report = verified(database)
    assert report.is_whole and report.unchained == 3
    seal(database)
    with database.changing() as db:
        append(db, row(5))
        head = read_head(db)
    assert head == Head(5, _row(database, 5).hash, 4)
    report = verified(database)
    assert report.is_whole and (report.rows, report.unchained) == (4, 0)
    tamper(database, sql(INSERT, *row(9)._replace(id=6)))
    seal(database)
    assert found(verified(database)) == [("inserted", 6, 6)], "what comes later without a hash is never taken in"


# --- without a database -------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8), st.data())
def test_any_change_of_any_text_is_found_at_its_row(texts: list[tuple[str, str, str]], data: st.DataObject) -> None:
    rows, prev_hash = [], GENESIS
    for number, (actor, name, after) in enumerate(texts, 1):
        rows.append(AuditRow(number, number, actor, "api", "update", "team", name, "", after).after(prev_hash))
        prev_hash = rows[-1].hash
    head = Head(len(rows), prev_hash)
    assert Verification(head, (), None).run(rows).is_whole
    at = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(["actor", "name", "after_json", "via", "kind"]))
    value = data.draw(TEXTS.filter(lambda text: text != getattr(rows[at], field)))
    changed = [*rows[:at], rows[at]._replace(**{field: value}), *rows[at + 1 :]]
    assert found(Verification(head, (), None).run(changed)) == [("edited", at + 1, at + 1)]


def test_values_cannot_be_shifted_from_one_column_into_the_next() -> None:
    one = AuditRow(1, 2, "ab", "c", "", "", "", "", "")
    assert one.content != one._replace(actor="a", via="bc").content


def test_kept_anchors_come_before_those_of_the_database() -> None:
    own = [signed(unsigned(None, [], [(number, "ab" * 32)], number), KEY) for number in (1, 2)]
    own = [replace(one, id=number) for number, one in enumerate(own, 1)]
    kept = [replace(own[0], at_us=9), replace(own[0], id=3)]
    assert [(one.id, one.at_us) for one in merged(own, kept)] == [(1, 9), (2, 2), (3, 1)]


def test_a_file_of_anchors_names_the_line_that_is_none() -> None:
    anchor = Anchor(1, 2, 1, 1, "", "", 0, "", "", "")
    assert anchors_in([line_of(anchor), "\n"], "f") == [anchor]
    with pytest.raises(ValueError, match="f:2: not an anchor"):
        anchors_in([line_of(anchor), "{}"], "f")
