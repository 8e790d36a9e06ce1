/* What a request body can make the provider do, found in one pass that builds nothing: the size of its prompt, its caps, and
 * everything through which a small body becomes a large bill. The pass itself is body_scan.h.
 *
 * A count may be too high, never too low; so where a key stands twice, both count. Shapes are those of Anthropic's Messages
 * API (the types of its Python SDK 2.11). What is not known counts against the client:
 *  - a top-level key that is not in GW_TOP and holds a string or a container is taken for a reference;
 *  - a tool whose type is not in GW_CLIENT_TOOLS runs at the provider;
 *  - base64 that is neither an image nor a PDF is text, and so is a block of unknown type;
 *  - a context edit that does not clear is a compaction; a TTL that is not 5m is an hour; a speed that is not standard is fast.
 * `input`, `input_schema`, `input_examples`, `schema` and the metadata are the client's own words: text, and nothing is read
 * into their keys. The pure twin is ref/weigh.py.
 */
#ifndef GW_WEIGH_H
#define GW_WEIGH_H

#include "json_scan.h"

enum { GW_SEARCHES_UNSAID = 100, GW_ADVICE_UNSAID = 10, GW_FALLBACKS_UNSAID = 3 };
#define GW_USES_MAX 1000000 /* of one tool: keeps the sums within an int64 */
/* Structure that a tokenizer sees in JSON: quotes and colon of a key; quotes and comma of a string, brackets and comma of a
 * container; a number or literal and its comma, taken for 4 bytes. */
enum { GW_KEY_EXTRA = 3, GW_VALUE_EXTRA = 3, GW_SCALAR_EXTRA = 4 };

enum gw_section { GW_PROMPT, GW_TOOLS, GW_SERVERS, GW_CONTEXT, GW_OTHERS, GW_PLAIN };
/* What the value to come means. */
enum gw_word {
    GW_NOTHING, GW_FREE, GW_CACHE, GW_TTL, GW_TOOL_LIST, GW_TOOL, GW_TOOL_TYPE, GW_USES, GW_SOURCE, GW_SOURCE_TYPE, GW_MEDIA,
    GW_DATA, GW_FILE, GW_CAP, GW_SPEED, GW_GEO, GW_EDIT, GW_FALLBACK, GW_COMPACT, GW_REFERENCE
};
/* Bits, since a key may stand twice. */
enum gw_tool_kind { GW_CLIENT_TOOL = 1, GW_SERVER_TOOL = 2, GW_SEARCH_TOOL = 4, GW_ADVISOR_TOOL = 8 };
enum gw_source_kind { GW_BASE64 = 1, GW_INLINE = 2, GW_ELSEWHERE = 4, GW_IMAGE = 8, GW_PDF = 16, GW_OTHER_MEDIA = 32 };

struct gw_weigh {
    const uint8_t *body;
    int section;
    int word;
    int64_t value_start;
    /* Depths of what is open, 0 if it is not. */
    int free_depth, cache_depth, tool_list_depth, tool_depth, source_depth;
    int ttl_here;
    int tool_kinds;
    int64_t tool_uses;   /* -1: unsaid */
    int source_kinds;
    int64_t source_raw;  /* bytes of its data as they stand in the body ... */
    int64_t source_text; /* ... and unescaped */
    int64_t text_bytes, media_bytes, images, documents, document_bytes, blocks, tools, defined_tools, server_tools;
    int64_t searches_cap, advisor_uses, fallbacks, references, output_cap;
    int compaction, ttl, fast, geo;
};

