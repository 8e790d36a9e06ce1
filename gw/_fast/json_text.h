/* The inside of a JSON string (RFC 8259, section 7): where it ends, whether all of it may stand there, and how many bytes of
 * UTF-8 it stands for.
 *
 * Long strings are taken 64 bytes at a time. A block becomes masks, bit i for byte i, and each rule is a line of arithmetic on
 * masks: escapes, Chinese and plain text cost nearly the same, and no branch depends on a letter. A block begins where no escape
 * and no UTF-8 sequence is open, and only whole ones are taken from its end, so nothing is carried from one to the next. What is
 * wrong is not told from here: such a block is left to the reader that takes one byte at a time (json_scan.h).
 * The vectors are the compiler's own; only gw_tops has a form for each machine. The pure twins read byte by byte, and
 * tests/_fast/test_json_text.py puts every kind of letter at every place of a block.
 */
#ifndef GW_JSON_TEXT_H
#define GW_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

enum { GW_LANE = 16, GW_BLOCK = 64 };

typedef uint8_t gw_lane __attribute__((vector_size(GW_LANE)));

static inline gw_lane gw_load(const uint8_t *p) {
    gw_lane lane;
    memcpy(&lane, p, sizeof lane);
    return lane;
}

static inline gw_lane gw_all(uint8_t byte) { return byte - (gw_lane){0}; }

/* Bit i: the top bit of byte i. */
static inline unsigned gw_tops(gw_lane lane) {
#if defined(__SSE2__)
    return (unsigned)_mm_movemask_epi8((__m128i)lane);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    static const uint8_t bits[GW_LANE] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t kept = vandq_u8((uint8x16_t)vshrq_n_s8((int8x16_t)lane, 7), vld1q_u8(bits));
    return vaddv_u8(vget_low_u8(kept)) | (unsigned)vaddv_u8(vget_high_u8(kept)) << 8;
#else
    unsigned mask = 0;
    for (int i = 0; i < GW_LANE; i++) mask |= (unsigned)(lane[i] >> 7) << i;
    return mask;
#endif
}

static inline uint64_t gw_mask(gw_lane a, gw_lane b, gw_lane c, gw_lane d) {
    return gw_tops(a) | (uint64_t)gw_tops(b) << 16 | (uint64_t)gw_tops(c) << 32 | (uint64_t)gw_tops(d) << 48;
}

/* The bytes of a block that are ... */
static inline uint64_t gw_equal(const gw_lane *in, uint8_t byte) {
    const gw_lane all = gw_all(byte);
    return gw_mask((gw_lane)(in[0] == all), (gw_lane)(in[1] == all), (gw_lane)(in[2] == all), (gw_lane)(in[3] == all));
}

static inline uint64_t gw_between(const gw_lane *in, uint8_t low, uint8_t high) {
    const gw_lane from = gw_all(low), most = gw_all((uint8_t)(high - low));
    return gw_mask((gw_lane)(in[0] - from <= most), (gw_lane)(in[1] - from <= most), (gw_lane)(in[2] - from <= most),
                   (gw_lane)(in[3] - from <= most));
}

/* ... those with this bit set. */
static inline uint64_t gw_with_bit(const gw_lane *in, int bit) {
    return gw_mask(in[0] << (7 - bit), in[1] << (7 - bit), in[2] << (7 - bit), in[3] << (7 - bit));
}

/* The bytes up to the lowest bit of `stop`, and without it: all of them if there is none. */
static inline uint64_t gw_before(uint64_t stop) { return (stop & (0 - stop)) - 1; }
static inline uint64_t gw_through(uint64_t stop) { return stop ^ (stop - 1); }
static inline int gw_count(uint64_t mask) { return __builtin_popcountll(mask); }

/* The bytes that the backslash before them escapes: behind every second one of a run, counted from its beginning. So parity
 * decides, once it is known which runs begin at an odd place: adding the first byte of such a run to it sweeps its ones away and
 * sets the one behind it, which turns the parity there. */
static inline uint64_t gw_escaped(uint64_t slashes) {
    const uint64_t even = UINT64_C(0x5555555555555555), after = slashes << 1;
    const uint64_t odd_starts = slashes & ~even & ~after;
    const uint64_t carried = odd_starts + slashes;
    return (even ^ (carried << 1)) & after;
}

