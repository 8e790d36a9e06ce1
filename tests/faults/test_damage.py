"""Files of the state directory damaged, removed or torn, and a clock that goes backwards: a clear line in the log, no crash,
and every call accounted for as well as what is left allows."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.ledger import write_buffer
from gw.ledger.frames import FRAME_HEAD, replay, split
from gw.ops.state import FILE_BYTES, PAGE, STATE_FILE, WORKERS_MAX
from tests.faults.ground import log, open_calls, page, readiness, until
from tests.faults.load import Seen, begin, call, under_way
from tests.faults.processes import await_end, family, kill
from tests.faults.test_kill import counters
from tests.faults.verdict import Verdict, judge
from tests.requires import need
from tests.support.gateway import GatewayUnderTest

AGAIN_S = 5.0
BLOCK_PAGES = PAGE * (1 + WORKERS_MAX)  # where the slots begin


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    need("/proc", Path("/proc/self/stat").exists(), "run this suite on Linux")
    with UpstreamThread(by_prompt) as fake:
        yield fake


async def cut(gateway: GatewayUnderTest) -> list[Seen]:
    """One call ends, one is under way when every process of the gateway is killed."""
    port = gateway.process.port
    seen = [await call(port, "ended", "plain", stream=True)]
    begun, running = await under_way(port, 1)
    everyone = family(gateway)
    kill(everyone.supervisor, *everyone.children)
    await asyncio.to_thread(gateway.process.stop)
    await asyncio.to_thread(await_end, everyone.children, AGAIN_S)
    await running
    return [*seen, *begun]


async def started_again(gateway: GatewayUnderTest, upstream: UpstreamThread, seen: list[Seen]) -> Verdict:
    """The gateway comes up on what was left, settles what was open, and serves."""
    await asyncio.to_thread(gateway.process.start)
    seen = [*seen, await call(gateway.process.port, "after", "plain", stream=True)]
    assert seen[-1].good
    await until(lambda: len(gateway.rows()) == len(seen) and open_calls(gateway) == 0, "the rows", AGAIN_S)
    verdict = judge(seen, gateway.rows(), upstream.invoice.lines())
    assert not verdict.wrong, verdict.wrong
    assert "Traceback" not in log(gateway)
    return verdict


def segments(gateway: GatewayUnderTest) -> list[Path]:
    return sorted((gateway.folder / "state" / "journal").glob("*.gwj"))


async def test_torn_journal_tail_costs_the_torn_frame_alone(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url) as gateway:
        seen = await cut(gateway)
        (segment,) = segments(gateway)
        with segment.open("ab") as file:
            file.write(b"gwjC\xff\x03\0\0torn")
        verdict = await started_again(gateway, upstream, seen)
        assert verdict.exact == 2 and verdict.died == {"observed": 1}
        assert "passed over 12 damaged bytes in the journals" in log(gateway)


async def test_torn_record_of_a_call_is_settled_as_that_of_a_dead_worker(tmp_path: Path, upstream: UpstreamThread) -> None:
    """The power went before the page with the call's last frame was written, and that where it waited: its opening is left,
    and the state file."""
    with GatewayUnderTest(tmp_path, upstream.base_url) as gateway:
        kill(family(gateway).keeper, number=19)  # stopped: the ledger stays behind, so that the journal still holds the call
        seen = [await call(gateway.process.port, "torn", "events 10", stream=True)]
        everyone = family(gateway)
        kill(everyone.supervisor, *everyone.children)
        await asyncio.to_thread(gateway.process.stop)
        (segment,) = segments(gateway)
        write_buffer.complete(segment.parent, *split(segment.name), segment)
        write_buffer.remove(segment.parent, segment.name[:16])
        ends = [end for _, _, end in replay(segment)]
        with segment.open("ab") as file:
            file.truncate(ends[-1] - FRAME_HEAD.size)
        seen[0].ended = False  # what is promised of it ended with the power
        verdict = await started_again(gateway, upstream, seen)
        assert verdict.exact == 1 and verdict.died == {"exact": 1}


def _other_format(path: Path) -> None:
    path.write_bytes(b"\x55" * FILE_BYTES)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: FILE_BYTES // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _noisy_slots(path: Path) -> None:
    """Every slot observed nonsense; the call ids and the taps' marks are whole."""
    raw = bytearray(path.read_bytes())
    for at in range(BLOCK_PAGES, BLOCK_PAGES + 192 * 2048, 192):
        raw[at + 56 : at + 192] = b"\xf1" * 136
    path.write_bytes(bytes(raw))


def _removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_other_format, "is not a state file of this version of gw"),
        (_cut_short, "is not a state file of this version of gw"),
        (_empty, "is not a state file of this version of gw"),
        (_noisy_slots, "1 more were cut off by its end"),
        (_removed, "1 more were cut off by its end"),
    ],
)
async def test_damaged_state_file_of_the_last_run_is_replaced_and_open_calls_are_estimated(
    tmp_path: Path, upstream: UpstreamThread, damage: Callable[[Path], None], said: str
) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url) as gateway:
        seen = await cut(gateway)
        damage(tmp_path / "state" / STATE_FILE)
        verdict = await started_again(gateway, upstream, seen)
        assert verdict.exact == 2 and verdict.died == {"estimated": 1}
        assert said in log(gateway)


