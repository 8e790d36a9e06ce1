"""Probes ask what costs nothing, as often as they are told; two failures in a row close a place, one success opens it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gw import clock
from gw.config.load import ConfigError, parse
from gw.config.upstream_model import Upstream
from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.upstream import FakeUpstream
from gw.deployment import Deployment
from gw.domain.place_entry import DOWN, PROBED_US, PROBES_FAILED
from gw.ops.places import Entry
from gw.ops.state import StateFile
from gw.probing import Prober, probe_of
from gw.providers.registry import REGISTRY

MODELS = Reply(200, (("content-type", "application/json"),), [])


def configured(text: str) -> tuple[Upstream, ...]:
    return parse(f'[[upstream]]\nname = "up"\n{text}', "config.toml", Path("/base"), {}).config.upstream


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    made = StateFile(tmp_path / "state.mm", create=True)
    yield made
    made.close()


class Asked:
    """An upstream that answers as it is told, and what it was asked."""

    def __init__(self) -> None:
        self.reply = MODELS
        self.seen: list[Request] = []
        self.fake = FakeUpstream(self)

    def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        return self.reply


@pytest.fixture
async def asked() -> AsyncIterator[tuple[Asked, str]]:
    made = Asked()
    port = await made.fake.start()
    yield made, f'base_url = "http://127.0.0.1:{port}"\napi_key = "sk-gw"\nprobe_s = 0.5\n'
    await made.fake.stop()


def adopt(prober: Prober, text: str) -> tuple[Upstream, ...]:
    upstreams = configured(text)
    prober.adopt(upstreams, [Deployment(one) for one in upstreams])
    return upstreams


async def until_probed(prober: Prober, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more round, at once."""
    before = entry[PROBED_US]
    now = clock.mono_ns()
    monkeypatch.setattr("gw.probing.clock.mono_ns", lambda: now + 10**12)
    prober.look()
    monkeypatch.undo()
    async with asyncio.timeout(10):
        while entry[PROBED_US] == before or prober._running:
            await asyncio.sleep(0.002)


def entry_of(state: StateFile, credential: str = "") -> Entry:
    found = state.places.entry("up", credential)
    assert found is not None
    return found


async def test_two_failures_in_a_row_close_a_place_and_one_success_opens_it(
    state: StateFile, asked: tuple[Asked, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream, text = asked
    prober, entry = Prober(state.places), entry_of(state)
    adopt(prober, text)
    for status, failed in ((200, 0), (503, 1), (200, 0), (500, 1), (401, 2), (503, 3), (404, 0), (429, 0)):
        upstream.reply = answers.error(status, "api_error", "of the test")
        await until_probed(prober, entry, monkeypatch)
        assert entry[PROBES_FAILED] == failed, status
        assert (entry[DOWN] > clock.mono_ns()) is (failed >= 2) and (entry[DOWN] == 0) is (failed < 2)
    await upstream.fake.stop()
    for _ in range(2):
        await until_probed(prober, entry, monkeypatch)
    assert entry[DOWN] > clock.mono_ns()
    said = {(one.method, one.path, one.header("x-api-key"), one.body) for one in upstream.seen}
    assert said == {("GET", "/v1/models", "sk-gw", b"")}
    await prober.close()


async def test_each_credential_is_asked_for_itself_and_a_refused_one_alone_is_left_alone(
    state: StateFile, asked: tuple[Asked, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = asked
    two = "".join(f'[[upstream.credential]]\nname = "{name}"\napi_key = "sk-{name}"\n' for name in ("good", "bad"))
    prober = Prober(state.places)

    def script(request: Request) -> Reply:
        return MODELS if request.header("x-api-key") == "sk-good" else answers.error(401, "authentication_error", "no")

    monkeypatch.setattr(Asked, "__call__", lambda self, request: script(request))
    adopt(prober, text.replace('api_key = "sk-gw"\n', "") + two)
    for _ in range(2):
        prober._due_ns = dict.fromkeys(prober._due_ns, 0)
        prober.look()
        await asyncio.gather(*prober._running.values())
    assert entry_of(state, "good")[DOWN] == 0 < entry_of(state, "bad")[DOWN]
    await prober.close()


async def test_nobody_is_asked_unless_it_is_configured_and_what_is_no_longer_is_forgotten(
    state: StateFile, asked: tuple[Asked, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream, text = asked
    prober, entry = Prober(state.places), entry_of(state)
    adopt(prober, text.replace("probe_s = 0.5", ""))
    prober.look()
    assert not prober._running
    upstream.reply = answers.error(500, "api_error", "of the test")
    adopt(prober, text + 'probe_path = "/health?x=1"')
    for _ in range(2):
        await until_probed(prober, entry, monkeypatch)
    assert entry[DOWN] and {one.target for one in upstream.seen} == {"/health?x=1"}
    adopt(prober, text.replace("probe_s = 0.5", ""))
    assert entry[DOWN] == entry[PROBED_US] == 0
    await prober.close()


async def test_a_round_comes_after_its_time_give_or_take_a_tenth(state: StateFile, asked: tuple[Asked, str]) -> None:
    upstream, text = asked
    prober = Prober(state.places)
    adopt(prober, text.replace("0.5", "100"))
    for reply, least, most in ((MODELS, 90, 110), (answers.error(500, "api_error", "no"), 22, 28)):
        upstream.reply = reply
        prober._due_ns = dict.fromkeys(prober._due_ns, 0)
        prober.look()
        prober.look()  # one at a time
        assert len(prober._running) == 1
        await asyncio.gather(*prober._running.values())
        wait_s = (prober._due_ns["up", ""] - clock.mono_ns()) / 1e9
        assert least < wait_s < most
    await prober.close()


@pytest.mark.parametrize("provider", sorted(REGISTRY))
def test_what_is_asked_is_never_billed(provider: str) -> None:
    """A list, by GET, of every provider; of clouds that have none at the address of their models, whether anybody is there."""
    common = 'region = "us-east-1"\nproject = "p"\nresource = "r"\nbase_url = "https://up.example/base"\napi_key = "k"\n'
    (upstream,) = configured(f'provider = "{provider}"\n{common}')
    probe = probe_of(upstream, Deployment(upstream))
    assert probe.path.endswith(b"/models") or (probe.path, probe.signed) == (b"/", False)


@pytest.mark.parametrize("line", ['probe_path = "health"', 'probe_path = "/a b"', "probe_s = 0.1", "probe_s = -1"])
def test_a_probe_that_makes_no_sense_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match="probe_"):
        configured(f'api_key = "k"\n{line}')
