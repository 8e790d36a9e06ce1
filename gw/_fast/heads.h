/* What gw does with a header, by its name. The policy and its reasons are in gw/wire/headers.py. */
#ifndef GW_HEADS_H
#define GW_HEADS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* PASS: to the other side. TELL: that, and kept for the record. OWN: kept for the record, not passed on. */
enum gw_role {
    GW_H_PASS, GW_H_DROP, GW_H_TELL, GW_H_OWN, GW_H_API_KEY, GW_H_AUTHORIZATION, GW_H_GW_KEY, GW_H_LENGTH, GW_H_ENCODING,
    GW_H_CONNECTION, GW_H_TYPE, GW_H_REQUEST_ID, GW_H_ACCOUNT
};

typedef struct {
    const char *name;
    size_t size;
    int role;
} gw_header;

#define GW_HEADER(name, role) {name, sizeof name - 1, role}
#define GW_HOP_BY_HOP                                                                                            \
    GW_HEADER("keep-alive", GW_H_DROP), GW_HEADER("proxy-authenticate", GW_H_DROP),                              \
        GW_HEADER("proxy-authorization", GW_H_DROP), GW_HEADER("proxy-connection", GW_H_DROP),                   \
        GW_HEADER("te", GW_H_DROP), GW_HEADER("trailer", GW_H_DROP), GW_HEADER("transfer-encoding", GW_H_DROP),  \
        GW_HEADER("upgrade", GW_H_DROP), GW_HEADER("connection", GW_H_CONNECTION)

static const gw_header GW_OF_REQUESTS[] = {
    GW_HOP_BY_HOP,
    GW_HEADER("host", GW_H_DROP),
    GW_HEADER("accept-encoding", GW_H_DROP),
    GW_HEADER("expect", GW_H_DROP),
    GW_HEADER("content-length", GW_H_LENGTH),
    GW_HEADER("content-encoding", GW_H_ENCODING),
    GW_HEADER("x-api-key", GW_H_API_KEY),
    GW_HEADER("authorization", GW_H_AUTHORIZATION),
    GW_HEADER("x-gw-key", GW_H_GW_KEY),
    GW_HEADER("x-gw-project", GW_H_OWN),
    GW_HEADER("x-gw-tags", GW_H_OWN),
    GW_HEADER("x-gw-timing", GW_H_OWN),
    GW_HEADER("user-agent", GW_H_TELL),
    GW_HEADER("x-claude-code-session-id", GW_H_TELL),
    GW_HEADER("x-claude-code-agent-id", GW_H_TELL),
    GW_HEADER("x-claude-code-parent-agent-id", GW_H_TELL),
    GW_HEADER("x-claude-code-prompt-id", GW_H_TELL),
    GW_HEADER("traceparent", GW_H_TELL),
};
static const gw_header GW_OF_ANSWERS[] = {
    GW_HOP_BY_HOP,
    GW_HEADER("content-length", GW_H_DROP),
    GW_HEADER("date", GW_H_DROP),
    GW_HEADER("server", GW_H_DROP),
    GW_HEADER("request-id", GW_H_REQUEST_ID),
    GW_HEADER("content-type", GW_H_TYPE),
    GW_HEADER("content-encoding", GW_H_ENCODING),
    GW_HEADER("anthropic-organization-id", GW_H_ACCOUNT),
    GW_HEADER("set-cookie", GW_H_ACCOUNT),
};

static inline int gw_begins(const char *name, size_t size, const char *with, size_t with_size) {
    return size >= with_size && memcmp(name, with, with_size) == 0;
}

static inline int gw_role_in(const gw_header *table, size_t count, const char *name, size_t size) {
    for (size_t i = 0; i < count; i++) {
        if (table[i].size == size && memcmp(table[i].name, name, size) == 0) return table[i].role;
    }
    return gw_begins(name, size, "x-gw-", 5) ? GW_H_DROP : GW_H_PASS;
}

static inline int gw_role_of_request(const char *name, size_t size) {
    return gw_role_in(GW_OF_REQUESTS, sizeof GW_OF_REQUESTS / sizeof *GW_OF_REQUESTS, name, size);
}

static inline int gw_role_of_answer(const char *name, size_t size) {
    const int role = gw_role_in(GW_OF_ANSWERS, sizeof GW_OF_ANSWERS / sizeof *GW_OF_ANSWERS, name, size);
    return role == GW_H_PASS && gw_begins(name, size, "anthropic-ratelimit-", 20) ? GW_H_ACCOUNT : role;
}

/* Blank at either end, as bytes.strip() sees it. */
static inline int gw_is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* A declared length; -1 if it is not digits alone. What has more than 18 of them is more than any limit. */
static inline int64_t gw_length_of(const char *value, size_t size) {
    int64_t length = 0;
    if (!size) return -1;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9') return -1;
        if (i < 18) length = 10 * length + (value[i] - '0');
    }
    return size > 18 ? INT64_MAX : length;
}

/* Printable ASCII throughout. */
static inline int gw_is_plain(const char *text, size_t size) {
    int odd = 0;
    for (size_t i = 0; i < size; i++) odd |= text[i] < ' ' || text[i] == 0x7F;
    return !odd;
}

/* Writes the amount, without trailing zeros, so that it ends before `end`, and says where it begins; at most 22 bytes. */
static inline char *gw_amount_before(char *end, uint64_t amount, int decimals) {
    uint64_t scale = 1;
    for (int i = 0; i < decimals; i++) scale *= 10;
    uint64_t whole = amount / scale, part = amount % scale;
    char *at = end;
    if (part != 0) {
        for (; part % 10 == 0; part /= 10) decimals--;
        for (; decimals > 0; decimals--, part /= 10) *--at = (char)('0' + part % 10);
        *--at = '.';
    }
    do *--at = (char)('0' + whole % 10);
    while ((whole /= 10) != 0);
    return at;
}

/* Whether the beginning of a virtual key stands anywhere in a value. */
static inline int gw_has_key(const char *text, size_t size) {
    const char *at = text, *const end = text + size;
    while ((at = memchr(at, 'g', (size_t)(end - at))) != NULL) {
        if (gw_begins(at, (size_t)(end - at), "gwk_", 4)) return 1;
        at++;
    }
    return 0;
}

#endif
