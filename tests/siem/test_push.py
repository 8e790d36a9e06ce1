"""The audit reaches its sinks whole and in order, whatever they do."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest

from gw import audit_push, clock
from gw.config.alert_model import Siem
from gw.config.secret import Secret
from gw.courier import Desk
from gw.domain.signing import SIGNATURE, is_signed
from gw.ledger.audit import append
from gw.ledger.cursor import read_cursor
from gw.ledger.store import Database
from gw.siem import sink as sinks
from tests.alerts.certificate import TlsFiles
from tests.alerts.sinks import listening, web
from tests.audit.tampering import row
from tests.siem.test_format import parsed


class Ledger:
    """All that a push looks at of the courier's desk."""

    def __init__(self, database: Database) -> None:
        self.database = database


@asynccontextmanager
async def pushing(database: Database, siem: Siem) -> AsyncIterator[None]:
    task = asyncio.create_task(audit_push.push(cast(Desk, Ledger(database)), siem))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_push, "LOOK_S", 0.02)
    monkeypatch.setattr(audit_push, "backoff_us", lambda failures, after_s: 10_000)
    monkeypatch.setattr(sinks, "LISTEN_S", 0.05)


def write(database: Database, *numbers: int) -> None:
    for number in numbers:
        with database.changing() as db:
            append(db, row(number))


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.sleep(0.01)


def ids(bodies: list[bytes]) -> list[int]:
    return [event["id"] for body in bodies for event in json.loads(body)["events"]]


async def test_a_webhook_that_fails_gets_the_same_batch_until_it_takes_it(database: Database) -> None:
    database.prepare()
    write(database, 1, 2, 3)
    async with web("500", "reset", "429 0", "redirect") as server:
        siem = Siem(
            name="s", kind="webhook", url=Secret("literal", server.url()), secret=Secret("env:S", "shared"), from_start=True
        )
        async with pushing(database, siem):
            await until(lambda: len(server.got) == 5)
            write(database, 4)
            await until(lambda: read_cursor(database, "siem:s") == 4)
        bodies = [one.body for one in server.got]
        assert ids(bodies[:5]) == [1, 2, 3] * 5 and ids(bodies[5:]) == [4]
        assert len({one.headers["idempotency-key"] for one in server.got[:5]}) == 1
        last = server.got[-1]
        assert is_signed(last.headers[SIGNATURE], last.body, "shared", clock.wall_us() // 10**6)
        write(database, 5)
        async with pushing(database, siem):
            await until(lambda: read_cursor(database, "siem:s") == 5)
        assert ids([one.body for one in server.got[6:]]) == [5], "another courier goes on where the last one was"


async def test_a_new_sink_begins_with_what_comes(database: Database) -> None:
    database.prepare()
    write(database, 1, 2)
    async with web() as server:
        siem = Siem(name="s", kind="webhook", url=Secret("literal", server.url()))
        async with pushing(database, siem):
            await until(lambda: read_cursor(database, "siem:s") == 2)
            write(database, 3)
            await until(lambda: bool(server.got))
        assert ids([server.got[0].body]) == [3]


class Syslog:
    """Reads frames; `hang_up`: so many connections are closed after their first bytes."""

    def __init__(self, hang_up: int = 0) -> None:
        self.messages: list[bytes] = []
        self.hang_up = hang_up

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int(await reader.readuntil(b" "))
                message = await reader.readexactly(length)
                if self.hang_up:
                    self.hang_up -= 1
                    break
                self.messages.append(message)


@pytest.mark.parametrize("hang_up", [0, 2])
async def test_syslog_over_tcp_is_framed_and_sent_again_when_the_server_hangs_up(database: Database, hang_up: int) -> None:
    database.prepare()
    write(database, 1, 2, 3)
    server = Syslog(hang_up)
    async with listening(server.serve) as port:
        siem = Siem(name="s", kind="syslog", url=Secret("literal", f"tcp://127.0.0.1:{port}"), from_start=True)
        async with pushing(database, siem):
            await until(lambda: read_cursor(database, "siem:s") == 3 and len(server.messages) >= 3)
    assert [parsed(message)[3]["id"] for message in server.messages[-3:]] == ["1", "2", "3"]


async def test_syslog_over_tls_knows_its_server(database: Database, tls_files: TlsFiles) -> None:
    database.prepare()
    write(database, 1)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls_files.certificate, tls_files.key)
    server = Syslog()
    async with listening(server.serve, context) as port:
        url = Secret("literal", f"tls://127.0.0.1:{port}")
        stranger = sinks.sink_of(Siem(name="s", kind="syslog", url=url))
        with pytest.raises(sinks.SinkError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.send([row(1)])
        siem = Siem(name="s", kind="syslog", url=url, from_start=True, ca_file=str(tls_files.certificate))
        async with pushing(database, siem):
            await until(lambda: read_cursor(database, "siem:s") == 1 and bool(server.messages))
    assert len(server.messages) == 1


async def test_syslog_over_udp_is_a_datagram_each(database: Database) -> None:
    database.prepare()
    write(database, 1, 2)
    got: list[bytes] = []

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            got.append(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    siem = Siem(name="s", kind="syslog", url=Secret("literal", f"udp://127.0.0.1:{port}"), from_start=True)
    async with pushing(database, siem):
        await until(lambda: len(got) == 2)
    transport.close()
    assert [parsed(message)[3]["id"] for message in got] == ["1", "2"]
