/* One open hold: a slot takes an amount from all cells of a path or from none, and ends it by posting or voiding, once.
 *
 * A slot belongs to one process. `turn` is its whole state, written in one store or one exchange. A step (a state in -ING) is a
 * fixed list of operations, numbered from first + 1 on; `progress` says how many of them are done (cells.h). So a killed
 * owner leaves at most one operation of which only the cell knows, and gw_resolve asks it: the rest follows from the slot.
 *
 *   FREE, POSTED, VOIDED -> HOLDING -> HELD -> POSTING -> POSTED
 *                              |        | ^-> EXTENDING -> HELD      a refusal on the way: RETRACTING -> HELD
 *                              |        | ^-> RETRACTING -> HELD
 *                              v        v
 *                            VOIDING -> VOIDED                       `count` items are to be given back
 *
 * turn.value: HOLDING, HELD, VOIDING, VOIDED: the amount held; EXTENDING: the extra; RETRACTING: what goes back; POSTING,
 * POSTED: the actual.
 * gw_reap is for slots of a dead process, one reaper at a time; it may itself be killed and be called again.
 */
#ifndef GW_HOLD_H
#define GW_HOLD_H

#include <string.h>

#include "cells.h"

enum gw_turn {
    GW_FREE_SLOT, GW_HOLDING, GW_HELD, GW_EXTENDING, GW_RETRACTING, GW_POSTING, GW_POSTED, GW_VOIDING, GW_VOIDED, GW_TURNS
};
/* Results; those of hold and extend share their numbers with the indices of refusing items. */
enum gw_result { GW_OK = 0, GW_TAKEN = -1, GW_PATH_STALE = -2, GW_NOT_FREE = -3, GW_NOT_HELD = -4, GW_ALREADY_SETTLED = -5 };
enum gw_reaped { GW_NOTHING_OPEN, GW_REAPED_VOID, GW_REAPED_POST };

typedef struct {
    uint32_t size;
    gw_item items[GW_ITEMS_MAX];
    int64_t warn_at[GW_ITEMS_MAX]; /* -1: nowhere */
} gw_path;

/* What the owner keeps beside a slot. */
typedef struct {
    gw_slot *slot;
    int64_t warn_at[GW_ITEMS_MAX];
    uint32_t warnings; /* bit i: item i has passed its warning threshold or, SOFT, its limit */
    uint32_t shadowed; /* bit i: item i, SHADOW, has passed its limit */
} gw_holder;

static inline uint64_t gw_done(const gw_slot *slot) { return gw_tag_acquire(&slot->progress); }
static inline uint64_t gw_turn_tag(uint64_t first, uint32_t count, enum gw_turn state) {
    return first << 16 | (uint64_t)count << 8 | (uint64_t)state;
}
static inline enum gw_turn gw_turn_of(uint64_t tag) { return (enum gw_turn)(tag & 0xff); }
static inline uint32_t gw_count_of(uint64_t tag) {
    const uint32_t count = (uint32_t)(tag >> 8) & 0xff;
    return count < GW_ITEMS_MAX ? count : GW_ITEMS_MAX;
}
static inline uint32_t gw_size_of(const gw_slot *slot) { return slot->size < GW_ITEMS_MAX ? slot->size : GW_ITEMS_MAX; }

/* To another state; the amount stays. */
static inline void gw_turn_to(gw_slot *slot, enum gw_turn state, uint32_t count) {
    gw_tag_release(&slot->turn, gw_turn_tag(gw_done(slot), count, state));
}

/* To another state and amount, from `turn` and nothing else. */
static inline int gw_turn_with(gw_slot *slot, gw_seen turn, enum gw_turn state, int64_t amount) {
    const gw_seen next = {amount, gw_turn_tag(gw_done(slot), gw_size_of(slot), state)};
    return gw_pair_swap_seq_cst(&slot->turn, turn, next);
}

/* An operation of a step that changes nothing. */
static inline void gw_skip(gw_slot *slot, uint64_t operation) { gw_tag_release(&slot->progress, operation); }