#define GW_NAMED(name, section, word) {name, sizeof(name) - 1, section, word}
static const struct {
    const char *name;
    size_t size;
    int section, word;
} GW_TOP[] = {
    GW_NAMED("model", GW_PLAIN, GW_NOTHING), GW_NAMED("messages", GW_PROMPT, GW_NOTHING),
    GW_NAMED("system", GW_PROMPT, GW_NOTHING), GW_NAMED("tools", GW_TOOLS, GW_TOOL_LIST),
    GW_NAMED("metadata", GW_PLAIN, GW_FREE), GW_NAMED("thinking", GW_PLAIN, GW_NOTHING),
    GW_NAMED("stream", GW_PLAIN, GW_NOTHING), GW_NAMED("context_management", GW_CONTEXT, GW_NOTHING),
    GW_NAMED("output_config", GW_PLAIN, GW_NOTHING), GW_NAMED("output_format", GW_PLAIN, GW_NOTHING),
    GW_NAMED("tool_choice", GW_PLAIN, GW_NOTHING), GW_NAMED("cache_control", GW_PLAIN, GW_CACHE),
    GW_NAMED("speed", GW_PLAIN, GW_SPEED), GW_NAMED("inference_geo", GW_PLAIN, GW_GEO),
    GW_NAMED("service_tier", GW_PLAIN, GW_NOTHING), GW_NAMED("stop_sequences", GW_PLAIN, GW_NOTHING),
    GW_NAMED("temperature", GW_PLAIN, GW_NOTHING), GW_NAMED("top_k", GW_PLAIN, GW_NOTHING),
    GW_NAMED("top_p", GW_PLAIN, GW_NOTHING), GW_NAMED("safeguards", GW_PLAIN, GW_FREE),
    GW_NAMED("mcp_servers", GW_SERVERS, GW_NOTHING), GW_NAMED("fallbacks", GW_OTHERS, GW_FALLBACK),
    GW_NAMED("compaction", GW_PLAIN, GW_COMPACT), GW_NAMED("fallback_credit_token", GW_PLAIN, GW_NOTHING),
    GW_NAMED("diagnostics", GW_PLAIN, GW_NOTHING), GW_NAMED("billing_policy", GW_PLAIN, GW_NOTHING),
    GW_NAMED("betas", GW_PLAIN, GW_NOTHING), GW_NAMED("anthropic_beta", GW_PLAIN, GW_NOTHING),
    GW_NAMED("anthropic_version", GW_PLAIN, GW_NOTHING), GW_NAMED("user_profile_id", GW_PLAIN, GW_NOTHING),
    GW_NAMED("workspace_id", GW_PLAIN, GW_NOTHING),
};

/* Tools that the client runs, by how their type begins. */
static const char *const GW_CLIENT_TOOLS[] = {"bash_2", "text_editor_2", "memory_2", "computer_", "browser_toolset_"};

static inline int gw_begins(const gw_json *json, const char *word) {
    const size_t size = strlen(word);
    return json->text_size >= (int)size && json->text_size <= GW_TEXT_MAX && memcmp(json->text, word, size) == 0;
}

static inline int gw_ends(const gw_json *json, const char *word) {
    const int size = (int)strlen(word), more = json->text_size - size;
    return more >= 0 && json->text_size <= GW_TEXT_MAX && memcmp(json->text + more, word, (size_t)size) == 0;
}

static inline int gw_is_cap(const gw_json *json) {
    if (!gw_ends(json, "_tokens")) return 0;
    return gw_ends(json, "max_tokens") || gw_ends(json, "output_tokens") || gw_ends(json, "completion_tokens")
        || gw_ends(json, "budget_tokens");
}

/* A value that stands in the prompt as JSON, so that its keys and its punctuation are text too. */
static inline int gw_is_json_text(const struct gw_weigh *w) {
    return w->section <= GW_TOOLS && (w->free_depth || w->tool_depth || w->tool_list_depth);
}

/* The open object is an element of an array. */
static inline int gw_is_element(const gw_json *json) {
    return json->depth > 1 && json->closers[json->depth - 2] == ']';
}

static inline void gw_weigh_top_key(struct gw_weigh *w, const gw_json *json) {
    w->section = GW_PLAIN;
    w->word = GW_REFERENCE;
    for (size_t i = 0; i < sizeof GW_TOP / sizeof GW_TOP[0]; i++) {
        if (!gw_is_word(json, GW_TOP[i].name, GW_TOP[i].size)) continue;
        w->section = GW_TOP[i].section;
        w->word = GW_TOP[i].word;
        return;
    }
    if (gw_is_cap(json)) w->word = GW_CAP;
}

static inline int gw_inner_word(const struct gw_weigh *w, const gw_json *json) {
    if (json->depth == w->cache_depth) return gw_is(json, "ttl") ? GW_TTL : GW_NOTHING;
    if (w->free_depth || w->cache_depth) return GW_NOTHING;
    if (gw_is(json, "type")) {
        if (json->depth == w->tool_depth) return GW_TOOL_TYPE;
        if (json->depth == w->source_depth) return GW_SOURCE_TYPE;
        return w->section == GW_CONTEXT && gw_is_element(json) ? GW_EDIT : GW_NOTHING;
    }
    if (gw_is(json, "text") || gw_is(json, "content") || gw_is(json, "role")) return GW_NOTHING; /* most keys, at once */
    if (json->depth == w->tool_depth && gw_is(json, "max_uses")) return GW_USES;
    if (json->depth == w->source_depth && gw_is(json, "media_type")) return GW_MEDIA;
    if (json->depth == w->source_depth && gw_is(json, "data")) return GW_DATA;
    if (gw_is(json, "cache_control")) return GW_CACHE;
    if (gw_is(json, "input") || gw_is(json, "input_schema")) return GW_FREE;
    if (gw_is(json, "input_examples") || gw_is(json, "schema")) return GW_FREE;
    if (gw_is(json, "source")) return GW_SOURCE;
    if (gw_is(json, "file_id")) return GW_FILE;
    if (gw_is(json, "tools")) return GW_TOOL_LIST;
    if (gw_is(json, "definition")) return GW_TOOL;
    if (gw_is(json, "speed")) return GW_SPEED;
    return gw_is_cap(json) ? GW_CAP : GW_NOTHING;
}

