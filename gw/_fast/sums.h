/* Sums of rows of the ledger: 64 bits a lane, and no rule of C's is asked what becomes of one that is too large. */
#ifndef GW_SUMS_H
#define GW_SUMS_H

#include <stdint.h>

enum { GW_HALF_BITS = 31 }; /* of an amount, the lower ones: gw.ledger.sums */

__extension__ typedef __int128 gw_wide_sum;

/* Adds all lanes, or none: 0 if one of them would leave 64 bits. */
static inline int gw_lanes_add(int64_t *to, const int64_t *more, int count) {
    uint64_t spilt = 0;
    for (int i = 0; i < count; i++) {
        const uint64_t a = (uint64_t)to[i], b = (uint64_t)more[i], sum = a + b;
        spilt |= (a ^ sum) & (b ^ sum);
    }
    if (spilt >> 63) return 0;
    for (int i = 0; i < count; i++) to[i] += more[i];
    return 1;
}

/* 0 to `most`. */
static inline int64_t gw_within(int64_t value, int64_t most) { return value < 0 ? 0 : value > most ? most : value; }

/* Between any two instants: 0 to `most`. */
static inline int64_t gw_passed(int64_t since, int64_t until, int64_t most) {
    const uint64_t apart = (uint64_t)until - (uint64_t)since;
    return until <= since ? 0 : apart < (uint64_t)most ? (int64_t)apart : most;
}

/* The upper and lower half of an amount. The lower one is never negative. */
static inline void gw_halve(int64_t amount, int64_t *halves) {
    halves[1] = amount & (((int64_t)1 << GW_HALF_BITS) - 1);
    halves[0] = (amount - halves[1]) / ((int64_t)1 << GW_HALF_BITS);
}

/* An amount of its halves, each of any size: -`most` to `most`. */
static inline int64_t gw_whole(const int64_t *halves, int64_t most) {
    const gw_wide_sum amount = (gw_wide_sum)halves[0] * ((int64_t)1 << GW_HALF_BITS) + halves[1];
    return amount > most ? most : amount < -(gw_wide_sum)most ? -most : (int64_t)amount;
}

/* Whether these numbers, of any size, are more than `most` together. */
static inline int gw_more(const int64_t *numbers, int count, int64_t most) {
    gw_wide_sum sum = 0;
    for (int i = 0; i < count; i++) sum += numbers[i];
    return sum > most;
}

/* Whether they are nothing together. */
static inline int gw_nothing(const int64_t *numbers, int count) {
    gw_wide_sum sum = 0;
    for (int i = 0; i < count; i++) sum += numbers[i];
    return sum == 0;
}

#endif
