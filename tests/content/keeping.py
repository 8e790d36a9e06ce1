"""A content store of a test's own: what goes in by a keeper, what comes out by a library."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gw.config.content_model import Content, Redact
from gw.config.secret import Secret
from gw.content.library import Library
from gw.content.spool import ANSWER, DROPPED, REQUEST, Note
from gw.content.spooled import Sent
from gw.content.store import Keeper
from gw.ledger.content import content_database
from tests.support.databases import Server

SECRET = b"the installation's own secret of 32"
PLAIN = Content(store="all", redact_api_keys=False, redact_private_keys=False)


def key(number: int) -> Secret:
    return Secret("env:GW_TEST_CONTENT_KEY", b64encode(bytes([number]) * 32).decode())


def content(**fields: Any) -> Content:
    redact = tuple(Redact(name=name, pattern=pattern) for name, pattern in fields.pop("redact", ()))
    return Content(**{"store": "all", "redact_api_keys": False, "redact_private_keys": False, "redact": redact, **fields})


class Store:
    """On one address; `use` changes its settings, as a new start would."""

    def __init__(self, address: str, settings: Content = PLAIN) -> None:
        self.address = address
        self.use(settings)

    def use(self, settings: Content) -> None:
        self.settings = settings
        self.library = Library(settings, self.address)
        self.database = self.library.database
        self.keeper = Keeper(settings, SECRET, self.database)

    def request(self, call_id: str, body: bytes, **note: Any) -> None:
        self._take(Sent(REQUEST, self._note(call_id, len(body), note), body))

    def answer(self, call_id: str, body: bytes, **note: Any) -> None:
        self._take(Sent(ANSWER, self._note(call_id, len(body), note), body))

    def dropped(self, call_id: str, what: str, reason: str) -> None:
        self._take(Sent(DROPPED, self._note(call_id, 99, {"what": what, "reason": reason}), b""))

    def _take(self, sent: Sent) -> None:
        with self.database.changing() as db:
            self.keeper.begin(db)
            self.keeper.take(db, sent)
            self.keeper.end(db)

    def _note(self, call_id: str, size: int, fields: dict[str, Any]) -> Note:
        known = {"started_us": 1_000_000, "key_id": "kid", "key_name": "ci", "team": "platform", "session_id": "s1", **fields}
        return Note(call_id=call_id, size=size, **known)

    def raw(self, call_id: str) -> tuple[bytes, bytes]:
        found = self.library.raw(call_id)
        assert found is not None, call_id
        return found

    def blocks(self) -> int:
        return self.library.stats().blocks


@contextmanager
def stored(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    if kind == "sqlite":
        yield Store(f"sqlite:///{folder / 'gw.db'}")
        return
    server: Server = request.getfixturevalue("server")
    url = server.fresh()
    yield Store(url)
    database: Any = content_database(url)
    database.close()
    server.drop(url)
