"""`gw serve` with what it cannot serve from: exit code 1, at once, with the problem and its place named on stderr."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gw.demo.gateway import free_port
from gw.domain.key import mint
from tests.support.gateway import GatewayUnderTest

GOOD = """
[server]
port = {port}
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
[[upstream]]
name = "fake"
base_url = "http://127.0.0.1:9"
"""
KEY = mint().text
BROKEN = [
    ("not TOML", "{good}port = = 3", "config.toml:10", "TOML"),
    ("an unknown key", "{good}modles = ['*']", "config.toml:10: upstream.modles", '"models"'),
    ("an unknown table", "{good}[[upstraem]]\nname = 'b'", "config.toml:10: upstraem", '"upstream"'),
    ("a wrong type", "{good}pool_max = 'many'", "config.toml:10: upstream.pool_max", "whole number"),
    ("a value out of range", "{good}connect_timeout_s = 0", "config.toml:10: upstream.connect_timeout_s", "0.01 to 86400"),
    ("a wrong choice", "{good}auth = 'baerer'", "config.toml:10: upstream.auth", '"bearer"'),
    ("two of one name", "{good}[[upstream]]\nname = 'fake'", "config.toml:11: upstream.name", "fake"),
    ("a key of no team", "{good}[[key]]\nname = 'k'\nteam = 'none'\nsecret = '" + KEY + "'", "key.team", "none"),
    ("a damaged virtual key", "{good}[[key]]\nname = 'k'\nsecret = '" + KEY[:-1] + "'", "key.secret", "gwk_"),
    (
        "two overrides that tie",
        "{good}[[pricing.override]]\nname='a'\nmultiplier='0.9'\n[[pricing.override]]\nname='b'\nmultiplier='0.8'",
        "pricing.override",
        "b",
    ),
    ("money as a float", "{good}[[pricing.override]]\nname='a'\nmultiplier=0.9", "pricing.override.multiplier", "quotes"),
    ("a ledger of no kind", "{good}[journal]\nfsync = 'no'", "journal.fsync", '"none"'),
]


def serve(config: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gw", "serve", "--config", str(config)]
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60)


def written(folder: Path, text: str = "{good}") -> Path:
    config = folder / "config.toml"
    config.write_text(text.replace("{good}", GOOD.format(port=free_port())))
    return config


@pytest.mark.parametrize(("name", "text", "place", "says"), BROKEN, ids=[one[0] for one in BROKEN])
def test_a_broken_configuration_stops_the_start(tmp_path: Path, name: str, text: str, place: str, says: str) -> None:
    done = serve(written(tmp_path, text))
    assert (done.returncode, done.stdout) == (1, "")
    assert place in done.stderr and says in done.stderr
    assert "Traceback" not in done.stderr and KEY[20:-1] not in done.stderr
    assert not (tmp_path / "state").exists(), "nothing was touched"


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = serve(tmp_path / "missing.toml")
    assert done.returncode == 1 and "missing.toml" in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve(written(tmp_path), GW_SERVER_PORT=str(port))
    assert done.returncode == 1 and f"127.0.0.1:{port}" in done.stderr and "Traceback" not in done.stderr


def test_a_second_gateway_on_one_state_directory_is_refused_and_the_first_serves_on(tmp_path: Path) -> None:
    with GatewayUnderTest(tmp_path, "http://127.0.0.1:9") as first:
        done = serve(first.process.config, GW_SERVER_PORT=str(free_port()), **first.process.environ)
        assert done.returncode == 1 and "another gw" in done.stderr and "state_dir" in done.stderr
        assert first.process.ready()


def test_a_ca_file_that_is_none_is_named_with_its_upstream(tmp_path: Path) -> None:
    done = serve(written(tmp_path, "{good}[[upstream]]\nname = 'b'\nbase_url = 'https://[::1]'\nca_file = 'config.toml'"))
    assert done.returncode == 1 and 'upstream "b"' in done.stderr and "ca_file" in done.stderr and "Traceback" not in done.stderr


def unusable(path: Path) -> None:
    path.write_text("not a directory")


def foreign(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path / "gw.db").write_bytes(b"not a database at all" * 100)


@pytest.mark.parametrize(("prepare", "says"), [(unusable, "state"), (foreign, "gw.db")], ids=["a file", "another database"])
def test_a_state_directory_that_cannot_be_used_is_named(tmp_path: Path, prepare: Callable[[Path], None], says: str) -> None:
    config = written(tmp_path)
    prepare(tmp_path / "state")
    done = serve(config)
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr, done.stderr
