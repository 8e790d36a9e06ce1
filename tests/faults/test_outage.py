"""One of two upstreams is down for a while, under load: it refuses connections, or says 529, or hangs before its first byte.

Nothing saves an answer that was half told when its upstream went away; every call that began later must be served by the
other one. GW_TEST_OUTAGE_S says how long the outage is: at 30 the cool-down is the default one.
"""

import asyncio
import os
import random
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from msgspec.structs import replace

from gw.clock import mono_ns, wall_us
from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.invoice import Line
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.faults.ground import open_calls, until
from tests.faults.load import Seen, call
from tests.faults.purse import Pot, cells, differences
from tests.support.bill import of_invoice, of_row
from tests.support.gateway import GatewayUnderTest, Row

OUTAGE_S = float(os.environ.get("GW_TEST_OUTAGE_S", "8"))
COOLDOWN_S = OUTAGE_S / 6  # trials at 1, 3 and 7 times that, later where a trial hangs: the third finds it well
BACK_S = 4 * COOLDOWN_S  # the cool-down in force by then, doubled twice
BEFORE_S, AFTER_S = 2.0, 1.5
MARGIN_S = 2.0  # the trial itself, and two workers that each make their own
STEADY_S = 0.5  # so long nobody asks the second one: no trial is outstanding
SESSIONS = 60
EVERY_S = 0.3  # 200 calls a second in all
FIRST_BYTE_S = 0.8
PLAYS = [  # name, whether a stream, weight
    ("plain", False, 5),
    ("silent-before 0.02", False, 2),
    ("events 4 2", True, 5),
    ("thinking", True, 2),
    ("events 12 4", True, 2),
]
POTS = [Pot("places", "upstream", "*", "100000", "typical"), Pot("teams", "team", "*", "100000", "worst", "day")]
KEY = mint().text
CONFIG = f"""
[routing]
cooldown_s = {COOLDOWN_S:.3f}
cooldown_max_s = {OUTAGE_S * 2}
[[upstream]]
name = "second"
base_url = "http://127.0.0.1:%d"
api_key = "sk-ant-second"
[[route]]
model = "claude-*"
candidates = [{{ upstream = "fake" }}, {{ upstream = "second", priority = 2 }}]
[[team]]
name = "crew"
[[key]]
name = "crew"
team = "crew"
secret = "env:GW_TEST_CREW"
""" + "".join(pot.toml for pot in POTS)


class First:
    """The upstream that goes down and comes back, always at the same port and with one invoice."""

    def __init__(self) -> None:
        self._held = socket.socket()  # bound, not listening: while it is down nobody else can be given its port
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        self._kind = ""
        self._thread = self._started()
        self.invoice = self._thread.invoice

    def down(self, kind: str) -> None:
        self._kind = kind
        if kind == "refused":
            self._thread.__exit__(None, None, None)

    def up(self) -> None:
        was, self._kind = self._kind, ""
        if was == "refused":
            self._thread = self._started()
            self._thread.upstream.invoice = self.invoice

    def close(self) -> None:
        self._thread.__exit__(None, None, None)
        self._held.close()

    def _started(self) -> UpstreamThread:
        return UpstreamThread(self._answer, port=self.port).__enter__()

    def _answer(self, request: Request) -> Reply:
        if self._kind == "overloaded":
            return answers.error(529, "overloaded_error", "Overloaded")
        reply = by_prompt(request)
        return replace(reply, headers_after=120) if self._kind == "hangs" else reply


class Told(NamedTuple):
    """How one call ended for its client."""

    seen: Seen
    began_us: int


class Clients:
    """Each has a session of its own and calls at a steady pace, whatever comes back."""

    def __init__(self, port: int) -> None:
        self.told: list[Told] = []
        self._port = port
        self._stopping = False
        self._tasks = [asyncio.create_task(self._work(number), name=f"session-{number}") for number in range(SESSIONS)]

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _work(self, number: int) -> None:
        dice = random.Random(number)
        due_ns = mono_ns() + int(EVERY_S * number / SESSIONS * 1e9)
        while not self._stopping:
            await asyncio.sleep(max(due_ns - mono_ns(), 0) / 1e9)
            due_ns += int(EVERY_S * 1e9)
            play, stream, _ = dice.choices(PLAYS, [weight for *_, weight in PLAYS])[0]
            began_us = wall_us()
            self.told.append(Told(await call(self._port, f"session-{number}", play, stream=stream, key=KEY), began_us))


class Course(NamedTuple):
    """The moments of one run, in microseconds."""

    down_us: int
    up_us: int
    end_us: int


async def play(gateway: GatewayUnderTest, first: First, second: UpstreamThread, kind: str) -> tuple[list[Told], Course]:
    clients = Clients(gateway.process.port)
    await asyncio.sleep(BEFORE_S)
    down_us = wall_us()
    await asyncio.to_thread(first.down, kind)
    await asyncio.sleep(OUTAGE_S)
    await asyncio.to_thread(first.up)
    up_us = wall_us()
    asked = -1
    while asked != second.upstream.calls_started and wall_us() < up_us + (BACK_S + MARGIN_S) * 1e6:
        asked = second.upstream.calls_started
        await asyncio.sleep(STEADY_S)
    await asyncio.sleep(AFTER_S)
    await clients.stop()
    return clients.told, Course(down_us, up_us, wall_us())


