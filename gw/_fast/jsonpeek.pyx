"""A look at a request body without building a tree: one pass of C over the bytes. The C is in
body_scan.h, its rules in peek.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy


cdef extern from *:
    """
    #define GW_PEEKS 1
    #define GW_WEIGHS 0
    """


cdef extern from "body_scan.h" nogil:
    ctypedef struct gw_span:
        int64_t start
        int64_t end

    ctypedef struct gw_peek "struct gw_peek":
        int error
        int64_t error_offset
        gw_span model
        gw_span user_id
        gw_span speed
        gw_span tier
        int stream
        int64_t max_tokens
        int64_t key_count
        int has_cache_control
        int ttl

    ctypedef struct gw_body "struct gw_body":
        gw_peek peek

    int gw_read_body(gw_body *found, const uint8_t *body, int64_t size) noexcept
    int64_t gw_span_text(const uint8_t *body, gw_span span, uint8_t *out) noexcept


# By the value of enum gw_peek_error.
cdef tuple ERRORS = (
    "", "not_object", "invalid_json", "trailing_data", "duplicate_model", "duplicate_stream", "duplicate_max_tokens",
    "bad_model", "bad_stream", "bad_max_tokens",
)

# A client sends the same model and the same user id with every call: the strings last made are kept, each beside the JSON it
# was made from, at a place that its last bytes choose. To make one of a user id costs ten times as much as to find it.
cdef enum:
    KEPT_COUNT = 256
    KEPT_BYTES_MAX = 512
    KEPT_BYTES_MIN = 8

cdef list KEPT_JSON = [b""] * KEPT_COUNT
cdef list KEPT = [""] * KEPT_COUNT


cdef inline Py_ssize_t place_of(const uint8_t *json, Py_ssize_t size) noexcept:
    cdef uint64_t last
    memcpy(&last, json + size - KEPT_BYTES_MIN, KEPT_BYTES_MIN)
    return <Py_ssize_t>(last * <uint64_t>0x9E3779B97F4A7C15 >> 56)


cdef str made(const uint8_t *body, gw_span span):
    cdef uint8_t *out = <uint8_t *>PyMem_Malloc(<size_t>(span.end - span.start))
    if out is NULL:
        raise MemoryError
    try:
        return PyUnicode_DecodeUTF8(<const char *>out, <Py_ssize_t>gw_span_text(body, span, out), "strict")
    finally:
        PyMem_Free(out)


cdef str span_text(const uint8_t *body, gw_span span):
    """The string of a span, None if there is none."""
    cdef const uint8_t *json = body + span.start
    cdef Py_ssize_t size = <Py_ssize_t>(span.end - span.start), place
    cdef bytes kept
    cdef str text
    if span.start < 0:
        return None
    if size < KEPT_BYTES_MIN or size > KEPT_BYTES_MAX:
        return made(body, span)
    place = place_of(json, size)
    kept = <bytes>KEPT_JSON[place]
    if PyBytes_GET_SIZE(kept) == size and memcmp(PyBytes_AS_STRING(kept), json, <size_t>size) == 0:
        return <str>KEPT[place]
    text = made(body, span)
    KEPT_JSON[place] = PyBytes_FromStringAndSize(<const char *>json, size)
    KEPT[place] = text
    return text


cdef class Peek:
    pass


cdef Peek peek_of(const void *seen, const uint8_t *start):
    cdef const gw_peek *found = <const gw_peek *>seen
    cdef Peek result = Peek.__new__(Peek)
    result.error = <str>ERRORS[found.error]
    result.error_offset = found.error_offset
    result.model_start = result.model_end = result.max_tokens = -1
    result.speed = result.service_tier = ""
    result.key_count = found.key_count
    if found.error != 0:
        return result
    result.model = span_text(start, found.model)
    if found.model.start >= 0:
        result.model_start, result.model_end = found.model.start, found.model.end
    result.stream = found.stream
    result.max_tokens = found.max_tokens
    result.ttl = found.ttl
    result.has_cache_control = found.has_cache_control
    result.user_id = span_text(start, found.user_id)
    if found.speed.start >= 0:
        result.speed = span_text(start, found.speed)
    if found.tier.start >= 0:
        result.service_tier = span_text(start, found.tier)
    return result


cpdef Peek peek(bytes body):
    if body is None:
        raise TypeError("a body is bytes, not None")
    cdef gw_body found
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(body)
    gw_read_body(&found, start, PyBytes_GET_SIZE(body))
    return peek_of(&found.peek, start)
