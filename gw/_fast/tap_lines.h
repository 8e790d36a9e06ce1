/* The lines of an event stream (WHATWG HTML, 9.2.6), in any split, and the short way for text deltas. Part of tap.h.
 *
 * CR, LF and CRLF end a line. The `data` lines of an event are one document, each line's end a newline in it; the other
 * fields mean nothing here. A document that ended may be followed by another in the same event only on a new line, which
 * is not according to the grammar but readable: it is read, and marked.
 */
#ifndef GW_TAP_LINES_H
#define GW_TAP_LINES_H

static const char *const GW_NAMES[] = {"data", "event", "id", "retry"};
enum { GW_NAME_COUNT = 4 };

static inline int gw_is_eol(uint8_t c) { return c == '\n' || c == '\r'; }

static inline const uint8_t *gw_find_eol(const uint8_t *p, const uint8_t *end) {
    for (; end - p >= GW_LANE; p += GW_LANE) {
        const gw_lane in = gw_load(p);
        const unsigned found = gw_tops((gw_lane)(in == '\n') | (gw_lane)(in == '\r'));
        if (found != 0) return p + __builtin_ctz(found);
    }
    while (p < end && !gw_is_eol(*p)) p++;
    return p;
}

static inline const uint8_t *gw_after(const uint8_t *p, const uint8_t *end, const char *word, size_t size) {
    return (size_t)(end - p) >= size && memcmp(p, word, size) == 0 ? p + size : NULL;
}
#define GW_AFTER(p, end, word) gw_after(p, end, word, sizeof(word) - 1)

/* Past the string body at p, its UTF-8 bytes added to *bytes; NULL if it does not end here or must be looked at closely. */
static inline const uint8_t *gw_quick_text(const uint8_t *p, const uint8_t *end, int64_t *bytes) {
    const uint8_t *from = p;
    p = gw_plain_run(p, end);
    *bytes += p - from;
    while (p < end && *p != '"') {
        from = p;
        p = gw_take_text(p, end, bytes);
        if (p == from) p = gw_take_rest(p, end, bytes);
        if (p == from) return NULL;
    }
    return p < end ? p + 1 : NULL;
}

/* The short way: if p..end begins with a whole content_block_delta in the form Anthropic sends, its end, and its text
 * added to *bytes; else NULL, and the document is read by the long way. Both ways agree: the twin has only the long one. */
static inline const uint8_t *gw_quick_delta(const uint8_t *p, const uint8_t *end, int64_t *bytes) {
    const uint8_t *q;
    p = GW_AFTER(p, end, "{\"type\":\"content_block_delta\",\"index\":");
    if (!p || p == end || *p < '0' || *p > '9' || (*p == '0' && p + 1 < end && p[1] != ',')) return NULL;
    while (p < end && *p >= '0' && *p <= '9') p++;
    p = GW_AFTER(p, end, ",\"delta\":{\"type\":\"");
    if (!p) return NULL;
    q = GW_AFTER(p, end, "text_delta\",\"text\":\"");
    if (!q) q = GW_AFTER(p, end, "input_json_delta\",\"partial_json\":\"");
    if (!q) q = GW_AFTER(p, end, "thinking_delta\",\"thinking\":\"");
    if (q) q = gw_quick_text(q, end, bytes);
    return q ? GW_AFTER(q, end, "}}") : NULL;
}

/* The event can no longer be read; the rest of it is passed over. */
static inline void gw_doc_fail(gw_owner *tap) {
    gw_garble(tap);
    tap->doc_state = GW_D_IGNORE;
}

/* Feeds p..end, a piece of a `data` line without its end, to the document. Returns the news. */
static int gw_feed_data(gw_owner *tap, const uint8_t *p, const uint8_t *end) {
    while (p < end && tap->doc_state != GW_D_IGNORE) {
        if (tap->doc_state == GW_D_OPEN) {
            p = gw_json_feed(tap, p, end);
            if (tap->json.state == GW_FAILED) gw_doc_fail(tap);
            if (tap->json.state != GW_DONE) continue;
            tap->doc_state = GW_D_CLOSED_HERE;
            const int news = gw_commit_event(tap);
            return news | gw_feed_data(tap, p, end); /* once only: no second document begins on this line */
        }
        if (gw_is_blank(*p)) {
            p++;
        } else if (tap->doc_state == GW_D_CLOSED_HERE || *p != '{') {
            if (tap->doc_state == GW_D_NONE && *p == '[') tap->doc_state = GW_D_IGNORE; /* "[DONE]", from other dialects */
            else gw_doc_fail(tap);
        } else {
            if (tap->doc_state == GW_D_CLOSED) gw_garble(tap);
            gw_doc_reset(tap);
            tap->doc_state = GW_D_OPEN;
        }
    }
    return 0;
}

