from collections.abc import Iterable, Iterator

from typing_extensions import Buffer

# Kinds of an item of a path.
HARD: int  # refuses what would pass the limit
SOFT: int  # never refuses; `warnings` says that the limit was passed
SHADOW: int  # never refuses; `shadowed` says so
UNITS: int  # refuses; counts 1 from the hold to its end, whatever the amount; never settled

# Results of hold, extend, post and void; hold and extend return the index (0 ..) of the item that refuses, too.
TAKEN: int  # -1, of hold and extend: taken from all
STALE: int  # -2: a cell of the path has been forgotten, nothing was taken; compile the path again
NOT_FREE: int  # -3, of hold: the slot holds; or what a dead process left in it has not been reaped
NOT_HELD: int  # -4: the slot has never held, or a process died in it
ALREADY_SETTLED: int  # -5: posted or voided before; nothing has changed

# Results of reap.
REAPED_NOTHING: int  # nothing was open
REAPED_VOID: int  # all of it was given back
REAPED_POST: int  # `Slot.amount` was settled

# States of a slot. The step -ING is under way, or its process died in it.
FREE: int
HOLDING: int
HELD: int
EXTENDING: int
RETRACTING: int
POSTING: int
POSTED: int
VOIDING: int
VOIDED: int

ITEMS_MAX: int
SLOTS_MAX: int
AMOUNT_MAX: int  # nano-USD of one hold, extension, settlement. A cell counts to 2**63 - 1: 9.2 billion dollars
CELL_BYTES: int
SLOT_BYTES: int

# (key, limit, kind) or (key, limit, kind, warn_at); amounts in nano-USD, or calls for UNITS; a limit or warn_at of -1: none
Item = tuple[int, int, int] | tuple[int, int, int, int]

def cells_bytes(capacity: int, slots: int) -> int:
    """Size of the memory for so many cells (a power of two) and slots. ValueError."""

class Cells:
    """What budgets have used, in memory shared by any number of processes, any of which may be killed at any instant.

    All sums stay exact for ever, in every interleaving, once the slots of dead processes are reaped. Nothing locks, waits,
    allocates or enters the kernel. Amounts are int64 nano-USD. Indices beyond the capacity raise IndexError.
    """

    capacity: int
    slots: int
    def __init__(self, memory: Buffer, capacity: int, slots: int) -> None:
        """`memory`: writable, aligned to 64 bytes, `cells_bytes()` long; zeroed by whoever makes it, before all others; the
        same in each process. Held until the cells are gone. ValueError."""

    def find(self, key: int) -> int:
        """Index of the cell with this key (1 .. 2**64 - 1), entered with all words 0 if absent; -1 if the 256 cells in which
        the key may stand are all taken (not before the table is three quarters full, as good as always)."""

    def lookup(self, key: int) -> int:
        """Index of the cell with this key, or -1."""

    def key(self, index: int) -> int:
        """0: none."""

    def __iter__(self) -> Iterator[int]:
        """Indices of all cells in use, as of now."""

    def used(self, index: int) -> int:
        """settled + reserved; UNITS: open calls. At most the limit of every hold, plus overrun."""

    def settled(self, index: int) -> int: ...
    def overrun(self, index: int) -> int:
        """Sum of what was settled beyond both its reservation and the limit at that time."""

    def reserved(self, index: int) -> int:
        """used - settled. While others settle, a reading may be too high by what they settle, never too low."""

    def stamp(self, index: int) -> int:
        """Changes with each change of `used`, and never back: a cell whose stamp stays has not been touched."""

    def load(self, index: int, settled: int) -> None:
        """Sets settled and used of a cell without reservations: at start, before any worker."""

    def charge(self, index: int, amount: int) -> None:
        """Adds to used and settled what went through no slot (corrections; may be negative). Exact beside holds; a process
        killed in it may have done it for used only, which reconcile puts right."""

    def reconcile(self, index: int, expected: int, settled: int, reserved: int) -> bool:
        """Sets used to settled + reserved, and settled, if used is `expected`; else False and nothing has changed."""

    def forget(self, index: int) -> bool:
        """Frees the cell for other keys if nothing is reserved in it; else False. For windows that are over and sessions
        that are idle. Paths that name it are STALE from then on."""

    def slot(self, ordinal: int) -> Slot:
        """The slot with this number. One process owns it: make it once and keep it, for the warnings are in the object, not
        in the memory. IndexError."""

    def open_slots(self, first: int = 0, count: int = -1) -> list[int]:
        """Numbers of those of `count` slots from `first` on that hold something."""