static inline void gw_note(gw_holder *holder, const gw_item *item, uint32_t at, int64_t used) {
    const int64_t limit = gw_load_relaxed(&item->limit);
    const int kind = gw_kind_of(item);
    const uint32_t bit = UINT32_C(1) << at;
    const int passed = limit >= 0 && used > limit;
    if ((passed && kind == GW_SOFT) || (holder->warn_at[at] >= 0 && used > holder->warn_at[at])) holder->warnings |= bit;
    if (passed && kind == GW_SHADOW) holder->shadowed |= bit;
}

/* The operations of HOLDING and EXTENDING. GW_TAKEN, or what keeps it from being taken; what was taken by then stays so. */
static inline int64_t gw_take(const gw_cells *cells, gw_holder *holder, int64_t amount, int64_t units) {
    gw_slot *slot = holder->slot;
    uint64_t operation = gw_done(slot);
    for (uint32_t i = 0, size = gw_size_of(slot); i < size; i++) {
        const gw_item *item = &slot->items[i];
        const int kind = gw_kind_of(item);
        const int64_t delta = kind == GW_UNITS ? units : amount;
        const int64_t ceiling = kind == GW_HARD || kind == GW_UNITS ? gw_load_relaxed(&item->limit) : -1;
        operation++;
        if (kind == GW_UNITS && units == 0) {
            gw_skip(slot, operation);
            continue;
        }
        const enum gw_added added = gw_add(cells, slot, item, GW_USED, operation, delta, ceiling);
        if (added != GW_ADDED) return added == GW_NO_ROOM ? (int64_t)i : GW_PATH_STALE;
        gw_note(holder, item, i, gw_load_relaxed(&slot->progress.value));
    }
    return GW_TAKEN;
}

/* The operations of VOIDING and RETRACTING, from wherever they have got to. */
static inline void gw_give_back(const gw_cells *cells, gw_slot *slot) {
    const gw_seen turn = gw_pair_acquire(&slot->turn);
    const int64_t units = gw_turn_of(turn.tag) == GW_VOIDING;
    const uint64_t first = turn.tag >> 16, last = first + gw_count_of(turn.tag);
    for (uint64_t operation = gw_done(slot) + 1; operation <= last; operation++) {
        const gw_item *item = &slot->items[operation - first - 1];
        const int64_t amount = gw_kind_of(item) == GW_UNITS ? units : turn.value;
        if (amount == 0 || gw_add(cells, slot, item, GW_USED, operation, -amount, -1) != GW_ADDED) gw_skip(slot, operation);
    }
}

/* In which word, and by how much, operation 0, 1 or 2 of an item in POSTING changes its cell. settled comes last: until then
 * the difference to used keeps the cell from being forgotten. */
static inline int gw_posted_word(uint64_t part) { return part == 0 ? GW_USED : part == 1 ? GW_OVERRUN : GW_SETTLED; }

static inline int64_t gw_posted_delta(const gw_slot *slot, const gw_item *item, uint64_t part, int64_t actual) {
    const int64_t excess = actual - gw_load_relaxed(&slot->held);
    if (gw_kind_of(item) == GW_UNITS) return part == 0 ? -1 : 0;
    if (part == 0) return excess;
    if (part == 2) return actual;
    const int64_t limit = gw_load_relaxed(&item->limit), used = gw_load_relaxed(&slot->progress.value);
    if (excess <= 0 || limit < 0 || used <= limit) return 0;
    return used - limit < excess ? used - limit : excess;
}

/* The operations of POSTING, from wherever they have got to. A cell that was forgotten under an empty hold is left out. */
static inline void gw_settle(const gw_cells *cells, gw_slot *slot) {
    const gw_seen turn = gw_pair_acquire(&slot->turn);
    const uint64_t first = turn.tag >> 16, last = first + 3 * (uint64_t)gw_size_of(slot);
    for (uint64_t operation = gw_done(slot) + 1; operation <= last; operation++) {
        const uint64_t at = operation - first - 1, part = at % 3;
        const gw_item *item = &slot->items[at / 3];
        const int64_t delta = gw_posted_delta(slot, item, part, turn.value);
        if (delta != 0) {
            if (gw_add(cells, slot, item, gw_posted_word(part), operation, delta, -1) == GW_ADDED) continue;
            gw_store_relaxed(&slot->progress.value, GW_GONE);
        }
        gw_skip(slot, operation);
    }
}

