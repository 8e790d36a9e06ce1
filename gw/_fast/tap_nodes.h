/* Where the tap's fields stand in a document: a table of known places, and the hooks that walk it. Part of tap.h.
 *
 * A place is known only while all its containers are: doc.path holds those, so `usage` inside a text, a tool's input or
 * any other object is not taken for the message's own.
 */
#ifndef GW_TAP_NODES_H
#define GW_TAP_NODES_H

/* The order tells the kind: objects, arrays, integers, strings, counted texts. */
enum gw_node {
    GW_N_NONE, GW_N_EVENT, GW_N_WHOLE, GW_N_MESSAGE, GW_N_DELTA, GW_N_BLOCK, GW_N_ERROR, GW_N_USAGE, GW_N_CREATION,
    GW_N_DETAILS, GW_N_TOOLS, GW_N_ENTRY, GW_N_ENTRY_CREATION, GW_N_OBJECTS,
    GW_N_ENTRIES = GW_N_OBJECTS, GW_N_CONTENT, GW_N_ARRAYS,
    GW_N_INT = GW_N_ARRAYS, /* + word - GW_W_INPUT */
    GW_N_ENTRY_INT = GW_N_INT + GW_INTS,
    GW_N_INTS = GW_N_ENTRY_INT + GW_ENTRY_INTS,
    GW_N_STRING = GW_N_INTS, /* + slot */
    GW_N_ENTRY_TYPE = GW_N_STRING + GW_S_COUNT, GW_N_ENTRY_MODEL, GW_N_STRINGS,
    GW_N_DELTA_TEXT = GW_N_STRINGS, GW_N_BLOCK_TEXT
};

typedef struct {
    const char *key;
    int size, node;
} gw_place;

#define GW_PLACE(key, node) {key, (int)sizeof(key) - 1, (int)(node)}
#define GW_PLACE_INT(key, word) GW_PLACE(key, GW_N_INT + GW_W_##word - GW_W_INPUT)
#define GW_PLACE_STR(key, slot) GW_PLACE(key, GW_N_STRING + GW_S_##slot)

