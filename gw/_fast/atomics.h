/* Words that several processes share, and the only ways in which they are touched. The memory order stands in each name.
 *
 * The unit is the pair: a value and a tag, 16 bytes, which change together or not at all. The tag says which write the value
 * is from, so a pair that is unchanged has not been written since (the value alone could have come back). C11 promises no
 * lock-free 16-byte atomic, and libatomic's fallback is a lock inside one process; so the exchange is one instruction, by
 * hand, for the two machines there are. It is a full barrier. Halves of a pair are read as two 8-byte loads: what such a
 * read mixes is refused by the exchange that follows.
 */
#ifndef GW_ATOMICS_H
#define GW_ATOMICS_H

#include <stdatomic.h>
#include <stdint.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "8-byte atomics must be free of locks: processes share them");

typedef _Atomic int64_t gw_word;

typedef struct {
    _Alignas(16) gw_word value;
    _Atomic uint64_t tag;
} gw_pair;

/* What was, or is to be, in a pair. */
typedef struct {
    int64_t value;
    uint64_t tag;
} gw_seen;

_Static_assert(sizeof(gw_pair) == 16 && sizeof(gw_seen) == 16, "a pair is two words");

static inline int64_t gw_load_acquire(const gw_word *word) { return atomic_load_explicit(word, memory_order_acquire); }
static inline int64_t gw_load_relaxed(const gw_word *word) { return atomic_load_explicit(word, memory_order_relaxed); }
static inline void gw_store_relaxed(gw_word *word, int64_t value) { atomic_store_explicit(word, value, memory_order_relaxed); }
static inline void gw_store_release(gw_word *word, int64_t value) { atomic_store_explicit(word, value, memory_order_release); }

/* What is stored from here on is not seen before what was stored until here. */
static inline void gw_fence_release(void) { atomic_thread_fence(memory_order_release); }

/* One more; what it was before, plus one. */
static inline int64_t gw_count_relaxed(gw_word *word) { return atomic_fetch_add_explicit(word, 1, memory_order_relaxed) + 1; }

static inline uint64_t gw_tag_acquire(const gw_pair *pair) { return atomic_load_explicit(&pair->tag, memory_order_acquire); }

static inline void gw_tag_release(gw_pair *pair, uint64_t tag) {
    atomic_store_explicit(&pair->tag, tag, memory_order_release);
}

/* Both halves, the tag first; they may be of different writes. */
static inline gw_seen gw_pair_acquire(const gw_pair *pair) {
    gw_seen seen;
    seen.tag = gw_tag_acquire(pair);
    seen.value = gw_load_acquire(&pair->value);
    return seen;
}

/* Both halves of one write, where every write brings a tag of its own. */
static inline gw_seen gw_pair_whole_acquire(const gw_pair *pair) {
    gw_seen seen = gw_pair_acquire(pair);
    for (uint64_t tag; (tag = gw_tag_acquire(pair)) != seen.tag;) {
        seen.tag = tag;
        seen.value = gw_load_acquire(&pair->value);
    }
    return seen;
}

/* If `pair` holds `from`, it holds `to` afterwards and the result is 1; else nothing changes and it is 0. */
static inline int gw_pair_swap_seq_cst(gw_pair *pair, gw_seen from, gw_seen to) {
#if defined(__x86_64__)
    int swapped;
    __asm__ __volatile__("lock cmpxchg16b %1"
                         : "=@ccz"(swapped), "+m"(*pair), "+a"(from.value), "+d"(from.tag)
                         : "b"(to.value), "c"(to.tag)
                         : "memory");
    return swapped;
#elif defined(__aarch64__)
    int64_t value;
    uint64_t tag;
    uint32_t lost;
    __asm__ __volatile__("1: ldaxp %0, %1, %3\n"
                         "cmp %0, %4\n"
                         "ccmp %1, %5, #0, eq\n"
                         "b.ne 2f\n"
                         "stlxp %w2, %6, %7, %3\n"
                         "cbnz %w2, 1b\n"
                         "b 3f\n"
                         "2: clrex\n"
                         "3:"
                         : "=&r"(value), "=&r"(tag), "=&r"(lost), "+Q"(*pair)
                         : "r"(from.value), "r"(from.tag), "r"(to.value), "r"(to.tag)
                         : "cc", "memory");
    if (value != from.value || tag != from.tag) return 0;
    atomic_thread_fence(memory_order_seq_cst);
    return 1;
#else
#error "gw needs a 16-byte compare-and-exchange: x86-64 or AArch64"
#endif
}

#endif