static inline void gw_item_init(gw_item *item, uint64_t cell, uint64_t name_tag, int kind, int64_t limit) {
    gw_store_relaxed(&item->limit, limit);
    item->cell = (uint32_t)cell;
    item->what = (uint32_t)(name_tag << 8) | (uint32_t)kind;
}

/* The limits, kinds and warnings of `path`, for the cells that are on it too. Those that are not keep theirs. */
static inline void gw_relimit(gw_holder *holder, const gw_path *path) {
    gw_slot *slot = holder->slot;
    for (uint32_t i = 0, size = gw_size_of(slot); i < size; i++) {
        gw_item *item = &slot->items[i];
        for (uint32_t j = 0; j < path->size; j++) {
            const gw_item *anew = &path->items[j];
            const int same = item->cell == anew->cell && item->what >> 8 == anew->what >> 8;
            if (!same || (gw_kind_of(item) == GW_UNITS) != (gw_kind_of(anew) == GW_UNITS)) continue;
            gw_store_relaxed(&item->limit, gw_load_relaxed(&anew->limit));
            item->what = anew->what;
            holder->warn_at[i] = path->warn_at[j];
        }
    }
}

/* GW_TAKEN, the index of the item that refuses, GW_PATH_STALE or GW_NOT_FREE. */
static inline int64_t gw_hold(
    const gw_cells *cells, gw_holder *holder, const gw_path *path, int64_t amount, int64_t deadline_us
) {
    gw_slot *slot = holder->slot;
    const enum gw_turn state = gw_turn_of(gw_tag_acquire(&slot->turn));
    if (state != GW_FREE_SLOT && state != GW_POSTED && state != GW_VOIDED) return GW_NOT_FREE;
    memcpy(slot->items, path->items, path->size * sizeof *path->items);
    memcpy(holder->warn_at, path->warn_at, path->size * sizeof *path->warn_at);
    holder->warnings = holder->shadowed = 0;
    slot->size = path->size;
    slot->generation++;
    gw_store_relaxed(&slot->observed, 0);
    gw_store_relaxed(&slot->deadline_us, deadline_us);
    gw_store_relaxed(&slot->turn.value, amount);
    gw_turn_to(slot, GW_HOLDING, path->size);
    const uint64_t first = gw_done(slot);
    const int64_t result = gw_take(cells, holder, amount, 1);
    if (result == GW_TAKEN) {
        gw_turn_to(slot, GW_HELD, 0);
        return result;
    }
    holder->warnings = holder->shadowed = 0;
    gw_turn_to(slot, GW_VOIDING, (uint32_t)(gw_done(slot) - first));
    gw_give_back(cells, slot);
    gw_turn_to(slot, GW_VOIDED, 0);
    return result;
}

/* As gw_hold, or GW_NOT_HELD. Refused, the slot holds what it held. */
static inline int64_t gw_extend(const gw_cells *cells, gw_holder *holder, int64_t extra) {
    gw_slot *slot = holder->slot;
    const gw_seen turn = gw_pair_acquire(&slot->turn);
    if (gw_turn_of(turn.tag) != GW_HELD) return GW_NOT_HELD;
    gw_store_release(&slot->held, turn.value);
    if (!gw_turn_with(slot, turn, GW_EXTENDING, extra)) return GW_NOT_HELD;
    const uint64_t first = gw_done(slot);
    const uint32_t warnings = holder->warnings, shadowed = holder->shadowed;
    const int64_t result = gw_take(cells, holder, extra, 0);
    if (result == GW_TAKEN) {
        (void)gw_turn_with(slot, gw_pair_acquire(&slot->turn), GW_HELD, gw_sum(turn.value, extra));
        return result;
    }
    holder->warnings = warnings;
    holder->shadowed = shadowed;
    gw_turn_to(slot, GW_RETRACTING, (uint32_t)(gw_done(slot) - first));
    gw_give_back(cells, slot);
    (void)gw_turn_with(slot, gw_pair_acquire(&slot->turn), GW_HELD, turn.value);
    return result;
}

/* Gives `less` of what is held back to all cells, at most all of it: GW_OK or GW_NOT_HELD. */
static inline int gw_retract(const gw_cells *cells, gw_slot *slot, int64_t less) {
    const gw_seen turn = gw_pair_acquire(&slot->turn);
    if (gw_turn_of(turn.tag) != GW_HELD) return GW_NOT_HELD;
    const int64_t back = less < turn.value ? less : turn.value;
    gw_store_release(&slot->held, turn.value - back);
    if (!gw_turn_with(slot, turn, GW_RETRACTING, back)) return GW_NOT_HELD;
    gw_give_back(cells, slot);
    (void)gw_turn_with(slot, gw_pair_acquire(&slot->turn), GW_HELD, turn.value - back);
    return GW_OK;
}