static const gw_place GW_IN_EVENT[] = {
    GW_PLACE_STR("type", TYPE), GW_PLACE("delta", GW_N_DELTA), GW_PLACE("message", GW_N_MESSAGE), GW_PLACE("usage", GW_N_USAGE),
    GW_PLACE("content_block", GW_N_BLOCK), GW_PLACE("error", GW_N_ERROR), {0},
};
static const gw_place GW_IN_WHOLE[] = {
    GW_PLACE_STR("type", TYPE), GW_PLACE("error", GW_N_ERROR), GW_PLACE("usage", GW_N_USAGE), GW_PLACE_STR("model", MODEL),
    GW_PLACE_STR("id", ID), GW_PLACE_STR("stop_reason", STOP), GW_PLACE("content", GW_N_CONTENT), {0},
};
static const gw_place GW_IN_MESSAGE[] = {
    GW_PLACE_STR("model", MODEL), GW_PLACE_STR("id", ID), GW_PLACE_STR("stop_reason", STOP), GW_PLACE("usage", GW_N_USAGE),
    GW_PLACE("content", GW_N_CONTENT), {0},
};
static const gw_place GW_IN_DELTA[] = {
    GW_PLACE_STR("type", DELTA), GW_PLACE_STR("stop_reason", STOP), GW_PLACE("text", GW_N_DELTA_TEXT),
    GW_PLACE("thinking", GW_N_DELTA_TEXT), GW_PLACE("partial_json", GW_N_DELTA_TEXT), {0},
};
static const gw_place GW_IN_BLOCK[] = {
    GW_PLACE_STR("type", BLOCK), GW_PLACE("text", GW_N_BLOCK_TEXT), GW_PLACE("thinking", GW_N_BLOCK_TEXT),
    GW_PLACE("signature", GW_N_BLOCK_TEXT), {0},
};
static const gw_place GW_IN_ERROR[] = {GW_PLACE_STR("type", ERROR), {0}};
static const gw_place GW_IN_USAGE[] = {
    GW_PLACE_INT("input_tokens", INPUT), GW_PLACE_INT("output_tokens", OUTPUT),
    GW_PLACE_INT("cache_read_input_tokens", CACHE_READ), GW_PLACE_INT("cache_creation_input_tokens", CACHE_WRITE),
    GW_PLACE("cache_creation", GW_N_CREATION), GW_PLACE("output_tokens_details", GW_N_DETAILS),
    GW_PLACE("server_tool_use", GW_N_TOOLS), GW_PLACE_STR("service_tier", TIER), GW_PLACE_STR("speed", SPEED),
    GW_PLACE_STR("inference_geo", GEO), GW_PLACE("iterations", GW_N_ENTRIES), {0},
};
static const gw_place GW_IN_CREATION[] = {
    GW_PLACE_INT("ephemeral_5m_input_tokens", WRITE_5M), GW_PLACE_INT("ephemeral_1h_input_tokens", WRITE_1H), {0},
};
static const gw_place GW_IN_DETAILS[] = {GW_PLACE_INT("thinking_tokens", THINKING), {0}};
static const gw_place GW_IN_TOOLS[] = {
    GW_PLACE_INT("web_search_requests", SEARCH), GW_PLACE_INT("web_fetch_requests", FETCH),
    GW_PLACE_INT("code_execution_requests", CODE), {0},
};
static const gw_place GW_IN_ENTRY[] = {
    GW_PLACE("type", GW_N_ENTRY_TYPE), GW_PLACE("model", GW_N_ENTRY_MODEL), GW_PLACE("input_tokens", GW_N_ENTRY_INT),
    GW_PLACE("output_tokens", GW_N_ENTRY_INT + 1), GW_PLACE("cache_read_input_tokens", GW_N_ENTRY_INT + 2),
    GW_PLACE("cache_creation_input_tokens", GW_N_ENTRY_INT + 3), GW_PLACE("cache_creation", GW_N_ENTRY_CREATION), {0},
};
static const gw_place GW_IN_ENTRY_CREATION[] = {
    GW_PLACE("ephemeral_5m_input_tokens", GW_N_ENTRY_INT + 4), GW_PLACE("ephemeral_1h_input_tokens", GW_N_ENTRY_INT + 5), {0},
};
static const gw_place GW_NOWHERE[] = {{0}};
/* By node; each list ends with an empty place. The arrays' elements have no keys. */
static const gw_place *const GW_PLACES[GW_N_ARRAYS] = {
    [GW_N_NONE] = GW_NOWHERE, [GW_N_EVENT] = GW_IN_EVENT, [GW_N_WHOLE] = GW_IN_WHOLE, [GW_N_MESSAGE] = GW_IN_MESSAGE,
    [GW_N_DELTA] = GW_IN_DELTA, [GW_N_BLOCK] = GW_IN_BLOCK, [GW_N_ERROR] = GW_IN_ERROR, [GW_N_USAGE] = GW_IN_USAGE,
    [GW_N_CREATION] = GW_IN_CREATION, [GW_N_DETAILS] = GW_IN_DETAILS, [GW_N_TOOLS] = GW_IN_TOOLS, [GW_N_ENTRY] = GW_IN_ENTRY,
    [GW_N_ENTRY_CREATION] = GW_IN_ENTRY_CREATION, [GW_N_ENTRIES] = GW_NOWHERE, [GW_N_CONTENT] = GW_NOWHERE,
};

static inline gw_entry *gw_last_entry(gw_doc *doc) { return &doc->entries.items[doc->entries.count - 1]; }

/* Adds an empty entry; 0 if there are too many or there is no memory. */
static int gw_add_entry(gw_entries *entries) {
    if (entries->count == entries->room) {
        const int room = entries->room ? entries->room * 2 : 8;
        gw_entry *items = room > GW_ENTRIES_MAX ? NULL : realloc(entries->items, (size_t)room * sizeof *items);
        if (!items) return 0;
        entries->items = items;
        entries->room = room;
    }
    gw_entry *entry = &entries->items[entries->count++];
    for (int i = 0; i < GW_ENTRY_INTS; i++) entry->ints[i] = -1;
    entry->type.size = entry->model.size = -1;
    return 1;
}

/* A known container is entered; 0 if its content cannot be taken. */
static inline int gw_enter(gw_doc *doc, int node) {
    if (node == GW_N_USAGE) doc->usage_seen = 1;
    if (node == GW_N_ERROR) doc->error_seen = 1;
    if (node == GW_N_ENTRIES) doc->entries.count = 0;
    if (node == GW_N_ENTRY) return gw_add_entry(&doc->entries);
    if (node == GW_N_BLOCK) {
        doc->block_bytes = 0;
        doc->texts[GW_S_BLOCK].size = -1;
    }
    return 1;
}

