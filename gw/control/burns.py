"""How spending has grown towards budgets, kept for a while: what lies behind the running hour seldom changes, and pages that show
it ask every few seconds. One per worker."""

from collections import OrderedDict
from threading import Lock

from gw import clock
from gw.domain.scope import Scope
from gw.ledger.burn import Lines, burned, limits_of
from gw.ledger.store import Database, StoreError

KEPT_NS = 60_000_000_000
KEPT_MAX = 500  # of budgets
REST_NS = 10_000_000_000  # before a ledger that did not say it is asked again: pages do not wait for it meanwhile
Known = tuple[str, tuple[str, str, bool, str], tuple[int, ...]]  # the ledger, whose, when


class Burns:
    """Safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Known, tuple[int, Lines]] = OrderedDict()
        self._again_ns = 0

    def of(self, database: Database, scope: Scope, start_us: int, now_us: int) -> tuple[list[int], Lines]:
        """The steps of the window that began then, and what each account had spent at their ends; neither, where the ledger does
        not say it in time."""
        limits = limits_of(scope, start_us, now_us)
        known = database.name, scope.identity, tuple(limits)
        with self._lock:
            at_ns, lines = self._kept.get(known, (0, {}))
        if at_ns and clock.mono_ns() - at_ns < KEPT_NS:
            return limits, lines
        if clock.mono_ns() < self._again_ns:
            return [], {}
        try:
            lines = burned(database, database.dialect, scope, limits)
        except StoreError:
            self._again_ns = clock.mono_ns() + REST_NS
            return [], {}
        with self._lock:
            self._kept[known] = clock.mono_ns(), lines
            self._kept.move_to_end(known)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return limits, lines