static inline int gw_not_held(enum gw_turn state) {
    return state == GW_POSTED || state == GW_VOIDED ? GW_ALREADY_SETTLED : GW_NOT_HELD;
}

/* GW_OK, GW_ALREADY_SETTLED or GW_NOT_HELD. */
static inline int gw_post(const gw_cells *cells, gw_slot *slot, int64_t actual) {
    const gw_seen turn = gw_pair_acquire(&slot->turn);
    if (gw_turn_of(turn.tag) != GW_HELD) return gw_not_held(gw_turn_of(turn.tag));
    gw_store_release(&slot->held, turn.value);
    if (!gw_turn_with(slot, turn, GW_POSTING, actual)) return GW_ALREADY_SETTLED;
    gw_settle(cells, slot);
    gw_turn_to(slot, GW_POSTED, 0);
    return GW_OK;
}

static inline int gw_void(const gw_cells *cells, gw_slot *slot) {
    const gw_seen turn = gw_pair_acquire(&slot->turn);
    if (gw_turn_of(turn.tag) != GW_HELD) return gw_not_held(gw_turn_of(turn.tag));
    if (!gw_turn_with(slot, turn, GW_VOIDING, turn.value)) return GW_ALREADY_SETTLED;
    gw_give_back(cells, slot);
    gw_turn_to(slot, GW_VOIDED, 0);
    return GW_OK;
}

/* Marks the one operation that may have happened without being marked: then its cell still names it, or whoever overwrote
 * that has marked it. */
static inline void gw_resolve(const gw_cells *cells, const gw_slot *slot) {
    const uint64_t tag = gw_tag_acquire(&slot->turn), operation = gw_done(slot) + 1;
    const enum gw_turn state = gw_turn_of(tag);
    const uint64_t at = operation - (tag >> 16) - 1, parts = state == GW_POSTING ? 3 : 1;
    if (at / parts >= gw_size_of(slot)) return;
    const gw_record *cell = gw_cell_at(cells, slot->items[at / parts].cell);
    const gw_seen seen = gw_pair_acquire(&cell->words[gw_posted_word(at % parts)]);
    if (seen.tag == gw_tag_of((uint64_t)(slot - cells->slots), operation)) gw_mark(cells, seen);
}

/* Ends what a dead process left. A hold that was not complete is voided: its call had not begun. One that was is posted with
 * `actual`, or what was observed if that is -1; a posting under way keeps the amount it began with. */
static inline enum gw_reaped gw_reap(const gw_cells *cells, gw_slot *slot, int64_t actual) {
    gw_resolve(cells, slot);
    const gw_seen turn = gw_pair_acquire(&slot->turn);
    const uint32_t taken = (uint32_t)(gw_done(slot) - (turn.tag >> 16));
    switch (gw_turn_of(turn.tag)) {
    case GW_HOLDING:
    case GW_VOIDING:
        if (gw_turn_of(turn.tag) == GW_HOLDING) gw_turn_to(slot, GW_VOIDING, taken);
        gw_give_back(cells, slot);
        gw_turn_to(slot, GW_VOIDED, 0);
        return GW_REAPED_VOID;
    case GW_EXTENDING:
    case GW_RETRACTING:
        if (gw_turn_of(turn.tag) == GW_EXTENDING) gw_turn_to(slot, GW_RETRACTING, taken);
        gw_give_back(cells, slot);
        (void)gw_turn_with(slot, gw_pair_acquire(&slot->turn), GW_HELD, gw_load_acquire(&slot->held));
        /* fall through */
    case GW_HELD:
        (void)gw_post(cells, slot, actual < 0 ? gw_load_acquire(&slot->observed) : actual);
        return GW_REAPED_POST;
    case GW_POSTING:
        gw_settle(cells, slot);
        gw_turn_to(slot, GW_POSTED, 0);
        return GW_REAPED_POST;
    default:
        return GW_NOTHING_OPEN;
    }
}

#endif
