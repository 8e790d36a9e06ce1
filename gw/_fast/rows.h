/* Whole frames of the journal (gw/ledger/journal.py), and the msgpack in them: texts, integers, flags, in the order of a record's
 * columns. What is anything else is left to a reader that knows more. Bounds are looked at before every byte.
 */
#ifndef GW_ROWS_H
#define GW_ROWS_H

#include <stdint.h>
#include <string.h>

#include "crc.h"

enum { GW_ROWS_HEAD = 12, GW_ROWS_CHECKED = 8 };

/* Where the whole frame at `p` ends, or NULL if none stands there. */
static inline const uint8_t *gw_frame_end(const struct gw_crc *crc, uint32_t seed, size_t most, const uint8_t *p,
                                          const uint8_t *end) {
    if (end - p < GW_ROWS_HEAD || memcmp(p, "gwj", 3)) return NULL;
    const size_t size = gw_le32(p + 4);
    const uint8_t *payload = p + GW_ROWS_HEAD;
    if (size > most || (size_t)(end - payload) < size) return NULL;
    const uint32_t head = gw_crc32(crc, seed, p, GW_ROWS_CHECKED);
    return gw_crc32(crc, head, payload, size) == gw_le32(p + GW_ROWS_CHECKED) ? payload + size : NULL;
}

static inline uint64_t gw_big_endian(const uint8_t *p, int size) {
    uint64_t value = 0;
    for (int i = 0; i < size; i++) value = value << 8 | p[i];
    return value;
}

/* Below: the byte behind what was read, or NULL if nothing of the kind stands at `p`. */

static inline const uint8_t *gw_read_array(const uint8_t *p, const uint8_t *end, size_t *count) {
    if (p >= end) return NULL;
    if ((*p & 0xF0) == 0x90) {
        *count = *p & 15u;
        return p + 1;
    }
    const int size = *p == 0xDC ? 2 : *p == 0xDD ? 4 : 0;
    if (!size || end - p <= size) return NULL;
    *count = (size_t)gw_big_endian(p + 1, size);
    return p + 1 + size;
}

static inline const uint8_t *gw_read_text(const uint8_t *p, const uint8_t *end, const uint8_t **text, size_t *length) {
    if (p >= end) return NULL;
    if ((*p & 0xE0) == 0xA0) {
        *length = *p++ & 31u;
    } else {
        if (*p < 0xD9 || *p > 0xDB) return NULL;
        const int size = 1 << (*p - 0xD9);
        if (end - p <= size) return NULL;
        *length = (size_t)gw_big_endian(p + 1, size);
        p += 1 + size;
    }
    if ((size_t)(end - p) < *length) return NULL;
    *text = p;
    return p + *length;
}

/* An integer that a column of the ledger takes: not what is beyond 63 bits. */
static inline const uint8_t *gw_read_integer(const uint8_t *p, const uint8_t *end, int64_t *value) {
    if (p >= end) return NULL;
    const uint8_t kind = *p++;
    if (kind < 0x80 || kind >= 0xE0) {
        *value = (int8_t)kind;
        return p;
    }
    const int positive = kind >= 0xCC && kind <= 0xCF;
    if (!positive && (kind < 0xD0 || kind > 0xD3)) return NULL;
    const int size = 1 << (positive ? kind - 0xCC : kind - 0xD0);
    if (end - p < size) return NULL;
    const uint64_t bits = gw_big_endian(p, size);
    const int unused = 64 - 8 * size;
    *value = positive ? (int64_t)bits : (int64_t)(bits << unused) >> unused;
    return (positive && bits > INT64_MAX) || *value == INT64_MIN ? NULL : p + size;
}

static inline int gw_is_ascii(const uint8_t *text, size_t size) {
    uint64_t seen = 0, eight;
    for (; size >= sizeof eight; text += sizeof eight, size -= sizeof eight) {
        memcpy(&eight, text, sizeof eight);
        seen |= eight;
    }
    for (; size; text++, size--) seen |= *text;
    return !(seen & UINT64_C(0x8080808080808080));
}

/* For a table of texts. */
static inline uint32_t gw_text_hash(const uint8_t *text, size_t size) {
    uint64_t hash = size * UINT64_C(0x9E3779B97F4A7C15), eight;
    for (; size >= sizeof eight; text += sizeof eight, size -= sizeof eight) {
        memcpy(&eight, text, sizeof eight);
        hash = (hash ^ eight) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    for (; size; text++, size--) hash = (hash ^ *text) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32);
}

#endif
