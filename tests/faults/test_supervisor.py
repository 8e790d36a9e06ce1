"""The supervisor: it never gives up on workers that did serve, it alone owns its state directory and port, and what hangs
or is asked to leave is replaced without losing a call."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gw.clock import mono_ns
from gw.demo.gateway import GatewayFailed
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from tests.faults.ground import open_calls, page, readiness, until
from tests.faults.load import Load, call, under_way
from tests.faults.processes import await_end, family, kill
from tests.faults.verdict import judge
from tests.requires import need
from tests.support.claims import allowed
from tests.support.gateway import GatewayUnderTest, config_text

AGAIN_S = 5.0
KILLS = 15


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    need("/proc", Path("/proc/self/stat").exists(), "run this suite on Linux")
    with UpstreamThread(by_prompt) as fake:
        yield fake


async def test_fifteen_kills_in_quick_succession_are_no_reason_to_give_up(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, workers=2) as gateway:
        begun_ns = mono_ns()
        killed: set[int] = set()
        while len(killed) < KILLS:
            for worker in (await asyncio.to_thread(family, gateway)).workers:
                kill(worker)
                killed.add(worker)
            await asyncio.sleep(0.01)
        took_s = (mono_ns() - begun_ns) / 1e9
        again_s = await until(gateway.process.ready, "a serving gateway", AGAIN_S)
        assert (await call(gateway.process.port, "after", "plain", stream=True)).good
        await until(lambda: readiness(gateway)[1]["workers"] == 2, "the second worker", AGAIN_S)
        print(f"\n{len(killed)} workers killed within {took_s:.1f} s; it serves again {again_s:.2f} s after the last")


async def test_children_end_by_themselves_when_the_supervisor_is_killed(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, workers=2) as gateway:
        before = family(gateway)
        seen, running = await under_way(gateway.process.port, 4)
        kill(before.supervisor)
        gone_s = await asyncio.to_thread(await_end, before.children, AGAIN_S)
        await running
        await asyncio.to_thread(gateway.process.stop)
        await asyncio.to_thread(gateway.process.start)
        rows = await asyncio.to_thread(gateway.settled, lambda rows: len(rows) >= 4)
        verdict = judge(seen, rows, upstream.invoice.lines())
        assert not verdict.wrong and verdict.died == {"observed": 4}
        print(f"\ngone after {gone_s:.2f} s")


async def test_worker_asked_to_leave_finishes_its_calls_and_is_replaced(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, workers=2) as gateway:
        before = family(gateway)
        load = Load(gateway.process.port, 12, seed=3, whole={"plain": 1}, streams={"events 30 15": 3})
        await load.start()
        for worker in before.workers:
            await load.one_good(AGAIN_S)
            kill(worker, number=signal.SIGTERM)
            await asyncio.to_thread(await_end, (worker,), AGAIN_S)
            await until(lambda: readiness(gateway)[1]["workers"] == 2, "two workers", AGAIN_S)
        await load.one_good(AGAIN_S)
        await load.stop()
    verdict = judge(load.seen, gateway.rows(), upstream.invoice.lines())
    assert not verdict.wrong and not verdict.died
    assert not [one for one in load.seen if one.status and not one.good], "a call that had begun was cut"


async def test_hung_worker_is_killed_and_its_calls_are_settled(tmp_path: Path, upstream: UpstreamThread) -> None:
    gateway = GatewayUnderTest(tmp_path, upstream.base_url)
    gateway.process.command[2] = "tests.faults.hasty"
    with gateway:
        (victim,) = family(gateway).workers
        seen, running = await under_way(gateway.process.port, 4)
        kill(victim, number=signal.SIGSTOP)
        try:
            await asyncio.to_thread(await_end, (victim,), AGAIN_S)
        finally:
            kill(victim)
        await until(gateway.process.ready, "another worker", AGAIN_S)
        await running
        assert f"(pid {victim}) hangs" in gateway.process.log_end()
    verdict = judge(seen, gateway.rows(), upstream.invoice.lines())
    assert not verdict.wrong and verdict.died == {"observed": 4}


async def test_calls_of_a_dead_worker_do_not_hold_up_the_drain(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, workers=1) as gateway:
        (seen,), running = await under_way(gateway.process.port, 1)
        kill(*family(gateway).workers)
        begun_ns = mono_ns()
        assert await asyncio.to_thread(gateway.process.stop) == 0
        assert (mono_ns() - begun_ns) / 1e9 < allowed(5)
        await running
        assert not seen.ended
    assert [(row["outcome"], row["error"]) for row in gateway.rows()] == [("stopped", "worker_died")]
    assert open_calls(gateway) == 0


def test_second_gateway_on_one_state_directory_refuses_and_harms_nothing(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url) as gateway:
        snapshot = (tmp_path / "state" / "snapshot.msgpack").stat().st_mtime_ns
        other = tmp_path / "other.toml"
        other.write_text(gateway.process.config.read_text().replace(f"port = {gateway.process.port}", "port = 1"))
        for config in (other, gateway.process.config):
            second = serve(gateway, config)
            assert second.returncode == 1
            assert second.stderr.startswith(
                f"gw: another gw is running on {tmp_path / 'state'}. Stop it, or set [server] state_dir"
            )
            assert "Traceback" not in second.stderr and len(second.stderr.splitlines()) == 1
        assert (tmp_path / "state" / "snapshot.msgpack").stat().st_mtime_ns == snapshot
        assert asyncio.run(call(gateway.process.port, "still", "plain", stream=True)).good
        gateway.session_rows("still", 1)


def test_second_gateway_on_one_port_refuses_and_harms_nothing(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path / "one", upstream.base_url) as gateway:
        (tmp_path / "two").mkdir()
        other = tmp_path / "two" / "config.toml"
        other.write_text(config_text(port=gateway.process.port, upstream_url=upstream.base_url))
        second = serve(gateway, other)
        assert second.returncode == 1
        assert second.stderr.startswith(f"gw: cannot listen on 127.0.0.1:{gateway.process.port}: Address already in use.")
        assert len(second.stderr.splitlines()) == 1
        assert asyncio.run(call(gateway.process.port, "still", "plain", stream=True)).good


def serve(gateway: GatewayUnderTest, config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gw", "serve", "--config", str(config)]
    return subprocess.run(command, env=gateway.process.environ, capture_output=True, text=True, timeout=30)


def test_stop_at_any_moment_of_the_start_is_obeyed(tmp_path: Path, upstream: UpstreamThread) -> None:
    """Children that do not listen for signals yet get them all the same, as soon as they do."""
    gateway = GatewayUnderTest(tmp_path, upstream.base_url, workers=2)
    for delay_s in (0.0, 0.05, 0.1, 0.2, 0.3, 0.5):
        process = subprocess.Popen(gateway.process.command, env=gateway.process.environ, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline().startswith(b"gw ")  # it has announced itself
            with suppress(subprocess.TimeoutExpired):
                process.wait(delay_s)
            process.terminate()
            begun_ns = mono_ns()
            status = process.wait(30)
        assert status in (0, -signal.SIGTERM)
        assert (mono_ns() - begun_ns) / 1e9 < allowed(4), f"stopped {delay_s} s after its first word"


def test_workers_that_never_come_up_end_the_start_with_an_error(tmp_path: Path, upstream: UpstreamThread) -> None:
    gateway = GatewayUnderTest(tmp_path, upstream.base_url, workers=1)
    gateway.process.command[2] = "tests.faults.barren"
    with pytest.raises(GatewayFailed, match="gw serve ended with 1"):
        gateway.process.start()
    assert "giving up" in gateway.process.log_end()
    assert "gw: no worker could be started" in gateway.process.log_end()


async def test_reload_signal_at_any_moment_costs_no_keeper(tmp_path: Path, upstream: UpstreamThread) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url) as gateway:
        before = family(gateway)
        kill(before.keeper)
        for _ in range(50):  # while the next keeper is starting, which does not listen for signals yet
            kill(before.supervisor, number=signal.SIGHUP)
            await asyncio.sleep(0.02)
        await until(lambda: family(gateway).keeper != 0, "another keeper", AGAIN_S)
        keeper = family(gateway).keeper
        config = gateway.process.config
        version = readiness(gateway)[1]["snapshot_version"]
        config.write_text(config.read_text() + '\n[[team]]\nname = "late"\n')
        kill(before.supervisor, number=signal.SIGHUP)
        await until(lambda: readiness(gateway)[1]["snapshot_version"] > version, "the new configuration", AGAIN_S)
        assert family(gateway).keeper == keeper
        assert gateway.process.log_end().count("the keeper ended") == 1
        assert page(gateway, "/healthz") == (200, "ok\n")