static inline void gw_weigh_at_key(struct gw_weigh *w, const gw_json *json) {
    if (json->depth == 1) {
        gw_weigh_top_key(w, json);
        return;
    }
    if (gw_is_json_text(w)) w->text_bytes += json->text_size + GW_KEY_EXTRA;
    w->word = gw_inner_word(w, json);
}

static inline void gw_begin_tool(struct gw_weigh *w, int depth) {
    w->tool_depth = depth;
    w->tool_kinds = 0;
    w->tool_uses = -1;
}

static inline void gw_end_tool(struct gw_weigh *w) {
    const int kinds = w->tool_kinds;
    w->tool_depth = 0;
    w->tools++;
    if (kinds) w->defined_tools++;
    if (kinds & ~GW_CLIENT_TOOL) w->server_tools++;
    if (kinds & GW_SEARCH_TOOL) w->searches_cap += w->tool_uses < 0 ? GW_SEARCHES_UNSAID : w->tool_uses;
    if (kinds & GW_ADVISOR_TOOL) w->advisor_uses += w->tool_uses < 0 ? GW_ADVICE_UNSAID : w->tool_uses;
}

static inline int gw_tool_kind_of(const gw_json *type) {
    if (gw_is(type, "custom") || gw_is(type, "function")) return 0;
    for (size_t i = 0; i < sizeof GW_CLIENT_TOOLS / sizeof GW_CLIENT_TOOLS[0]; i++) {
        if (gw_begins(type, GW_CLIENT_TOOLS[i])) return GW_CLIENT_TOOL;
    }
    if (gw_begins(type, "web_search")) return GW_SERVER_TOOL | GW_SEARCH_TOOL;
    return gw_begins(type, "advisor") ? GW_SERVER_TOOL | GW_ADVISOR_TOOL : GW_SERVER_TOOL;
}

/* Of the open source: its data was the text of a document after all. */
static inline void gw_data_is_text(struct gw_weigh *w) {
    w->text_bytes += w->source_text;
    w->source_raw = w->source_text = 0;
}

/* A source may hold blocks with sources of their own; then it is no base64, and only the inner ones are looked at. */
static inline void gw_begin_source(struct gw_weigh *w, int depth) {
    if (w->source_depth) gw_data_is_text(w);
    w->source_depth = depth;
    w->source_kinds = 0;
    w->source_raw = w->source_text = 0;
}

static inline void gw_end_source(struct gw_weigh *w) {
    const int kinds = w->source_kinds;
    w->source_depth = 0;
    if (kinds == (GW_BASE64 | GW_IMAGE)) {
        w->images++;
        w->media_bytes += w->source_raw;
    } else if (kinds == (GW_BASE64 | GW_PDF)) {
        w->documents++;
        w->document_bytes += w->source_raw;
        w->media_bytes += w->source_raw;
    } else {
        gw_data_is_text(w);
        if (kinds & GW_ELSEWHERE) w->references++;
    }
}

static inline void gw_open_value(struct gw_weigh *w, const gw_json *json, int word, int kind) {
    const int depth = json->depth + 1, element = json->depth > 1 && !gw_in_object(json), is_object = kind == GW_OBJECT;
    if (element && is_object && !w->free_depth) {
        if (w->section == GW_PROMPT) w->blocks++;
        if (json->depth == w->tool_list_depth) gw_begin_tool(w, depth);
        if (w->section == GW_SERVERS && json->depth == 2) {
            w->references++;
            w->server_tools++;
        }
        if (w->section == GW_OTHERS && json->depth == 2) w->fallbacks++;
    }
    switch (word) {
    case GW_FREE: w->free_depth = depth; break;
    case GW_REFERENCE: w->references++; break;
    case GW_COMPACT: w->compaction = 1; break;
    case GW_SOURCE: if (is_object) gw_begin_source(w, depth); break;
    case GW_TTL: w->ttl_here = 60; break;
    case GW_CACHE:
        if (!is_object) break;
        w->cache_depth = depth;
        w->ttl_here = 5;
        break;
    case GW_TOOL_LIST: if (!is_object && !w->tool_list_depth && !w->tool_depth) w->tool_list_depth = depth; break;
    case GW_TOOL: if (is_object && !w->tool_list_depth && !w->tool_depth) gw_begin_tool(w, depth); break;
    default: break;
    }
}

