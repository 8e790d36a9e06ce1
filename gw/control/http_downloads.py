"""Tables that leave gw as files. That one did stands in the audit, with what was asked, before any of it is sent."""

from urllib.parse import urlencode

from gw.control.http_answer import Ask
from gw.domain.text import printable
from gw.ledger.audit import note
from gw.ledger.store import Database

QUERY_CHARS_MAX = 1_000


def note_download(database: Database, ask: Ask, name: str, *, lines: int) -> None:
    """Raises StoreError: what cannot be noted is not sent."""
    about = {"lines": lines, "query": printable(urlencode(ask.query), QUERY_CHARS_MAX)}
    note(database, ask.now_us, ask.actor, "api", "download", "report", name, about)
