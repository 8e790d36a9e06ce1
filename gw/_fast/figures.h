/* Counters of 64 bits that stand still at either end. */
#ifndef GW_FIGURES_H
#define GW_FIGURES_H

#include <stdint.h>

static inline void gw_count_on(int64_t *figure, int64_t more) {
    int64_t sum;
    if (__builtin_add_overflow(*figure, more, &sum)) sum = more < 0 ? INT64_MIN : INT64_MAX;
    *figure = sum;
}

#endif