static inline int gw_kind_of(int node) {
    return node < GW_N_OBJECTS ? GW_OBJECT : node < GW_N_ARRAYS ? GW_ARRAY : node < GW_N_INTS ? GW_NUMBER : GW_TEXT;
}

static inline void gw_on_key(gw_owner *tap, const uint8_t *at) {
    gw_doc *doc = &tap->doc;
    (void)at;
    doc->key_node = GW_N_NONE;
    if (doc->path_size != tap->json.depth) return;
    const uint8_t *text = tap->json.text;
    const int size = tap->json.text_size;
    for (const gw_place *place = GW_PLACES[doc->path[doc->path_size - 1]]; place->key; place++) {
        if (place->size == size && place->key[0] == (char)text[0] && memcmp(place->key, text, (size_t)size) == 0) {
            doc->key_node = place->node;
            return;
        }
    }
}

/* The known place the value at hand stands in, GW_N_NONE if it is none. */
static inline int gw_node_here(const gw_owner *tap) {
    const gw_doc *doc = &tap->doc;
    if (tap->json.depth == 0) return tap->root;
    if (doc->path_size != tap->json.depth) return GW_N_NONE;
    const int parent = doc->path[doc->path_size - 1];
    if (parent == GW_N_ENTRIES) return GW_N_ENTRY;
    if (parent == GW_N_CONTENT) return GW_N_BLOCK;
    return doc->key_node;
}

static inline int gw_on_value(gw_owner *tap, const uint8_t *at, int kind) {
    gw_doc *doc = &tap->doc;
    const int node = gw_node_here(tap);
    (void)at;
    doc->value_node = GW_N_NONE;
    if (node == GW_N_NONE || kind == GW_NULL) return GW_SKIP;
    if (kind != gw_kind_of(node)) {
        if (node < GW_N_STRINGS) doc->unread = 1; /* new kinds of blocks may put other things where text was */
        return GW_SKIP;
    }
    if (kind <= GW_ARRAY) {
        if (gw_enter(doc, node)) doc->path[doc->path_size++] = node;
        else doc->unread = 1;
        return GW_SKIP;
    }
    doc->value_node = node;
    return node >= GW_N_STRINGS ? GW_COUNT : GW_CAPTURE;
}

static inline void gw_on_string(gw_owner *tap, const uint8_t *at) {
    gw_doc *doc = &tap->doc;
    const int node = doc->value_node, size = tap->json.text_size;
    (void)at;
    if (node == GW_N_NONE) return;
    if (node == GW_N_DELTA_TEXT) {
        doc->delta_bytes += tap->json.counted;
    } else if (node == GW_N_BLOCK_TEXT) {
        doc->block_bytes += tap->json.counted;
    } else if (size == GW_TEXT_TOO_LONG) {
        doc->unread = 1;
    } else {
        gw_text *text = node == GW_N_ENTRY_TYPE    ? &gw_last_entry(doc)->type
                        : node == GW_N_ENTRY_MODEL ? &gw_last_entry(doc)->model
                                                   : &doc->texts[node - GW_N_STRING];
        text->size = size;
        memcpy(text->bytes, tap->json.text, (size_t)size);
    }
}

static inline void gw_on_number(gw_owner *tap) {
    gw_doc *doc = &tap->doc;
    const int node = doc->value_node;
    if (node == GW_N_NONE) return;
    if (!tap->json.plain) doc->unread = 1;
    else if (node >= GW_N_ENTRY_INT) gw_last_entry(doc)->ints[node - GW_N_ENTRY_INT] = tap->json.number;
    else doc->ints[node - GW_N_INT] = tap->json.number;
}

static inline int gw_text_is(const gw_text *text, const char *word);

/* What a block that has just been read carries: text and thinking count if there is any, `fallback` never, tools always. */
static inline int gw_block_content(const gw_doc *doc) {
    const gw_text *type = &doc->texts[GW_S_BLOCK];
    if (gw_text_is(type, "fallback")) return 0;
    if (type->size <= 0 || gw_text_is(type, "text") || gw_text_is(type, "thinking")) return doc->block_bytes > 0;
    return 1;
}

static inline void gw_on_close(gw_owner *tap) {
    gw_doc *doc = &tap->doc;
    if (doc->path_size != tap->json.depth) return;
    if (doc->path[--doc->path_size] == GW_N_BLOCK) doc->content |= gw_block_content(doc);
}

#endif