/* A line has ended; an empty one ends the event. */
static inline void gw_end_line(gw_owner *tap, uint8_t eol) {
    const int is_empty = tap->line == GW_L_START;
    if (tap->line == GW_L_NAME) {
        unsigned whole = 0;
        for (unsigned i = 0; i < GW_NAME_COUNT; i++) {
            if ((tap->names >> i & 1) && strlen(GW_NAMES[i]) == (size_t)tap->name_size) whole = 1;
        }
        if (!whole) gw_garble(tap);
    }
    if (tap->line == GW_L_COLON || tap->line == GW_L_DATA) {
        static const uint8_t newline = '\n';
        (void)gw_feed_data(tap, &newline, &newline + 1);
    }
    if (tap->doc_state == GW_D_CLOSED_HERE) tap->doc_state = GW_D_CLOSED;
    if (is_empty) {
        if (tap->doc_state == GW_D_OPEN) gw_garble(tap);
        tap->doc_state = GW_D_NONE;
    }
    tap->line = GW_L_START;
    tap->line_empty = is_empty;
    tap->last_cr = eol == '\r';
}

/* Takes one byte of a field's name, or its colon. */
static inline void gw_name_byte(gw_owner *tap, uint8_t c) {
    unsigned left = 0;
    for (unsigned i = 0; i < GW_NAME_COUNT; i++) {
        const char *name = GW_NAMES[i];
        if (!(tap->names >> i & 1)) continue;
        if ((uint8_t)name[tap->name_size] == c && c != 0) left |= 1U << i;
        if (c == ':' && name[tap->name_size] == 0) {
            tap->line = i == 0 ? GW_L_COLON : GW_L_SKIP;
            return;
        }
    }
    tap->names = left;
    tap->name_size++;
    if (!left) {
        gw_garble(tap);
        tap->line = GW_L_SKIP;
    }
}

/* The first byte of a line that is not its end. Returns where to go on. */
static inline const uint8_t *gw_begin_line(gw_owner *tap, const uint8_t *p, const uint8_t *end) {
    const uint8_t *q = GW_AFTER(p, end, "data: ");
    tap->names = (1U << GW_NAME_COUNT) - 1;
    tap->name_size = 0;
    tap->line = q ? GW_L_DATA : *p == ':' || GW_AFTER(p, end, "event:") ? GW_L_SKIP : GW_L_NAME;
    return q ? q : p;
}

/* A data line is at hand and no document is open: tries the short way. */
static inline const uint8_t *gw_try_quick(gw_owner *tap, const uint8_t *p, const uint8_t *end, int *news) {
    int64_t bytes = 0;
    const uint8_t *q = gw_quick_delta(p, end, &bytes);
    if (!q) return p;
    tap->doc_state = GW_D_CLOSED_HERE;
    *news |= gw_take_delta(tap, bytes, bytes > 0);
    return q;
}

static inline void gw_bom_byte(gw_owner *tap, const uint8_t **p) {
    static const uint8_t bom[] = {0xEF, 0xBB, 0xBF};
    if (**p == bom[tap->bom_size]) {
        *p += 1;
        if (++tap->bom_size == 3) tap->line = GW_L_START;
    } else if (tap->bom_size == 0) {
        tap->line = GW_L_START;
    } else { /* part of a name that no field has */
        gw_garble(tap);
        tap->line = GW_L_SKIP;
    }
}

/* Reads the next bytes of the stream; returns the gw_news they brought. */
static int gw_tap_feed(gw_owner *tap, const uint8_t *p, int64_t size) {
    const uint8_t *end = p + size;
    int news = 0;
    if (size > 0) tap->fed = 1;
    while (p < end) {
        if (tap->line == GW_L_BOM) {
            gw_bom_byte(tap, &p);
            continue;
        }
        if (gw_is_eol(*p)) {
            if (*p == '\n' && tap->last_cr) tap->last_cr = 0; /* the second half of CRLF */
            else gw_end_line(tap, *p);
            p++;
            continue;
        }
        if (tap->line == GW_L_START) {
            tap->last_cr = tap->line_empty = 0;
            p = gw_begin_line(tap, p, end);
            if (tap->line == GW_L_DATA && tap->doc_state == GW_D_NONE) p = gw_try_quick(tap, p, end, &news);
        } else if (tap->line == GW_L_NAME) {
            gw_name_byte(tap, *p++);
        } else if (tap->line == GW_L_COLON) {
            tap->line = GW_L_DATA;
            if (*p == ' ') p++;
        } else {
            const uint8_t *eol = gw_find_eol(p, end);
            if (tap->line == GW_L_DATA) news |= gw_feed_data(tap, p, eol);
            p = eol;
        }
    }
    return news;
}

static inline int gw_at_boundary(const gw_owner *tap) { return !tap->fed || (tap->line == GW_L_START && tap->line_empty); }

#endif
