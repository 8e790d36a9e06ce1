"""Runs `gw serve` as a core installation without network would: the packages of the core lock file, loopback, no more.

    python core_only.py CONFIG PORT

Exit code 0 if /healthz and /readyz answer 200 and the gateway then stops with 0 on SIGTERM. Every Python started below
this process reads the `sitecustomize.py` that `write_guard` makes; under `unshare --net` the network is really absent.
"""

import fcntl
import http.client
import socket
import struct
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from threading import Event

SIOCSIFFLAGS = 0x8914
IFF_UP = 1
START_S = 60
STOP_S = 60
POLL_S = 0.1

GUARD = '''
"""Written by a test: only the core packages can be imported, only loopback can be reached."""
import sys

FORBIDDEN = frozenset({forbidden!r})
LOOPBACK = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", None)


class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"No module named {{name!r}} in a core installation", name=name)


def only_loopback(event, args):
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    if host not in LOOPBACK:
        raise OSError(f"{{event}}: {{host}} is not loopback")


sys.meta_path.insert(0, Absent)
sys.addaudithook(only_loopback)
'''


def write_guard(folder: Path, core: set[str]) -> None:
    """Puts sitecustomize.py into `folder`, for PYTHONPATH; `core`: normalised names of the distributions that may be imported."""
    installed = packages_distributions()
    forbidden = sorted(name for name, owners in installed.items() if not {normal(owner) for owner in owners} & (core | {"gw"}))
    (folder / "sitecustomize.py").write_text(GUARD.format(forbidden=forbidden))


def normal(distribution: str) -> str:
    return distribution.lower().replace("_", "-").replace(".", "-")


def loopback_up() -> None:
    """A new network namespace has its loopback interface down; elsewhere, and where not allowed, this changes nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        except OSError:
            return


def status(port: int, path: str) -> int:
    """HTTP status, or 0 while nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def main(config: str, port: int) -> int:
    loopback_up()
    gateway = subprocess.Popen([sys.executable, "-m", "gw", "serve", "--config", config])
    pause, waiting = Event(), ["/healthz", "/readyz"]
    try:
        for _ in range(int(START_S / POLL_S)):
            waiting = [path for path in waiting if status(port, path) != 200]
            if not waiting or gateway.poll() is not None:
                break
            pause.wait(POLL_S)
    finally:
        gateway.terminate()
        code = gateway.wait(STOP_S)
    print(f"never 200: {waiting}; the gateway ended with {code}" if waiting or code else "started, answered, stopped")
    return 1 if waiting or code else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