async def test_state_file_removed_under_a_running_gateway_is_put_back(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, workers=2) as gateway:
        port = gateway.process.port
        seen = [await call(port, f"before-{at}", "plain", stream=True) for at in range(5)]
        before = counters(page(gateway, "/metrics")[1])
        (tmp_path / "state" / STATE_FILE).unlink()
        await until(lambda: "it is put back" in log(gateway), "a word about it", AGAIN_S)
        begun, running = await under_way(port, 1)
        everyone = family(gateway)
        kill(*everyone.children)
        await until(lambda: family(gateway).keeper != 0 and readiness(gateway)[1]["workers"] == 2, "successors", AGAIN_S)
        await running
        seen += [*begun, *[await call(port, f"after-{at}", "plain", stream=True) for at in range(5)]]
        after = counters(page(gateway, "/metrics")[1])
        assert all(after[name] >= value for name, value in before.items())
        await asyncio.to_thread(gateway.process.stop)
        verdict = judge(seen, gateway.rows(), upstream.invoice.lines())
        assert not verdict.wrong and verdict.exact == 10 and verdict.died == {"observed": 1}
        (tmp_path / "state" / STATE_FILE).lstat()  # a link to a process that has ended ...
        await started_again(gateway, upstream, seen)  # ... is no obstacle
        assert not (tmp_path / "state" / STATE_FILE).is_symlink()


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xc1garbage")


@pytest.mark.parametrize("damage", [_garbage, _removed])
async def test_damaged_snapshot_is_published_anew(
    tmp_path: Path, upstream: UpstreamThread, damage: Callable[[Path], None]
) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, workers=2) as gateway:
        for who in ("nobody", "worker", "keeper"):
            await until(lambda: family(gateway).keeper != 0 and readiness(gateway)[0] == 200, "all processes", AGAIN_S)
            version = readiness(gateway)[1]["snapshot_version"]
            everyone = family(gateway)
            damage(tmp_path / "state" / "snapshot.msgpack")
            kill(*{"nobody": (), "worker": everyone.workers[:1], "keeper": (everyone.keeper,)}[who])
            await until(lambda version=version: readiness(gateway)[1]["snapshot_version"] > version, "a new snapshot", AGAIN_S)
            await until(lambda: readiness(gateway)[1]["workers"] == 2, "two workers", AGAIN_S)
            assert (await call(gateway.process.port, f"after-{who}", "plain", stream=True)).good
        assert "Traceback" not in log(gateway)
        assert "published snapshot" in log(gateway)


async def test_removed_journal_is_noticed_and_begun_anew(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url) as gateway:
        port = gateway.process.port
        seen = [await call(port, "before", "plain", stream=True)]
        await until(lambda: len(gateway.rows()) == 1, "its row", AGAIN_S)
        rmtree(tmp_path / "state" / "journal")
        await until(lambda: "someone removed the current journal file" in log(gateway), "a word about it", AGAIN_S)
        await until(lambda: readiness(gateway)[0] == 200, "recovery", AGAIN_S)
        seen += [await call(port, f"after-{at}", "plain", stream=True) for at in range(5)]
        assert len(segments(gateway)) == 1
    verdict = judge(seen, gateway.rows(), upstream.invoice.lines())
    assert not verdict.wrong and verdict.exact == 6
    assert "Traceback" not in log(gateway)


async def test_clock_that_goes_backwards_breaks_nothing(tmp_path: Path, upstream: UpstreamThread) -> None:
    mark = tmp_path / "earlier"
    gateway = GatewayUnderTest(tmp_path, upstream.base_url, workers=2, environ={"GW_TEST_EARLIER": str(mark)})
    gateway.process.command[2] = "tests.faults.wobbly"
    with gateway:
        port = gateway.process.port
        across = [begin(port, f"across-{at}", "events 40 25") for at in range(6)]
        seen = [one for one, _ in across]
        await until(lambda: all(one.heard for one in seen), "the streams", AGAIN_S)
        before = counters(page(gateway, "/metrics")[1])
        mark.touch()
        await asyncio.gather(*(running for _, running in across))
        everyone = family(gateway)
        kill(*everyone.children)  # nothing that waits for a moment waits an hour longer
        await until(lambda: family(gateway).keeper != 0 and readiness(gateway)[1]["workers"] == 2, "successors", AGAIN_S)
        seen += [await call(port, f"after-{at}", "plain", stream=True) for at in range(4)]
        after = counters(page(gateway, "/metrics")[1])
        assert all(after[name] >= value for name, value in before.items())
    verdict = judge(seen, gateway.rows(), upstream.invoice.lines())
    assert not verdict.wrong and verdict.exact == 10
    assert all(row["ended_us"] >= row["started_us"] for row in gateway.rows())
    assert "Traceback" not in log(gateway)
