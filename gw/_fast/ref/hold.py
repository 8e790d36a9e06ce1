"""Pure twin of hold.h: paths and the slots of open holds. See cells.py for what it may be used for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gw._fast.ref.table import FORGETTER, GONE, WHO_BITS, signed, unsigned

if TYPE_CHECKING:
    from gw._fast.ref.cells import Cells

HARD, SOFT, SHADOW, UNITS = 0, 1, 2, 3
TAKEN, STALE, NOT_FREE, NOT_HELD, ALREADY_SETTLED = -1, -2, -3, -4, -5
REAPED_NOTHING, REAPED_VOID, REAPED_POST = 0, 1, 2
FREE, HOLDING, HELD, EXTENDING, RETRACTING, POSTING, POSTED, VOIDING, VOIDED = range(9)
ITEMS_MAX = 24
SLOTS_MAX = FORGETTER - 1
AMOUNT_MAX = 2**53 - 1
SLOT_BYTES = 512
GLANCE_PARTS = 10**8  # in which the part that is spent is compared

USED, SETTLED, OVERRUN = 1, 2, 3
ENDED = (FREE, POSTED, VOIDED)
# Words of a slot.
TURN, TURN_TAG, LEFT, DONE, HELD_BEFORE, OBSERVED, DEADLINE_US, SIZE_AND_GENERATION = range(8)
ITEMS = 16


Item = tuple[int, int, int] | tuple[int, int, int, int]


def checked(amount: int) -> int:
    if not 0 <= amount <= AMOUNT_MAX:
        raise ValueError(f"an amount must be 0 .. {AMOUNT_MAX}, not {amount}")
    return amount


class Path:
    def __init__(self, cells: "Cells", items: Iterable[Item]) -> None:
        items = tuple(items)
        if len(items) > ITEMS_MAX:
            raise ValueError(f"a path has at most {ITEMS_MAX} items, not {len(items)}")
        if len({item[0] for item in items}) < len(items):
            raise ValueError("a path names each cell once")
        self.cells = cells
        self._items: list[tuple[int, int, int]] = []  # limit, index, what: as in a slot
        self._warn_at = [item[3] if len(item) > 3 else -1 for item in items]
        for item in items:
            key, limit, kind = item[:3]
            if key == 0 or not HARD <= kind <= UNITS or not -1 <= limit <= 2**62:
                raise ValueError(f"not an item of a path: {(key, limit, kind)}")
            index, tag = cells._find(key)
            if index < 0:
                raise OverflowError("all cells within reach of the key are taken")
            self._items.append((limit, index, tag << 8 & 0xFFFFFF00 | kind))

    def __len__(self) -> int:
        return len(self._items)

    @property
    def indices(self) -> tuple[int, ...]:
        return tuple(index for _, index, _ in self._items)

    def glance(self) -> tuple[int, int, int, int] | None:
        binding = []
        for at, (limit, index, what) in enumerate(self._items):
            if what & 0xFF not in (HARD, SOFT):
                continue
            settled, used = max(self.cells.settled(index), 0), self.cells.used(index)
            if settled >= limit or 0 <= self._warn_at[at] < settled:
                return None
            binding.append((at, max(limit - used, 0), settled * GLANCE_PARTS // limit, 100 * settled // limit))
        if not binding:
            return -1, 0, -1, 0
        tightest = min(binding, key=lambda one: one[1])
        fullest = max(reversed(binding), key=lambda one: (one[2], -one[1]))
        return tightest[0], tightest[1], fullest[0], fullest[3]


class Slot:
    def __init__(self, cells: "Cells", ordinal: int) -> None:
        self.cells = cells
        self.ordinal = ordinal
        self.warnings = 0
        self.shadowed = 0
        self._warn_at = [-1] * ITEMS_MAX
        self._at = cells._slots_at + ordinal * (SLOT_BYTES // 8)

    def _get(self, word: int) -> int:
        return self.cells._words[self._at + word]

    def _put(self, word: int, value: int) -> None:
        self.cells._words[self._at + word] = value

    def _turn_to(self, state: int, count: int) -> None:
        self._put(TURN_TAG, self._get(DONE) << 16 | count << 8 | state)

    def _turn_with(self, state: int, amount: int) -> None:
        self._put(TURN, amount)
        self._turn_to(state, len(self._raw_items()))

    def _raw_items(self) -> list[tuple[int, int, int]]:
        """(limit, index, what) of each item; what: the low 24 bits of the cell's name tag << 8 | kind."""
        found = []
        for at in range(ITEMS, ITEMS + 2 * min(self._get(SIZE_AND_GENERATION) & 0xFFFFFFFF, ITEMS_MAX), 2):
            packed = unsigned(self._get(at + 1))
            found.append((self._get(at), packed & 0xFFFFFFFF, packed >> 32))
        return found

    def _put_item(self, position: int, item: tuple[int, int, int]) -> None:
        limit, index, what = item
        self._put(ITEMS + 2 * position, limit)
        self._put(ITEMS + 2 * position + 1, signed(what << 32 | index))

    def _add(self, item: tuple[int, int, int], word: int, delta: int, ceiling: int) -> int:
        """1 if added; 0: no room; -1: the cell has been forgotten."""
        _, index, what = item
        table = self.cells._table
        value, tag = table.pair(index, word)
        if value == GONE or table.pair(index, 0)[1] << 8 & 0xFFFFFF00 != what & 0xFFFFFF00:
            return -1
        if ceiling >= 0 and value + delta > ceiling:
            return 0
        self.cells._mark(value, tag)
        operation = self._get(DONE) + 1
        table.put(index, word, value + delta, operation << WHO_BITS | (self.ordinal + 1))
        self._put(LEFT, value + delta)
        self._put(DONE, operation)
        return 1

    def _note(self, position: int, limit: int, kind: int) -> None:
        used, warn_at = self._get(LEFT), self._warn_at[position]
        passed = 0 <= limit < used
        if (passed and kind == SOFT) or 0 <= warn_at < used:
            self.warnings |= 1 << position
        if passed and kind == SHADOW:
            self.shadowed |= 1 << position

    def _take(self, amount: int, units: int) -> int:
        for position, item in enumerate(self._raw_items()):
            limit, kind = item[0], item[2] & 0xFF
            if kind == UNITS and units == 0:
                self._put(DONE, self._get(DONE) + 1)
                continue
            added = self._add(item, USED, units if kind == UNITS else amount, limit if kind in (HARD, UNITS) else -1)
            if added != 1:
                return position if added == 0 else STALE
            self._note(position, limit, kind)
        return TAKEN

    def _give_back(self) -> None:
        tag, amount = self._get(TURN_TAG), self._get(TURN)
        units = int(tag & 0xFF == VOIDING)
        first, items = tag >> 16, self._raw_items()
        for position in range(self._get(DONE) - first, tag >> 8 & 0xFF):
            item = items[position]
            delta = units if item[2] & 0xFF == UNITS else amount
            if delta == 0 or self._add(item, USED, -delta, -1) != 1:
                self._put(DONE, first + position + 1)

    def _settle(self) -> None:
        first, actual = self._get(TURN_TAG) >> 16, self._get(TURN)
        items = self._raw_items()
        for operation in range(self._get(DONE) - first, 3 * len(items)):
            item = items[operation // 3]
            word, delta = self._posted(item, operation % 3, actual)
            if delta != 0:
                if self._add(item, word, delta, -1) == 1:
                    continue
                self._put(LEFT, GONE)
            self._put(DONE, first + operation + 1)

    def _posted(self, item: tuple[int, int, int], part: int, actual: int) -> tuple[int, int]:
        """The word, and by how much it changes."""
        limit, _, what = item
        excess = actual - self._get(HELD_BEFORE)
        if what & 0xFF == UNITS:
            return USED, -1 if part == 0 else 0
        if part == 0:
            return USED, excess
        if part == 2:
            return SETTLED, actual
        beyond = self._get(LEFT) - limit
        return OVERRUN, min(beyond, excess) if excess > 0 and limit >= 0 and beyond > 0 else 0

    def hold(self, path: Path, amount: int, deadline_us: int = 0) -> int:
        if path.cells is not self.cells:
            raise ValueError("the path is of other cells")
        checked(amount)
        if self.state not in ENDED:
            return NOT_FREE
        for position, item in enumerate(path._items):
            self._put_item(position, item)
        self._warn_at[: len(path)] = path._warn_at
        self.warnings = self.shadowed = 0
        self._put(SIZE_AND_GENERATION, signed((self.generation + 1) << 32 | len(path)))
        self._put(OBSERVED, 0)
        self._put(DEADLINE_US, deadline_us)
        self._put(TURN, amount)
        self._turn_to(HOLDING, len(path))
        first = self._get(DONE)
        result = self._take(amount, 1)
        if result == TAKEN:
            self._turn_to(HELD, 0)
            return result
        self.warnings = self.shadowed = 0
        self._turn_to(VOIDING, self._get(DONE) - first)
        self._give_back()
        self._turn_to(VOIDED, 0)
        return result

    def relimit(self, path: Path) -> None:
        for position, (_, index, what) in enumerate(self._raw_items()):
            for anew, warn_at in zip(path._items, path._warn_at, strict=True):
                same = index == anew[1] and what >> 8 == anew[2] >> 8
                if same and (what & 0xFF == UNITS) == (anew[2] & 0xFF == UNITS):
                    self._put_item(position, anew)
                    self._warn_at[position] = warn_at

    def extend(self, extra: int) -> int:
        checked(extra)
        if self.state != HELD:
            return NOT_HELD
        held = self._get(TURN)
        self._put(HELD_BEFORE, held)
        self._turn_with(EXTENDING, extra)
        first, warnings, shadowed = self._get(DONE), self.warnings, self.shadowed
        result = self._take(extra, 0)
        if result == TAKEN:
            self._turn_with(HELD, held + extra)
            return result
        self.warnings, self.shadowed = warnings, shadowed
        self._turn_to(RETRACTING, self._get(DONE) - first)
        self._give_back()
        self._turn_with(HELD, held)
        return result

    def retract(self, less: int) -> int:
        checked(less)
        if self.state != HELD:
            return NOT_HELD
        held = self._get(TURN)
        back = min(less, held)
        self._put(HELD_BEFORE, held - back)
        self._turn_with(RETRACTING, back)
        self._give_back()
        self._turn_with(HELD, held - back)
        return 0

    def _end(self, state: int, amount: int) -> int:
        if self.state != HELD:
            return ALREADY_SETTLED if self.state in (POSTED, VOIDED) else NOT_HELD
        if state == POSTING:
            self._put(HELD_BEFORE, self._get(TURN))
        self._turn_with(state, amount)
        self._finish()
        return 0

    def _finish(self) -> None:
        if self.state == POSTING:
            self._settle()
            self._turn_to(POSTED, 0)
        else:
            self._give_back()
            self._turn_to(VOIDED, 0)

    def post(self, actual: int) -> int:
        return self._end(POSTING, checked(actual))

    def void(self) -> int:
        return self._end(VOIDING, self._get(TURN))

    def observe(self, amount: int) -> None:
        self._put(OBSERVED, checked(amount))

    def _resolve(self) -> None:
        tag, operation = self._get(TURN_TAG), self._get(DONE) + 1
        position, part = operation - (tag >> 16) - 1, 0
        if tag & 0xFF == POSTING:
            position, part = divmod(position, 3)
        items = self._raw_items()
        if position < len(items):
            value, word_tag = self.cells._table.pair(items[position][1], (USED, OVERRUN, SETTLED)[part])
            if word_tag == operation << WHO_BITS | (self.ordinal + 1):
                self.cells._mark(value, word_tag)

    def reap(self, actual: int = -1) -> int:
        if actual != -1:
            checked(actual)
        self._resolve()
        taken = self._get(DONE) - (self._get(TURN_TAG) >> 16)
        if self.state in ENDED:
            return REAPED_NOTHING
        if self.state in (HOLDING, VOIDING):
            if self.state == HOLDING:
                self._turn_to(VOIDING, taken)
            self._finish()
            return REAPED_VOID
        if self.state in (EXTENDING, RETRACTING):
            if self.state == EXTENDING:
                self._turn_to(RETRACTING, taken)
            self._give_back()
            self._turn_with(HELD, self._get(HELD_BEFORE))
        if self.state == HELD:
            self.post(self.observed if actual == -1 else actual)
        else:
            self._finish()
        return REAPED_POST

    @property
    def state(self) -> int:
        return self._get(TURN_TAG) & 0xFF

    @property
    def amount(self) -> int:
        return self._get(TURN)

    @property
    def held(self) -> int:
        if self.state in (EXTENDING, RETRACTING, POSTING):
            return self._get(HELD_BEFORE)
        return 0 if self.state in ENDED else self._get(TURN)

    @property
    def observed(self) -> int:
        return self._get(OBSERVED)

    @property
    def deadline_us(self) -> int:
        return self._get(DEADLINE_US)

    @property
    def generation(self) -> int:
        return unsigned(self._get(SIZE_AND_GENERATION)) >> 32

    @property
    def items(self) -> list[tuple[int, int, int]]:
        return [(index, limit, what & 0xFF) for limit, index, what in self._raw_items()]