/* What is wrong with the UTF-8 in a block (Unicode 15, table 3-7), and at *open the first bytes of sequences that its end cuts. */
static inline uint64_t gw_utf8_wrong(const gw_lane *in, uint64_t high, uint64_t *open) {
    const uint64_t bit4 = gw_with_bit(in, 4), bit5 = gw_with_bit(in, 5), bit6 = gw_with_bit(in, 6);
    const uint64_t lead = high & bit6, three = lead & bit5, four = three & bit4;
    uint64_t wrong = (lead << 1 | three << 2 | four << 3) ^ (high & ~bit6);
    *open |= (lead & UINT64_C(1) << 63) | (three & UINT64_C(1) << 62) | (four & UINT64_C(1) << 61);
    const uint64_t narrow = gw_equal(in, 0xE0) | gw_equal(in, 0xED) | four | gw_between(in, 0xC0, 0xC1);
    if (narrow) { /* after these not every byte of 80..BF will do, or none */
        wrong |= gw_between(in, 0xC0, 0xC1) | gw_between(in, 0xF5, 0xFF);
        wrong |= (gw_equal(in, 0xE0) << 1 & ~bit5) | (gw_equal(in, 0xED) << 1 & bit5);
        wrong |= (gw_equal(in, 0xF0) << 1 & ~(bit5 | bit4)) | (gw_equal(in, 0xF4) << 1 & (bit5 | bit4));
    }
    return wrong;
}

/* The letters that may stand behind a backslash, without quotes, backslashes and u. */
static inline gw_lane gw_letters(gw_lane in) {
    return (gw_lane)(in == 'n') | (gw_lane)(in == 't') | (gw_lane)(in == 'r') | (gw_lane)(in == 'b') | (gw_lane)(in == 'f') |
           (gw_lane)(in == '/');
}

typedef struct {
    uint64_t escaped, hexed; /* bytes behind a backslash; those of them that are a u */
    uint64_t wrong, open;    /* as in gw_utf8_wrong */
} gw_escapes;

static inline gw_escapes gw_find_escapes(const gw_lane *in, uint64_t slashes, uint64_t quotes) {
    gw_escapes found = {.escaped = gw_escaped(slashes)};
    found.hexed = gw_equal(in, 'u') & found.escaped;
    const uint64_t letters = gw_mask(gw_letters(in[0]), gw_letters(in[1]), gw_letters(in[2]), gw_letters(in[3]));
    found.wrong = found.escaped & ~(letters | slashes | quotes | found.hexed);
    found.open = slashes & ~found.escaped & UINT64_C(1) << 63;
    if (found.hexed) {
        const uint64_t digits = gw_between(in, '0', '9') | gw_between(in, 'a', 'f') | gw_between(in, 'A', 'F');
        const uint64_t u = found.hexed;
        found.wrong |= (u << 1 | u << 2 | u << 3 | u << 4) & ~digits;
        found.open |= (u & UINT64_C(15) << 60) >> 1;
    }
    return found;
}

/* The bytes that a text of these bytes has less than it takes. \uXXXX stands for 1, 2 or 3: below 80, below 800, others. */
static inline int gw_saved(const gw_lane *in, uint64_t escaped, uint64_t hexed) {
    if (!hexed) return gw_count(escaped);
    const uint64_t zeros = gw_equal(in, '0'), small = gw_between(in, '0', '7');
    const uint64_t below_800 = hexed & zeros >> 1 & small >> 2, below_80 = below_800 & zeros >> 2 & small >> 3;
    return gw_count(escaped) + 2 * gw_count(hexed) + gw_count(below_800) + gw_count(below_80);
}

/* Takes the bytes of a block that are whole text before a closing quote; returns how many, adding what they stand for to
 * *counted. 0: none of them, something is wrong among them or behind the last. */
static inline int gw_take_block(const gw_lane *in, uint64_t quotes, uint64_t slashes, uint64_t high, uint64_t wrong, int64_t *counted) {
    gw_escapes found = {0, 0, 0, 0};
    if (slashes) {
        found = gw_find_escapes(in, slashes, quotes);
        quotes &= ~found.escaped;
        wrong |= found.wrong;
    }
    if (high) wrong |= gw_utf8_wrong(in, high, &found.open);
    const uint64_t stop = quotes | found.open, taken = gw_before(stop);
    if (wrong & gw_through(stop)) return 0;
    const int size = stop ? __builtin_ctzll(stop) : GW_BLOCK;
    *counted += size - gw_saved(in, found.escaped & taken, found.hexed & taken);
    return size;
}

static inline int gw_take_bytes(const uint8_t *p, int64_t *counted) {
    const gw_lane in[4] = {gw_load(p), gw_load(p + 16), gw_load(p + 32), gw_load(p + 48)};
    const uint64_t quotes = gw_equal(in, '"'), slashes = gw_equal(in, '\\'), high = gw_with_bit(in, 7);
    return gw_take_block(in, quotes, slashes, high, gw_between(in, 0, 0x1f), counted);
}

