/* Whether some bytes stand anywhere in others: 64 places at a time, by their first two bytes. */
#ifndef GW_SEEK_H
#define GW_SEEK_H

#include "json_text.h"

/* The places p[0..16) at which these two bytes stand; p[0..17) can be read. */
static inline gw_lane gw_pairs(const uint8_t *p, gw_lane first, gw_lane second) {
    return (gw_lane)(gw_load(p) == first) & (gw_lane)(gw_load(p + 1) == second);
}

/* Of the 64 places from `p` on, whether `part` stands at one. */
static inline int gw_holds_here(const uint8_t *p, const uint8_t *part, int64_t size) {
    const gw_lane first = gw_all(part[0]), second = gw_all(part[1]);
    const gw_lane a = gw_pairs(p, first, second), b = gw_pairs(p + GW_LANE, first, second);
    const gw_lane c = gw_pairs(p + 2 * GW_LANE, first, second), d = gw_pairs(p + 3 * GW_LANE, first, second);
    if (!gw_tops(a | b | c | d)) return 0;
    for (uint64_t found = gw_mask(a, b, c, d); found; found &= found - 1) {
        if (memcmp(p + __builtin_ctzll(found), part, (size_t)size) == 0) return 1;
    }
    return 0;
}

/* `size` of `part` is 2 or more. The last block may have places that the one before has had. */
static inline int gw_holds(const uint8_t *whole, int64_t whole_size, const uint8_t *part, int64_t size) {
    const int64_t places = whole_size - size + 1;
    int64_t at = 0;
    if (places >= GW_BLOCK) {
        for (; places - at > GW_BLOCK; at += GW_BLOCK) {
            if (gw_holds_here(whole + at, part, size)) return 1;
        }
        return gw_holds_here(whole + places - GW_BLOCK, part, size);
    }
    for (; at < places; at++) {
        if (whole[at] == part[0] && memcmp(whole + at, part, (size_t)size) == 0) return 1;
    }
    return 0;
}

#endif