class Path:
    """The cells a call is charged to, with their limits: compiled once per account, window and snapshot; immutable."""

    cells: Cells
    def __init__(self, cells: Cells, items: Iterable[Item]) -> None:
        """At most ITEMS_MAX items of different keys; cells are entered. ValueError; OverflowError: no cell is free."""

    def __len__(self) -> int: ...
    @property
    def indices(self) -> tuple[int, ...]:
        """Of the cells, by item."""

    def glance(self) -> tuple[int, int, int, int] | None:
        """(item of which least is left, what is left of it, item of which the greatest part is spent, how many percent) of the
        hard and soft budgets; items are -1 where there are none. None: some budget has reached its limit or passed its `warn_at`
        with what is settled, and there is more to say."""

class Slot:
    """One call's open hold, in a record that any process can end after the owner's death. Amounts outside 0 .. AMOUNT_MAX
    raise ValueError. All methods but `reap` and the properties are the owner's."""

    cells: Cells
    ordinal: int
    def hold(self, path: Path, amount: int, deadline_us: int = 0) -> int:
        """Takes `amount` from all cells of the path, or nothing: TAKEN, the index of the item that refuses, STALE, NOT_FREE."""

    def relimit(self, path: Path) -> None:
        """From now on the limits, kinds and warnings of `path` count for the cells that are on it; the others keep theirs."""

    def extend(self, extra: int) -> int:
        """Takes `extra` more from all, or nothing: TAKEN, the index of the item that refuses, STALE, NOT_HELD."""

    def retract(self, less: int) -> int:
        """Gives `less` of what is held back to all, at most all of it: 0, NOT_HELD. The hold goes on."""

    def post(self, actual: int) -> int:
        """Settles `actual`, however much, and gives the rest back: 0, ALREADY_SETTLED, NOT_HELD."""

    def void(self) -> int:
        """Gives all back: 0, ALREADY_SETTLED, NOT_HELD."""

    def observe(self, amount: int) -> None:
        """What is known to be spent so far: what `reap` settles."""

    def reap(self, actual: int = -1) -> int:
        """Ends what a dead process left: REAPED_VOID if its hold was never complete, or if it was voiding; REAPED_POST with
        `actual` (-1: as observed), or with its own actual if it was posting. One process at a time; it may itself be killed,
        and the next call goes on. Never for a slot whose owner lives."""

    @property
    def warnings(self) -> int:
        """Bit i: used of item i passed warn_at or, SOFT, the limit, since the hold."""

    @property
    def shadowed(self) -> int:
        """Bit i: used of item i, SHADOW, passed the limit since the hold."""

    @property
    def state(self) -> int: ...
    @property
    def amount(self) -> int:
        """FREE: 0; EXTENDING: the extra; RETRACTING: what goes back; POSTING, POSTED: the actual; else the amount held."""

    @property
    def held(self) -> int:
        """0 when nothing is open."""

    @property
    def observed(self) -> int: ...
    @property
    def deadline_us(self) -> int: ...
    @property
    def generation(self) -> int:
        """How many holds the slot has seen."""

    @property
    def items(self) -> list[tuple[int, int, int]]:
        """(index of the cell, limit, kind) of the last hold."""
