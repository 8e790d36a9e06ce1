"""Sign-ins for the audit: who came in, from where, and who was turned away.

Many requests are one sign-in: an actor at an address is written down once in SEEN_NS. Failures are counted and written together,
one entry for each address and reason in FLUSH_S, and beyond ADDRESSES_MAX addresses one for all others: a flood costs a few rows
a minute. Writing happens in the thread that serves the API; what cannot be written now waits, counted.
"""

from collections import OrderedDict

from msgspec import Struct

from gw.control.session import Principal
from gw.domain.text import printable
from gw.ledger.audit import note
from gw.ledger.database import database_of
from gw.ledger.store import Database, StoreError

SEEN_NS = 3600 * 10**9
SEEN_MAX = 1024
ADDRESSES_MAX = 50
FLUSH_S = 60
ADDRESS_CHARS_MAX = 60
NAME_CHARS_MAX = 80
OTHERS = "other addresses"

FAILURES = frozenset({"admin_token_wrong", "virtual_key_wrong", "virtual_key_refused", "locked_out", "csrf_missing"})


def turned_away(slug: str) -> bool:
    """Whether that problem is a sign-in that failed. A request without any token is none."""
    return slug in FAILURES


def who(principal: Principal) -> str:
    """As the audit names it."""
    account = principal.account
    return (
        principal.actor if account is None else f"virtual key ({printable(account.key_name or account.key_id, NAME_CHARS_MAX)})"
    )


class Failures(Struct):
    first_us: int
    count: int = 0


class SignIns:
    """One per worker. `seen` and `failed` are called by the loop and cost nothing; `write` in a thread."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._came: list[tuple[int, str, str]] = []
        self._failed: dict[tuple[str, str], Failures] = {}
        self._due_ns = 0
        self.reminded = False  # somebody comes back for what waits

    def seen(self, actor: str, address: str, now_us: int, now_ns: int) -> None:
        who = actor, address
        last_ns = self._seen.get(who)
        if last_ns is not None and now_ns - last_ns < SEEN_NS:
            return
        self._seen[who] = now_ns
        self._seen.move_to_end(who)
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        if len(self._came) < SEEN_MAX:
            self._came.append((now_us, actor, address))

    def failed(self, reason: str, address: str, now_us: int) -> None:
        key = reason, printable(address, ADDRESS_CHARS_MAX) or "unknown address"
        if key not in self._failed and len(self._failed) >= ADDRESSES_MAX:
            key = reason, OTHERS
        self._failed.setdefault(key, Failures(now_us)).count += 1

    def is_due(self, now_ns: int) -> bool:
        """Whether there is something to write now."""
        return bool(self._came) or (bool(self._failed) and now_ns >= self._due_ns)

    @property
    def waits(self) -> bool:
        """Failures that are yet to be written."""
        return bool(self._failed)

    def write(self, address: str, now_us: int, now_ns: int) -> None:
        """`address`: of the database. What it does not take now is kept."""
        database = database_of(address)
        came, self._came = self._came, []
        failed = {}
        if self._failed and now_ns >= self._due_ns:
            failed, self._failed = self._failed, {}
            self._due_ns = now_ns + FLUSH_S * 10**9
        try:
            while came:
                at_us, actor, where = came[0]
                note(database, at_us, actor, "api", "sign_in", "sign_in", where)
                came.pop(0)
            for (reason, where), found in list(failed.items()):
                _note_failures(database, reason, where, found, now_us)
                del failed[reason, where]
        except StoreError:
            self._came = [*came, *self._came][:SEEN_MAX]
            for (reason, where), found in failed.items():
                self._failed.setdefault((reason, where), Failures(found.first_us)).count += found.count


def _note_failures(database: Database, reason: str, where: str, found: Failures, now_us: int) -> None:
    about = {"reason": reason, "count": found.count, "first_us": found.first_us, "last_us": now_us}
    note(database, found.first_us, "nobody", "api", "sign_in_failed", "sign_in", where, about)
