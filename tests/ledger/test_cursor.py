"""Cursors of the courier's duties, on both databases."""

from gw.ledger.cursor import move_cursor, move_cursor_in, read_cursor
from gw.ledger.store import Database


def test_a_cursor_that_never_moved_says_so(database: Database) -> None:
    assert read_cursor(database, "export-a") == -1
    database.prepare()
    assert read_cursor(database, "export-a") == -1


def test_each_cursor_moves_by_itself_and_never_backwards(database: Database) -> None:
    move_cursor(database, "export-a", 0)
    move_cursor(database, "export-b", 2**62)
    assert (read_cursor(database, "export-a"), read_cursor(database, "export-b")) == (0, 2**62)
    move_cursor(database, "export-a", 17)
    move_cursor(database, "export-a", 16)
    assert read_cursor(database, "export-a") == 17


def test_it_moves_with_the_transaction_it_belongs_to(database: Database) -> None:
    move_cursor(database, "alerts", 1)
    try:
        with database.changing() as db:
            move_cursor_in(db, "alerts", 2)
            raise KeyError
    except KeyError:
        assert read_cursor(database, "alerts") == 1
