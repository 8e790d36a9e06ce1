/* Reads usage from an Anthropic event stream, or from a whole message, without keeping any of its bytes.
 *
 * The file's rule: a document counts when its last brace is read, all of it or nothing; what it brought stands in `doc`
 * until then. A field's last non-null value wins, nothing is added. What cannot be read is left out and sets
 * GW_F_GARBLED; nothing fed can fail a call. An event is known by its `type`, not by its `event:` line.
 * Every number a bill needs is in one block of int64 words, which may lie in shared memory: a process killed at any
 * instant leaves the last complete documents' figures there. The pure twin is ref/usage.py.
 */
#ifndef GW_TAP_H
#define GW_TAP_H

#include <stdatomic.h>
#include <stdlib.h>

typedef struct gw_tap gw_owner;
#include "json_scan.h"

/* The observed words. Those from GW_W_INPUT to GW_W_CODE are -1 until the response names them. */
enum gw_word {
    GW_W_MAGIC, GW_W_FLAGS, GW_W_INPUT, GW_W_OUTPUT, GW_W_CACHE_READ, GW_W_CACHE_WRITE, GW_W_WRITE_5M, GW_W_WRITE_1H,
    GW_W_THINKING, GW_W_SEARCH, GW_W_FETCH, GW_W_CODE, GW_W_TEXT_BYTES, GW_W_REQUEST_TTL, GW_W_COUNT = 16
};
#define GW_TAP_MAGIC INT64_C(0x67775f7461700001) /* "gw_tap", layout 1 */

enum gw_flag {
    GW_F_STARTED = 1, GW_F_FINISHED = 2, GW_F_FINAL_USAGE = 4, GW_F_FAST = 8, GW_F_GEO_US = 16, GW_F_CONTENT = 32,
    GW_F_GARBLED = 64
};
enum gw_news { GW_FIRST_TOKEN = 1, GW_DONE_EVENT = 2, GW_ERROR_EVENT = 4, GW_USAGE_EVENT = 8 };

/* Strings of a document. Those before GW_S_MERGED are the reading's. */
enum gw_slot {
    GW_S_MODEL, GW_S_ID, GW_S_STOP, GW_S_TIER, GW_S_SPEED, GW_S_GEO, GW_S_ERROR, GW_S_MERGED,
    GW_S_TYPE = GW_S_MERGED, GW_S_DELTA, GW_S_BLOCK, GW_S_COUNT
};

enum { GW_INTS = GW_W_CODE - GW_W_INPUT + 1, GW_ENTRY_INTS = 6, GW_ENTRIES_MAX = 1024, GW_PATH_MAX = 8 };

typedef struct {
    int size; /* -1: not seen */
    uint8_t bytes[GW_TEXT_MAX];
} gw_text;

/* One of usage.iterations; ints as the first six words: input, output, cache read, cache write, of that 5m, 1h. */
typedef struct {
    int64_t ints[GW_ENTRY_INTS];
    gw_text type, model;
} gw_entry;

typedef struct {
    gw_entry *items; /* GW_ENTRIES_MAX at most; freed by gw_tap_free */
    int count;       /* -1: no list was seen */
    int room;
} gw_entries;

typedef struct {
    int64_t ints[GW_INTS];
    gw_text texts[GW_S_COUNT];
    gw_entries entries;
    int usage_seen, error_seen;
    int unread;        /* something at a known place could not be taken */
    int content;       /* a content block that carries something */
    int64_t delta_bytes, block_bytes;
    int path[GW_PATH_MAX]; /* the known containers that are open, the root first */
    int path_size;
    int key_node, value_node;
} gw_doc;

enum gw_line { GW_L_BOM, GW_L_START, GW_L_NAME, GW_L_COLON, GW_L_DATA, GW_L_SKIP };
enum gw_doc_state { GW_D_NONE, GW_D_OPEN, GW_D_CLOSED, GW_D_CLOSED_HERE, GW_D_IGNORE };