/* Returns how the value is to be read, if it is a string. */
static inline int gw_weigh_at_value(struct gw_weigh *w, const gw_json *json, const uint8_t *at, int kind) {
    const int word = w->word;
    w->value_start = at - w->body;
    if (gw_is_json_text(w)) w->text_bytes += kind <= GW_TEXT ? GW_VALUE_EXTRA : GW_SCALAR_EXTRA;
    if (kind <= GW_ARRAY) {
        w->word = GW_NOTHING;
        if (json->depth > 0) gw_open_value(w, json, word, kind);
        return GW_SKIP;
    }
    if (kind == GW_NUMBER) return GW_SKIP;
    if (kind != GW_TEXT) {
        if (word == GW_TTL && kind != GW_NULL) w->ttl_here = 60;
        w->word = GW_NOTHING;
        return GW_SKIP;
    }
    switch (word) {
    case GW_REFERENCE: case GW_FILE: w->references++; break;
    case GW_FALLBACK: w->fallbacks += GW_FALLBACKS_UNSAID; break;
    case GW_TTL: case GW_TOOL_TYPE: case GW_SOURCE_TYPE: case GW_MEDIA: case GW_SPEED: case GW_GEO: case GW_EDIT:
        return GW_CAPTURE;
    default: break;
    }
    return w->section <= GW_TOOLS ? GW_COUNT : GW_SKIP;
}

static inline void gw_weigh_at_string(struct gw_weigh *w, const gw_json *json, const uint8_t *at) {
    const int word = w->word;
    w->word = GW_NOTHING;
    if (json->mode == GW_COUNT) {
        if (word != GW_DATA) {
            w->text_bytes += json->counted;
            return;
        }
        w->source_text += json->counted;
        w->source_raw += at - w->body - w->value_start - 2;
        return;
    }
    if (json->mode != GW_CAPTURE) return;
    if (w->section <= GW_TOOLS) w->text_bytes += json->text_size;
    switch (word) {
    case GW_TTL: if (!gw_is(json, "5m")) w->ttl_here = 60; break;
    case GW_TOOL_TYPE: w->tool_kinds |= gw_tool_kind_of(json); break;
    case GW_SOURCE_TYPE:
        if (gw_is(json, "base64")) w->source_kinds |= GW_BASE64;
        else if (gw_is(json, "text") || gw_is(json, "content") || gw_is(json, "file")) w->source_kinds |= GW_INLINE;
        else w->source_kinds |= GW_ELSEWHERE; /* a file is counted by its id */
        break;
    case GW_MEDIA:
        if (gw_begins(json, "image/")) w->source_kinds |= GW_IMAGE;
        else w->source_kinds |= gw_is(json, "application/pdf") ? GW_PDF : GW_OTHER_MEDIA;
        break;
    case GW_SPEED: if (!gw_is(json, "standard")) w->fast = 1; break;
    case GW_GEO: w->geo = w->geo != 2 && gw_is(json, "global") ? 1 : 2; break;
    case GW_EDIT: if (!gw_begins(json, "clear_")) w->compaction = 1; break;
    default: break;
    }
}

static inline void gw_weigh_at_number(struct gw_weigh *w, const gw_json *json) {
    const int64_t number = json->plain ? json->number : INT64_MAX;
    if (w->word == GW_CAP && number > w->output_cap) w->output_cap = number;
    if (w->word == GW_USES && number > w->tool_uses) w->tool_uses = number < GW_USES_MAX ? number : GW_USES_MAX;
    if (w->word == GW_TTL) w->ttl_here = 60;
    w->word = GW_NOTHING;
}

static inline void gw_weigh_at_close(struct gw_weigh *w, const gw_json *json) {
    const int depth = json->depth;
    if (depth == w->free_depth) w->free_depth = 0;
    if (depth == w->tool_list_depth) w->tool_list_depth = 0;
    if (depth == w->tool_depth) gw_end_tool(w);
    if (depth == w->source_depth) gw_end_source(w);
    if (depth == w->cache_depth) {
        w->cache_depth = 0;
        if (w->ttl_here > w->ttl) w->ttl = w->ttl_here;
    }
}

static inline void gw_weigh_begin(struct gw_weigh *w, const uint8_t *body) {
    memset(w, 0, sizeof *w);
    w->body = body;
    w->section = GW_PLAIN;
    w->output_cap = -1;
}

#endif
