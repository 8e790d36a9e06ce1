"""The tap: usage from an Anthropic response, read beside the relay in C. The C and its rules are in tap.h.

What was found comes as a `Found`, whose fields compiled callers read as C words, or as one tuple, the fields of
gw.domain.usage in order: the 14 of Usage (iterations as plain tuples), then those of Reading after `usage`. gw.wire.anthropic
makes the nouns of it.

The observed words, int64 each, OBSERVED_BYTES in all; native byte order; -1: not named by the response (yet):
  0 magic and layout version   1 flags: 1 started, 2 finished, 4 final usage, 8 speed fast, 16 geo us, 32 content, 64 garbled
  2 input   3 output   4 cache read   5 cache write, total   6 of that 5m   7 of that 1h   8 thinking
  9 web searches   10 web fetches   11 code executions   12 text bytes   13 the request's TTL, minutes   14, 15 zero
A word is written whole, figures before the flags that vouch for them: what a killed process leaves can be read.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_1BYTE_DATA, PyUnicode_DecodeUTF8, PyUnicode_GET_LENGTH
from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.string cimport memcmp


cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(str text)


cdef extern from "tap.h" nogil:
    enum: GW_W_FLAGS, GW_W_INPUT, GW_W_OUTPUT, GW_W_CACHE_READ, GW_W_THINKING, GW_W_SEARCH, GW_W_FETCH, GW_W_CODE
    enum: GW_W_MAGIC, GW_W_TEXT_BYTES, GW_W_COUNT
    enum: GW_F_STARTED, GW_F_FINISHED, GW_F_FINAL_USAGE, GW_F_FAST, GW_F_GEO_US, GW_F_CONTENT, GW_F_GARBLED
    enum: GW_S_MODEL, GW_S_ID, GW_S_STOP, GW_S_TIER, GW_S_SPEED, GW_S_GEO, GW_S_ERROR, GW_S_MERGED
    int64_t GW_TAP_MAGIC

    ctypedef struct gw_text:
        int size
        uint8_t bytes[1]

    ctypedef struct gw_entry:
        int64_t ints[1]
        gw_text type
        gw_text model

    ctypedef struct gw_entries:
        gw_entry *items
        int count

    ctypedef struct gw_tap "struct gw_tap":
        int64_t *words
        gw_text texts[1]
        gw_entries entries
        int in_block

    void gw_tap_init(gw_tap *tap, int64_t request_ttl, int64_t *memory) noexcept
    void gw_tap_free(gw_tap *tap) noexcept
    int gw_tap_feed(gw_tap *tap, const uint8_t *p, int64_t size) noexcept
    void gw_tap_read_whole(gw_tap *tap, const uint8_t *p, int64_t size) noexcept
    int gw_at_boundary(const gw_tap *tap) noexcept
    int64_t gw_known(int64_t value) noexcept
    int gw_split_writes(const int64_t *words, const gw_entries *entries, int64_t *write_5m, int64_t *write_1h) noexcept
    void gw_split_entry(const gw_entry *entry, int64_t *total, int64_t *write_5m, int64_t *write_1h) noexcept


FIRST_TOKEN, DONE, ERROR, USAGE = 1, 2, 4, 8
OBSERVED_BYTES = GW_W_COUNT * 8


# Models, stop reasons and tiers are few: the strings last made are kept, by what they are and their size.
cdef enum:
    KEPT_SIZES = 8

cdef list KEPT = [""] * (GW_S_MERGED * KEPT_SIZES)


cdef str text_of(const gw_text *text):
    """A lone surrogate becomes U+FFFD, so that the text can always be encoded again."""
    if text.size <= 0:
        return ""
    return PyUnicode_DecodeUTF8(<const char *>text.bytes, text.size, "replace")


cdef str slot_text(const gw_tap *tap, int slot):
    cdef const gw_text *text = &tap.texts[slot]
    cdef int place = slot * KEPT_SIZES + text.size % KEPT_SIZES
    cdef str kept
    if text.size <= 0:
        return ""
    kept = <str>KEPT[place]
    if PyUnicode_IS_COMPACT_ASCII(kept) and PyUnicode_GET_LENGTH(kept) == text.size:
        if memcmp(PyUnicode_1BYTE_DATA(kept), text.bytes, <size_t>text.size) == 0:
            return kept
    kept = text_of(text)
    KEPT[place] = kept
    return kept


cdef tuple entries_of(const gw_entries *entries):
    cdef int64_t total, write_5m, write_1h
    cdef const gw_entry *entry
    cdef int i
    if entries is NULL or entries.count <= 0:
        return ()
    cdef list found = []
    for i in range(entries.count):
        entry = &entries.items[i]
        gw_split_entry(entry, &total, &write_5m, &write_1h)
        found.append((
            text_of(&entry.type), text_of(&entry.model), gw_known(entry.ints[0]), gw_known(entry.ints[1]),
            gw_known(entry.ints[2]), total, write_5m, write_1h,
        ))
    return tuple(found)


cdef Found found_of(const int64_t *words, const gw_entries *entries):
    """All but the texts, which are empty."""
    cdef Found found = Found.__new__(Found)
    cdef int64_t flags = words[GW_W_FLAGS]
    found.input_tokens = gw_known(words[GW_W_INPUT])
    found.output_tokens = gw_known(words[GW_W_OUTPUT])
    found.cache_read_tokens = gw_known(words[GW_W_CACHE_READ])
    found.ttl_assumed = gw_split_writes(words, entries, &found.cache_write_5m_tokens, &found.cache_write_1h_tokens)
    found.thinking_tokens = gw_known(words[GW_W_THINKING])
    found.web_search_requests = gw_known(words[GW_W_SEARCH])
    found.web_fetch_requests = gw_known(words[GW_W_FETCH])
    found.code_execution_requests = gw_known(words[GW_W_CODE])
    found.service_tier = found.speed = found.inference_geo = ""
    found.iterations = entries_of(entries)
    found.started = flags & GW_F_STARTED != 0
    found.finished = flags & GW_F_FINISHED != 0
    found.final_usage = flags & GW_F_FINAL_USAGE != 0
    found.model = found.message_id = found.stop_reason = found.error_type = ""
    found.content_empty = flags & GW_F_CONTENT == 0
    found.text_bytes = words[GW_W_TEXT_BYTES]
    found.garbled = flags & GW_F_GARBLED != 0
    return found


cdef Found found_by(const gw_tap *tap):
    cdef Found found = found_of(tap.words, &tap.entries)
    found.service_tier = slot_text(tap, GW_S_TIER)
    found.speed = slot_text(tap, GW_S_SPEED)
    found.inference_geo = slot_text(tap, GW_S_GEO)
    found.model = slot_text(tap, GW_S_MODEL)
    found.message_id = text_of(&tap.texts[GW_S_ID])
    found.stop_reason = slot_text(tap, GW_S_STOP)
    found.error_type = slot_text(tap, GW_S_ERROR)
    return found


cdef class Found:
    cpdef bint cap(self, int64_t most):
        if (
            self.input_tokens | self.output_tokens | self.cache_read_tokens | self.cache_write_5m_tokens
            | self.cache_write_1h_tokens | self.thinking_tokens | self.web_search_requests | self.web_fetch_requests
            | self.code_execution_requests
        ) <= most:
            return False
        self.input_tokens = min(self.input_tokens, most)
        self.output_tokens = min(self.output_tokens, most)
        self.cache_read_tokens = min(self.cache_read_tokens, most)
        self.cache_write_5m_tokens = min(self.cache_write_5m_tokens, most)
        self.cache_write_1h_tokens = min(self.cache_write_1h_tokens, most)
        self.thinking_tokens = min(self.thinking_tokens, most)
        self.web_search_requests = min(self.web_search_requests, most)
        self.web_fetch_requests = min(self.web_fetch_requests, most)
        self.code_execution_requests = min(self.code_execution_requests, most)
        self.final_usage = False
        self.garbled = True
        return True

    cpdef tuple fields(self):
        return (
            self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_write_5m_tokens,
            self.cache_write_1h_tokens, self.thinking_tokens, self.web_search_requests, self.web_fetch_requests,
            self.code_execution_requests, self.service_tier, self.speed, self.inference_geo, self.iterations, self.ttl_assumed,
            self.started, self.finished, self.final_usage, self.model, self.message_id, self.stop_reason, self.content_empty,
            self.text_bytes, self.error_type, self.garbled,
        )


cdef int64_t *words_at(Py_buffer *view) except NULL:
    if view.len < OBSERVED_BYTES:
        raise ValueError(f"the tap's memory must have {OBSERVED_BYTES} bytes, not {view.len}")
    if <uintptr_t>view.buf % 8:
        raise ValueError("the tap's memory must be aligned to 8 bytes")
    return <int64_t *>view.buf


cdef class Tap:
    cdef gw_tap tap
    cdef Py_buffer view  # held as long as the tap writes there; view.obj is NULL without memory

    def __cinit__(self, int request_ttl=0, memory=None):
        cdef int64_t *words = NULL
        if request_ttl not in (0, 5, 60):
            raise ValueError(f"request_ttl is 0, 5 or 60 minutes, not {request_ttl}")
        if memory is not None:
            PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE | PyBUF_SIMPLE)
            words = words_at(&self.view)
        gw_tap_init(&self.tap, request_ttl, words)

    def __dealloc__(self):
        gw_tap_free(&self.tap)
        PyBuffer_Release(&self.view)

    def feed(self, bytes chunk not None):
        return gw_tap_feed(&self.tap, <const uint8_t *>PyBytes_AS_STRING(chunk), PyBytes_GET_SIZE(chunk))

    @property
    def at_boundary(self):
        return gw_at_boundary(&self.tap) != 0

    @property
    def in_block(self):
        return self.tap.in_block != 0

    @property
    def text_bytes(self):
        return self.tap.words[GW_W_TEXT_BYTES]

    def found(self):
        return found_by(&self.tap)

    def reading(self):
        return found_by(&self.tap).fields()


cdef gw_tap WHOLE  # of found_in, which needs none between two calls


cpdef Found found_in(bytes body, int request_ttl):
    if body is None:
        raise TypeError("a body is bytes, not None")
    if request_ttl not in (0, 5, 60):
        raise ValueError(f"request_ttl is 0, 5 or 60 minutes, not {request_ttl}")
    gw_tap_init(&WHOLE, request_ttl, NULL)
    try:
        gw_tap_read_whole(&WHOLE, <const uint8_t *>PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
        return found_by(&WHOLE)
    finally:
        gw_tap_free(&WHOLE)


def read_message(bytes body not None, int request_ttl=0):
    return found_in(body, request_ttl).fields()


def observed_from(memory not None):
    cdef Py_buffer view
    cdef const int64_t *words
    cdef Found found
    PyObject_GetBuffer(memory, &view, PyBUF_SIMPLE)
    try:
        words = words_at(&view)
        if words[GW_W_MAGIC] != GW_TAP_MAGIC:
            raise ValueError("no tap has written here, or one of another version")
        found = found_of(words, NULL)
        found.speed = "fast" if words[GW_W_FLAGS] & GW_F_FAST else ""
        found.inference_geo = "us" if words[GW_W_FLAGS] & GW_F_GEO_US else ""
        return found.fields()
    finally:
        PyBuffer_Release(&view)
