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
 *   gw_on_string  a string value is complete, `at` is past its closing quote; json.text has it if it was to be captured
 *   gw_on_number  a number is complete; json.plain: it is an integer in 0..INT64_MAX, in json.number
 *   gw_on_close   a container of depth json.depth ends
 *
 * json.text is good only within a hook: it may be the input itself.
 */
#ifndef GW_JSON_SCAN_H
#define GW_JSON_SCAN_H

#include "json_text.h"

enum { GW_DEPTH_MAX = 512, GW_TEXT_MAX = 256 };
enum { GW_TEXT_TOO_LONG = GW_TEXT_MAX + 1 };

enum gw_state {
    GW_START, GW_VALUE, GW_VALUE_OR_END, GW_KEY, GW_KEY_OR_END, GW_COLON, GW_NEXT, GW_STRING, GW_ESCAPE, GW_HEX,
    GW_LITERAL, GW_MINUS, GW_ZERO, GW_DIGITS, GW_POINT, GW_FRACTION, GW_EXPONENT, GW_SIGN, GW_POWER, GW_DONE, GW_FAILED
};
enum gw_kind { GW_OBJECT, GW_ARRAY, GW_TEXT, GW_NUMBER, GW_TRUE, GW_FALSE, GW_NULL };
enum gw_mode { GW_SKIP, GW_COUNT, GW_CAPTURE };

typedef struct {
    int state;             /* where to go on; up to date between two calls */
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
    const uint8_t *text;   /* `held`, or the input where the string is whole in it and has no escape */
    int text_size;         /* bytes in text, or GW_TEXT_TOO_LONG */
    uint8_t held[GW_TEXT_MAX];
    uint8_t closers[GW_DEPTH_MAX]; /* of the open containers, the outermost first: a brace or a bracket */
} gw_json;

/* What was captured is this word. */
static inline int gw_is_word(const gw_json *json, const char *word, size_t size) {
    return json->text_size == (int)size && memcmp(json->text, word, size) == 0;
}
#define gw_is(json, literal) gw_is_word(json, literal, sizeof(literal) - 1) /* the compiler compares in words, without a call */

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

static inline void gw_take(gw_json *json, const uint8_t *bytes, size_t size) {
    if (json->mode == GW_COUNT) {
        json->counted += (int64_t)size;
    } else if (json->mode == GW_CAPTURE) {
        if ((size_t)json->text_size + size > GW_TEXT_MAX) {
            json->text_size = GW_TEXT_TOO_LONG;
        } else {
            memcpy(json->held + json->text_size, bytes, size);
            json->text_size += (int)size;
        }
    }
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
    if (json->mode == GW_CAPTURE && unit >= 0xDC00 && unit < 0xE000 && gw_ends_high(json->held, json->text_size)) {
        json->text_size -= 3;
        unit = gw_joined(json->held + json->text_size, unit);
    }
    gw_take(json, bytes, gw_utf8(unit, bytes));
}

/* A string has ended before `p`, its closing quote included: json.text and json.counted say what it was. */
static inline void gw_end_string(gw_owner *owner, const uint8_t *p) {
    gw_json *json = gw_json_of(owner);
    json->state = json->is_key ? GW_COLON : GW_NEXT;
    if (json->is_key) gw_on_key(owner, p);
    else gw_on_string(owner, p);
}

