"""Instructions that a small call takes of each unit that reads its bytes, as callgrind counts them: the same on any day.

    python -m bench.micro.instructions [calls]      needs valgrind

Each unit runs in a process of its own, in a loop that is counted by itself and taken off.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.micro.bench_tap import START, delta
from bench.micro.bodies import ANSWER, SMALL
from gw._fast import Tap, found_in, peek, peek_and_weigh, read_message, weigh
from gw.wire import anthropic

USER_ID = json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": "656803f3-d070-429d-956a-efe131a55364"})
REQUEST = json.dumps(
    {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "x" * 700}], "metadata": {"user_id": USER_ID}}
).encode()
FEED = Tap(5, bytearray(128)).feed
EVENT = delta(" some words are here, as a model writes them")
UNITS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "peek at a request of 1 KB": lambda: peek(SMALL),
    "peek, with Claude Code's user id": lambda: peek(REQUEST),
    "weigh a request of 1 KB": lambda: weigh(SMALL),
    "both, in one pass": lambda: peek_and_weigh(SMALL),
    "both, with Claude Code's user id": lambda: peek_and_weigh(REQUEST),
    "what a whole answer says": lambda: found_in(ANSWER, 5),
    "the same as a tuple": lambda: read_message(ANSWER, 5),
    "the same as nouns": lambda: anthropic.read_message(ANSWER, 5),
    "feed a text delta": lambda: FEED(EVENT),
    "feed a message_start": lambda: FEED(START),
}
WARM_UP = 50


def run(name: str, calls: int) -> None:
    """In the child."""
    call = UNITS[name]
    for _ in range(WARM_UP):
        call()
    subprocess.run(["callgrind_control", "-i", "on", str(os.getpid())], check=True, stdout=subprocess.DEVNULL)
    for _ in range(calls):
        call()
    os._exit(0)


def counted(name: str, calls: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        grind = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        subprocess.run(
            [*grind, sys.executable, "-m", "bench.micro.instructions", "--run", name, str(calls)],
            check=True,
            stderr=subprocess.PIPE,
        )
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
    assert found is not None, "callgrind counted nothing"
    return int(found[1])


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--run"]:
        return run(words[1], int(words[2]))
    calls = int(words[0]) if words else 1_000
    loop = counted("nothing", calls)
    for name in list(UNITS)[1:]:
        print(f"{name:40}{(counted(name, calls) - loop) / calls:>10,.0f}")
    return None


if __name__ == "__main__":
    main()
