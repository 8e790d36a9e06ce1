"""What the database defines: rows, one version for all of them, and an audit that nobody can rewrite."""

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw.domain.key import FormerSecret, KeyRow
from gw.domain.stored import Definition, Stored
from gw.ledger.control import AuditRow, changing, control_version, read_audit, read_stored
from gw.ledger.migrate import DIRECTORY, migrate
from gw.ledger.sqlite import prepare
from gw.ledger.store import StoreError

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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gw.db"


def test_everything_comes_back_as_it_was_put(path: Path) -> None:
    assert read_stored(path) == Stored() and control_version(path) == 0 and not path.exists()
    with changing(path) as change:
        change.put(RED)
        change.put_key(KEY)
    assert read_stored(path) == Stored(1, (RED,), (KEY,))
    changed, moved = replace(RED, fields="{}", version=2, updated_us=11), replace(KEY, team="blue", former=KEY.former[1:])
    with changing(path) as change:
        assert change.stored == Stored(1, (RED,), (KEY,)) and change.version == 2
        change.put(changed)
        change.put_key(moved)
    assert read_stored(path) == Stored(2, (changed,), (moved,))
    with changing(path) as change:
        change.remove("team", "red")
    assert read_stored(path) == Stored(3, (), (moved,))


def test_version_moves_with_a_change_and_with_nothing_else(path: Path) -> None:
    with changing(path):
        pass
    assert control_version(path) == 0
    with pytest.raises(ZeroDivisionError), changing(path) as change:
        change.put(RED)
        change.note(NOTE)
        raise ZeroDivisionError
    assert control_version(path) == 0 and read_stored(path) == Stored() and read_audit(path, 10) == []
    with changing(path) as change:
        change.put(RED)
    assert control_version(path) == 1


def test_unrevoked_names_and_digests_are_unique_in_the_table_itself(path: Path) -> None:
    with changing(path) as change:
        change.put_key(KEY)
    for other in (
        replace(KEY, public_id="other", digest="12" * 32, former=()),
        replace(KEY, public_id="other", name="b", former=()),
    ):
        with pytest.raises(StoreError, match="UNIQUE"), changing(path) as change:
            change.put_key(other)
    with changing(path) as change:
        change.put_key(replace(KEY, revoked_us=1))
        change.put_key(replace(KEY, public_id="other", digest="12" * 32, former=()))
    assert len(read_stored(path).keys) == 2


def test_kind_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match="CHECK"), changing(path) as change:
        change.put(replace(RED, kind="galaxy"))  # type: ignore[arg-type]


REPLACE = "INSERT OR REPLACE INTO audit VALUES (1, 1, 'eve', 'cli', 'create', 'team', 'red', '', '')"


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit", REPLACE])
def test_audit_can_only_be_added_to(path: Path, statement: str) -> None:
    with changing(path) as change:
        change.put(RED)
        change.note(NOTE)
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="insert-only"):
        db.execute(statement)
    db.close()
    assert read_audit(path, 10) == [NOTE._replace(id=1)]


def test_audit_is_read_from_the_newest_on_by_kind_and_name(path: Path) -> None:
    assert read_audit(path, 10) == []
    with changing(path) as change:
        change.put(RED)
        for name in ("red", "blue", "red"):
            change.note(NOTE._replace(name=name))
        change.note(NOTE._replace(kind="key"))
    assert [row.id for row in read_audit(path, 10)] == [4, 3, 2, 1]
    assert [row.id for row in read_audit(path, 2, before_id=4)] == [3, 2]
    assert [row.id for row in read_audit(path, 10, kind="team", name="red")] == [3, 1]
    assert [row.id for row in read_audit(path, 10, name="red")] == [4, 3, 1]


def test_keys_of_an_earlier_gw_keep_their_version_and_stay_in_force(path: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "0001_ledger.sql").write_text((DIRECTORY / "0001_ledger.sql").read_text())
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, first)
    db.execute("""INSERT INTO virtual_key VALUES ('old', 'aa', 'odd*name', 't', '["*"]', '["a"]', 3, 0, 0)""")
    db.execute("""INSERT INTO virtual_key VALUES ('gone', 'bb', 'gone', '', '["*"]', '["*"]', 4, 0, 7)""")
    db.execute("INSERT INTO meta VALUES ('keys_version', 3)")
    db.close()
    with pytest.raises(StoreError, match="no such table"):
        read_stored(path)
    prepare(path)
    stored = read_stored(path)
    assert stored.version == control_version(path) == 3
    assert stored.keys == (
        KeyRow("old", "aa", "odd*name", "t", ("*",), ("a",), 3, updated_us=3, version=3),
        KeyRow("gone", "bb", "gone", created_us=4, revoked_us=7, updated_us=7, version=3),
    )


def test_broken_database_is_a_store_error(path: Path) -> None:
    path.write_bytes(b"no database" * 500)
    with pytest.raises(StoreError), changing(path):
        pass
    with pytest.raises(StoreError):
        read_stored(path)
    with pytest.raises(StoreError):
        read_audit(path, 1)
