from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef extern from "hold.h" nogil:
    enum: GW_ITEMS_MAX, GW_SLOTS_MAX, GW_USED, GW_SETTLED, GW_OVERRUN, GW_MEMBER
    enum: GW_HARD, GW_SOFT, GW_SHADOW, GW_UNITS, GW_KINDS
    enum: GW_TAKEN, GW_PATH_STALE, GW_NOT_FREE, GW_NOT_HELD, GW_ALREADY_SETTLED
    enum: GW_NOTHING_OPEN, GW_REAPED_VOID, GW_REAPED_POST
    enum: GW_FREE_SLOT, GW_HOLDING, GW_HELD, GW_EXTENDING, GW_RETRACTING, GW_POSTING, GW_POSTED, GW_VOIDING, GW_VOIDED

    ctypedef struct gw_word:
        pass

    ctypedef struct gw_seen:
        int64_t value
        uint64_t tag

    ctypedef struct gw_pair:
        gw_word value

    ctypedef struct gw_record:
        gw_pair name
        gw_pair words[3]

    ctypedef struct gw_table:
        gw_record *records
        uint64_t mask

    ctypedef struct gw_item:
        gw_word limit
        uint32_t cell
        uint32_t what

    ctypedef struct gw_slot:
        gw_pair turn
        gw_word held, observed, deadline_us
        uint32_t size, generation
        gw_item items[1]

    ctypedef struct gw_cells:
        gw_table table
        gw_slot *slots
        uint64_t slot_count
        gw_word *direct

    ctypedef struct gw_path:
        uint32_t size
        gw_item items[1]
        int64_t warn_at[1]

    ctypedef struct gw_holder:
        gw_slot *slot
        int64_t warn_at[1]
        uint32_t warnings, shadowed

    int64_t gw_load_acquire(const gw_word *word) noexcept
    void gw_store_relaxed(gw_word *word, int64_t value) noexcept
    void gw_store_release(gw_word *word, int64_t value) noexcept
    gw_seen gw_pair_acquire(const gw_pair *pair) noexcept
    gw_seen gw_pair_whole_acquire(const gw_pair *pair) noexcept
    void gw_table_init(gw_table *table, void *memory, unsigned capacity_log2) noexcept
    int64_t gw_table_lookup(const gw_table *table, int64_t key, uint64_t *tag) noexcept
    unsigned gw_state_of(uint64_t tag) noexcept
    int gw_turn_of(uint64_t tag) noexcept
    int gw_kind_of(const gw_item *item) noexcept
    uint32_t gw_size_of(const gw_slot *slot) noexcept
    void gw_item_init(gw_item *item, uint64_t cell, uint64_t name_tag, int kind, int64_t limit) noexcept
    void gw_set_direct(const gw_cells *cells, gw_pair *pair, int64_t value) noexcept
    void gw_cell_charge(const gw_cells *cells, uint64_t index, int64_t amount) noexcept
    int gw_cell_reconcile(
        const gw_cells *cells, uint64_t index, int64_t expected, int64_t settled, int64_t reserved
    ) noexcept
    int gw_cell_forget(const gw_cells *cells, uint64_t index) noexcept
    int64_t gw_cells_find(const gw_cells *cells, int64_t key, uint64_t *tag) noexcept
    void gw_relimit(gw_holder *holder, const gw_path *path) noexcept
    int64_t gw_hold(
        const gw_cells *cells, gw_holder *holder, const gw_path *path, int64_t amount, int64_t deadline_us
    ) noexcept
    int64_t gw_extend(const gw_cells *cells, gw_holder *holder, int64_t extra) noexcept
    int gw_retract(const gw_cells *cells, gw_slot *slot, int64_t less) noexcept
    int gw_post(const gw_cells *cells, gw_slot *slot, int64_t actual) noexcept
    int gw_void(const gw_cells *cells, gw_slot *slot) noexcept
    int gw_reap(const gw_cells *cells, gw_slot *slot, int64_t actual) noexcept


cdef extern from "glance.h" nogil:
    ctypedef struct gw_glance:
        int tightest, fullest
        int64_t remaining, percent

    bint gw_glance_at(const gw_cells *cells, const gw_path *path, gw_glance *seen) noexcept


cdef class Cells:
    cdef gw_cells cells
    cdef Py_buffer view  # held as long as the cells live
    cdef readonly int capacity
    cdef readonly int slots

    cdef gw_record *at(self, int64_t index) except NULL


cdef class Path:
    cdef gw_path path
    cdef readonly Cells cells

    cpdef glance(self)


cdef class Slot:
    cdef gw_holder holder
    cdef readonly Cells cells
    cdef readonly int ordinal

    cpdef int64_t hold(self, Path path, int64_t amount, int64_t deadline_us=*) except? -99
    cpdef int post(self, int64_t actual) except? -99
    cpdef int void(self)
