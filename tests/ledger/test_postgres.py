"""What is Postgres' own: connections, months, one writer, and its death."""

import asyncio
import os
import threading
from collections.abc import Iterator

import psycopg
import pytest
from msgspec.structs import astuple

from gw.domain.call import CallRecord
from gw.ledger import postgres, postgres_lanes, postgres_store, reports
from gw.ledger.months import begin_us, bounds_of, month_of
from gw.ledger.postgres import PostgresDatabase, name_of, parameters_of
from gw.ledger.rollup_shape import LEVELS
from gw.ledger.store import Batch, StoreError, Unreachable
from tests.ledger.records import NOON_US, record
from tests.support.databases import Server, on_server, query
from tests.support.postgres import Cluster

EDGES = ["call_early", "call_late"]
MONTHS = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'call'::regclass ORDER BY 1"


@pytest.fixture
def database(server: Server) -> Iterator[PostgresDatabase]:
    for made in on_server(server):
        assert isinstance(made, PostgresDatabase)
        yield made


def rows(*records: CallRecord) -> Batch:
    return Batch(rows=[astuple(one) for one in records])


def backends(server: Server) -> int:
    """Connections that gw holds now, to any database."""
    with psycopg.connect(server.cluster.url("postgres")) as connection:
        found = connection.execute("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'gw'").fetchone()
        return int(found[0]) if found else 0


# --- addresses --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://gw:secret@db.example.com:5433/ledger?sslmode=require", "postgresql://gw@db.example.com:5433/ledger"),
        ("postgresql://a,b:6000/ledger", "postgresql://a,b:,6000/ledger"),
        ("postgresql:///ledger?host=/run/pg&password=secret", "postgresql:///run/pg/ledger"),
        ("postgresql:///ledger?service=gw", "postgresql:///ledger"),
    ],
)
def test_a_log_names_the_database_and_no_secret(url: str, name: str) -> None:
    assert name_of(parameters_of(url)) == name and "secret" not in repr(name_of(parameters_of(url)))


def test_the_address_has_the_last_word_about_its_connection() -> None:
    assert parameters_of("postgresql:///x")["connect_timeout"] == "3"
    assert parameters_of("postgresql:///x?connect_timeout=9&application_name=other")["connect_timeout"] == "9"


def test_a_broken_address_is_said_without_a_part_of_its_password() -> None:
    with pytest.raises(StoreError, match="no address that libpq understands") as caught:
        parameters_of("postgresql://gw:se%cret@h/x")
    assert "cret" not in str(caught.value) and caught.value.__cause__ is None


# --- connections ------------------------------------------------------------------------------------------------------------


def test_one_connection_serves_one_use_after_the_other(database: PostgresDatabase, server: Server) -> None:
    before = backends(server)
    for _ in range(5):
        assert query(database, "SELECT COUNT(*) FROM call") == [(0,)]
    assert backends(server) == before + 1
    with database.reading() as one, database.reading() as other:
        assert one is not None and other is not None
        assert one.execute("SELECT pg_backend_pid()").fetchall() != other.execute("SELECT pg_backend_pid()").fetchall()
    database.close()


def test_a_view_does_not_move(database: PostgresDatabase) -> None:
    with database.reading() as db:
        assert db is not None
        assert db.execute("SELECT COUNT(*) FROM meta").fetchone() == (0,)
        with database.changing() as other:
            other.execute("INSERT INTO meta VALUES ('a', 1)")
        assert db.execute("SELECT COUNT(*) FROM meta").fetchone() == (0,)
    assert query(database, "SELECT COUNT(*) FROM meta") == [(1,)]


def test_a_reader_cannot_write(database: PostgresDatabase) -> None:
    with pytest.raises(StoreError, match="read-only transaction"), database.reading() as db:
        assert db is not None
        db.execute("DELETE FROM meta")
    assert query(database, "SELECT COUNT(*) FROM meta") == [(0,)], "and the connection is as good as before"


def test_what_fails_in_the_block_is_undone(database: PostgresDatabase) -> None:
    with pytest.raises(ZeroDivisionError), database.changing() as db:
        db.execute("INSERT INTO meta VALUES ('a', 1)")
        raise ZeroDivisionError
    assert query(database, "SELECT COUNT(*) FROM meta") == [(0,)]


def test_changes_wait_for_each_other(database: PostgresDatabase) -> None:
    def add() -> None:
        for _ in range(20):
            with database.changing() as db:
                (value,) = db.execute("SELECT coalesce(max(value), 0) FROM meta WHERE name = 'n'").fetchone()
                db.execute(
                    "INSERT INTO meta VALUES ('n', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (value + 1,)
                )

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query(database, "SELECT value FROM meta") == [(80,)]


