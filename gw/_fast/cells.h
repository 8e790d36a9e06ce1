/* Cells: what a budget has used in a window, exact for any number of processes, each of which may be killed at any instant.
 *
 * A cell is a record of table.h with three words: used (= settled + reserved; the word by which holds are decided), settled,
 * and overrun. Each word stands in a pair with a tag: which slot wrote it, with which of its operations. Each slot (hold.h)
 * counts its operations, in `progress`, the number of the last one that was done.
 *
 * Whoever is to overwrite a word first writes to the slot named by its tag that this operation was done (gw_mark). So of any
 * operation it can be said afterwards, whenever its process was killed, whether it happened: if it did, then either the word
 * still has its tag, or someone overwrote it and the slot's progress says so. Hence a slot needs no log, and no sum is ever in
 * doubt. An owner waits for nobody: it starts operation n + 1 when its own operation n is marked, which it does itself.
 *
 * Read used before overrun, and settled before used, to err on the safe side while others write.
 */
#ifndef GW_CELLS_H
#define GW_CELLS_H

#include "table.h"

enum { GW_USED = 0, GW_SETTLED = 1, GW_OVERRUN = 2 };
enum { GW_ITEMS_MAX = 24, GW_SLOTS_MAX = GW_FORGETTER - 1 };
enum { GW_HARD, GW_SOFT, GW_SHADOW, GW_UNITS, GW_KINDS };

/* One cell on a path. */
typedef struct {
    gw_word limit;     /* -1: none */
    uint32_t cell;     /* index */
    uint32_t what;     /* the low 24 bits of the cell's name tag << 8 | kind */
} gw_item;

/* An open hold; hold.h has the protocol. */
typedef struct {
    gw_pair turn;      /* tag: first operation << 16 | count << 8 | state; value: the amount this state is about */
    gw_pair progress;  /* tag: number of the last operation done; value: what it left in its word */
    gw_word held;      /* while a step is under way: the amount held when it began */
    gw_word observed;  /* known to be spent so far */
    gw_word deadline_us;
    uint32_t size;     /* of items */
    uint32_t generation; /* how many holds this slot has seen */
    gw_word spare[8];
    gw_item items[GW_ITEMS_MAX];
} gw_slot;

_Static_assert(sizeof(gw_item) == 16 && sizeof(gw_slot) == 512, "the layout is shared between processes");

typedef struct {
    gw_table table;
    gw_slot *slots;
    uint64_t slot_count;
    gw_word *direct; /* counts the writes that belong to no slot, behind the slots; its line is otherwise empty */
} gw_cells;

static inline uint64_t gw_tag_of(uint64_t ordinal, uint64_t operation) { return operation << GW_WHO_BITS | (ordinal + 1); }
static inline int gw_kind_of(const gw_item *item) { return (int)(item->what & 0xff); }
static inline gw_record *gw_cell_at(const gw_cells *cells, uint64_t index) {
    return &cells->table.records[index & cells->table.mask];
}

/* The cell is still the one that the item was made for. */
static inline int gw_is_current(const gw_record *cell, const gw_item *item) {
    return (uint32_t)(gw_tag_acquire(&cell->name) << 8) == (item->what & ~0xffu);
}

/* Writes to the slot whose operation left `seen` in a word that it was done. To call before the word is overwritten. */
static inline void gw_mark(const gw_cells *cells, gw_seen seen) {
    const uint64_t who = seen.tag & GW_WHO_MASK, operation = seen.tag >> GW_WHO_BITS;
    if (who == GW_NOBODY || who > cells->slot_count) return;
    gw_pair *progress = &cells->slots[who - 1].progress;
    const gw_seen done = {seen.value, operation};
    gw_seen before = gw_pair_acquire(progress);
    while (before.tag + 1 == operation && !gw_pair_swap_seq_cst(progress, before, done)) before = gw_pair_acquire(progress);
}