struct gw_tap {
    gw_json json;
    gw_doc doc;
    int64_t *words;        /* own_words or the caller's memory */
    int64_t own_words[GW_W_COUNT];
    gw_text texts[GW_S_MERGED];
    gw_entries entries;
    int root;              /* the node of a document's outermost object; from here on gw_tap_init clears */
    int line, doc_state;
    int bom_size, name_size;
    unsigned names;        /* bit i: the line's field name may still be NAMES[i] */
    int last_cr;           /* the byte before was the CR that ended a line */
    int line_empty, fed;
    int in_block, first_token;
};

#include "tap_nodes.h"

static inline void gw_garble(gw_owner *tap) { tap->words[GW_W_FLAGS] |= GW_F_GARBLED; }

static inline void gw_doc_reset(gw_owner *tap) {
    gw_doc *doc = &tap->doc;
    gw_json_reset(&tap->json);
    for (int i = 0; i < GW_INTS; i++) doc->ints[i] = -1;
    for (int i = 0; i < GW_S_COUNT; i++) doc->texts[i].size = -1;
    doc->entries.count = -1;
    doc->usage_seen = doc->error_seen = doc->unread = doc->content = doc->path_size = 0;
    doc->delta_bytes = doc->block_bytes = 0;
    doc->key_node = doc->value_node = GW_N_NONE;
}

/* `tap`: all zero, or given back by gw_tap_free. Its 5 KB, most of them room for texts, are not cleared again: that took
 * nearly as long as to read a small answer. `memory`: GW_W_COUNT words, 8-byte aligned, living as long as the tap; or
 * NULL. request_ttl: 0, 5 or 60 minutes. */
static inline void gw_tap_init(gw_owner *tap, int64_t request_ttl, int64_t *memory) {
    memset(&tap->root, 0, sizeof *tap - offsetof(struct gw_tap, root));
    tap->words = memory ? memory : tap->own_words;
    memset(tap->words, 0, sizeof tap->own_words);
    for (int i = GW_W_INPUT; i <= GW_W_CODE; i++) tap->words[i] = -1;
    tap->words[GW_W_REQUEST_TTL] = request_ttl;
    for (int i = 0; i < GW_S_MERGED; i++) tap->texts[i].size = -1;
    tap->entries.count = -1;
    tap->root = GW_N_EVENT;
    gw_doc_reset(tap);
    atomic_signal_fence(memory_order_release); /* whoever finds the magic finds the rest */
    tap->words[GW_W_MAGIC] = GW_TAP_MAGIC;
}

static inline void gw_tap_free(gw_owner *tap) {
    free(tap->entries.items);
    free(tap->doc.entries.items);
    tap->entries = tap->doc.entries = (gw_entries){NULL, -1, 0};
}

static inline int gw_text_is(const gw_text *text, const char *word) {
    const size_t size = strlen(word);
    return text->size == (int)size && memcmp(text->bytes, word, size) == 0;
}

static inline void gw_take_over(gw_text *to, const gw_text *from) {
    if (from->size < 0) return;
    to->size = from->size;
    memcpy(to->bytes, from->bytes, (size_t)from->size);
}

/* Takes over what the document said of the message: model, id, stop reason, usage. The flags come last, so that whoever
 * reads the words after a kill never sees a claim without its figures. */
