"""A reload is a new snapshot or nothing."""

from pathlib import Path

import pytest

from gw.config.model import Config
from gw.control.service import Actor, Service
from gw.domain.scope import CallPath
from gw.errors import Refusal
from gw.ledger.sqlite import SqliteDatabase
from gw.ops.pepper import load_pepper
from gw.ops.state import StateFile, Word
from gw.publish import Publisher
from gw.snapshot import Snapshot, read

TEXT = """
[auth]
passthrough = false
[server]
state_dir = "state"
contact = "{contact}"
[[upstream]]
name = "fake"
base_url = "http://127.0.0.1:9"
"""


CA = TEXT.format(contact="x").replace("http:", "https:") + 'ca_file = "{name}"\n'


ME = Actor("tester", "cli")


class Ground:
    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.toml"
        self.write("first")
        self.state_dir = folder / "state"
        self.state_dir.mkdir()
        self.database = SqliteDatabase(self.state_dir / "gw.db")
        self.database.prepare()
        self.state = StateFile(self.state_dir / "state.mm", create=True)
        self.publisher = Publisher(self.state, self.state_dir, self.config, self.database)
        assert self.publisher.check()

    def write(self, contact: str) -> None:
        self.config.write_text(TEXT.format(contact=contact))

    @property
    def service(self) -> Service:
        """Over the file in force."""
        return Service(self.file, self.database, load_pepper(self.state_dir))

    @property
    def file(self) -> Config:
        assert self.publisher.snapshot is not None
        return self.publisher.snapshot.file_config

    @property
    def contact(self) -> str:
        assert self.publisher.snapshot is not None
        return self.publisher.snapshot.config.server.contact

    @property
    def version(self) -> int:
        return self.state.words[Word.SNAPSHOT_VERSION]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_nothing_changed_publishes_nothing(ground: Ground) -> None:
    assert not ground.publisher.check() and not ground.publisher.check()
    assert ground.version == 1


def test_changed_file_is_published_at_the_second_look(ground: Ground) -> None:
    ground.write("second one")
    assert not ground.publisher.check()
    assert ground.publisher.check()
    assert ground.contact == "second one" and ground.version == 2


def test_file_that_is_empty_while_it_is_written_lets_nobody_through(ground: Ground) -> None:
    """An empty configuration is valid, and passes everybody's own credential on."""
    ground.config.write_text("")
    assert not ground.publisher.check()
    ground.write("written at last")
    assert not ground.publisher.check()
    assert ground.publisher.check()
    assert ground.contact == "written at last"
    assert ground.publisher.snapshot is not None and not ground.publisher.snapshot.config.auth.passthrough


def test_signal_takes_the_file_at_once(ground: Ground) -> None:
    ground.write("by signal")
    assert ground.publisher.check(forced=True)
    assert ground.contact == "by signal"


