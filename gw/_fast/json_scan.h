/* An incremental, strictly validating reader of one JSON object (RFC 8259), fed in any split and holding no input.
 *
 * The file that includes this one first declares `gw_owner`, a struct whose first member is `gw_json json`, and defines
 * the hooks below; they are static, so the compiler inlines them. Memory is bounded by the struct whatever is fed: keys and
 * wanted strings are captured up to GW_TEXT_MAX bytes, every other string is only checked. The pure twin is
 * ref/json_scan.py; both stop at the same byte (tests/_fast/test_jsonpeek.py, tests/fuzz).
 *
 *   gw_on_value   the first byte of a value is at `at`, the value's container has depth json.depth; returns how to
 *                 read it if it is a string. true, false and null have no further hook.
 *   gw_on_key     a key is complete in json.text, `at` is past its closing quote
 *   gw_on_string  a string value is complete, `at` is past its closing quote
 *   gw_on_number  a number is complete; json.plain: it is an integer in 0..INT64_MAX, in json.number
 *   gw_on_close   a container of depth json.depth ends
 */
#ifndef GW_JSON_SCAN_H
#define GW_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { GW_DEPTH_MAX = 512, GW_TEXT_MAX = 256 };
enum { GW_TEXT_TOO_LONG = GW_TEXT_MAX + 1 };

enum gw_state {
    GW_START, GW_VALUE, GW_VALUE_OR_END, GW_KEY, GW_KEY_OR_END, GW_COLON, GW_NEXT, GW_STRING, GW_ESCAPE, GW_HEX,
    GW_LITERAL, GW_MINUS, GW_ZERO, GW_DIGITS, GW_POINT, GW_FRACTION, GW_EXPONENT, GW_SIGN, GW_POWER, GW_DONE, GW_FAILED
};
enum gw_kind { GW_OBJECT, GW_ARRAY, GW_TEXT, GW_NUMBER, GW_TRUE, GW_FALSE, GW_NULL };
enum gw_mode { GW_SKIP, GW_COUNT, GW_CAPTURE };

typedef struct {
    int state;
    int depth;
    int is_key;            /* the string being read is a key */
    int mode;
    int plain;
    int hex_left;
    uint32_t hex;
    int utf8_left;         /* continuation bytes still due, the next one within utf8_low..utf8_high */
    uint8_t utf8_low;
    uint8_t utf8_high;
    const char *literal;   /* what must still follow, in static storage */
    int64_t number;
    int64_t counted;       /* UTF-8 bytes of a GW_COUNT string, a \u escape counted by itself (1, 2 or 3) */
    int text_size;         /* bytes in text, or GW_TEXT_TOO_LONG */
    uint64_t objects[GW_DEPTH_MAX / 64]; /* bit d: the container of depth d + 1 is an object */
    uint8_t text[GW_TEXT_MAX];
} gw_json;

static inline gw_json *gw_json_of(gw_owner *owner) { return (gw_json *)(void *)owner; }

static inline int gw_on_value(gw_owner *owner, const uint8_t *at, int kind);
static inline void gw_on_key(gw_owner *owner, const uint8_t *at);
static inline void gw_on_string(gw_owner *owner, const uint8_t *at);
static inline void gw_on_number(gw_owner *owner);
static inline void gw_on_close(gw_owner *owner);

static inline void gw_json_reset(gw_json *json) {
    json->state = GW_START;
    json->depth = 0;
    json->utf8_left = 0;
}