static void gw_merge(gw_owner *tap, int64_t flags) {
    gw_doc *doc = &tap->doc;
    int64_t *words = tap->words;
    for (int i = 0; i < GW_INTS; i++) {
        if (doc->ints[i] >= 0) words[GW_W_INPUT + i] = doc->ints[i];
    }
    for (int i = 0; i < GW_S_ERROR; i++) {
        gw_take_over(&tap->texts[i], &doc->texts[i]);
    }
    if (doc->entries.count >= 0) {
        const gw_entries old = tap->entries;
        tap->entries = doc->entries;
        doc->entries = old;
    }
    flags |= words[GW_W_FLAGS] & ~(int64_t)(GW_F_FAST | GW_F_GEO_US);
    if (doc->content) flags |= GW_F_CONTENT;
    if (gw_text_is(&tap->texts[GW_S_SPEED], "fast")) flags |= GW_F_FAST;
    if (gw_text_is(&tap->texts[GW_S_GEO], "us")) flags |= GW_F_GEO_US;
    atomic_signal_fence(memory_order_release);
    words[GW_W_FLAGS] = flags;
}

static inline int gw_take_error(gw_owner *tap) {
    gw_take_over(&tap->texts[GW_S_ERROR], &tap->doc.texts[GW_S_ERROR]);
    return GW_ERROR_EVENT;
}

static inline int gw_take_first(gw_owner *tap, int content) {
    const int news = tap->first_token ? 0 : GW_FIRST_TOKEN;
    tap->first_token = 1;
    if (content) tap->words[GW_W_FLAGS] |= GW_F_CONTENT;
    return news;
}

static inline int gw_take_delta(gw_owner *tap, int64_t bytes, int content) {
    tap->words[GW_W_TEXT_BYTES] += bytes;
    return gw_take_first(tap, content);
}

/* A delta without text still carries something unless it is one of the text-bearing kinds: a signature, a citation. */
static inline int gw_delta_content(const gw_doc *doc) {
    const gw_text *type = &doc->texts[GW_S_DELTA];
    return doc->delta_bytes > 0 || !(type->size <= 0 || gw_text_is(type, "text_delta") ||
                                     gw_text_is(type, "thinking_delta") || gw_text_is(type, "input_json_delta"));
}

static inline int gw_is_error(const gw_doc *doc) {
    return gw_text_is(&doc->texts[GW_S_TYPE], "error") || (doc->texts[GW_S_TYPE].size < 0 && doc->error_seen);
}

/* An event of the dialect as far as it matters here; of all others, what they hold is not judged. */
static inline int gw_is_known(const gw_doc *doc) {
    static const char *const kinds[] = {"message_start", "message_delta", "content_block_start", "content_block_delta"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (gw_text_is(&doc->texts[GW_S_TYPE], kinds[i])) return 1;
    }
    return gw_is_error(doc);
}

/* One whole event has been read; returns its news. Kinds that are not named here mean nothing to usage. */
static int gw_commit_event(gw_owner *tap) {
    const gw_doc *doc = &tap->doc;
    const gw_text *type = &doc->texts[GW_S_TYPE];
    if (doc->unread && gw_is_known(doc)) gw_garble(tap);
    if (gw_text_is(type, "content_block_delta")) return gw_take_delta(tap, doc->delta_bytes, gw_delta_content(doc));
    if (gw_text_is(type, "content_block_start")) {
        tap->in_block = 1;
        return doc->content ? gw_take_first(tap, 1) : 0;
    }
    if (gw_text_is(type, "content_block_stop")) {
        tap->in_block = 0;
    } else if (gw_text_is(type, "message_start")) {
        gw_merge(tap, GW_F_STARTED);
    } else if (gw_text_is(type, "message_delta")) {
        const int final_usage = doc->usage_seen && doc->ints[GW_W_OUTPUT - GW_W_INPUT] >= 0;
        gw_merge(tap, final_usage ? GW_F_FINAL_USAGE : 0);
        return final_usage ? GW_USAGE_EVENT : 0;
    } else if (gw_text_is(type, "message_stop")) {
        tap->words[GW_W_FLAGS] |= GW_F_FINISHED;
        return GW_DONE_EVENT;
    } else if (gw_is_error(doc)) {
        return gw_take_error(tap);
    }
    return 0;
}

