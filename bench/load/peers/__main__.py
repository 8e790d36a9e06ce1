"""python -m bench.load.peers [install] [litellm] [portkey]: what is installed; `install` fetches the pinned versions."""

import subprocess
import sys

from bench.load.peers import litellm, portkey

PEERS = {"litellm": litellm, "portkey": portkey}


def main(words: list[str]) -> int:
    """The exit status: 0 if all that were named are there."""
    names = [word for word in words if word != "install"] or list(PEERS)
    if unknown := [name for name in names if name not in PEERS]:
        print(f"no peer is called {', '.join(unknown)}; there are {', '.join(PEERS)}", file=sys.stderr)
        return 2
    if "install" in words:
        for name in names:
            for command in PEERS[name].install_commands():
                print("==", *command, flush=True)
                if status := subprocess.run(command, check=False).returncode:
                    print(f"{name} could not be installed (exit status {status})", file=sys.stderr)
                    return 1
    for name in names:
        print(f"{name}: {PEERS[name].installed() or 'not installed'} (pinned {PEERS[name].PINNED})")
    return 0 if all(PEERS[name].installed() for name in names) else 1


sys.exit(main(sys.argv[1:]))
