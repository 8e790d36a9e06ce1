"""Where an account stands in one window of one budget: what is spent, set aside and left. Pure; money is int nano-USD."""

from msgspec import Struct

from gw.domain.budget import Budget


class Standing(Struct, frozen=True):
    """As read at one moment. `settled_nusd` is spent; `used_nusd` is that and what is set aside for calls that run."""

    budget: Budget
    account: str
    limit_nusd: int  # in force, increases included
    settled_nusd: int
    used_nusd: int
    overrun_nusd: int  # of what is settled: beyond what was set aside and the limit
    start_us: int
    end_us: int  # 0: never

    @property
    def reserved_nusd(self) -> int:
        return max(self.used_nusd - self.settled_nusd, 0)

    @property
    def remaining_nusd(self) -> int:
        return max(self.limit_nusd - self.used_nusd, 0)

    @property
    def name(self) -> str:
        """For people: `team "platform"`."""
        return self.budget.scope.text(self.account)
