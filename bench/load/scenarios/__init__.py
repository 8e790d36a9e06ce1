"""The scenarios by name, in the order in which they run; and which of the two upstreams each needs."""

from collections.abc import Callable

from bench.load.ground import Ground
from bench.load.scenarios import awake, big, mixed, routed, small, storm, streams, turn, workers

ANSWERING: dict[str, Callable[[Ground], None]] = {
    "small.closed": small.closed,
    "small.alone": small.alone,
    "small.open": small.open_loop,
    "awake.alone": awake.alone,
    "awake.open": awake.open_loop,
    "routed.closed": routed.closed,
    "workers": workers.run,
}
PLAYING: dict[str, Callable[[Ground], None]] = {
    "big": big.run,  # the first: it looks at how far memory rises
    "turn": turn.run,
    "awake.turn": awake.turns,
    "streams": streams.run,
    "routed.streams": routed.streams,
    "mixed": mixed.mixed,
    "storm": storm.run,
    "soak": mixed.soak,
}
ALL = (*ANSWERING, *PLAYING)
SMOKE = ("small.closed", "small.alone", "small.open", "big", "turn", "streams", "storm")


def chosen(words: tuple[str, ...]) -> tuple[str, ...]:
    """Scenarios by name or by the part before the dot. Raises ValueError for a word that is neither."""
    found = [name for name in ALL if not words or name in words or name.split(".")[0] in words]
    unknown = [word for word in words if not any(word in (name, name.split(".")[0]) for name in ALL)]
    if unknown:
        raise ValueError(f"no scenario is called {', '.join(unknown)}; there are {', '.join(ALL)}")
    return tuple(found)
