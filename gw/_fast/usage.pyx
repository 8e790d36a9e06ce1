"""The tap: usage from an Anthropic response, read beside the relay in C. The C and its rules are in tap.h.

`reading()` and `observed_from()` give one tuple, the fields of gw.domain.usage in order: the 14 of Usage (iterations as
plain tuples), then those of Reading after `usage`. gw.wire.anthropic makes the nouns of it.

The observed words, int64 each, OBSERVED_BYTES in all; native byte order; -1: not named by the response (yet):
  0 magic and layout version   1 flags: 1 started, 2 finished, 4 final usage, 8 speed fast, 16 geo us, 32 content, 64 garbled
  2 input   3 output   4 cache read   5 cache write, total   6 of that 5m   7 of that 1h   8 thinking
  9 web searches   10 web fetches   11 code executions   12 text bytes   13 the request's TTL, minutes   14, 15 zero
A word is written whole, figures before the flags that vouch for them: what a killed process leaves can be read.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uintptr_t


cdef extern from "tap.h" nogil:
    enum: GW_W_FLAGS, GW_W_INPUT, GW_W_OUTPUT, GW_W_CACHE_READ, GW_W_THINKING, GW_W_SEARCH, GW_W_FETCH, GW_W_CODE
    enum: GW_W_MAGIC, GW_W_TEXT_BYTES, GW_W_COUNT
    enum: GW_F_STARTED, GW_F_FINISHED, GW_F_FINAL_USAGE, GW_F_FAST, GW_F_GEO_US, GW_F_CONTENT, GW_F_GARBLED
    enum: GW_S_MODEL, GW_S_ID, GW_S_STOP, GW_S_TIER, GW_S_SPEED, GW_S_GEO, GW_S_ERROR
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


cdef str text_of(const gw_text *text):
    """A lone surrogate becomes U+FFFD, so that the text can always be encoded again."""
    if text.size <= 0:
        return ""
    return PyUnicode_DecodeUTF8(<const char *>text.bytes, text.size, "replace")


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


cdef tuple fields_of(
    const int64_t *words, const gw_entries *entries, str tier, str speed, str geo, str model, str message_id, str stop, str error
):
    cdef int64_t write_5m = 0, write_1h = 0
    cdef int64_t flags = words[GW_W_FLAGS]
    cdef bint assumed = gw_split_writes(words, entries, &write_5m, &write_1h)
    return (
        gw_known(words[GW_W_INPUT]), gw_known(words[GW_W_OUTPUT]), gw_known(words[GW_W_CACHE_READ]), write_5m, write_1h,
        gw_known(words[GW_W_THINKING]), gw_known(words[GW_W_SEARCH]), gw_known(words[GW_W_FETCH]), gw_known(words[GW_W_CODE]),
        tier, speed, geo, entries_of(entries), assumed,
        flags & GW_F_STARTED != 0, flags & GW_F_FINISHED != 0, flags & GW_F_FINAL_USAGE != 0,
        model, message_id, stop, flags & GW_F_CONTENT == 0, words[GW_W_TEXT_BYTES], error, flags & GW_F_GARBLED != 0,
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

    def reading(self):
        return reading_of(&self.tap)


cdef tuple reading_of(gw_tap *tap):
    cdef const gw_text *texts = tap.texts
    return fields_of(
        tap.words, &tap.entries, text_of(&texts[GW_S_TIER]), text_of(&texts[GW_S_SPEED]), text_of(&texts[GW_S_GEO]),
        text_of(&texts[GW_S_MODEL]), text_of(&texts[GW_S_ID]), text_of(&texts[GW_S_STOP]), text_of(&texts[GW_S_ERROR]),
    )


cdef gw_tap WHOLE  # of read_message, which needs none between two calls


def read_message(bytes body not None, int request_ttl=0):
    if request_ttl not in (0, 5, 60):
        raise ValueError(f"request_ttl is 0, 5 or 60 minutes, not {request_ttl}")
    gw_tap_init(&WHOLE, request_ttl, NULL)
    try:
        gw_tap_read_whole(&WHOLE, <const uint8_t *>PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
        return reading_of(&WHOLE)
    finally:
        gw_tap_free(&WHOLE)


def observed_from(memory not None):
    cdef Py_buffer view
    cdef const int64_t *words
    PyObject_GetBuffer(memory, &view, PyBUF_SIMPLE)
    try:
        words = words_at(&view)
        if words[GW_W_MAGIC] != GW_TAP_MAGIC:
            raise ValueError("no tap has written here, or one of another version")
        speed = "fast" if words[GW_W_FLAGS] & GW_F_FAST else ""
        geo = "us" if words[GW_W_FLAGS] & GW_F_GEO_US else ""
        return fields_of(words, NULL, "", speed, geo, "", "", "", "")
    finally:
        PyBuffer_Release(&view)
