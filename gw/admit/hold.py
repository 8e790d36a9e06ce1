"""What budgets have set aside for one running call: one slot for those that reserve what it will probably cost, one for
those that reserve the most that it can."""

from typing import TYPE_CHECKING

from gw._fast.cells import Slot
from gw.admit.card import SLICE_TOKENS, Estimate

if TYPE_CHECKING:
    from gw.admit.gate import CompiledPath

Amount = int  # of any size: what a provider says may be garbage
Flag = bool  # compiled, a C integer: hold.pxd
NOTHING = Estimate(0, 0, 0, 0, 0, 0)


class Hold:
    """Open from admission to the call's end; `post` or `void` ends it, whichever comes first, and exactly once."""

    __slots__ = ("at_most_nusd", "estimate", "held_nusd", "look_at", "path", "slots", "typical", "worst")

    def __init__(self, path: "CompiledPath", typical: Slot | None, worst: Slot | None) -> None:
        self.path = path
        self.typical = typical  # grows with the call
        self.worst = worst
        self.at_most_nusd = worst.held if worst is not None else 0
        self.estimate = NOTHING
        if typical is None or worst is None:
            only = typical or worst
            self.slots: tuple[Slot, ...] = () if only is None else (only,)
        else:
            self.slots = (typical, worst)
        self.held_nusd = typical.held if typical is not None else 0
        self.look_at = 0  # bytes of text in the stream at which it is to be looked at again

    def observe(self, nusd: int) -> None:
        """What the call is known to have cost so far: settled if this process dies."""
        for slot in self.slots:
            slot.observe(nusd)

    def post(self, nusd: Amount, sure: Flag = True) -> None:
        """The call has cost this much; the rest goes back. Not `sure`: the provider may charge more than was read, so budgets
        that reserve the worst count all that it can be."""
        if self.typical is not None:
            self.typical.post(nusd)
        if self.worst is not None:
            self.worst.post(nusd if sure else max(nusd, self.at_most_nusd))

    def void(self) -> None:
        """The call has cost nothing."""
        for slot in self.slots:
            slot.void()


def wanted_of(hold: Hold, spent: int) -> tuple[int, int]:
    """(what a stream that has spent so much is to hold, the most that it can need): a slice ahead, but not beyond the most that
    the call can cost, unless it has cost that much already: then it was no bound."""
    estimate = hold.estimate
    most = estimate.worst_nusd if spent < estimate.worst_nusd else spent + estimate.slice_nusd
    return min(spent + estimate.slice_nusd, most), most


def shrink(hold: Hold, spent: int) -> None:
    """The stream's start has told what the prompt cost, which may be a small part of what had to be feared, if all of it was in
    the provider's cache: beyond that only the expected output is held from now on."""
    assert hold.typical is not None
    wanted, most = wanted_of(hold, spent)
    output = hold.estimate.slice_nusd * hold.estimate.output_tokens // SLICE_TOKENS
    less = hold.held_nusd - max(wanted, min(spent + output, most))
    if less > 0:
        hold.typical.retract(less)
        hold.held_nusd -= less
