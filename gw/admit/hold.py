"""What budgets have set aside for one running call: one slot for those that reserve what it will probably cost, one for
those that reserve the most that it can."""

from gw._fast.cells import Slot

Held = tuple[Slot, ...]


class Hold:
    """Open from admission to the call's end; `post` or `void` ends it, whichever comes first, and exactly once."""

    __slots__ = ("slots", "typical")

    def __init__(self, typical: Slot | None, worst: Slot | None) -> None:
        self.typical = typical  # grows with the call
        self.slots: Held = tuple(slot for slot in (typical, worst) if slot is not None)

    def observe(self, nusd: int) -> None:
        """What the call is known to have cost so far: settled if this process dies."""
        for slot in self.slots:
            slot.observe(nusd)

    def post(self, nusd: int) -> None:
        """The call has cost this much; the rest goes back."""
        for slot in self.slots:
            slot.post(nusd)

    def void(self) -> None:
        """The call has cost nothing."""
        for slot in self.slots:
            slot.void()