def test_broken_file_changes_nothing_and_its_mending_does(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    ground.config.write_text("[sever]\n")
    ground.publisher.check()
    assert not ground.publisher.check()
    assert ground.contact == "first" and ground.version == 1
    assert "sever" in ground.publisher.problem and "the one in force stays" in caplog.text
    ground.write("mended")
    ground.publisher.check()
    assert ground.publisher.check()
    assert ground.contact == "mended" and not ground.publisher.problem


def test_removed_file_changes_nothing(ground: Ground) -> None:
    ground.config.unlink()
    ground.publisher.check()
    assert not ground.publisher.check()
    assert ground.contact == "first"


def test_file_that_broke_before_the_first_snapshot_stops_the_start(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.config.write_text("[sever]\n")
    publisher = Publisher(ground.state, ground.state_dir, ground.config, ground.database)
    with pytest.raises(ValueError, match="sever"):
        publisher.check()


def test_keys_are_published_and_so_is_their_revocation(ground: Ground) -> None:
    created, text = ground.service.create_key("alice", {}, actor=ME)
    assert ground.publisher.check()
    assert [row.name for row in read(ground.state_dir).stored.keys] == ["alice"]
    ground.service.revoke_key(created.public_id, actor=ME)
    assert ground.publisher.check()
    assert read(ground.state_dir).stored.keys[0].revoked_us > 0
    assert text not in (ground.state_dir / "snapshot.msgpack").read_bytes().decode("latin-1")


@pytest.mark.parametrize("broken", ["[sever]\n", CA.format(name="none.pem"), CA.format(name="bad.pem")])
def test_revocation_passes_a_broken_configuration(ground: Ground, broken: str) -> None:
    created, _ = ground.service.create_key("alice", {}, actor=ME)
    assert ground.publisher.check()
    (ground.config.parent / "bad.pem").write_text("no certificate")
    ground.config.write_text(broken)
    ground.publisher.check()
    ground.publisher.check()
    ground.service.revoke_key(created.public_id, actor=ME)
    assert ground.publisher.check()
    assert read(ground.state_dir).stored.keys[0].revoked_us > 0 and ground.contact == "first"


# --- what the database defines ---------------------------------------------------------------------------------------------


def test_change_in_the_database_reaches_the_snapshot(ground: Ground) -> None:
    service = ground.service
    service.create("customer", "acme", {}, actor=ME)
    service.create("team", "red", {"customer": "acme"}, actor=ME)
    item, text = service.create_key("anna", {"team": "red", "max_cost_usd": "2", "session_limit_usd": "5"}, actor=ME)
    service.create("budget", "red", {"team": "red", "limit_usd": "10"}, actor=ME)
    service.create("limit", "pace", {"key": "anna", "requests": 60}, actor=ME)
    assert ground.publisher.check() and not ground.publisher.check()
    snapshot = Snapshot(read(ground.state_dir))
    account = snapshot.authenticator.authenticate(b"", text.encode(), b"", 1).account
    assert (account.key_id, account.team, account.customer) == (item.public_id, "red", "acme")
    assert account.max_cost_nusd == 2 * 10**9 and account.active and account.bounded
    rules = snapshot.budget_book.for_path(CallPath("acme", "red", "anna", item.public_id, session="s"))
    assert [budget.id for budget, _ in rules.budgets] == ["red", "anna#session"]
    assert [limit.id for limit, _ in rules.limits] == ["pace"]
    service.update("budget", "red", {"limit_usd": "20"}, actor=ME)
    service.update("key", "anna", {"active": False}, actor=ME)
    assert ground.publisher.check()
    snapshot = Snapshot(read(ground.state_dir), before=snapshot)
    assert snapshot.budget_book.budgets[0].limit_nusd == 20 * 10**9
    with pytest.raises(Refusal, match="was revoked"):
        snapshot.authenticator.authenticate(b"", text.encode(), b"", 1)


def test_rotated_key_has_both_secrets_until_the_overlap_ends(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gw.clock.wall_us", lambda: 1_000_000_000)
    service = ground.service
    item, first = service.create_key("anna", {}, actor=ME)
    rotated, second = service.rotate_key("anna", overlap_s=60, actor=ME)
    assert rotated.public_id == item.public_id and first != second and rotated.overlap_until_us == 1_060_000_000
    ground.publisher.check()
    opens = Snapshot(read(ground.state_dir)).authenticator.authenticate
    for text in (first, second):
        assert opens(b"", text.encode(), b"", 1_059_999_999).account.key_id == item.public_id
    assert opens(b"", second.encode(), b"", 1_060_000_000).account.key_name == "anna"
    with pytest.raises(Refusal, match="has expired"):
        opens(b"", first.encode(), b"", 1_060_000_000)
    service.revoke_key("anna", actor=ME)
    ground.publisher.check()
    opens = Snapshot(read(ground.state_dir)).authenticator.authenticate
    for text in (first, second):
        with pytest.raises(Refusal, match="was revoked"):
            opens(b"", text.encode(), b"", 1_000_000_001)


def test_team_that_left_the_file_takes_what_named_it_out_of_force_and_says_so(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    first = ground.config.read_text()
    ground.config.write_text(f'{first}[[team]]\nname = "platform"\n')
    ground.publisher.check(forced=True)
    _, text = ground.service.create_key("anna", {"team": "platform"}, actor=ME)
    for name, mode in (("stop", "hard"), ("warn", "soft")):
        ground.service.create("budget", name, {"team": "platform", "limit_usd": "1", "mode": mode}, actor=ME)
    ground.publisher.check()
    assert not ground.publisher.problem and not ground.publisher.left_out
    ground.config.write_text(f"{first}# shorter\n")
    caplog.clear()
    assert ground.publisher.check(forced=True)
    assert [(one.kind, one.name, one.opens) for one in ground.publisher.left_out] == [
        ("budget", "stop", True),
        ("budget", "warn", False),
        ("key", "anna", False),
    ]
    said = 'the hard budget "stop" of the database is not in force: team: there is no team "platform"'
    assert ground.publisher.problem == said
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [said]
    assert sum(record.levelname == "WARNING" for record in caplog.records) == 2
    snapshot = Snapshot(read(ground.state_dir))
    assert snapshot.budget_book.budgets == ()
    with pytest.raises(Refusal, match=r'out of force; tell your gateway administrator: team: there is no team "platform"$'):
        snapshot.authenticator.authenticate(b"", text.encode(), b"", 1)
    caplog.clear()
    ground.publisher.check(forced=True)
    assert not caplog.records, "said once"
    ground.config.write_text(f'{first}[[team]]\nname = "platform"\n')
    ground.publisher.check(forced=True)
    assert not ground.publisher.problem
    assert len(Snapshot(read(ground.state_dir)).budget_book.budgets) == 2


def test_change_in_the_database_passes_a_broken_configuration(ground: Ground) -> None:
    ground.config.write_text("[sever]\n")
    ground.publisher.check(forced=True)
    ground.service.create("budget", "all", {"team": "*", "limit_usd": "1"}, actor=ME)
    assert ground.publisher.check()
    assert [one.id for one in Snapshot(read(ground.state_dir)).budget_book.budgets] == ["all"]
    assert "sever" in ground.publisher.problem
