/* An open-addressing table of 64-byte records in shared memory: keys are found, entered and forgotten without a lock, by
 * any process, each of which may be killed at any instant.
 *
 * The pair `name` of a record holds its key, and as tag a version above two bits of state. Every change of the pair counts
 * the version up, so no (key, tag) ever comes back. A record is FREE, or TENTATIVE for a key, or a MEMBER; a key lives within
 * `reach` records of its home. Invariant: at most one record is a MEMBER for a key.
 *
 * Who enters a key first places it as TENTATIVE and makes it a MEMBER only after a scan that began later, found no member of
 * that key and no tentative one nearer to home, and freed every tentative one farther away. Why that suffices: take two
 * records a, b, a nearer to home, both promoted. b's scan did not see a, so a was placed after b's scan had read it, hence
 * a's whole scan came after b was placed: it found b a member, and a was not promoted, or freed b, and then b's promotion
 * failed, the tag having changed. Promotion needs no owner: whoever finds what a killed process left adopts it.
 */
#ifndef GW_TABLE_H
#define GW_TABLE_H

#include "atomics.h"

enum { GW_WORDS = 3, GW_REACH = 256, GW_FREE = 0, GW_TENTATIVE = 1, GW_MEMBER = 2, GW_STATE_BITS = 2 };

typedef struct {
    gw_pair name;            /* value: the key; tag: version << 2 | state. A tag of 0 was never used: no key lies beyond it */
    gw_pair words[GW_WORDS]; /* what the record is about */
} gw_record;

_Static_assert(sizeof(gw_record) == 64, "a record is one cache line");

typedef struct {
    gw_record *records; /* aligned to 64 bytes */
    uint64_t mask;      /* capacity - 1 */
    unsigned shift;     /* 64 - log2(capacity) */
    uint64_t reach;
} gw_table;

/* A value no word ever holds otherwise: the record is being forgotten. Every operation on its words gives up. */
#define GW_GONE INT64_MIN

static inline void gw_table_init(gw_table *table, void *memory, unsigned capacity_log2) {
    table->records = memory;
    table->mask = (UINT64_C(1) << capacity_log2) - 1;
    table->shift = 64 - capacity_log2;
    table->reach = table->mask < GW_REACH ? table->mask + 1 : GW_REACH;
}

static inline unsigned gw_state_of(uint64_t tag) { return (unsigned)tag & 3u; }
static inline uint64_t gw_next_tag(uint64_t tag, unsigned state) { return ((tag >> GW_STATE_BITS) + 1) << GW_STATE_BITS | state; }

/* The i-th record in which `key` may stand (multiplicative hashing: keys need not be spread). */
static inline uint64_t gw_place(const gw_table *table, int64_t key, uint64_t i) {
    return (((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15) >> table->shift) + i) & table->mask;
}

/* Who wrote a word: the low bits of its tag. */
enum { GW_WHO_BITS = 18, GW_WHO_MASK = (1 << GW_WHO_BITS) - 1, GW_NOBODY = 0, GW_FORGETTER = GW_WHO_MASK };

/* The tag that forgetting leaves in the words of a record: of this version alone. */
static inline uint64_t gw_version_tag(uint64_t name_tag) { return name_tag >> GW_STATE_BITS << GW_WHO_BITS | GW_FORGETTER; }

/* Index of the member with this key, and its name's tag; or -1. */
static inline int64_t gw_table_lookup(const gw_table *table, int64_t key, uint64_t *tag) {
    for (uint64_t i = 0; i < table->reach; i++) {
        const uint64_t at = gw_place(table, key, i);
        const gw_seen name = gw_pair_whole_acquire(&table->records[at].name);
        if (name.tag == 0) break;
        if (name.value == key && gw_state_of(name.tag) == GW_MEMBER) {
            *tag = name.tag;
            return (int64_t)at;
        }
    }
    return -1;
}

typedef struct {
    int64_t at; /* -1: none */
    gw_seen name;
} gw_found;

/* One scan for gw_table_find: the member of `key` or, with state TENTATIVE, the tentative record nearest to home, those
 * beyond it freed; else, with state FREE, the first free one. `*settled` is 0 if another process interfered. */
static inline gw_found gw_table_scan(const gw_table *table, int64_t key, int *settled) {
    gw_found vacant = {-1, {0, 0}}, tentative = {-1, {0, 0}};
    *settled = 1;
    for (uint64_t i = 0; i < table->reach; i++) {
        const uint64_t at = gw_place(table, key, i);
        gw_pair *pair = &table->records[at].name;
        const gw_found here = {(int64_t)at, gw_pair_whole_acquire(pair)};
        if (gw_state_of(here.name.tag) == GW_FREE) {
            if (vacant.at < 0) vacant = here;
            if (here.name.tag == 0) break;
        } else if (here.name.value == key) {
            if (gw_state_of(here.name.tag) == GW_MEMBER) return here;
            if (tentative.at < 0) {
                tentative = here;
            } else {
                const gw_seen freed = {0, gw_next_tag(here.name.tag, GW_FREE)};
                if (!gw_pair_swap_seq_cst(pair, here.name, freed)) *settled = 0;
            }
        }
    }
    return tentative.at >= 0 ? tentative : vacant;
}

/* A record forgotten before the version `name_tag` still has GW_GONE in its first word; the next member starts at 0. */
static inline void gw_record_clear(gw_record *record, uint64_t name_tag) {
    const gw_seen word = gw_pair_whole_acquire(&record->words[0]);
    const gw_seen zero = {0, word.tag};
    if (word.value == GW_GONE && word.tag < gw_version_tag(name_tag)) {
        (void)gw_pair_swap_seq_cst(&record->words[0], word, zero);
    }
}

/* Index of the member with this key, entered if absent; -1 if all records within reach are taken. Lock-free: a retry means
 * that another process got on. */
static inline int64_t gw_table_find(const gw_table *table, int64_t key, uint64_t *tag) {
    gw_found known = {-1, {0, 0}}; /* a tentative record that stood there before the scan began */
    for (;;) {
        int settled;
        const gw_found found = gw_table_scan(table, key, &settled);
        if (found.at < 0) return -1;
        gw_record *record = &table->records[found.at];
        switch (gw_state_of(found.name.tag)) {
        case GW_MEMBER:
            *tag = found.name.tag;
            return found.at;
        case GW_FREE:
            known = found;
            known.name = (gw_seen){key, gw_next_tag(found.name.tag, GW_TENTATIVE)};
            if (!gw_pair_swap_seq_cst(&record->name, found.name, known.name)) known.at = -1;
            break;
        default:
            if (settled && found.at == known.at && found.name.tag == known.name.tag) {
                const gw_seen member = {key, gw_next_tag(found.name.tag, GW_MEMBER)};
                gw_record_clear(record, found.name.tag);
                (void)gw_pair_swap_seq_cst(&record->name, found.name, member);
            }
            known = found;
        }
    }
}

#endif
