"""`gw demo` from start to end: the ledger it leaves is the fake upstream's invoice, and nothing is left running."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path


def demo(folder: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gw", "demo", "--port", "0", "--sessions", "16", "--dir", str(folder), *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_demo_ends_with_a_ledger_equal_to_the_invoice(tmp_path: Path) -> None:
    with demo(tmp_path / "site", "--for", "4s") as process:
        out, _ = process.communicate(timeout=90)
    assert process.returncode == 0, out
    found = re.search(r"(\d+) whole answers: ledger \$(\S+) = the upstream's own invoice \$(\S+),", out)
    assert found, out
    assert int(found[1]) > 20 and found[2] == found[3]
    assert re.search(r"^platform .*^mobile .*|^mobile .*^platform ", out, re.MULTILINE | re.DOTALL), out
    for command in (["logs", "-n", "5"], ["usage", "--by", "model"], ["usage", "--by", "session"]):
        looked = [sys.executable, "-m", "gw", *command, "--config", str(tmp_path / "site" / "config.toml")]
        shown = subprocess.run(looked, capture_output=True, text=True, timeout=30)
        assert shown.returncode == 0 and len(shown.stdout.splitlines()) >= 4, (command, shown)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "site" / "keys").iterdir()} == {0o600}


def test_ctrl_c_stops_gateway_and_upstream(tmp_path: Path) -> None:
    with demo(tmp_path / "site") as process:
        assert process.stdout is not None
        shown = ""
        while "Ctrl-C stops everything" not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    port = int(re.search(r"gw +http://127.0.0.1:(\d+)", shown)[1])
    assert not _listening(port)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "gw", "demo", "--port", str(port), "--for", "1s", "--dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert str(port) in done.stderr
