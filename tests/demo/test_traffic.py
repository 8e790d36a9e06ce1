"""The simulated sessions look like Claude Code's to a server: ids, growing histories, agents below their parents."""

import asyncio
import socket
from collections import defaultdict

import pytest

from gw.demo.scripts import by_prompt
from gw.demo.traffic import Seat, Session, Tally, keep_going
from gw.demo.upstream import UpstreamThread

SEATS = [Seat("ada", "key-a", "alpha"), Seat("grace", "key-g", "beta", bearer=True)]


async def test_sessions_make_growing_conversations_and_a_tree_of_agents() -> None:
    tally = Tally()
    with UpstreamThread(by_prompt) as upstream:
        sessions = [Session(upstream.base_url, SEATS[n % 2], tally, f"seed {n}", pace_ms=0) for n in range(6)]
        await asyncio.gather(*(session.run(turns=4) for session in sessions))
    lines = upstream.invoice.lines()
    assert {line.headers["x-claude-code-session-id"] for line in lines} == {session.id for session in sessions}
    assert {line.credential for line in lines} == {"x-api-key", "authorization"}
    assert tally.calls["ok"] > 50
    agents, parents = (
        {(line.headers["x-claude-code-session-id"], line.headers.get(name, "")) for line in lines}
        for name in ("x-claude-code-agent-id", "x-claude-code-parent-agent-id")
    )
    assert parents <= agents and len(agents) > len(sessions)
    read = defaultdict(list)
    for line in lines:
        if line.billed and line.usage and not line.headers.get("x-claude-code-agent-id"):
            read[line.headers["x-claude-code-session-id"]].append(line.usage["cache_read_input_tokens"])
    assert all(figures == sorted(figures) and figures[-1] > figures[0] for figures in read.values())


async def test_unreachable_gateway_is_counted_and_tried_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        tally = Tally()
        work = keep_going(f"http://127.0.0.1:{unused.getsockname()[1]}", SEATS, tally, sessions=2, seed="s", pace_ms=0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await work
    assert tally.calls["broken off"] >= 2 and not tally.calls["ok"]