static inline int64_t gw_sum(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

enum gw_added { GW_ADDED, GW_NO_ROOM, GW_NO_CELL };

/* Adds `delta` to a word of a cell, as `operation` of the slot; its progress then says so. With a ceiling of -1 always; else
 * only if the word stays within it, or GW_NO_ROOM. GW_NO_CELL: the cell has been forgotten. Then nothing has changed. */
static inline enum gw_added gw_add(
    const gw_cells *cells, gw_slot *slot, const gw_item *item, int word, uint64_t operation, int64_t delta, int64_t ceiling
) {
    gw_record *cell = gw_cell_at(cells, item->cell);
    gw_pair *pair = &cell->words[word];
    gw_seen seen, next;
    next.tag = gw_tag_of((uint64_t)(slot - cells->slots), operation);
    do {
        seen = gw_pair_acquire(pair);
        if (seen.value == GW_GONE || !gw_is_current(cell, item)) return GW_NO_CELL;
        if (ceiling >= 0 && (seen.value > ceiling || delta > ceiling - seen.value)) return GW_NO_ROOM;
        gw_mark(cells, seen);
        next.value = gw_sum(seen.value, delta);
    } while (!gw_pair_swap_seq_cst(pair, seen, next));
    gw_store_relaxed(&slot->progress.value, next.value);
    gw_tag_release(&slot->progress, operation);
    return GW_ADDED;
}

/* Writes without a slot; such a write is not finished by others if its process is killed. Returns 0 if `seen` has moved. */
static inline int gw_swap_direct(const gw_cells *cells, gw_pair *pair, gw_seen seen, int64_t value) {
    const gw_seen next = {value, (uint64_t)gw_count_relaxed(cells->direct) << GW_WHO_BITS | GW_NOBODY};
    gw_mark(cells, seen);
    return gw_pair_swap_seq_cst(pair, seen, next);
}

static inline void gw_add_direct(const gw_cells *cells, gw_pair *pair, int64_t delta) {
    gw_seen seen = gw_pair_acquire(pair);
    while (seen.value != GW_GONE && !gw_swap_direct(cells, pair, seen, gw_sum(seen.value, delta))) {
        seen = gw_pair_acquire(pair);
    }
}

static inline void gw_set_direct(const gw_cells *cells, gw_pair *pair, int64_t value) {
    while (!gw_swap_direct(cells, pair, gw_pair_acquire(pair), value)) continue;
}

/* Spending that went through no slot. used first: whoever looks in between sees a reservation, not room. */
static inline void gw_cell_charge(const gw_cells *cells, uint64_t index, int64_t amount) {
    gw_record *cell = gw_cell_at(cells, index);
    gw_add_direct(cells, &cell->words[GW_USED], amount);
    gw_add_direct(cells, &cell->words[GW_SETTLED], amount);
}

/* Puts a cell right if its used is still `expected`. Settlements that come between are kept: settled is moved, not set. */
static inline int gw_cell_reconcile(
    const gw_cells *cells, uint64_t index, int64_t expected, int64_t settled, int64_t reserved
) {
    gw_record *cell = gw_cell_at(cells, index);
    const int64_t before = gw_load_acquire(&cell->words[GW_SETTLED].value);
    const gw_seen used = gw_pair_acquire(&cell->words[GW_USED]);
    if (used.value != expected || used.value == GW_GONE) return 0;
    if (!gw_swap_direct(cells, &cell->words[GW_USED], used, gw_sum(settled, reserved))) return 0;
    gw_add_direct(cells, &cell->words[GW_SETTLED], gw_sum(settled, -before));
    return 1;
}

/* The steps after used became GW_GONE; each may be repeated, so that anyone can finish what a killed process began. */
static inline void gw_cell_leave(const gw_cells *cells, gw_record *cell, gw_seen name) {
    for (int word = GW_SETTLED; word <= GW_OVERRUN; word++) {
        gw_seen seen = gw_pair_whole_acquire(&cell->words[word]);
        const gw_seen zero = {0, gw_version_tag(name.tag)};
        while (seen.tag != zero.tag && gw_tag_acquire(&cell->name) == name.tag) {
            gw_mark(cells, seen);
            if (gw_pair_swap_seq_cst(&cell->words[word], seen, zero)) break;
            seen = gw_pair_whole_acquire(&cell->words[word]);
        }
    }
    (void)gw_pair_swap_seq_cst(&cell->name, name, (gw_seen){0, gw_next_tag(name.tag, GW_FREE)});
}

/* Frees the cell's record if nothing is reserved in it. Holds on a path that still names it find that it is gone.
 * settled is read first and only grows by what was in used before: equal means that nobody holds or is to settle anything.
 * The name is read on both sides: else the words could be of one member and the next. */
static inline int gw_cell_forget(const gw_cells *cells, uint64_t index) {
    gw_record *cell = gw_cell_at(cells, index);
    const gw_seen name = gw_pair_whole_acquire(&cell->name);
    const int64_t settled = gw_load_acquire(&cell->words[GW_SETTLED].value);
    const gw_seen used = gw_pair_acquire(&cell->words[GW_USED]);
    if (gw_state_of(name.tag) != GW_MEMBER || gw_tag_acquire(&cell->name) != name.tag) return 0;
    if (used.value != settled && used.value != GW_GONE) return 0;
    if (used.value != GW_GONE) {
        gw_mark(cells, used);
        if (!gw_pair_swap_seq_cst(&cell->words[GW_USED], used, (gw_seen){GW_GONE, gw_version_tag(name.tag)})) return 0;
    }
    gw_cell_leave(cells, cell, name);
    return 1;
}

/* As gw_table_find; finishes a forgetting that was cut short. */
static inline int64_t gw_cells_find(const gw_cells *cells, int64_t key, uint64_t *tag) {
    for (;;) {
        const int64_t index = gw_table_find(&cells->table, key, tag);
        if (index < 0) return -1;
        gw_record *cell = gw_cell_at(cells, (uint64_t)index);
        if (gw_load_acquire(&cell->words[GW_USED].value) != GW_GONE) return index;
        gw_cell_leave(cells, cell, (gw_seen){key, *tag});
    }
}

#endif
