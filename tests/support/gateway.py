"""A gateway under test: `gw serve` as a child process in front of a fake upstream, and its ledger as rows."""

import socket
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gw.clock import mono_ns
from gw.demo.gateway import Gateway
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import COLUMNS, Database, StoreError
from tests.support.databases import address_of

Row = dict[str, Any]
SETTLE_S = 30.0
OWN_LEDGER = "sqlite:///state/gw.db"


def held_port() -> socket.socket:
    """A port of loopback, taken but deaf: nobody else is given it while its gateway is down, which itself may listen on it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def config_text(
    *, port: int, upstream_url: str, more: str = "", workers: int = 1, upstream: str = "", ledger: str = OWN_LEDGER
) -> str:
    """A small configuration; `upstream` is TOML in the upstream's table, `more` is appended at the end (tables only).
    State and, unless `ledger` says otherwise, the ledger lie beside the file."""
    return f"""
[server]
port = {port}
workers = {workers}
state_dir = "state"

[storage]
url = "{ledger}"

[[upstream]]
name = "fake"
provider = "anthropic"
base_url = "{upstream_url}"
api_key = "env:GW_TEST_UPSTREAM_KEY"
{upstream}

{more}
"""


class GatewayUnderTest:
    """Context manager: started and ready inside, stopped by SIGTERM at the end; a failing stop is an error."""

    def __init__(
        self,
        folder: Path,
        upstream_url: str,
        *,
        more: str = "",
        environ: Mapping[str, str] | None = None,
        workers: int = 1,
        upstream: str = "",
        database: Database | None = None,
    ) -> None:
        """`database`: where its ledger is, if not in a file of its own."""
        self.folder = folder
        self.database = database or SqliteDatabase(folder / "state" / "gw.db")
        self.upstream_key = "sk-ant-upstream-of-the-test"
        held = held_port()
        port = int(held.getsockname()[1])
        weakref.finalize(self, held.close)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.toml"
        ledger = address_of(database) if database is not None else OWN_LEDGER
        text = config_text(port=port, upstream_url=upstream_url, more=more, workers=workers, upstream=upstream, ledger=ledger)
        config.write_text(text)
        secrets = {"GW_TEST_UPSTREAM_KEY": self.upstream_key, **(environ or {})}
        self.process = Gateway(config, port, folder / "gw.log", secrets)

    @property
    def base_url(self) -> str:
        return self.process.base_url

    def rows(self, where: str = "TRUE", arguments: Sequence[Any] = ()) -> list[Row]:
        """Rows of the ledger as they are at this moment, oldest first. `where` is SQL over the columns of `call`. Raises
        StoreError."""
        try:
            with self.database.reading() as db:
                if db is None:
                    return []
                query = f"SELECT seq, {', '.join(COLUMNS)} FROM call WHERE {where} ORDER BY call_id"
                return [dict(zip(("seq", *COLUMNS), row, strict=True)) for row in db.execute(query, tuple(arguments))]
        except StoreError as error:
            if "no such table" in str(error):
                return []
            raise

    def poll(self, reached: Callable[[], bool], what: str, timeout_s: float = SETTLE_S) -> None:
        """Wait until `reached()`; fails after the timeout, with the end of the gateway's log."""
        deadline = mono_ns() + int(timeout_s * 1e9)
        while not reached():
            assert mono_ns() < deadline, f"{what} did not come in {timeout_s:.0f} s\n{self.process.log_end()}"
            self.process.pause()

    def settled(self, enough: Callable[[list[Row]], bool], where: str = "TRUE", arguments: Sequence[Any] = ()) -> list[Row]:
        """Rows once `enough` of them are there; the keeper is a little behind the answers."""
        rows: list[Row] = []

        def reached() -> bool:
            rows[:] = self.rows(where, arguments)
            return enough(rows)

        try:
            self.poll(reached, f"enough rows where {where} {list(arguments)}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{len(rows)} rows: {rows}") from None
        return rows

    def session_rows(self, session: str, count: int) -> list[Row]:
        """All rows of a session, at least `count` of them."""
        return self.settled(lambda rows: len(rows) >= count, "session_id = ?", [session])

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        status = self.process.stop()
        if error is None:
            assert status == 0, f"gw serve ended with {status}:\n{self.process.log_end()}"
