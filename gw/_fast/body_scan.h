/* One pass over a request body, for the peek (peek.h), for the scale (weigh.h), or for both at once.
 *
 * The file that includes this one first says for which, by GW_PEEKS and GW_WEIGHS, each 0 or 1: the compiler leaves out the
 * other. What one of them finds never depends on the other, so both at once find what each would alone, and the reading, which is
 * most of the work, is done once. Only the scale says how a string is to be read: the peek goes by where it stands.
 */
#ifndef GW_BODY_SCAN_H
#define GW_BODY_SCAN_H

typedef struct gw_body gw_owner;
#include "json_scan.h"
#include "peek.h"
#include "weigh.h"

struct gw_body {
    gw_json json;
    struct gw_peek peek;
    struct gw_weigh weigh;
};

static inline void gw_on_key(gw_owner *body, const uint8_t *at) {
    if (GW_PEEKS) gw_peek_at_key(&body->peek, &body->json, at);
    if (GW_WEIGHS) gw_weigh_at_key(&body->weigh, &body->json);
}

static inline int gw_on_value(gw_owner *body, const uint8_t *at, int kind) {
    if (GW_PEEKS) gw_peek_at_value(&body->peek, &body->json, at, kind);
    return GW_WEIGHS ? gw_weigh_at_value(&body->weigh, &body->json, at, kind) : GW_SKIP;
}

static inline void gw_on_string(gw_owner *body, const uint8_t *at) {
    if (GW_PEEKS) gw_peek_at_string(&body->peek, at);
    if (GW_WEIGHS) gw_weigh_at_string(&body->weigh, &body->json, at);
}

static inline void gw_on_number(gw_owner *body) {
    if (GW_PEEKS) gw_peek_at_number(&body->peek, &body->json);
    if (GW_WEIGHS) gw_weigh_at_number(&body->weigh, &body->json);
}

static inline void gw_on_close(gw_owner *body) {
    if (GW_PEEKS) gw_peek_at_close(&body->peek, &body->json);
    if (GW_WEIGHS) gw_weigh_at_close(&body->weigh, &body->json);
}

/* Fills what of `body` is asked for from text[0..size). It points into the text: valid only as long as that is. Returns 0 if that
 * is not one JSON object; what was weighed of it means nothing then, and the peek says what is wrong. */
static inline int gw_read_body(gw_owner *body, const uint8_t *text, int64_t size) {
    const uint8_t *end = text + size;
    gw_json_reset(&body->json);
    if (GW_PEEKS) gw_peek_begin(&body->peek, text);
    if (GW_WEIGHS) gw_weigh_begin(&body->weigh, text);
    const uint8_t *p = gw_json_feed(body, text, end);
    const int whole = body->json.state == GW_DONE;
    while (whole && p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
    if (GW_PEEKS) gw_peek_end(&body->peek, &body->json, p, end);
    return whole && p == end;
}

#endif
