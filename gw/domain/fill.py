"""How much of a limit is there at one moment. Pure; what `Standing` is for a budget."""

from msgspec import Struct

from gw.domain.limit import Limit


class Fill(Struct, frozen=True):
    """`available`: units that could be taken now, in those of the limit; of a rate below 0 while it is in debt."""

    limit: Limit
    account: str
    available: int
    wait_ns: int = 0  # until a call would pass, if nobody else takes; 0: it would now, or nobody can say (parallel calls)