/* The first byte of p..end that is a quote, a backslash, a control character or not ASCII; end if there is none. */
static inline const uint8_t *gw_plain_run(const uint8_t *p, const uint8_t *end) {
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
    while (end - p >= 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        special = _mm_or_si128(special, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        const int mask = _mm_movemask_epi8(_mm_or_si128(special, bytes)); /* movemask also takes the bytes' own top bits */
        if (mask != 0) return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#endif
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') p++;
    return p;
}

static inline void gw_take(gw_json *json, const uint8_t *bytes, size_t size) {
    if (json->mode == GW_COUNT) {
        json->counted += (int64_t)size;
    } else if (json->mode == GW_CAPTURE) {
        if ((size_t)json->text_size + size > GW_TEXT_MAX) {
            json->text_size = GW_TEXT_TOO_LONG;
        } else {
            memcpy(json->text + json->text_size, bytes, size);
            json->text_size += (int)size;
        }
    }
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

/* The last three of `size` bytes are a high surrogate: it came from an escape, since raw ones are refused as UTF-8. */
static inline int gw_ends_high(const uint8_t *text, int size) {
    return size >= 3 && size <= GW_TEXT_MAX && text[size - 3] == 0xED && (text[size - 2] & 0xF0) == 0xA0;
}

static inline uint32_t gw_joined(const uint8_t *high, uint32_t low) {
    return 0x10000 + (((uint32_t)(high[1] & 0x0F) << 16) | ((uint32_t)(high[2] & 0x3F) << 10)) + (low - 0xDC00);
}

static inline void gw_take_escape(gw_json *json, uint32_t unit) {
    uint8_t bytes[4];
    if (json->mode == GW_CAPTURE && unit >= 0xDC00 && unit < 0xE000 && gw_ends_high(json->text, json->text_size)) {
        json->text_size -= 3;
        unit = gw_joined(json->text + json->text_size, unit);
    }
    gw_take(json, bytes, gw_utf8(unit, bytes));
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

/* Reads in a string up to its closing quote, a backslash, an error or the end of the input. */
static inline const uint8_t *gw_read_string(gw_owner *owner, const uint8_t *p, const uint8_t *end) {
    gw_json *json = gw_json_of(owner);
    while (p < end) {
        if (json->utf8_left > 0) { /* only at the edge of two pieces, or to find the bad byte */
            if (*p < json->utf8_low || *p > json->utf8_high) break;
            json->utf8_left--;
            json->utf8_low = 0x80;
            json->utf8_high = 0xBF;
            gw_take(json, p++, 1);
            continue;
        }
        const uint8_t *run = p;
        p = gw_plain_run(p, end);
        gw_take(json, run, (size_t)(p - run));
        if (p == end) return p;
        if (*p == '"') {
            p++;
            json->state = json->is_key ? GW_COLON : GW_NEXT;
            if (json->is_key) gw_on_key(owner, p);
            else gw_on_string(owner, p);
            return p;
        }
        if (*p == '\\') {
            json->state = GW_ESCAPE;
            return p + 1;
        }
        const int size = gw_utf8_size(p, end);
        json->utf8_left = size ? 0 : gw_utf8_more(*p);
        if (!size && !json->utf8_left) break;
        json->utf8_low = gw_utf8_low(*p);
        json->utf8_high = gw_utf8_high(*p);
        gw_take(json, p, size ? (size_t)size : 1);
        p += size ? size : 1;
    }
    if (p < end) json->state = GW_FAILED;
    return p;
}

static inline void gw_begin_string(gw_json *json, int is_key, int mode) {
    json->state = GW_STRING;
    json->is_key = is_key;
    json->mode = mode;
    json->text_size = 0;
    json->counted = 0;
}

static inline void gw_add_digit(gw_json *json, uint8_t c) {
    const int digit = c - '0';
    if (json->number > (INT64_MAX - digit) / 10) json->plain = 0;
    else json->number = json->number * 10 + digit;
}

static inline void gw_open(gw_json *json, int is_object) {
    const uint64_t bit = (uint64_t)1 << (json->depth & 63);
    uint64_t *word = &json->objects[json->depth >> 6];
    *word = is_object ? *word | bit : *word & ~bit;
    json->depth++;
    json->state = is_object ? GW_KEY_OR_END : GW_VALUE_OR_END;
}

static inline int gw_in_object(const gw_json *json) {
    return (int)((json->objects[(json->depth - 1) >> 6] >> ((json->depth - 1) & 63)) & 1);
}

static inline void gw_close(gw_owner *owner) {
    gw_json *json = gw_json_of(owner);
    gw_on_close(owner);
    json->depth--;
    json->state = json->depth > 0 ? GW_NEXT : GW_DONE;
}

static inline void gw_begin_literal(gw_owner *owner, const uint8_t *p, int kind, const char *rest) {
    gw_json_of(owner)->state = GW_LITERAL;
    gw_json_of(owner)->literal = rest;
    (void)gw_on_value(owner, p, kind);
}

/* `p` is at the first byte of a value; the state tells what was begun, GW_FAILED if nothing can begin so. */
static inline void gw_begin_value(gw_owner *owner, const uint8_t *p) {
    gw_json *json = gw_json_of(owner);
    const uint8_t c = *p;
    if (c == '"') {
        gw_begin_string(json, 0, gw_on_value(owner, p, GW_TEXT));
    } else if (c == '{' || c == '[') {
        if (json->depth == GW_DEPTH_MAX) {
            json->state = GW_FAILED;
            return;
        }
        (void)gw_on_value(owner, p, c == '{' ? GW_OBJECT : GW_ARRAY);
        gw_open(json, c == '{');
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        json->state = c == '-' ? GW_MINUS : c == '0' ? GW_ZERO : GW_DIGITS;
        json->plain = c != '-';
        json->number = c == '-' ? 0 : c - '0';
        (void)gw_on_value(owner, p, GW_NUMBER);
    } else if (c == 't') {
        gw_begin_literal(owner, p, GW_TRUE, "rue");
    } else if (c == 'f') {
        gw_begin_literal(owner, p, GW_FALSE, "alse");
    } else if (c == 'n') {
        gw_begin_literal(owner, p, GW_NULL, "ull");
    } else {
        json->state = GW_FAILED;
    }
}

/* Takes one byte of a number. Returns 0, with the state set, if the byte is no longer part of it. */
static inline int gw_number_byte(gw_owner *owner, uint8_t c) {
    gw_json *json = gw_json_of(owner);
    const int state = json->state, digit = c >= '0' && c <= '9';
    int next = GW_FAILED;
    if (digit) {
        if (state == GW_DIGITS) gw_add_digit(json, c);
        if (state == GW_MINUS) next = c == '0' ? GW_ZERO : GW_DIGITS;
        else if (state == GW_POINT) next = GW_FRACTION;
        else if (state == GW_EXPONENT || state == GW_SIGN) next = GW_POWER;
        else if (state != GW_ZERO) next = state;
    } else if (c == '.' && (state == GW_ZERO || state == GW_DIGITS)) {
        next = GW_POINT;
    } else if ((c == 'e' || c == 'E') && (state == GW_ZERO || state == GW_DIGITS || state == GW_FRACTION)) {
        next = GW_EXPONENT;
    } else if ((c == '+' || c == '-') && state == GW_EXPONENT) {
        next = GW_SIGN;
    } else if (state == GW_ZERO || state == GW_DIGITS || state == GW_FRACTION || state == GW_POWER) {
        next = GW_NEXT;
    }
    json->state = next;
    if (next == GW_POINT || next == GW_EXPONENT) json->plain = 0;
    if (next == GW_NEXT) gw_on_number(owner);
    return next != GW_NEXT && next != GW_FAILED;
}

/* Takes the structural byte at p (no white space). Returns 0, with the state GW_FAILED, if it may not stand there. */
static inline int gw_structure(gw_owner *owner, const uint8_t *p) {
    gw_json *json = gw_json_of(owner);
    const uint8_t c = *p;
    switch (json->state) {
    case GW_NEXT:
        if (c == ',') json->state = gw_in_object(json) ? GW_KEY : GW_VALUE;
        else if (c == (gw_in_object(json) ? '}' : ']')) gw_close(owner);
        else json->state = GW_FAILED;
        break;
    case GW_COLON:
        json->state = c == ':' ? GW_VALUE : GW_FAILED;
        break;
    case GW_KEY:
    case GW_KEY_OR_END:
        if (c == '"') gw_begin_string(json, 1, GW_CAPTURE);
        else if (c == '}' && json->state == GW_KEY_OR_END) gw_close(owner);
        else json->state = GW_FAILED;
        break;
    case GW_VALUE_OR_END:
        if (c == ']') gw_close(owner);
        else gw_begin_value(owner, p);
        break;
    case GW_VALUE:
        gw_begin_value(owner, p);
        break;
    default: /* GW_START: the document must be an object */
        if (c == '{') gw_begin_value(owner, p);
        else json->state = GW_FAILED;
    }
    return json->state != GW_FAILED;
}

/* Reads p..end; returns where it stopped: at `end`, past the object's last brace (GW_DONE), or at the byte that cannot
 * stand there (GW_FAILED). Not to be called in those two states. */
static inline const uint8_t *gw_json_feed(gw_owner *owner, const uint8_t *p, const uint8_t *end) {
    gw_json *json = gw_json_of(owner);
    while (p < end) {
        const uint8_t c = *p;
        if (json->state == GW_STRING) {
            p = gw_read_string(owner, p, end);
            if (json->state == GW_FAILED) return p;
        } else if (json->state < GW_STRING) {
            if (c != ' ' && c != '\n' && c != '\t' && c != '\r' && !gw_structure(owner, p)) return p;
            p++;
            if (json->state == GW_DONE) return p;
        } else if (json->state == GW_ESCAPE) {
            const uint8_t plain = gw_unescaped(c);
            json->state = c == 'u' ? GW_HEX : plain ? GW_STRING : GW_FAILED;
            if (json->state == GW_FAILED) return p;
            json->hex_left = 4;
            json->hex = 0;
            if (plain) gw_take(json, &plain, 1);
            p++;
        } else if (json->state == GW_HEX) {
            const int digit = gw_hex_digit(c);
            if (digit < 0) {
                json->state = GW_FAILED;
                return p;
            }
            json->hex = json->hex << 4 | (uint32_t)digit;
            if (--json->hex_left == 0) {
                json->state = GW_STRING;
                gw_take_escape(json, json->hex);
            }
            p++;
        } else if (json->state == GW_LITERAL) {
            if (c != (uint8_t)*json->literal) {
                json->state = GW_FAILED;
                return p;
            }
            if (*++json->literal == 0) json->state = GW_NEXT;
            p++;
        } else if (gw_number_byte(owner, c)) {
            p++;
        } else if (json->state == GW_FAILED) {
            return p;
        }
    }
    return p;
}

#endif
