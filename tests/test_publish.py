"""A reload is a new snapshot or nothing."""

from pathlib import Path

import pytest

from gw.ledger.keys import create_key, revoke_key
from gw.ledger.sqlite import prepare
from gw.ops.pepper import load_pepper
from gw.ops.state import StateFile, Word
from gw.publish import Publisher
from gw.snapshot import read

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


class Ground:
    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.toml"
        self.write("first")
        self.state_dir = folder / "state"
        self.state_dir.mkdir()
        self.database = self.state_dir / "gw.db"
        prepare(self.database)
        self.state = StateFile(self.state_dir / "state.mm", create=True)
        self.publisher = Publisher(self.state, self.state_dir, self.config, self.database)
        assert self.publisher.check()

    def write(self, contact: str) -> None:
        self.config.write_text(TEXT.format(contact=contact))

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
    created = create_key(ground.database, load_pepper(ground.state_dir), name="alice")
    assert ground.publisher.check()
    assert [row.name for row in read(ground.state_dir).keys] == ["alice"]
    revoke_key(ground.database, created.row.public_id)
    assert ground.publisher.check()
    assert read(ground.state_dir).keys[0].revoked_us > 0
    assert created.text not in (ground.state_dir / "snapshot.msgpack").read_bytes().decode("latin-1")


@pytest.mark.parametrize("broken", ["[sever]\n", CA.format(name="none.pem"), CA.format(name="bad.pem")])
def test_revocation_passes_a_broken_configuration(ground: Ground, broken: str) -> None:
    created = create_key(ground.database, load_pepper(ground.state_dir), name="alice")
    assert ground.publisher.check()
    (ground.config.parent / "bad.pem").write_text("no certificate")
    ground.config.write_text(broken)
    ground.publisher.check()
    ground.publisher.check()
    revoke_key(ground.database, created.row.public_id)
    assert ground.publisher.check()
    assert read(ground.state_dir).keys[0].revoked_us > 0 and ground.contact == "first"
