"""When the database is away, nothing can be written down, and that is what people must hear. Then rules of kind database_lag are
decided in memory and told at once, and again at each look until a channel takes it; what was decided goes into the history when
the database is back.

Lost with the courier: one that is begun anew meanwhile says the same once more.
"""

from collections.abc import Awaitable, Callable, Iterable

from msgspec.structs import replace

from gw.alerts.decide import Action, Condition, State, decide
from gw.alerts.look import Settings, channels_of, rule_of, source_of
from gw.alerts.notice import Notice
from gw.alerts.store import carry_out, notice_of, states_of
from gw.config.alert_model import Alert
from gw.ledger.store import Database

Tell = Callable[[str, Notice], Awaitable[bool]]
WAITING_MAX = 100  # messages that no channel has taken


class Emergency:
    """`tell` sends a notice to the channel of that name, and never raises: False, if it is to be tried again."""

    def __init__(self, settings: Settings, tell: Tell) -> None:
        self._settings = settings
        self._tell = tell
        self._states: dict[str, dict[str, State]] = {}
        self._decided: list[tuple[Alert, list[Action], int]] = []
        self._waiting: list[tuple[str, Notice]] = []

    @property
    def rules(self) -> frozenset[str]:
        """Those that fire here now, and are not to be decided elsewhere."""
        return frozenset(rule for rule, states in self._states.items() if any(one.firing for one in states.values()))

    async def look(self, alert: Alert, conditions: Iterable[Condition], now_us: int) -> None:
        states = self._states.setdefault(alert.name, {})
        actions = decide(rule_of(alert), conditions, states, now_us)
        source = source_of(alert, self._settings)
        for action in actions:
            states[action.state.fingerprint] = action.state
            if action.event and action.loud:
                notice = notice_of(source, action, action.state, now_us)
                self._waiting += [(channel, notice) for channel in channels_of(alert, self._settings.notify)]
        await self.send()
        if any(action.event for action in actions):
            self._decided.append((alert, actions, now_us))

    async def send(self) -> None:
        """What waits, each channel in its order: one that does not take its first message is not asked about the next."""
        waiting, self._waiting = self._waiting[-WAITING_MAX:], []
        for channel, notice in waiting:
            behind = any(channel == one for one, _ in self._waiting)
            if behind or not await self._tell(channel, notice):
                self._waiting.append((channel, notice))

    def write_down(self, database: Database) -> None:
        """What was decided here, without sending it again. Raises StoreError."""
        if not self._decided or self.rules:
            return
        with database.changing() as db:
            for alert, actions, at_us in self._decided:
                source = replace(source_of(alert, self._settings), channels=(), closing=())
                for action in actions:
                    known = states_of(db, alert.name).get(action.state.fingerprint)
                    numbered = replace(
                        action.state, alert_id=known.alert_id if known is not None and action.event != "firing" else 0
                    )
                    carry_out(db, source, [replace(action, state=numbered)], at_us)
        self._decided.clear()
        self._states.clear()
