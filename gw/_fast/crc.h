/* CRC-32 as of zlib (reflected, polynomial 0xEDB88320), of some hundred bytes at a time.
 *
 * By carry-less products where the processor has them (Gopal et al., "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ", Intel 2009): 64 bytes a step, and no memory but the bytes themselves. Elsewhere by tables, eight bytes a step:
 * these are 8 KB, of which a call would have to bring a good part into the cache each time.
 */
#ifndef GW_CRC_H
#define GW_CRC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__SSE2__) && defined(__GNUC__)
#define GW_CRC_PRODUCTS 1
#include <smmintrin.h>
#include <wmmintrin.h>
#else
#define GW_CRC_PRODUCTS 0
#endif

enum { GW_CRC_STEP = 64, GW_CRC_LANE = 16 };

struct gw_crc {
    int products; /* the processor has them */
    uint32_t tables[8][256];
};

static inline void gw_crc_init(struct gw_crc *crc) {
    crc->products = 0;
#if GW_CRC_PRODUCTS
    crc->products = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? UINT32_C(0xEDB88320) : 0);
        crc->tables[0][i] = value;
    }
    for (int t = 1; t < 8; t++) {
        for (uint32_t i = 0; i < 256; i++) {
            const uint32_t before = crc->tables[t - 1][i];
            crc->tables[t][i] = before >> 8 ^ crc->tables[0][before & 255];
        }
    }
}

static inline uint32_t gw_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void gw_put_le32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* Below, `value` is the register itself: the complement of the CRC. */

static inline uint32_t gw_crc_by_tables(const uint32_t tables[8][256], uint32_t value, const uint8_t *p, size_t size) {
    for (; size >= 8; p += 8, size -= 8) {
        const uint32_t low = value ^ gw_le32(p), high = gw_le32(p + 4);
        value = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^
                tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^ tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; size; p++, size--) value = value >> 8 ^ tables[0][(value ^ *p) & 255];
    return value;
}

#if GW_CRC_PRODUCTS

/* Four bits at a time: one cache line, for the few bytes behind the last lane. */
static inline uint32_t gw_crc_by_nibbles(uint32_t value, const uint8_t *p, size_t size) {
    static const uint32_t table[16] = {
        UINT32_C(0x00000000), UINT32_C(0x1DB71064), UINT32_C(0x3B6E20C8), UINT32_C(0x26D930AC),
        UINT32_C(0x76DC4190), UINT32_C(0x6B6B51F4), UINT32_C(0x4DB26158), UINT32_C(0x5005713C),
        UINT32_C(0xEDB88320), UINT32_C(0xF00F9344), UINT32_C(0xD6D6A3E8), UINT32_C(0xCB61B38C),
        UINT32_C(0x9B64C2B0), UINT32_C(0x86D3D2D4), UINT32_C(0xA00AE278), UINT32_C(0xBDBDF21C),
    };
    for (; size; p++, size--) {
        value ^= *p;
        value = value >> 4 ^ table[value & 15];
        value = value >> 4 ^ table[value & 15];
    }
    return value;
}

#define GW_CRC_TARGET __attribute__((target("pclmul,sse4.1")))

GW_CRC_TARGET static inline __m128i gw_crc_lane(const uint8_t *p) {
    __m128i lane;
    memcpy(&lane, p, sizeof lane);
    return lane;
}

/* `lane` times the two powers of x in `by`, which brings it forward, and what stands there. */
GW_CRC_TARGET static inline __m128i gw_crc_fold(__m128i lane, __m128i by, __m128i there) {
    const __m128i low = _mm_clmulepi64_si128(lane, by, 0x00), high = _mm_clmulepi64_si128(lane, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

/* Of whole lanes, four at least. */
GW_CRC_TARGET static inline uint32_t gw_crc_by_products(uint32_t value, const uint8_t *p, size_t size) {
    const __m128i by_step = _mm_set_epi64x(INT64_C(0x01C6E41596), INT64_C(0x0154442BD4)); /* x^(512-32), x^(512+32) */
    const __m128i by_lane = _mm_set_epi64x(INT64_C(0x00CCAA009E), INT64_C(0x01751997D0)); /* x^(128-32), x^(128+32) */
    const __m128i by_word = _mm_set_epi64x(0, INT64_C(0x0163CD6124)); /* x^64 */
    const __m128i whole = _mm_set_epi64x(INT64_C(0x01F7011641), INT64_C(0x01DB710641)); /* x^64 / P, and P */
    const __m128i words = _mm_set_epi32(0, -1, 0, -1);
    __m128i a = _mm_xor_si128(gw_crc_lane(p), _mm_cvtsi32_si128((int)value));
    __m128i b = gw_crc_lane(p + 16), c = gw_crc_lane(p + 32), d = gw_crc_lane(p + 48);
    for (p += GW_CRC_STEP, size -= GW_CRC_STEP; size >= GW_CRC_STEP; p += GW_CRC_STEP, size -= GW_CRC_STEP) {
        a = gw_crc_fold(a, by_step, gw_crc_lane(p));
        b = gw_crc_fold(b, by_step, gw_crc_lane(p + 16));
        c = gw_crc_fold(c, by_step, gw_crc_lane(p + 32));
        d = gw_crc_fold(d, by_step, gw_crc_lane(p + 48));
    }
    a = gw_crc_fold(gw_crc_fold(gw_crc_fold(a, by_lane, b), by_lane, c), by_lane, d);
    for (; size >= GW_CRC_LANE; p += GW_CRC_LANE, size -= GW_CRC_LANE) a = gw_crc_fold(a, by_lane, gw_crc_lane(p));
    /* 128 bits to 96, to 64, and by Barrett's reduction to 32. */
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by_lane, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, words), by_word, 0x00));
    __m128i times = _mm_clmulepi64_si128(_mm_and_si128(a, words), whole, 0x10);
    times = _mm_clmulepi64_si128(_mm_and_si128(times, words), whole, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, times), 1);
}

#endif

static inline uint32_t gw_crc32(const struct gw_crc *crc, uint32_t seed, const uint8_t *p, size_t size) {
#if GW_CRC_PRODUCTS
    if (crc->products && size >= GW_CRC_STEP) {
        const size_t lanes = size / GW_CRC_LANE * GW_CRC_LANE;
        return ~gw_crc_by_nibbles(gw_crc_by_products(~seed, p, lanes), p + lanes, size - lanes);
    }
#endif
    return ~gw_crc_by_tables(crc->tables, ~seed, p, size);
}

#endif
