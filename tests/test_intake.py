"""Taking what Claude Code reports: who may, how much, in which shape refusals are; and that nothing is there unless it is
asked for."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gw import intake
from gw.app import App
from gw.config.load import load
from gw.domain.key import mint
from gw.intake import Intake, Pace, status_message
from gw.startup import prepare_state
from gw.telemetry import spool
from gw.telemetry.spool import DIRECTORY, names, read
from gw.worker import Worker
from tests.support.one_worker import Client, scope

KEY = mint().text
CONFIG = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
[[upstream]]
name = "fake"
api_key = "sk-ant-upstream-of-the-test"
[[team]]
name = "platform"
[[key]]
name = "ada"
team = "platform"
secret = "env:GW_TEST_KEY"
[[key]]
name = "late"
secret = "env:GW_TEST_LATE"
expires = 2026-01-01T00:00:00Z
"""
ON = "[claude_telemetry]\nenabled = true\nbody_bytes_max = 1024\n"
LATE = mint().text
JSON, PROTOBUF = ("content-type", "application/json"), ("content-type", "application/x-protobuf")


class Door:
    """An app of one worker, with or without the intake."""

    def __init__(self, app: App, state_dir: Path) -> None:
        self.app, self.state_dir = app, state_dir

    async def send(
        self, body: bytes, *headers: tuple[str, str], key: str = KEY, path: str = "/v1/logs", method: str = "POST"
    ) -> tuple[int, dict[str, str], bytes]:
        sent = [("authorization", f"Bearer {key}")] if key else []
        sent += [("content-length", str(len(body))), *headers]
        client = Client(body)
        asked = scope(method, path, [(name.encode(), value.encode()) for name, value in sent])
        await self.app(asked, client.receive, client.send)
        start = client.messages[0]
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, client.body

    def kept(self) -> list[Any]:
        folder = self.state_dir / DIRECTORY
        return [one.parcel for name in names(folder) for one in read(folder / name, 0)]


async def opened(folder: Path, config: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setenv("GW_TEST_KEY", KEY)
    monkeypatch.setenv("GW_TEST_LATE", LATE)
    path = folder / "config.toml"
    path.write_text(config)
    loaded = load(path)
    (folder / "state").mkdir(mode=0o700)
    await asyncio.to_thread(prepare_state, loaded, path)
    app = App()
    app.worker = Worker(folder / "state")
    app.intake = Intake(app.worker)
    yield Door(app, folder / "state")
    app.intake.close()
    await app.worker.stop()


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    async for one in opened(tmp_path, CONFIG + ON, monkeypatch):
        yield one


async def test_a_key_reports_and_its_bytes_are_kept_as_they_came(door: Door) -> None:
    packed = gzip.compress(b'{"resourceLogs":[]}')
    assert await door.send(packed, JSON, ("content-encoding", "gzip")) == (
        200,
        {"content-type": "application/json", "content-length": "2"},
        b"{}",
    )
    status, headers, body = await door.send(b"\x0a\x00", PROTOBUF, path="/anthropic/v1/metrics")
    assert (status, headers["content-type"], body) == (200, "application/x-protobuf", b"")
    one, other = door.kept()
    assert (one.signal, one.content_type, one.encoding, one.body) == ("logs", "application/json", "gzip", packed)
    assert (one.owner.key_name, one.owner.team, other.signal, other.body) == ("ada", "platform", "metrics", b"\x0a\x00")


async def test_an_api_key_header_will_do(door: Door) -> None:
    assert (await door.send(b"{}", JSON, ("x-api-key", KEY), key="", path="/v1/traces"))[0] == 200


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "No credential"),
        ("sk-ant-their-own", "Telemetry needs a virtual key"),
        (mint().text, "No virtual key"),
        (KEY[:-1] + "_", "damaged"),
        (LATE, "expired"),
    ],
    ids=["none", "their own", "unknown", "damaged", "expired"],
)
async def test_nobody_else_reports(door: Door, key: str, said: str) -> None:
    status, _, body = await door.send(b"{}", JSON, key=key)
    answer = orjson.loads(body)
    assert (status, answer["code"]) == (401, 16) and said in answer["message"]
    assert door.kept() == []


async def test_refusals_have_the_shape_and_the_encoding_of_otlp(door: Door) -> None:
    status, headers, body = await door.send(b"\x00", PROTOBUF, key="")
    assert (status, headers["content-type"]) == (401, "application/x-protobuf")
    assert body.startswith(b"\x08\x10\x12") and b"No credential" in body
    long = status_message(8, "x" * 300)
    assert long[:5] == b"\x08\x08\x12\xac\x02" and len(long) == 5 + 300


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * 1025, (JSON,), 413),
        (gzip.compress(b"x" * 100_000), (JSON, ("content-encoding", "gzip")), 413),
        (b"no gzip", (JSON, ("content-encoding", "gzip")), 400),
        (b"{}", (JSON, ("content-encoding", "zstd")), 415),
        (b"{}", (("content-type", "text/plain"),), 415),
        (b"{}", (), 415),
    ],
    ids=["too large", "too large unpacked", "not packed", "packed otherwise", "text", "of no kind"],
)
async def test_what_cannot_be_taken_is_not_kept(
    door: Door, body: bytes, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    assert (await door.send(body, *headers))[0] == status
    assert door.kept() == []


async def test_protobuf_without_the_extra_is_told_what_to_send(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "reads_protobuf", lambda: False)
    status, _, body = await door.send(b"\x0a\x00", PROTOBUF)
    assert status == 415 and b"application/json" in body and b"application/x-protobuf" not in body


async def test_another_method_is_refused(door: Door) -> None:
    assert (await door.send(b"", JSON, method="GET"))[0] == 405


async def test_a_full_spool_asks_to_come_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "waiting_bytes", lambda _: 1 << 40)
    status, headers, body = await door.send(b"{}", JSON)
    assert (status, headers["retry-after"], orjson.loads(body)["code"]) == (503, "30", 14)


def test_a_key_that_reports_too_often_waits_for_what_is_missing() -> None:
    pace, second = Pace(), 1_000_000_000
    assert [pace.wait_ns("a", 60, 0) for _ in range(60)] == [0] * 60
    assert pace.wait_ns("a", 60, 0) == second and pace.wait_ns("b", 60, 0) == 0
    assert pace.wait_ns("a", 60, second // 2) == second // 2
    assert (pace.wait_ns("a", 60, second), pace.wait_ns("a", 60, second)) == (0, second)
    assert [pace.wait_ns("a", 60, 1000 * second) for _ in range(61)] == [0] * 60 + [second]


async def test_too_often_is_429_with_a_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "wait_ns", lambda *_: 2_500_000_000)
    status, headers, _ = await door.send(b"{}", JSON)
    assert (status, headers["retry-after"]) == (429, "3")


async def test_unless_it_is_asked_for_there_is_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async for one in opened(tmp_path, CONFIG, monkeypatch):
        status, headers, _ = await one.send(b"{}", JSON)
        assert (status, headers["x-gw-error"]) == (404, "unknown_path") and one.kept() == []