def judge_clients(told: Sequence[Told], course: Course, kind: str) -> str:
    """What stands in nobody's hand are answers that were half told: those count apart."""
    cut = [one for one in told if not one.seen.ended and one.seen.status == 200 and one.began_us < course.down_us]
    assert kind == "refused" or not cut, cut
    rest = [one for one in told if one not in cut]
    bad = [one for one in rest if not one.seen.good]
    assert len(rest) > 0.9 * SESSIONS / EVERY_S * (OUTAGE_S + BEFORE_S), "the load proves too little"
    assert len(bad) <= len(rest) // 1000, f"{len(bad)} of {len(rest)} failed, the first: {bad[:3]}"
    return f"{len(rest)} calls, {len(bad)} failed, {len(cut)} answers cut at that moment"


def judge_rows(told: Sequence[Told], rows: Sequence[Row], invoices: dict[str, list[Line]]) -> None:
    """Every whole answer has its row, and that the line on the invoice of whoever has served it; nothing else was billed."""
    by_id = {row["call_id"]: row for row in rows}
    lines = {(name, line.request_id): line for name, found in invoices.items() for line in found if line.billed}
    assert len(by_id) == len(rows)
    for one in told:
        if one.seen.good:
            row = by_id[one.seen.call_id]
            assert (row["outcome"], row["usage_source"]) == ("completed", "exact"), row
            assert of_row(row) == of_invoice(lines.pop((row["upstream"], row["upstream_request_id"]))), row
    left = [line for line in lines.values() if line.end == "complete"]
    assert not left, f"{len(left)} answers were billed, and no client has them whole: {left[:2]}"


def judge_story(rows: Sequence[Row], kind: str) -> tuple[str, dict[str, list[tuple[int, str]]]]:
    """The rows of the second say who was tried first; (figures, session -> when it was served by whom)."""
    slugs: Counter[str] = Counter()
    went: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        tried = orjson.loads(row["attempts"] or "[]")
        slugs.update(slug for _, _, slug, _ in tried)
        assert all(name == "fake" for name, *_ in tried) and (not tried or row["upstream"] == "second"), row
        if row["usage_source"] == "estimated":
            assert kind == "hangs" and row["error"] == "upstream_first_byte_timeout" and row["upstream"] == "fake", row
        elif row["outcome"] == "completed":
            went.setdefault(row["session_id"], []).append((row["started_us"], row["upstream"]))
    wanted = {
        "refused": {"connect", "reset", "pool"},
        "overloaded": {"upstream_overloaded_error"},
        "hangs": {"first_byte_timeout"},
    }[kind]
    assert slugs and set(slugs) <= wanted, slugs
    begun = {row["attempt_of"] for row in rows if row["attempt_of"]}
    billed = {row["call_id"] for row in rows if row["usage_source"] == "estimated"}
    assert begun == billed, "an attempt with a charge is named by the one that followed it"
    return f"failed attempts {dict(slugs)}, {len(billed)} of them billed", {name: sorted(found) for name, found in went.items()}


def judge_sessions(went: dict[str, list[tuple[int, str]]], course: Course) -> str:
    """Each was at the first, then at the second, and is back at the first."""
    assert len(went) == SESSIONS
    back_us = []
    for name, found in went.items():
        before = {upstream for at, upstream in found if at < course.down_us - 500_000}
        during = {upstream for at, upstream in found if course.down_us + 1_500_000 < at < course.up_us - 100_000}
        after = [(at, upstream) for at, upstream in found if at > course.up_us]
        assert before == {"fake"} and during == {"second"}, (name, before, during)
        back_us.append(max((at for at, upstream in after if upstream == "second"), default=course.up_us))
        assert after[-1][1] == "fake", (name, after)
    took_s = (max(back_us) - course.up_us) / 1e6
    assert took_s <= BACK_S + MARGIN_S, f"the last session was back after {took_s:.2f} s"
    return f"all {SESSIONS} sessions back after {took_s:.2f} s (cool-down {COOLDOWN_S:.2f} s, doubled twice)"


@pytest.mark.parametrize("kind", ["refused", "overloaded", "hangs"])
async def test_an_outage_of_one_upstream_is_the_others_work(tmp_path: Path, kind: str) -> None:
    first = First()
    with ExitStack() as stack:
        stack.callback(first.close)
        second = stack.enter_context(UpstreamThread(by_prompt))
        gateway = stack.enter_context(
            GatewayUnderTest(
                tmp_path,
                f"http://127.0.0.1:{first.port}",
                workers=2,
                upstream=f"first_byte_timeout_s = {FIRST_BYTE_S}",
                more=CONFIG % second.port,
                environ={"GW_TEST_CREW": KEY},
            )
        )
        told, course = await play(gateway, first, second, kind)
        whole = {one.seen.call_id for one in told if one.seen.good}
        await until(lambda: whole <= {row["call_id"] for row in gateway.rows()} and open_calls(gateway) == 0, "the rows", 10)
        await until(lambda: not any(cell.reserved for cell in cells(gateway).values()), "the end of all holds", 5)
        rows = gateway.rows()
        wrong = differences(POTS, rows, cells(gateway))
        invoices = {"fake": first.invoice.lines(), "second": second.invoice.lines()}
    figures = [judge_clients(told, course, kind)]
    judge_rows(told, rows, invoices)
    story, went = judge_story(rows, kind)
    figures += [story, judge_sessions(went, course)]
    print(f"\n{kind}, {OUTAGE_S:.0f} s: {'; '.join(figures)}")
    assert not wrong, f"{len(wrong)}, the first: {wrong[0]}"
