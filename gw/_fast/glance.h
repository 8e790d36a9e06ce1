/* What an answer says of the budgets on its path, in one look at their cells. Python's twin: gw/_fast/ref/hold.py. */
#ifndef GW_GLANCE_H
#define GW_GLANCE_H

#include "hold.h"

typedef struct {
    int tightest;      /* item of which least is left; -1: no budget binds */
    int fullest;       /* item of which the greatest part is spent; of equals that with the lesser rest, then the last */
    int64_t remaining; /* of the tightest: limit - used, not below 0 */
    int64_t percent;   /* of the fullest: what is spent, rounded down */
} gw_glance;

/* In parts of 1e8, rounded down. No limit is above 2^62 and nothing to spend is spent, so the quotient fits. */
static inline __int128 gw_part_of(int64_t settled, int64_t limit) { return (__int128)settled * 100000000 / limit; }

/* False: some budget has reached its limit or `warn_at`, and there is more to say than a glance can. Shadow budgets and counts
 * of calls bind nothing. */
static inline int gw_glance_at(const gw_cells *cells, const gw_path *path, gw_glance *seen) {
    __int128 most = 0;
    int64_t rest = 0;
    seen->tightest = seen->fullest = -1;
    seen->remaining = seen->percent = 0;
    for (uint32_t i = 0; i < path->size; i++) {
        const gw_item *item = &path->items[i];
        const int kind = gw_kind_of(item);
        if (kind != GW_HARD && kind != GW_SOFT) continue;
        const gw_record *cell = gw_cell_at(cells, item->cell);
        const int64_t limit = gw_load_relaxed(&item->limit);
        const int64_t charged = gw_load_acquire(&cell->words[GW_SETTLED].value), settled = charged > 0 ? charged : 0;
        if (settled >= limit || (path->warn_at[i] >= 0 && settled > path->warn_at[i])) return 0;
        const int64_t left = limit - gw_load_acquire(&cell->words[GW_USED].value);
        const int64_t remaining = left > 0 ? left : 0;
        if (seen->tightest < 0 || remaining < seen->remaining) {
            seen->tightest = (int)i;
            seen->remaining = remaining;
        }
        const __int128 part = gw_part_of(settled, limit);
        if (seen->fullest < 0 || part > most || (part == most && remaining <= rest)) {
            seen->fullest = (int)i;
            seen->percent = (int64_t)((__int128)settled * 100 / limit);
            most = part;
            rest = remaining;
        }
    }
    return 1;
}

#endif
