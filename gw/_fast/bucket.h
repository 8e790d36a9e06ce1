/* Rate limits: GCRA over a table of records, exact to a fraction of a nanosecond, for any number of processes.
 *
 * A bucket's first word is the theoretical arrival time: when, at the steady rate, all that was taken so far would be earned.
 * As a pair: whole nanoseconds, and as tag the rest in parts of the limit's `parts`. A unit costs nanos / parts nanoseconds;
 * n units move the time on by n * nanos / parts, no rounding, in one exchange. The limit refuses what would move it more than
 * burst units' worth beyond now. A limit whose `parts` changed reads a rest that is now too big as one nanosecond.
 *
 * A process killed between the limits of one call, or in its rollback, leaves what it took: the bucket earns that back, as
 * it does all. Half-read pairs are refused by the exchange; a refusal may be off by less than a nanosecond.
 */
#ifndef GW_BUCKET_H
#define GW_BUCKET_H

#include "table.h"

__extension__ typedef unsigned __int128 gw_wide;

enum { GW_LIMITS_MAX = 24 };
#define GW_FAR (INT64_MAX / 4)      /* 73 years; no time stands farther from now than this */
#define GW_NEVER INT64_MAX          /* the wait for more units than the burst */
#define GW_UNITS_MAX INT64_C(1000000000000)

/* A time, or a span of it: value in ns, tag in parts of a nanosecond, less than one. */
typedef gw_seen gw_time;

typedef struct {
    gw_pair *arrival;
    uint64_t nanos, parts; /* nanos / parts: ns a unit; both at least 1 and at most INT64_MAX / 2 */
    int64_t burst;         /* units, 1 .. GW_UNITS_MAX */
    gw_time one;           /* cost of one unit */
    gw_time tolerance;     /* cost of burst units */
} gw_limit;

static inline gw_time gw_cost(const gw_limit *limit, int64_t units) {
    const gw_wide nanos = (gw_wide)(uint64_t)units * limit->nanos;
    if (units == 1) return limit->one;
    if (nanos <= UINT64_MAX) {
        const uint64_t whole = (uint64_t)nanos / limit->parts;
        if (whole <= GW_FAR) return (gw_time){(int64_t)whole, (uint64_t)nanos % limit->parts};
    } else {
        const gw_wide whole = nanos / limit->parts;
        if (whole <= GW_FAR) return (gw_time){(int64_t)whole, (uint64_t)(nanos % limit->parts)};
    }
    return (gw_time){GW_FAR, 0};
}

static inline void gw_limit_init(gw_limit *limit, gw_pair *arrival, uint64_t nanos, uint64_t parts, int64_t burst) {
    limit->arrival = arrival;
    limit->nanos = nanos;
    limit->parts = parts;
    limit->burst = burst;
    limit->one = (gw_time){(int64_t)(nanos / parts), nanos % parts};
    if (limit->one.value > GW_FAR) limit->one = (gw_time){GW_FAR, 0};
    limit->tolerance = gw_cost(limit, burst);
}

static inline gw_time gw_time_sum(const gw_limit *limit, gw_time a, gw_time b) {
    gw_time sum = {a.value + b.value, a.tag + b.tag};
    if (sum.tag >= limit->parts) {
        sum.tag -= limit->parts;
        sum.value++;
    }
    return sum;
}

static inline gw_time gw_time_rest(const gw_limit *limit, gw_time a, gw_time b) {
    gw_time rest = {a.value - b.value, a.tag - b.tag};
    if (a.tag < b.tag) {
        rest.tag += limit->parts;
        rest.value--;
    }
    return rest;
}

/* The later of now and what was read, at most GW_FAR beyond now. */
static inline gw_time gw_start(const gw_limit *limit, gw_time seen, int64_t now_ns) {
    if (seen.tag >= limit->parts) seen = (gw_time){seen.value + 1, 0};
    if (seen.value < now_ns) return (gw_time){now_ns, 0};
    return seen.value - now_ns > GW_FAR ? (gw_time){now_ns + GW_FAR, 0} : seen;
}

/* ns until `arrival` is within the limit, rounded up; 0 if it is. */
static inline int64_t gw_wait(const gw_limit *limit, gw_time arrival, int64_t now_ns) {
    const gw_time beyond = gw_time_rest(limit, arrival, gw_time_sum(limit, (gw_time){now_ns, 0}, limit->tolerance));
    if (beyond.value < 0) return 0;
    return beyond.value + (beyond.tag > 0);
}

/* ns to wait before `units` could be taken; takes nothing. With 0 units: while in debt beyond the burst. */
static inline int64_t gw_bucket_check(const gw_limit *limit, int64_t units, int64_t now_ns) {
    const gw_time start = gw_start(limit, gw_pair_acquire(limit->arrival), now_ns);
    if (units > limit->burst) return GW_NEVER;
    return gw_wait(limit, units ? gw_time_sum(limit, start, gw_cost(limit, units)) : start, now_ns);
}

/* 0 and the units are taken, or ns to wait and nothing has changed. */
static inline int64_t gw_bucket_take(const gw_limit *limit, int64_t units, int64_t now_ns) {
    if (units > limit->burst) return GW_NEVER;
    const gw_time cost = gw_cost(limit, units);
    gw_seen seen;
    gw_time next;
    do {
        seen = gw_pair_acquire(limit->arrival);
        next = gw_time_sum(limit, gw_start(limit, seen, now_ns), cost);
        const int64_t wait_ns = gw_wait(limit, next, now_ns);
        if (wait_ns > 0) return wait_ns;
    } while (!gw_pair_swap_seq_cst(limit->arrival, seen, next));
    return 0;
}

/* Charges what is known only afterwards, however deep in debt. */
static inline void gw_bucket_debt(const gw_limit *limit, int64_t units, int64_t now_ns) {
    const gw_time cost = gw_cost(limit, units);
    gw_seen seen;
    gw_time next;
    do {
        seen = gw_pair_acquire(limit->arrival);
        next = gw_time_sum(limit, gw_start(limit, seen, now_ns), cost);
    } while (!gw_pair_swap_seq_cst(limit->arrival, seen, next));
}

/* Undoes a take. What was earned before the take and beyond the burst is not missed: such time counts as now. */
static inline void gw_bucket_give(const gw_limit *limit, int64_t units) {
    const gw_time cost = gw_cost(limit, units);
    gw_seen seen, next;
    do {
        seen = gw_pair_acquire(limit->arrival);
        next = gw_time_rest(limit, seen.tag < limit->parts ? seen : (gw_time){seen.value + 1, 0}, cost);
    } while (!gw_pair_swap_seq_cst(limit->arrival, seen, next));
}

/* Takes from all limits, -1, or from none: the index of that which refuses longest, and how long that is. */
static inline int gw_take_all(const gw_limit *limits, int size, int64_t units, int64_t now_ns, int64_t *wait_ns) {
    int refusing = -1;
    for (int i = 0; i < size; i++) {
        if ((*wait_ns = gw_bucket_take(&limits[i], units, now_ns)) == 0) continue;
        refusing = i;
        for (int taken = 0; taken < i; taken++) gw_bucket_give(&limits[taken], units);
        break;
    }
    for (int i = refusing + 1; refusing >= 0 && i < size; i++) {
        const int64_t longer_ns = gw_bucket_check(&limits[i], units, now_ns);
        if (longer_ns <= *wait_ns) continue;
        *wait_ns = longer_ns;
        refusing = i;
    }
    return refusing;
}

#endif
