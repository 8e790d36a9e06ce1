/* What a gateway must know of a request body, found in one pass that builds nothing: top-level keys, and the TTL of the
 * cache_control marks. The pass itself is body_scan.h, which calls what stands here for each key, value and end.
 *
 * A structural error (the body is not one JSON object) outranks an error of meaning (a doubled or unusable key), because
 * after the first nothing else is certain; among errors of meaning the first in the body counts. Keys are compared
 * unescaped. Offsets are bytes from the start of the body. The pure twin is ref/jsonpeek.py.
 */
#ifndef GW_PEEK_H
#define GW_PEEK_H

#include "json_scan.h"

enum gw_peek_error {
    GW_OK, GW_NOT_OBJECT, GW_INVALID_JSON, GW_TRAILING_DATA, GW_DUPLICATE_MODEL, GW_DUPLICATE_STREAM,
    GW_DUPLICATE_MAX_TOKENS, GW_BAD_MODEL, GW_BAD_STREAM, GW_BAD_MAX_TOKENS
};

/* The key a value belongs to. The first three are also the order of the duplicate errors. */
enum gw_peek_key {
    GW_KEY_MODEL, GW_KEY_STREAM, GW_KEY_MAX_TOKENS, GW_KEY_METADATA, GW_KEY_SPEED, GW_KEY_TIER, GW_KEY_USER_ID,
    GW_KEY_CACHE, GW_KEY_TTL, GW_KEY_FREE, GW_KEY_OTHER
};

typedef struct {
    int64_t start, end; /* of a JSON string, quotes included; start -1: there is none */
} gw_span;

struct gw_peek {
    const uint8_t *body;
    int error;
    int64_t error_offset;
    int key;             /* enum gw_peek_key of the value to come */
    int seen[3];
    int64_t value_start;
    gw_span model, user_id, speed, tier;
    int stream;
    int64_t max_tokens;
    int64_t key_count;
    int has_cache_control;
    int metadata_depth;  /* depth of the open top-level metadata object, 0 if none */
    int free_depth;      /* of the open `input`, `input_schema` or metadata: the client's own words, no marks in there */
    int cache_depth;     /* of the open cache_control object */
    int ttl_here;        /* minutes; 0: none that is known */
    int ttl;             /* of all marks so far: -1 none yet, 0 mixed or unknown */
};

static inline void gw_peek_refuse(struct gw_peek *peek, int error, int64_t offset) {
    if (peek->error != GW_OK) return;
    peek->error = error;
    peek->error_offset = offset;
}

static inline int gw_peek_top_key(const gw_json *json) {
    if (gw_is(json, "model")) return GW_KEY_MODEL;
    if (gw_is(json, "stream")) return GW_KEY_STREAM;
    if (gw_is(json, "max_tokens")) return GW_KEY_MAX_TOKENS;
    if (gw_is(json, "metadata")) return GW_KEY_METADATA;
    if (gw_is(json, "speed")) return GW_KEY_SPEED;
    if (gw_is(json, "service_tier")) return GW_KEY_TIER;
    if (gw_is(json, "cache_control")) return GW_KEY_CACHE;
    return GW_KEY_OTHER;
}

static inline int gw_peek_inner_key(const struct gw_peek *peek, const gw_json *json) {
    if (json->depth == peek->metadata_depth) return gw_is(json, "user_id") ? GW_KEY_USER_ID : GW_KEY_OTHER;
    if (json->depth == peek->cache_depth) return gw_is(json, "ttl") ? GW_KEY_TTL : GW_KEY_OTHER;
    if (peek->free_depth || peek->cache_depth) return GW_KEY_OTHER;
    if (gw_is(json, "cache_control")) return GW_KEY_CACHE;
    if (gw_is(json, "input") || gw_is(json, "input_schema")) return GW_KEY_FREE;
    return GW_KEY_OTHER;
}

static inline void gw_peek_at_key(struct gw_peek *peek, const gw_json *json, const uint8_t *at) {
    if (json->depth > 1) {
        peek->key = gw_peek_inner_key(peek, json);
        return;
    }
    const int key = gw_peek_top_key(json);
    peek->key = key;
    peek->key_count++;
    if (key <= GW_KEY_MAX_TOKENS && peek->seen[key]++) gw_peek_refuse(peek, GW_DUPLICATE_MODEL + key, at - peek->body);
    if (key == GW_KEY_METADATA) peek->user_id.start = -1;
    if (key == GW_KEY_SPEED) peek->speed.start = -1;
    if (key == GW_KEY_TIER) peek->tier.start = -1;
}

