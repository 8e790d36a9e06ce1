"""Budget cells and the slots of open holds, in memory shared by all processes of a host. The C and its rules: cells.h, hold.h.

The memory: `capacity` cells of 64 bytes, then `slots` slots of 512 bytes, then 64 bytes; zeroed when made, aligned to 64 bytes.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t

HARD, SOFT, SHADOW, UNITS = GW_HARD, GW_SOFT, GW_SHADOW, GW_UNITS
TAKEN, STALE, NOT_FREE, NOT_HELD, ALREADY_SETTLED = GW_TAKEN, GW_PATH_STALE, GW_NOT_FREE, GW_NOT_HELD, GW_ALREADY_SETTLED
REAPED_NOTHING, REAPED_VOID, REAPED_POST = GW_NOTHING_OPEN, GW_REAPED_VOID, GW_REAPED_POST
FREE, HOLDING, HELD, EXTENDING, RETRACTING = GW_FREE_SLOT, GW_HOLDING, GW_HELD, GW_EXTENDING, GW_RETRACTING
POSTING, POSTED, VOIDING, VOIDED = GW_POSTING, GW_POSTED, GW_VOIDING, GW_VOIDED
ITEMS_MAX = GW_ITEMS_MAX
SLOTS_MAX = GW_SLOTS_MAX
AMOUNT_MAX = 2**53 - 1
Item = tuple[int, int, int] | tuple[int, int, int, int]
CELL_BYTES = sizeof(gw_record)
SLOT_BYTES = sizeof(gw_slot)
cdef enum: TAIL_BYTES = 64  # the count of direct writes, alone in its line

cdef int64_t AMOUNT_MOST = AMOUNT_MAX


def cells_bytes(capacity, slots):
    if capacity < 2 or capacity > 2**24 or capacity & (capacity - 1):
        raise ValueError(f"the capacity must be a power of two from 2 to 2**24, not {capacity}")
    if not 0 <= slots <= SLOTS_MAX:
        raise ValueError(f"slots must be 0 .. {SLOTS_MAX}, not {slots}")
    return capacity * CELL_BYTES + slots * SLOT_BYTES + TAIL_BYTES


cdef int64_t amount_of(int64_t amount) except -1:
    if amount < 0 or amount > AMOUNT_MOST:
        raise ValueError(f"an amount must be 0 .. {AMOUNT_MAX}, not {amount}")
    return amount


cdef class Cells:
    def __cinit__(self, memory not None, int capacity, int slots):
        cdef Py_ssize_t needed = cells_bytes(capacity, slots)
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE | PyBUF_SIMPLE)
        if self.view.len < needed:
            raise ValueError(f"the cells' memory must have {needed} bytes, not {self.view.len}")
        if <uintptr_t>self.view.buf % 64:
            raise ValueError("the cells' memory must be aligned to 64 bytes")
        gw_table_init(&self.cells.table, self.view.buf, capacity.bit_length() - 1)
        self.cells.slots = <gw_slot *>(<char *>self.view.buf + capacity * sizeof(gw_record))
        self.cells.slot_count = slots
        self.cells.direct = <gw_word *>&self.cells.slots[slots]
        self.capacity = capacity
        self.slots = slots

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cdef gw_record *at(self, int64_t index) except NULL:
        if index < 0 or index >= self.capacity:
            raise IndexError(f"no cell {index}")
        return &self.cells.table.records[index]

    def find(self, uint64_t key):
        cdef uint64_t tag
        if key == 0:
            raise ValueError("a key is not 0")
        return gw_cells_find(&self.cells, <int64_t>key, &tag)

    def lookup(self, uint64_t key):
        cdef uint64_t tag
        return gw_table_lookup(&self.cells.table, <int64_t>key, &tag)

    def key(self, int64_t index):
        cdef gw_seen name = gw_pair_whole_acquire(&self.at(index).name)
        return <uint64_t>name.value if gw_state_of(name.tag) == GW_MEMBER else 0

    def __iter__(self):
        return iter([index for index in range(self.capacity) if self.key(index)])

    def used(self, int64_t index):
        return gw_load_acquire(&self.at(index).words[GW_USED].value)

    def settled(self, int64_t index):
        return gw_load_acquire(&self.at(index).words[GW_SETTLED].value)

    def overrun(self, int64_t index):
        return gw_load_acquire(&self.at(index).words[GW_OVERRUN].value)

    def reserved(self, int64_t index):
        cdef gw_record *cell = self.at(index)
        cdef int64_t settled = gw_load_acquire(&cell.words[GW_SETTLED].value)
        return gw_load_acquire(&cell.words[GW_USED].value) - settled

    def stamp(self, int64_t index):
        return gw_pair_acquire(&self.at(index).words[GW_USED]).tag

    def load(self, int64_t index, int64_t settled):
        cdef gw_record *cell = self.at(index)
        gw_set_direct(&self.cells, &cell.words[GW_SETTLED], settled)
        gw_set_direct(&self.cells, &cell.words[GW_USED], settled)

    def charge(self, int64_t index, int64_t amount):
        self.at(index)
        gw_cell_charge(&self.cells, index, amount)

    def reconcile(self, int64_t index, int64_t expected, int64_t settled, int64_t reserved):
        self.at(index)
        return gw_cell_reconcile(&self.cells, index, expected, settled, reserved) != 0

    def forget(self, int64_t index):
        self.at(index)
        return gw_cell_forget(&self.cells, index) != 0

    def slot(self, int ordinal):
        if ordinal < 0 or ordinal >= self.slots:
            raise IndexError(f"no slot {ordinal}")
        cdef int at
        cdef Slot slot = Slot.__new__(Slot)
        slot.cells = self
        slot.holder.slot = &self.cells.slots[ordinal]
        for at in range(GW_ITEMS_MAX):
            slot.holder.warn_at[at] = -1
        slot.ordinal = ordinal
        return slot

    def open_slots(self, int first=0, int count=-1):
        cdef int end = self.slots if count < 0 else min(first + count, self.slots)
        cdef int state, ordinal
        cdef list found = []
        for ordinal in range(max(first, 0), end):
            state = gw_turn_of(gw_pair_acquire(&self.cells.slots[ordinal].turn).tag)
            if state not in (GW_FREE_SLOT, GW_POSTED, GW_VOIDED):
                found.append(ordinal)
        return found


cdef class Path:
    def __cinit__(self, Cells cells not None, items not None):
        cdef uint64_t tag
        cdef int64_t index
        items = tuple(items)
        if len(items) > GW_ITEMS_MAX:
            raise ValueError(f"a path has at most {GW_ITEMS_MAX} items, not {len(items)}")
        if len({item[0] for item in items}) < len(items):
            raise ValueError("a path names each cell once")
        self.cells = cells
        for key, limit, kind, *warn_at in items:
            if key == 0 or not 0 <= kind < GW_KINDS or not -1 <= limit <= 2**62:
                raise ValueError(f"not an item of a path: {(key, limit, kind)}")
            index = gw_cells_find(&cells.cells, <int64_t><uint64_t>key, &tag)
            if index < 0:
                raise OverflowError("all cells within reach of the key are taken")
            gw_item_init(&self.path.items[self.path.size], index, tag, kind, limit)
            self.path.warn_at[self.path.size] = warn_at[0] if warn_at else -1
            self.path.size += 1

    def __len__(self):
        return self.path.size

    @property
    def indices(self):
        cdef uint32_t at
        return tuple([self.path.items[at].cell for at in range(self.path.size)])

    cpdef glance(self):
        cdef gw_glance seen
        if not gw_glance_at(&self.cells.cells, &self.path, &seen):
            return None
        return seen.tightest, seen.remaining, seen.fullest, seen.percent


cdef class Slot:
    cpdef int64_t hold(self, Path path, int64_t amount, int64_t deadline_us=0) except? -99:
        if path.cells is not self.cells:
            raise ValueError("the path is of other cells")
        return gw_hold(&self.cells.cells, &self.holder, &path.path, amount_of(amount), deadline_us)

    def relimit(self, Path path not None):
        gw_relimit(&self.holder, &path.path)

    def extend(self, int64_t extra):
        return gw_extend(&self.cells.cells, &self.holder, amount_of(extra))

    def retract(self, int64_t less):
        return gw_retract(&self.cells.cells, self.holder.slot, amount_of(less))

    cpdef int post(self, int64_t actual) except? -99:
        return gw_post(&self.cells.cells, self.holder.slot, amount_of(actual))

    cpdef int void(self):
        return gw_void(&self.cells.cells, self.holder.slot)

    def observe(self, int64_t amount):
        gw_store_release(&self.holder.slot.observed, amount_of(amount))

    def reap(self, int64_t actual=-1):
        return gw_reap(&self.cells.cells, self.holder.slot, -1 if actual == -1 else amount_of(actual))

    @property
    def warnings(self):
        return self.holder.warnings

    @property
    def shadowed(self):
        return self.holder.shadowed

    @property
    def state(self):
        return gw_turn_of(gw_pair_acquire(&self.holder.slot.turn).tag)

    @property
    def amount(self):
        return gw_pair_acquire(&self.holder.slot.turn).value

    @property
    def held(self):
        cdef gw_seen turn = gw_pair_acquire(&self.holder.slot.turn)
        cdef int state = gw_turn_of(turn.tag)
        if state in (GW_EXTENDING, GW_RETRACTING, GW_POSTING):
            return gw_load_acquire(&self.holder.slot.held)
        return 0 if state in (GW_FREE_SLOT, GW_POSTED, GW_VOIDED) else turn.value

    @property
    def observed(self):
        return gw_load_acquire(&self.holder.slot.observed)

    @property
    def deadline_us(self):
        return gw_load_acquire(&self.holder.slot.deadline_us)

    @property
    def generation(self):
        return self.holder.slot.generation

    @property
    def items(self):
        cdef uint32_t at
        cdef const gw_item *item
        cdef list found = []
        for at in range(gw_size_of(self.holder.slot)):
            item = &self.holder.slot.items[at]
            found.append((<int>item.cell, gw_load_acquire(&item.limit), gw_kind_of(item)))
        return found