def test_connections_that_died_unused_are_replaced(database: PostgresDatabase, server: Server) -> None:
    with database.reading(), database.reading():
        pass
    with psycopg.connect(server.cluster.url("postgres"), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gw'")
    assert query(database, "SELECT COUNT(*) FROM call") == [(0,)]


def test_a_forked_child_takes_no_connection_of_its_parent(database: PostgresDatabase) -> None:
    mine = query(database, "SELECT pg_backend_pid()")
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, str(query(database, "SELECT pg_backend_pid()")).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        assert told.read() not in ("", str(mine))
    os.waitpid(child, 0)
    assert query(database, "SELECT pg_backend_pid()") == mine, "whose connection goes on"


def test_where_nobody_answers_the_next_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    database = PostgresDatabase("postgresql:///gw?host=/nowhere&user=gw")
    with pytest.raises(Unreachable, match="No such file or directory"), database.reading():
        pass
    monkeypatch.setattr(psycopg, "connect", lambda **_: pytest.fail("asked again"))
    with pytest.raises(Unreachable, match="No such file or directory"), database.changing():
        pass
    monkeypatch.setattr(postgres.clock, "mono_ns", lambda: 2**62)
    with pytest.raises(pytest.fail.Exception, match="asked again"), database.reading():
        pass


def test_a_database_that_is_not_there_is_said_in_its_servers_words(server: Server) -> None:
    with pytest.raises(Unreachable, match='database "none" does not exist'):
        PostgresDatabase(server.cluster.url("none")).prepare()


def test_sums_are_whole_numbers_of_any_size(database: PostgresDatabase) -> None:
    assert query(database, "SELECT SUM(x) FROM (VALUES (?::bigint), (?)) AS v (x)", (2**63 - 1, 2**63 - 1)) == [(2**64 - 2,)]


# --- the store --------------------------------------------------------------------------------------------------------------


async def test_each_month_has_its_own_partition_whatever_the_clock_said(database: PostgresDatabase) -> None:
    store = database.store()
    await store.open()
    for_ever = [begin_us(month_of(NOON_US)) - 1, NOON_US, NOON_US + 40 * 86_400_000_000, 0, -5, 2**63 - 1]
    await store.commit(rows(*(record(str(number), started_us=at_us) for number, at_us in enumerate(for_ever))))
    await store.commit(rows(record("again", started_us=NOON_US)))
    found = [name for (name,) in query(database, MONTHS)]
    assert found == ["call_2026_10", "call_2026_11", "call_2026_12", *EDGES]
    assert query(database, "SELECT call_id FROM call_2026_11 ORDER BY seq") == [("1",), ("again",)]
    assert len(reports.logs(database)[0]) == 7
    await store.close()


async def test_a_month_that_somebody_removed_is_made_anew(database: PostgresDatabase) -> None:
    store = database.store()
    await store.open()
    await store.commit(rows(record("a")))
    with database.changing() as db:
        db.execute("DROP TABLE call_2026_11")
    with pytest.raises(StoreError, match="does not exist"):
        await store.commit(rows(record("b")))
    await store.close()
    await store.open()
    assert await store.commit(rows(record("b"))) == 0
    assert query(database, "SELECT call_id FROM call") == [("b",)]
    await store.close()


async def test_nothing_is_written_into_a_month_that_somebody_took_out(database: PostgresDatabase) -> None:
    store = database.store()
    await store.open()
    await store.commit(rows(record("a")))
    with database.changing() as db:
        db.execute("ALTER TABLE call DETACH PARTITION call_2026_11")
    with pytest.raises(StoreError, match="call_2026_11 is no partition"):
        await store.commit(rows(record("b")))
    await store.close()
    assert query(database, "SELECT call_id FROM call_2026_11") == [("a",)]
    assert query(database, f"SELECT SUM(calls) FROM usage_day WHERE level = {LEVELS[0].number}") == [(1,)]
    with database.changing() as db:
        low, high = bounds_of(month_of(NOON_US))
        db.execute(f"ALTER TABLE call ATTACH PARTITION call_2026_11 FOR VALUES FROM ({low}) TO ({high})")
    await store.open()
    assert await store.commit(rows(record("a"), record("b"))) == 1
    assert query(database, "SELECT call_id FROM call ORDER BY seq") == [("a",), ("b",)]
    await store.close()


async def test_indexes_of_distinct_entries_are_not_looked_through_for_equal_ones(database: PostgresDatabase) -> None:
    """Those of a month that is made, and of one that was made by an older version."""
    store = database.store()
    await store.open()
    await store.commit(rows(record("a")))
    await store.close()
    indexes = (
        "SELECT relname, reloptions FROM pg_index JOIN pg_class ON oid = indexrelid "
        "WHERE indrelid = 'call_2026_11'::regclass AND NOT indisunique ORDER BY 1"
    )
    made = query(database, indexes)
    assert [name for name, options in made if options is None] == ["call_2026_11_attempt_of_idx", "call_2026_11_session_id_idx"]
    assert len(made) > 10 and {tuple(options) for _, options in made if options is not None} == {("deduplicate_items=off",)}
    with database.changing() as db:
        for name, _ in made:
            db.execute(f"ALTER INDEX {name} RESET (deduplicate_items)")
        db.execute("DELETE FROM schema_migration WHERE name >= '0020'")
    database.prepare()
    assert query(database, indexes) == made


async def test_a_month_is_made_while_somebody_reads(database: PostgresDatabase) -> None:
    store = database.store()
    await store.open()
    await store.commit(rows(record("a")))
    with database.reading() as db:
        assert db is not None
        assert db.execute("SELECT COUNT(*) FROM call").fetchone() == (1,)
        await store.commit(rows(record("b", started_us=NOON_US + 40 * 86_400_000_000)))
        assert db.execute("SELECT COUNT(*) FROM call").fetchone() == (1,)
    assert query(database, "SELECT COUNT(*) FROM call") == [(2,)]
    await store.close()


async def test_a_month_that_is_read_goes_later(database: PostgresDatabase) -> None:
    store = database.store()
    await store.open()
    await store.commit(rows(record("a", billed_pusd=5)))
    with database.reading() as db:
        assert db is not None
        db.execute("SELECT COUNT(*) FROM call")
        assert await store.retire(NOON_US * 2) is False
    assert query(database, "SELECT COUNT(*) FROM call") == [(1,)] and not query(database, "SELECT 1 FROM spent_earlier")
    await store.retire(NOON_US * 2)
    assert query(database, MONTHS) == [] and query(database, "SELECT cost_low FROM spent_earlier") == [(1,)]
    await store.close()


async def test_two_gateways_do_not_write_to_one_ledger(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = database.store(), database.store()
    await first.open()
    monkeypatch.setattr(postgres_lanes, "SESSION", "SET lock_timeout = 50")
    with pytest.raises(Unreachable, match="another gateway writes to this ledger"):
        await second.open()
    await second.close()
    await first.close()
    await second.open()
    assert await second.commit(rows(record("a"))) == 0
    await second.close()


async def test_two_ledgers_may_share_a_database(database: PostgresDatabase) -> None:
    with database.changing() as db:
        db.execute("CREATE SCHEMA beside")
    other = PostgresDatabase(f"{database.url}&options=-csearch_path%3Dbeside")
    stores = [database.store(), other.store()]
    for number, store in enumerate(stores):
        await store.open()
        await store.commit(rows(*(record(f"c{index}") for index in range(number + 1))))
    assert [query(one, "SELECT COUNT(*) FROM call") for one in (database, other)] == [[(1,)], [(2,)]]
    for store in stores:
        await store.close()
    other.close()


async def test_a_commit_is_safe_before_it_is_told(database: PostgresDatabase) -> None:
    """Whatever the server's default: the journal's segment goes then."""
    with database.changing() as db:
        db.execute(f"ALTER DATABASE {database.parameters['dbname']} SET synchronous_commit = off")
    store = database.store()
    await store.open()
    assert store._lanes
    assert await (await store._lanes[0].execute("SHOW synchronous_commit")).fetchone() == ("on",)
    await store.close()


# --- its death --------------------------------------------------------------------------------------------------------------


async def test_a_server_that_was_killed_is_found_again(cluster: Cluster) -> None:
    database = PostgresDatabase(cluster.url("postgres"))
    store = database.store()
    await store.open()
    await store.commit(rows(record("a")))
    await store.check()
    cluster.kill()
    with pytest.raises(Unreachable):
        await store.check()
    with pytest.raises(Unreachable):
        await store.commit(rows(record("b")))
    await store.close()
    with pytest.raises(Unreachable):
        await store.open()
    with pytest.raises(Unreachable):
        query(database, "SELECT 1 FROM call")
    cluster.start()
    database._refused = (0, "")
    await store.open()
    assert await store.commit(rows(record("a"), record("b"))) == 1
    assert query(database, "SELECT call_id FROM call ORDER BY seq") == [("a",), ("b",)]
    await store.close()
    database.close()


async def test_a_server_that_stands_still_is_given_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    database = PostgresDatabase(cluster.url("postgres"))
    store = database.store()
    await store.open()
    monkeypatch.setattr(postgres_store, "CHECK_S", 0.2)
    cluster.freeze()
    thaw = asyncio.get_running_loop().call_later(1.0, lambda: cluster.freeze(thaw=True))
    with pytest.raises(Unreachable, match="no answer within 0 s"):
        await store.check()
    thaw.cancel()
    cluster.freeze(thaw=True)
    await store.close()
    await store.open()
    assert await store.commit(rows(record("a"))) == 0
    await store.close()
    database.close()
