"""What ends is renewed before it ends, once for all who wait, and never on the loop."""

import asyncio
import threading

import pytest

from gw import clock
from gw.credentials import renewed as module
from gw.credentials.credential import CredentialError
from gw.credentials.renewed import RETRY_S, Bearer, Fetched, Renewed, lifetime, scrubbed

S = 1_000_000_000


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 5 * S
        monkeypatch.setattr(clock, "mono_ns", lambda: self.now_ns)

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * S)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Source:
    """Fetches "1", "2", ...; or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False
        self.threads: set[int] = set()

    def __call__(self) -> Fetched[str]:
        self.threads.add(threading.get_ident())
        self.count += 1
        if self.fails:
            raise CredentialError(f"no {self.count}")
        return Fetched(str(self.count), 100, 160)


async def settle(renewed: Renewed[str]) -> None:
    """Lets what runs beside come to its end."""
    while renewed._running is not None:
        await asyncio.shield(renewed._running)


async def test_the_first_value_is_waited_for_and_fetched_in_a_thread(time: Clock) -> None:
    source = Source()
    renewed = Renewed(source)
    assert not renewed.usable
    with pytest.raises(CredentialError, match="not fetched yet"):
        renewed.value
    await renewed.ready()
    assert (renewed.usable, renewed.value) == (True, "1")
    assert threading.get_ident() not in source.threads


async def test_all_who_wait_get_the_one_that_is_fetched(time: Clock) -> None:
    source = Source()
    renewed = Renewed(source)
    await asyncio.gather(*(renewed.ready() for _ in range(20)))
    assert (source.count, renewed.value) == (1, "1")


async def test_nobody_waits_for_a_renewal(time: Clock) -> None:
    source = Source()
    renewed = Renewed(source)
    await renewed.ready()
    time.pass_s(100)
    assert not renewed.usable
    await renewed.ready()
    assert (source.count <= 2, renewed.value) == (True, "1"), "the old one holds on"
    await settle(renewed)
    assert (renewed.usable, renewed.value) == (True, "2")


async def test_a_failed_renewal_is_silent_while_the_old_value_holds(time: Clock) -> None:
    source = Source()
    renewed = Renewed(source)
    await renewed.ready()
    source.fails = True
    time.pass_s(100)
    await renewed.ready()
    await settle(renewed)
    assert (renewed.value, source.count) == ("1", 2)
    assert renewed.usable, "it is not asked again at once"
    time.pass_s(60)
    with pytest.raises(CredentialError, match="no 3"):
        await renewed.ready()


async def test_a_failure_is_told_to_all_and_tried_again_after_a_while(time: Clock) -> None:
    source = Source()
    source.fails = True
    renewed = Renewed(source)
    for _ in range(3):
        with pytest.raises(CredentialError, match="no 1"):
            await renewed.ready()
    source.fails = False
    time.pass_s(RETRY_S)
    await renewed.ready()
    assert (renewed.value, source.count) == ("2", 2)


async def test_who_stops_waiting_stops_nobody_else(time: Clock) -> None:
    gate = threading.Event()

    def fetch() -> Fetched[str]:
        gate.wait(10)
        return Fetched("late", 100, 160)

    renewed = Renewed(fetch)
    impatient, patient = asyncio.ensure_future(renewed.ready()), asyncio.ensure_future(renewed.ready())
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    gate.set()
    await patient
    assert renewed.value == "late"


async def test_a_bearer_is_a_whole_line(time: Clock) -> None:
    bearer = Bearer(lambda: Fetched("tok", 10, 20))
    await bearer.ready()
    assert bearer.head() == bearer.sign(b"POST", "https://h/", b"", b"") == b"authorization: Bearer tok\r\n"


@pytest.mark.parametrize(("left", "expected"), [(3600, (3300, 3600)), (400, (200, 400)), (0, (0, 0)), (-5, (0, 0))])
def test_a_short_life_is_renewed_at_its_half(left: float, expected: tuple[float, float]) -> None:
    assert lifetime(left, 300) == expected


def test_foreign_messages_lose_secrets_and_line_breaks() -> None:
    assert scrubbed("bad key\n  sEcret! (sEcret!)", "sEcret!", "") == "bad key ******** (********)"


async def test_a_bug_in_the_fetch_leaves_nobody_waiting(time: Clock) -> None:
    def fetch() -> Fetched[str]:
        raise AttributeError("a bug")

    seen: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))
    with pytest.raises(CredentialError, match=r"fetching it failed \(AttributeError\)"):
        await asyncio.wait_for(Renewed(fetch).ready(), 10)
    assert [type(one) for one in seen] == [AttributeError], "it is told, too"


async def test_nobody_waits_for_ever_for_a_fetch_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.02)
    answers = threading.Event()

    def hangs() -> Fetched[str]:
        answers.wait(10)
        return Fetched("late", 100, 160)

    renewed = Renewed(hangs)
    try:
        for _ in range(2):
            with pytest.raises(CredentialError, match="longer than"):
                await renewed.ready()
    finally:
        answers.set()
    await settle(renewed)
    assert renewed.value == "late", "it serves who comes then"