static inline int gw_is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* A whole body that is not a stream: a message, or an error. Anything else only sets GW_F_GARBLED. */
static void gw_tap_read_whole(gw_owner *tap, const uint8_t *p, int64_t size) {
    const uint8_t *end = p + size;
    const gw_doc *doc = &tap->doc;
    if (size >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3;
    tap->root = GW_N_WHOLE;
    p = gw_json_feed(tap, p, end);
    const gw_text *type = &doc->texts[GW_S_TYPE];
    while (p < end && gw_is_blank(*p)) p++;
    if (tap->json.state != GW_DONE || p < end) gw_garble(tap);
    if (tap->json.state != GW_DONE) return;
    if (doc->unread) gw_garble(tap);
    if (gw_is_error(doc)) {
        (void)gw_take_error(tap);
    } else if (gw_text_is(type, "message") || (type->size < 0 && doc->usage_seen)) {
        const int final_usage = doc->usage_seen && doc->ints[GW_W_OUTPUT - GW_W_INPUT] >= 0;
        gw_merge(tap, GW_F_STARTED | GW_F_FINISHED | (final_usage ? GW_F_FINAL_USAGE : 0));
    } else {
        gw_garble(tap);
    }
}

#include "tap_lines.h"

static inline int64_t gw_known(int64_t value) { return value < 0 ? 0 : value; }
static inline int64_t gw_least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Of `wanted` tokens without a TTL, those a list of entries gives one (`slot` 4: 5m, 5: 1h) beyond `counted`. */
static inline int64_t gw_entries_share(const gw_entries *entries, int slot, int64_t counted, int64_t wanted) {
    int64_t sum = 0;
    for (int i = 0; i < entries->count; i++) {
        const gw_entry *entry = &entries->items[i];
        if (!gw_text_is(&entry->type, "message") && !gw_text_is(&entry->type, "fallback_message")) continue;
        sum += gw_least(gw_known(entry->ints[slot]), INT64_MAX - sum);
    }
    return gw_least(gw_known(sum - counted), wanted);
}

/* Splits the cache writes by TTL: the response's own split, then that of the iterations the top level is made of, then
 * the request's uniform TTL, else 5m. Returns 1 if one of the last two was needed. `entries` may be NULL. */
static inline int gw_split_writes(const int64_t *words, const gw_entries *entries, int64_t *write_5m, int64_t *write_1h) {
    const int64_t seen_5m = gw_known(words[GW_W_WRITE_5M]), seen_1h = gw_known(words[GW_W_WRITE_1H]);
    int64_t left = words[GW_W_CACHE_WRITE];
    if (left < 0) left = seen_5m + gw_least(seen_1h, INT64_MAX - seen_5m);
    *write_1h = gw_least(seen_1h, left);
    left -= *write_1h;
    *write_5m = gw_least(seen_5m, left);
    left -= *write_5m;
    if (left > 0 && entries) {
        const int64_t long_share = gw_entries_share(entries, 5, *write_1h, left);
        *write_1h += long_share;
        left -= long_share;
        const int64_t short_share = gw_entries_share(entries, 4, *write_5m, left);
        *write_5m += short_share;
        left -= short_share;
    }
    *(words[GW_W_REQUEST_TTL] == 60 ? write_1h : write_5m) += left;
    return left > 0;
}

/* The writes of one entry, by its own split where it has one, else 0 and 0. */
static inline void gw_split_entry(const gw_entry *entry, int64_t *total, int64_t *write_5m, int64_t *write_1h) {
    const int64_t seen_5m = gw_known(entry->ints[4]), seen_1h = gw_known(entry->ints[5]);
    *total = entry->ints[3] >= 0 ? entry->ints[3] : seen_5m + gw_least(seen_1h, INT64_MAX - seen_5m);
    *write_5m = *write_1h = 0;
    if (entry->ints[4] < 0 && entry->ints[5] < 0) return;
    *write_1h = gw_least(seen_1h, *total);
    *write_5m = *total - *write_1h;
}

#endif
