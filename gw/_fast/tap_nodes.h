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
    int parent, child, size;
    const char *key;
} gw_place;

#define GW_PLACE(parent, child, key) {GW_N_##parent, (int)(child), (int)sizeof(key) - 1, key}
#define GW_PLACE_INT(parent, word, key) GW_PLACE(parent, GW_N_INT + GW_W_##word - GW_W_INPUT, key)
#define GW_PLACE_STR(parent, slot, key) GW_PLACE(parent, GW_N_STRING + GW_S_##slot, key)

static const gw_place GW_PLACES[] = {
    GW_PLACE_STR(EVENT, TYPE, "type"), GW_PLACE(EVENT, GW_N_DELTA, "delta"), GW_PLACE(EVENT, GW_N_MESSAGE, "message"),
    GW_PLACE(EVENT, GW_N_USAGE, "usage"), GW_PLACE(EVENT, GW_N_BLOCK, "content_block"), GW_PLACE(EVENT, GW_N_ERROR, "error"),

    GW_PLACE_STR(WHOLE, TYPE, "type"), GW_PLACE(WHOLE, GW_N_ERROR, "error"), GW_PLACE(WHOLE, GW_N_USAGE, "usage"),
    GW_PLACE_STR(WHOLE, MODEL, "model"), GW_PLACE_STR(WHOLE, ID, "id"), GW_PLACE_STR(WHOLE, STOP, "stop_reason"),
    GW_PLACE(WHOLE, GW_N_CONTENT, "content"),

    GW_PLACE_STR(MESSAGE, MODEL, "model"), GW_PLACE_STR(MESSAGE, ID, "id"), GW_PLACE_STR(MESSAGE, STOP, "stop_reason"),
    GW_PLACE(MESSAGE, GW_N_USAGE, "usage"), GW_PLACE(MESSAGE, GW_N_CONTENT, "content"),

    GW_PLACE_STR(DELTA, DELTA, "type"), GW_PLACE_STR(DELTA, STOP, "stop_reason"), GW_PLACE(DELTA, GW_N_DELTA_TEXT, "text"),
    GW_PLACE(DELTA, GW_N_DELTA_TEXT, "thinking"), GW_PLACE(DELTA, GW_N_DELTA_TEXT, "partial_json"),

    GW_PLACE_STR(BLOCK, BLOCK, "type"), GW_PLACE(BLOCK, GW_N_BLOCK_TEXT, "text"),
    GW_PLACE(BLOCK, GW_N_BLOCK_TEXT, "thinking"), GW_PLACE(BLOCK, GW_N_BLOCK_TEXT, "signature"),

    GW_PLACE_STR(ERROR, ERROR, "type"),

    GW_PLACE_INT(USAGE, INPUT, "input_tokens"), GW_PLACE_INT(USAGE, OUTPUT, "output_tokens"),
    GW_PLACE_INT(USAGE, CACHE_READ, "cache_read_input_tokens"),
    GW_PLACE_INT(USAGE, CACHE_WRITE, "cache_creation_input_tokens"), GW_PLACE(USAGE, GW_N_CREATION, "cache_creation"),
    GW_PLACE(USAGE, GW_N_DETAILS, "output_tokens_details"), GW_PLACE(USAGE, GW_N_TOOLS, "server_tool_use"),
    GW_PLACE_STR(USAGE, TIER, "service_tier"), GW_PLACE_STR(USAGE, SPEED, "speed"), GW_PLACE_STR(USAGE, GEO, "inference_geo"),
    GW_PLACE(USAGE, GW_N_ENTRIES, "iterations"),

    GW_PLACE_INT(CREATION, WRITE_5M, "ephemeral_5m_input_tokens"),
    GW_PLACE_INT(CREATION, WRITE_1H, "ephemeral_1h_input_tokens"),
    GW_PLACE_INT(DETAILS, THINKING, "thinking_tokens"),
    GW_PLACE_INT(TOOLS, SEARCH, "web_search_requests"), GW_PLACE_INT(TOOLS, FETCH, "web_fetch_requests"),
    GW_PLACE_INT(TOOLS, CODE, "code_execution_requests"),

    GW_PLACE(ENTRY, GW_N_ENTRY_TYPE, "type"), GW_PLACE(ENTRY, GW_N_ENTRY_MODEL, "model"),
    GW_PLACE(ENTRY, GW_N_ENTRY_INT, "input_tokens"), GW_PLACE(ENTRY, GW_N_ENTRY_INT + 1, "output_tokens"),
    GW_PLACE(ENTRY, GW_N_ENTRY_INT + 2, "cache_read_input_tokens"),
    GW_PLACE(ENTRY, GW_N_ENTRY_INT + 3, "cache_creation_input_tokens"),
    GW_PLACE(ENTRY, GW_N_ENTRY_CREATION, "cache_creation"),
    GW_PLACE(ENTRY_CREATION, GW_N_ENTRY_INT + 4, "ephemeral_5m_input_tokens"),
    GW_PLACE(ENTRY_CREATION, GW_N_ENTRY_INT + 5, "ephemeral_1h_input_tokens"),
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
    const int parent = doc->path[doc->path_size - 1], size = tap->json.text_size;
    for (size_t i = 0; i < sizeof GW_PLACES / sizeof *GW_PLACES; i++) {
        const gw_place *place = &GW_PLACES[i];
        if (place->parent == parent && place->size == size && memcmp(place->key, tap->json.text, (size_t)size) == 0) {
            doc->key_node = place->child;
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