static inline void gw_peek_at_value(struct gw_peek *peek, const gw_json *json, const uint8_t *at, int kind) {
    const int key = peek->key, depth = json->depth + 1; /* the value's own depth, if it is a container */
    if (key == GW_KEY_OTHER) return;
    peek->value_start = at - peek->body;
    if (kind != GW_TEXT && kind != GW_NUMBER) peek->key = GW_KEY_OTHER; /* those two still need it at their end */
    if (key == GW_KEY_MODEL && kind != GW_TEXT) gw_peek_refuse(peek, GW_BAD_MODEL, peek->value_start);
    if (key == GW_KEY_STREAM) {
        if (kind < GW_TRUE) gw_peek_refuse(peek, GW_BAD_STREAM, peek->value_start);
        else peek->stream = kind == GW_TRUE;
    }
    if (key == GW_KEY_MAX_TOKENS && kind != GW_NUMBER) gw_peek_refuse(peek, GW_BAD_MAX_TOKENS, peek->value_start);
    if (key == GW_KEY_METADATA && kind == GW_OBJECT) peek->metadata_depth = depth;
    if (key == GW_KEY_USER_ID) peek->user_id.start = -1;
    if ((key == GW_KEY_FREE || key == GW_KEY_METADATA) && kind <= GW_ARRAY) peek->free_depth = depth;
    if (key == GW_KEY_TTL) peek->ttl_here = kind == GW_NULL ? 5 : 0;
    if (key == GW_KEY_CACHE && kind == GW_OBJECT) {
        peek->has_cache_control = 1;
        peek->cache_depth = depth;
        peek->ttl_here = 5;
    }
}

/* The text of the JSON string body[span] (known to be valid) as UTF-8 into out, which has room for the span; a lone
 * surrogate becomes U+FFFD, so that the text can always be encoded again. Returns the bytes written. */
static inline int64_t gw_span_text(const uint8_t *body, gw_span span, uint8_t *out) {
    const uint8_t *p = body + span.start + 1, *end = body + span.end - 1;
    uint8_t *to = out;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        if (p[1] != 'u') {
            *to++ = gw_unescaped(p[1]);
            p += 2;
            continue;
        }
        uint32_t unit = 0;
        for (int i = 2; i < 6; i++) unit = unit << 4 | (uint32_t)gw_hex_digit(p[i]);
        p += 6;
        if (unit >= 0xD800 && unit < 0xE000) {
            uint32_t low = 0;
            if (unit < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
                for (int i = 2; i < 6; i++) low = low << 4 | (uint32_t)gw_hex_digit(p[i]);
            }
            if (low >= 0xDC00 && low < 0xE000) {
                unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            } else {
                unit = 0xFFFD;
            }
        }
        to += gw_utf8(unit, to);
    }
    return to - out;
}

/* Minutes that a TTL says; 0: none that is known. */
static inline int gw_ttl_of(const uint8_t *body, gw_span span) {
    uint8_t text[12]; /* of two letters, each an escape at most */
    if (span.end - span.start - 2 > (int64_t)sizeof text || gw_span_text(body, span, text) != 2) return 0;
    return memcmp(text, "5m", 2) == 0 ? 5 : memcmp(text, "1h", 2) == 0 ? 60 : 0;
}

static inline void gw_peek_at_string(struct gw_peek *peek, const uint8_t *at) {
    const gw_span span = {peek->value_start, at - peek->body};
    const int key = peek->key;
    peek->key = GW_KEY_OTHER;
    if (key == GW_KEY_OTHER) return;
    if (key == GW_KEY_MODEL) {
        peek->model = span;
        if (span.end - span.start == 2) gw_peek_refuse(peek, GW_BAD_MODEL, span.start);
    }
    if (key == GW_KEY_SPEED) peek->speed = span;
    if (key == GW_KEY_TIER) peek->tier = span;
    if (key == GW_KEY_USER_ID) peek->user_id = span;
    if (key == GW_KEY_TTL) peek->ttl_here = gw_ttl_of(peek->body, span);
}

static inline void gw_peek_at_number(struct gw_peek *peek, const gw_json *json) {
    if (peek->key == GW_KEY_MAX_TOKENS) {
        if (json->plain) peek->max_tokens = json->number;
        else gw_peek_refuse(peek, GW_BAD_MAX_TOKENS, peek->value_start);
    }
    peek->key = GW_KEY_OTHER;
}

static inline void gw_peek_at_close(struct gw_peek *peek, const gw_json *json) {
    const int depth = json->depth;
    if (depth == peek->metadata_depth) peek->metadata_depth = 0;
    if (depth == peek->free_depth) peek->free_depth = 0;
    if (depth == peek->cache_depth) {
        peek->cache_depth = 0;
        peek->ttl = peek->ttl == -1 || peek->ttl == peek->ttl_here ? peek->ttl_here : 0;
    }
}

static inline void gw_peek_begin(struct gw_peek *peek, const uint8_t *body) {
    memset(peek, 0, sizeof *peek);
    peek->body = body;
    peek->key = GW_KEY_OTHER;
    peek->max_tokens = peek->ttl = -1;
    peek->model.start = peek->user_id.start = peek->speed.start = peek->tier.start = -1;
}

/* The reader has stopped at `p`, or gone on over the white space behind the object. */
static inline void gw_peek_end(struct gw_peek *peek, const gw_json *json, const uint8_t *p, const uint8_t *end) {
    const int broken = json->state != GW_DONE;
    int error = broken ? GW_INVALID_JSON : GW_TRAILING_DATA;
    if (broken && json->depth == 0 && p < end && *p != 0 && strchr("[\"-0123456789tfn", *p)) error = GW_NOT_OBJECT;
    if (broken || p < end) {
        peek->error = error;
        peek->error_offset = p - peek->body;
    }
    if (peek->ttl == -1) peek->ttl = 0;
}

#endif