/* Takes text from p on, adding the UTF-8 bytes it stands for to *counted. Returns where it stopped, no escape or sequence being
 * open there: at a closing quote, at less than 64 bytes, or less than 64 bytes before something that is wrong. */
static inline const uint8_t *gw_take_text(const uint8_t *p, const uint8_t *end, int64_t *counted) {
    while (end - p >= GW_BLOCK) {
        const int size = gw_take_bytes(p, counted);
        p += size;
        if (size < GW_BLOCK && (size == 0 || *p == '"')) break;
    }
    return p;
}

/* The same for less than 64 bytes that hold a closing quote, which is where it stops; else it takes nothing. */
static inline const uint8_t *gw_take_rest(const uint8_t *p, const uint8_t *end, int64_t *counted) {
    uint8_t block[GW_BLOCK] = {0}; /* zeros may not stand in a string: one that does not end before them is left alone */
    if (end - p >= GW_BLOCK) return p;
    memcpy(block, p, (size_t)(end - p));
    return p + gw_take_bytes(block, counted);
}

/* Letter by letter. */

static inline gw_lane gw_special(gw_lane in) {
    return (gw_lane)(in == '"') | (gw_lane)(in == '\\') | (gw_lane)(in < 0x20) | in; /* only the top bits count */
}

/* The first byte of p..end that is a quote, a backslash, a control character or not ASCII; end if there is none. */
static inline const uint8_t *gw_plain_run(const uint8_t *p, const uint8_t *end) {
    for (; end - p >= GW_LANE; p += GW_LANE) {
        const unsigned stop = gw_tops(gw_special(gw_load(p)));
        if (stop != 0) return p + __builtin_ctz(stop);
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') p++;
    return p;
}

/* Writes a code point (surrogates too) as UTF-8 into out, which has 4 bytes; returns how many it took. */
static inline size_t gw_utf8(uint32_t point, uint8_t *out) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xC0 | (point >> 6));
        out[1] = (uint8_t)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xE0 | (point >> 12));
        out[1] = (uint8_t)(0x80 | ((point >> 6) & 0x3F));
        out[2] = (uint8_t)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | (point >> 18));
    out[1] = (uint8_t)(0x80 | ((point >> 12) & 0x3F));
    out[2] = (uint8_t)(0x80 | ((point >> 6) & 0x3F));
    out[3] = (uint8_t)(0x80 | (point & 0x3F));
    return 4;
}

/* What a backslash and this letter stand for, 0 if nothing. */
static inline uint8_t gw_unescaped(uint8_t letter) {
    switch (letter) {
    case '"': case '\\': case '/': return letter;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

static inline int gw_hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* What must follow a byte that begins a UTF-8 sequence (Unicode 15, table 3-7): how many, and the range of the first. */
static inline int gw_utf8_more(uint8_t c) { return c < 0xC2 || c > 0xF4 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3; }
static inline uint8_t gw_utf8_low(uint8_t c) { return c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80; }
static inline uint8_t gw_utf8_high(uint8_t c) { return c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF; }

/* Bytes of the UTF-8 sequence of more than one byte at p; 0 if there is none, or not all of it. */
static inline int gw_utf8_size(const uint8_t *p, const uint8_t *end) {
    const int more = gw_utf8_more(*p);
    if (more == 0 || end - p <= more || p[1] < gw_utf8_low(*p) || p[1] > gw_utf8_high(*p)) return 0;
    for (int i = 2; i <= more; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
    }
    return more + 1;
}

/* Bytes of the escape at p, a backslash, and at *unit what it stands for; 0 if it is none, or not all there. */
static inline int gw_escape_size(const uint8_t *p, const uint8_t *end, uint32_t *unit) {
    if (end - p < 2) return 0;
    *unit = gw_unescaped(p[1]);
    if (*unit) return 2;
    if (p[1] != 'u' || end - p < 6) return 0;
    for (int i = 2; i < 6; i++) {
        const int digit = gw_hex_digit(p[i]);
        if (digit < 0) return 0;
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return 6;
}

/* The first byte of p..end that is not white space. */
static inline const uint8_t *gw_blanks(const uint8_t *p, const uint8_t *end) {
    while (end - p >= GW_LANE && gw_tops((gw_lane)(gw_load(p) == ' ')) == 0xFFFF) p += GW_LANE; /* indented bodies */
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
    return p;
}

static inline const uint8_t *gw_digits(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

#endif