/* Reads in a string up to its end (state GW_COLON or GW_NEXT), an error (GW_FAILED), an escape or the end of the input. */
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
        if (end - p >= GW_BLOCK && json->mode != GW_CAPTURE) p = gw_take_text(p, end, &json->counted);
        const uint8_t *run = p;
        p = gw_plain_run(p, end);
        gw_take(json, run, (size_t)(p - run));
        if (p == end) return p;
        if (*p == '"') {
            gw_end_string(owner, p + 1);
            return p + 1;
        }
        if (*p == '\\') {
            uint32_t unit;
            const int whole = gw_escape_size(p, end, &unit);
            if (!whole) {
                json->state = GW_ESCAPE;
                return p + 1;
            }
            gw_take_escape(json, unit);
            p += whole;
            continue;
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

static inline void gw_add_digit(gw_json *json, uint8_t c) {
    const int digit = c - '0';
    if (json->number > (INT64_MAX - digit) / 10) json->plain = 0;
    else json->number = json->number * 10 + digit;
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

/* Goes on within a string, a literal or a number, up to its end, an error or the end of the input. */
static inline const uint8_t *gw_go_on(gw_owner *owner, const uint8_t *p, const uint8_t *end) {
    gw_json *json = gw_json_of(owner);
    while (p < end) {
        const uint8_t c = *p;
        if (json->state == GW_STRING) {
            p = gw_read_string(owner, p, end);
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
        } else if (json->state >= GW_MINUS && json->state <= GW_POWER && gw_number_byte(owner, c)) {
            p++;
        } else {
            return p;
        }
    }
    return p;
}

/* Reads a string from behind its opening quote. Most have no escape and are all there: they are not copied. */
static inline const uint8_t *gw_string(gw_owner *owner, const uint8_t *p, const uint8_t *end, int is_key, int mode) {
    gw_json *json = gw_json_of(owner);
    const uint8_t *run = p;
    p = gw_plain_run(p, end);
    json->is_key = is_key;
    json->mode = mode;
    json->counted = p - run;
    if (p < end && *p == '"') {
        json->text = run;
        json->text_size = p - run <= GW_TEXT_MAX ? (int)(p - run) : GW_TEXT_TOO_LONG;
        gw_end_string(owner, p + 1);
        return p + 1;
    }
    json->state = GW_STRING;
    json->text = json->held;
    json->text_size = 0;
    if (mode == GW_CAPTURE) gw_take(json, run, (size_t)(p - run));
    return gw_go_on(owner, p, end);
}

/* Past the fraction and the exponent at p, if they are whole; NULL if they must be looked at byte by byte. */
static inline const uint8_t *gw_after_point(const uint8_t *p, const uint8_t *end) {
    const uint8_t *from;
    if (*p == '.') {
        from = p + 1;
        p = gw_digits(from, end);
        if (p == from || p == end) return NULL;
    }
    if (*p == 'e' || *p == 'E') {
        from = p + 1 < end && (p[1] == '+' || p[1] == '-') ? p + 2 : p + 1;
        p = gw_digits(from, end);
        if (p == from || p == end) return NULL;
    }
    return p;
}

/* Reads a number from its first byte on: at once if it is well made, ends in this piece and is not longer than most. */
static inline const uint8_t *gw_number(gw_owner *owner, const uint8_t *p, const uint8_t *end) {
    gw_json *json = gw_json_of(owner);
    const uint8_t first = *p, *q = first == '-' ? p + 1 : p, *whole = q;
    int64_t number = 0;
    (void)gw_on_value(owner, p, GW_NUMBER);
    for (; q < end && q - whole < 18 && *q >= '0' && *q <= '9'; q++) number = number * 10 + (*q - '0');
    if (q > whole && q < end && !(*q >= '0' && *q <= '9') && (*whole != '0' || q == whole + 1)) {
        json->plain = first != '-' && *q != '.' && *q != 'e' && *q != 'E';
        json->number = number;
        q = gw_after_point(q, end);
        if (q) {
            json->state = GW_NEXT;
            gw_on_number(owner);
            return q;
        }
    }
    json->plain = first != '-';
    json->number = first == '-' ? 0 : first - '0';
    json->state = first == '-' ? GW_MINUS : first == '0' ? GW_ZERO : GW_DIGITS;
    return gw_go_on(owner, p + 1, end);
}

static inline const uint8_t *gw_literal(gw_owner *owner, const uint8_t *p, const uint8_t *end, int kind, const char *rest) {
    gw_json *json = gw_json_of(owner);
    json->state = GW_LITERAL;
    json->literal = rest;
    (void)gw_on_value(owner, p, kind);
    const size_t size = strlen(rest);
    if ((size_t)(end - p) <= size || memcmp(p + 1, rest, size) != 0) return gw_go_on(owner, p + 1, end);
    json->state = GW_NEXT;
    return p + 1 + size;
}

/* Reads a number or a literal; the state is GW_FAILED where none begins. */
static inline const uint8_t *gw_scalar(gw_owner *owner, const uint8_t *p, const uint8_t *end) {
    switch (*p) {
    case 't': return gw_literal(owner, p, end, GW_TRUE, "rue");
    case 'f': return gw_literal(owner, p, end, GW_FALSE, "alse");
    case 'n': return gw_literal(owner, p, end, GW_NULL, "ull");
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return gw_number(owner, p, end);
    default:
        gw_json_of(owner)->state = GW_FAILED;
        return p;
    }
}

static inline int gw_in_object(const gw_json *json) { return json->closers[json->depth - 1] == '}'; }

#define GW_TO_THE_NEXT_BYTE(waits_for) \
    do { \
        if (p < end && *p <= ' ') p = gw_blanks(p, end); \
        if (p == end) { \
            json->state = waits_for; \
            return p; \
        } \
    } while (0)

/* Reads p..end; returns where it stopped: at `end`, past the object's last brace (GW_DONE), or at the byte that cannot
 * stand there (GW_FAILED). Not to be called in those two states. The grammar is the flow of control. */
static inline const uint8_t *gw_json_feed(gw_owner *owner, const uint8_t *p, const uint8_t *end) {
    gw_json *json = gw_json_of(owner);
    switch (json->state) {
    case GW_START: goto start;
    case GW_VALUE: goto value;
    case GW_VALUE_OR_END: goto first_value;
    case GW_KEY: goto key;
    case GW_KEY_OR_END: goto first_key;
    case GW_COLON: goto colon;
    case GW_NEXT: goto next;
    default: p = gw_go_on(owner, p, end); /* from within a string, a literal or a number */
    }
    if (json->state != GW_COLON) goto ended;
    goto colon;
start: /* the document must be an object */
    GW_TO_THE_NEXT_BYTE(GW_START);
    if (*p != '{') goto fail;
    goto container;
first_key:
    GW_TO_THE_NEXT_BYTE(GW_KEY_OR_END);
    if (*p == '}') goto close;
key:
    GW_TO_THE_NEXT_BYTE(GW_KEY);
    if (*p != '"') goto fail;
    p = gw_string(owner, p + 1, end, 1, GW_CAPTURE);
    if (json->state != GW_COLON) return p;
colon:
    GW_TO_THE_NEXT_BYTE(GW_COLON);
    if (*p != ':') goto fail;
    p++;
value:
    GW_TO_THE_NEXT_BYTE(GW_VALUE);
any_value:
    if (*p == '"') {
        p = gw_string(owner, p + 1, end, 0, gw_on_value(owner, p, GW_TEXT));
        goto ended;
    }
    if (*p != '{' && *p != '[') {
        p = gw_scalar(owner, p, end);
        goto ended;
    }
container:
    if (json->depth == GW_DEPTH_MAX) goto fail;
    (void)gw_on_value(owner, p, *p == '{' ? GW_OBJECT : GW_ARRAY);
    json->closers[json->depth++] = *p == '{' ? '}' : ']';
    if (*p++ == '{') goto first_key;
first_value:
    GW_TO_THE_NEXT_BYTE(GW_VALUE_OR_END);
    if (*p != ']') goto any_value;
close:
    gw_on_close(owner);
    p++;
    if (--json->depth == 0) {
        json->state = GW_DONE;
        return p;
    }
    goto next;
ended:
    if (json->state != GW_NEXT) return p;
next:
    GW_TO_THE_NEXT_BYTE(GW_NEXT);
    if (*p == json->closers[json->depth - 1]) goto close;
    if (*p != ',') goto fail;
    p++;
    if (gw_in_object(json)) goto key;
    goto value;
fail:
    json->state = GW_FAILED;
    return p;
}

#endif
