"""The live tail over HTTP: events and messages as they come, from a hub in this loop; who may watch, and when it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gw.control import http_live
from gw.control.http_live_socket import same_origin
from gw.live import hub as hubs
from gw.live.hub import Hub
from gw.ops.state import Word
from tests.control.api import TOKEN, Api
from tests.control.test_http_logs import ledger
from tests.ledger.log_rows import fill
from tests.ledger.records import NOON_US, record

ADMIN = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"host", b"gw.example.com")]


class Ends:
    """The two ends of an ASGI call, as a server holds them."""

    def __init__(self, *first: dict[str, Any]) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in first:
            self.incoming.put_nowait(message)

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send(self, message: dict[str, Any]) -> None:
        self.outgoing.put_nowait(message)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return await self.outgoing.get()


@pytest.fixture
async def hub(api: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(hubs, "BATCH_S", 0.01)
    monkeypatch.setattr(http_live, "LOOK_S", 0.02)
    monkeypatch.setattr("gw.control.http_live_socket.LOOK_S", 0.02)
    found = Hub(api.worker.state_dir, ledger(api))
    await found.open()
    yield found
    await found.close()


@asynccontextmanager
async def asked(api: Api, scope: dict[str, Any], *first: dict[str, Any]) -> AsyncIterator[Ends]:
    ends = Ends(*first)
    task = asyncio.create_task(api.app({"client": ("192.0.2.7", 1), "headers": ADMIN, **scope}, ends.receive, ends.send))  # type: ignore[arg-type]
    yield ends
    await ends.send({"type": "test.over"})
    leaving = "websocket.disconnect" if scope["type"] == "websocket" else "http.disconnect"
    ends.incoming.put_nowait({"type": leaving})
    async with asyncio.timeout(10):
        await task


def events(query: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()) -> dict[str, Any]:
    scope = {"type": "http", "method": "GET", "path": "/api/live", "raw_path": b"/api/live", "root_path": ""}
    return {**scope, "query_string": query.encode(), "headers": [*ADMIN, *headers]}


def socket(query: str = "", **more: Any) -> dict[str, Any]:
    scope = {"type": "websocket", "path": "/api/ws", "raw_path": b"/api/ws", "root_path": "", "query_string": query.encode()}
    return {**scope, **more}


async def text(ends: Ends, until: str) -> str:
    """What the body says until it holds this."""
    found = ""
    while until not in found:
        message = await ends.next()
        assert message["type"] == "http.response.body" and message["more_body"], message
        found += message["body"].decode()
    return found


async def come(hub: Hub, api: Api, *names: str, **changes: object) -> None:
    await fill(ledger(api), [record(name, started_us=NOON_US, ended_us=NOON_US, **changes) for name in names])
    hub.moved()


async def test_events_come_as_calls_end(api: Api, hub: Hub) -> None:
    await come(hub, api, "before")
    async with asked(api, events("fields=call_id,cost_usd&team=red")) as ends:
        head = await ends.next()
        sent = {name.decode(): value.decode() for name, value in head["headers"]}
        assert head["status"] == 200 and sent["content-type"] == "text/event-stream" and sent["cache-control"] == "no-store"
        assert "retry: 2000" in await text(ends, ": after 1\n\n")
        await come(hub, api, "blue", team="blue")
        await come(hub, api, "c1", "</script>", team="red", billed_pusd=5 * 10**11)
        said = await text(ends, "id: 4")
        assert 'id: 3\nevent: call\ndata: {"seq":3,"call_id":"c1","billed_usd":"0.5"}\n\n' in said
        assert "blue" not in said


async def test_events_go_on_where_a_browser_says(api: Api, hub: Hub) -> None:
    await come(hub, api, "c1", "c2", "c3")
    async with asked(api, events("fields=call_id", ((b"last-event-id", b"1"),))) as ends:
        await ends.next()
        said = await text(ends, "id: 3")
        assert ": after 1" in said and '"c1"' not in said and '"c2"' in said


async def test_a_keeper_that_is_replaced_is_found_again_and_nothing_is_missed(api: Api, hub: Hub) -> None:
    async with asked(api, events("fields=call_id")) as ends:
        await ends.next()
        await text(ends, ": after 0")
        await come(hub, api, "c1")
        await text(ends, "c1")
        await hub.close()
        await fill(ledger(api), [record("c2")])
        again = Hub(api.worker.state_dir, ledger(api))
        await again.open()
        try:
            assert '"c1"' not in await text(ends, "c2")
        finally:
            await again.close()


async def test_a_worker_that_is_to_leave_ends_its_watchers(api: Api, hub: Hub) -> None:
    async with asked(api, events()) as ends, asked(api, socket(), {"type": "websocket.connect"}) as tail:
        await text_of_start(ends)
        assert (await tail.next())["type"] == "websocket.accept"
        api.worker.state.words[Word.DRAINING] = 1
        while (message := await ends.next()).get("more_body"):
            pass
        assert message == {"type": "http.response.body", "body": b"", "more_body": False}
        while (message := await tail.next())["type"] == "websocket.send":
            last = json.loads(message["text"])
        assert last == {"type": "end"} and message == {"type": "websocket.close", "code": 1001}
        api.worker.state.words[Word.DRAINING] = 0


async def text_of_start(ends: Ends) -> None:
    assert (await ends.next())["type"] == "http.response.start"


async def test_only_so_many_may_watch(api: Api, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_live, "WATCHERS_MAX", 1)
    async with asked(api, events()) as first:
        await text_of_start(first)
        (await api.ask("GET", "/api/live")).problem(503, "busy")


async def said(tail: Ends) -> dict[str, Any]:
    message = await tail.next()
    assert message["type"] == "websocket.send", message
    found: dict[str, Any] = json.loads(message["text"])
    return found


async def say(tail: Ends, **message: Any) -> None:
    tail.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})


async def test_a_socket_is_subscribed_paused_and_resumed(api: Api, hub: Hub) -> None:
    async with asked(api, socket("fields=call_id&team=red"), {"type": "websocket.connect"}) as tail:
        assert (await tail.next())["type"] == "websocket.accept"
        assert await said(tail) == {"type": "subscribed"} and await said(tail) == {"type": "at", "seq": 0}
        await come(hub, api, "c1", team="red")
        assert (await said(tail))["items"] == [{"seq": 1, "call_id": "c1"}]
        await say(tail, type="pause")
        async with asyncio.timeout(20):
            while hub.watchers:
                await asyncio.sleep(0.001)
        await come(hub, api, "c2", "c3", team="red")
        await say(tail, type="resume")
        assert await said(tail) == {"type": "at", "seq": 1}
        assert [one["call_id"] for one in (await said(tail))["items"]] == ["c2", "c3"]
        await say(tail, type="subscribe", query="team=blue", fields="call_id,team", after=0)
        assert await said(tail) == {"type": "subscribed"} and await said(tail) == {"type": "at", "seq": 0}
        await come(hub, api, "c4", team="blue")
        assert (await said(tail))["items"] == [{"seq": 4, "call_id": "c4", "team": "blue"}]
        for wrong in ({"type": "subscribe", "query": "status.gte=x"}, {"type": "subscribe", "query": 7}, {"type": "dance"}, {}):
            await say(tail, **wrong)
            assert (await said(tail))["problem"]["slug"] in ("invalid", "invalid_json")
        tail.incoming.put_nowait({"type": "websocket.receive", "bytes": b"\xff"})
        assert (await said(tail))["type"] == "problem"


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("nobody", {"headers": [(b"host", b"gw.example.com")]}),
    ("a wrong token", {"headers": [(b"authorization", b"Bearer gwa_wrong")]}),
    ("another site's page", {"headers": [*ADMIN, (b"origin", b"https://evil.example")]}),
    ("a page of nowhere", {"headers": [*ADMIN, (b"origin", b"null")]}),
    ("a filter that cannot be read", {"query_string": b"status.gte=x"}),
    ("another path", {"path": "/api/live", "raw_path": b"/api/live"}),
]


@pytest.mark.parametrize("changes", [changes for _, changes in REFUSED], ids=[name for name, _ in REFUSED])
async def test_a_socket_is_refused_to(api: Api, changes: dict[str, Any]) -> None:
    async with asked(api, socket(**changes), {"type": "websocket.connect"}) as tail:
        assert (await tail.next())["type"] == "websocket.close"
    assert tail.outgoing.get_nowait()["type"] == "test.over", "it was never accepted"


async def test_a_page_of_this_origin_may_open_one(api: Api, hub: Hub) -> None:
    signed_in = await api.ask("POST", "/api/session", {"token": TOKEN}, token=None)
    cookie = signed_in.headers["set-cookie"].partition(";")[0].encode()
    headers = [(b"host", b"gw.example.com"), (b"origin", b"https://gw.example.com"), (b"cookie", cookie)]
    async with asked(api, socket(headers=headers), {"type": "websocket.connect"}) as tail:
        assert (await tail.next())["type"] == "websocket.accept"
    assert not same_origin({"origin": "https://gw.example.com"})  # type: ignore[arg-type]
