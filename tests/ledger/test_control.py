"""What the database defines: rows, one version for all of them, and an audit that nobody can rewrite."""

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw.domain.key import FormerSecret, KeyRow
from gw.domain.stored import Definition, Stored
from gw.ledger.audit import GENESIS, AuditRow, read_audit
from gw.ledger.control import changing, control_version, read_stored
from gw.ledger.migrate import SQLITE, migrate
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database, StoreError

RED = Definition("team", "red", '{"customer":"acme"}', 1, 10, 10)
KEY = KeyRow(
    public_id="AbC",
    digest="ab" * 32,
    name="anna",
    team="red",
    models=("claude-*", "x,y"),
    upstreams=("main",),
    created_us=5,
    expires_us=9,
    active=False,
    max_cost_usd="0.5",
    max_tokens=7,
    session_limit_usd="2",
    owner="anna@example.com",
    updated_us=6,
    version=1,
    former=(FormerSecret("cd" * 32, 8), FormerSecret("ef" * 32, 9)),
)
NOTE = AuditRow(0, 1, "ann", "cli", "create", "team", "red", "", '{"customer":"acme"}')


def test_everything_comes_back_as_it_was_put(database: Database) -> None:
    assert read_stored(database) == Stored() and control_version(database) == 0
    with changing(database) as change:
        change.put(RED)
        change.put_key(KEY)
    assert read_stored(database) == Stored(1, (RED,), (KEY,))
    changed, moved = replace(RED, fields="{}", version=2, updated_us=11), replace(KEY, team="blue", former=KEY.former[1:])
    with changing(database) as change:
        assert change.stored == Stored(1, (RED,), (KEY,)) and change.version == 2
        change.put(changed)
        change.put_key(moved)
    assert read_stored(database) == Stored(2, (changed,), (moved,))
    with changing(database) as change:
        change.remove("team", "red")
    assert read_stored(database) == Stored(3, (), (moved,))


def test_version_moves_with_a_change_and_with_nothing_else(database: Database) -> None:
    with changing(database):
        pass
    assert control_version(database) == 0
    with pytest.raises(ZeroDivisionError), changing(database) as change:
        change.put(RED)
        change.note(NOTE)
        raise ZeroDivisionError
    assert control_version(database) == 0 and read_stored(database) == Stored() and read_audit(database, 10) == []
    with changing(database) as change:
        change.put(RED)
    assert control_version(database) == 1


def test_unrevoked_names_and_digests_are_unique_in_the_table_itself(database: Database) -> None:
    with changing(database) as change:
        change.put_key(KEY)
    for other in (
        replace(KEY, public_id="other", digest="12" * 32, former=()),
        replace(KEY, public_id="other", name="b", former=()),
    ):
        with pytest.raises(StoreError, match=r"(?i)unique"), changing(database) as change:
            change.put_key(other)
    with changing(database) as change:
        change.put_key(replace(KEY, revoked_us=1))
        change.put_key(replace(KEY, public_id="other", digest="12" * 32, former=()))
    assert len(read_stored(database).keys) == 2


def test_kind_that_is_none_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match=r"(?i)check"), changing(database) as change:
        change.put(replace(RED, kind="galaxy"))  # type: ignore[arg-type]


AGAIN = (
    "INSERT {} INTO audit (id, at_us, actor, via, action, kind, name, before_json, after_json) {} "
    "VALUES (1, 1, 'eve', 'cli', 'create', 'team', 'red', '', '') {}"
)
REWRITES = ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"]
REWRITES_OF_SQLITE = [*REWRITES, AGAIN.format("OR REPLACE", "", "")]
UPSERT = AGAIN.format("", "OVERRIDING SYSTEM VALUE", "ON CONFLICT (id) DO UPDATE SET actor = 'eve'")
REWRITES_OF_POSTGRES = [*REWRITES, "TRUNCATE audit", UPSERT]


def test_audit_can_only_be_added_to(database: Database) -> None:
    with changing(database) as change:
        change.put(RED)
        change.note(NOTE)
    for statement in REWRITES_OF_SQLITE if isinstance(database, SqliteDatabase) else REWRITES_OF_POSTGRES:
        with pytest.raises(StoreError, match="insert-only"), database.changing() as db:
            db.execute(statement)
    assert read_audit(database, 10) == [NOTE._replace(id=1).after(GENESIS)]


def test_audit_is_read_from_the_newest_on_by_kind_and_name(database: Database) -> None:
    assert read_audit(database, 10) == []
    with changing(database) as change:
        change.put(RED)
        for name in ("red", "blue", "red"):
            change.note(NOTE._replace(name=name))
        change.note(NOTE._replace(kind="key"))
    assert [row.id for row in read_audit(database, 10)] == [4, 3, 2, 1]
    assert [row.id for row in read_audit(database, 2, before_id=4)] == [3, 2]
    assert [row.id for row in read_audit(database, 10, kind="team", name="red")] == [3, 1]
    assert [row.id for row in read_audit(database, 10, name="red")] == [4, 3, 1]


def test_keys_of_an_earlier_gw_keep_their_version_and_stay_in_force(tmp_path: Path) -> None:
    path = tmp_path / "gw.db"
    database = SqliteDatabase(path)
    first = tmp_path / "first"
    first.mkdir()
    (first / "0001_ledger.sql").write_text((SQLITE.directory / "0001_ledger.sql").read_text())
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, SQLITE._replace(directory=first))
    db.execute("""INSERT INTO virtual_key VALUES ('old', 'aa', 'odd*name', 't', '["*"]', '["a"]', 3, 0, 0)""")
    db.execute("""INSERT INTO virtual_key VALUES ('gone', 'bb', 'gone', '', '["*"]', '["*"]', 4, 0, 7)""")
    db.execute("INSERT INTO meta VALUES ('keys_version', 3)")
    db.close()
    with pytest.raises(StoreError, match="no such table"):
        read_stored(database)
    database.prepare()
    stored = read_stored(database)
    assert stored.version == control_version(database) == 3
    assert stored.keys == (
        KeyRow("old", "aa", "odd*name", "t", ("*",), ("a",), 3, updated_us=3, version=3),
        KeyRow("gone", "bb", "gone", created_us=4, revoked_us=7, updated_us=7, version=3),
    )


def test_broken_database_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "gw.db"
    database = SqliteDatabase(path)
    path.write_bytes(b"no database" * 500)
    with pytest.raises(StoreError), changing(database):
        pass
    with pytest.raises(StoreError):
        read_stored(database)
    with pytest.raises(StoreError):
        read_audit(database, 1)
