"""A look at a request body without building a tree: one pass of C over the bytes. The C and its rules are in peek.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t


cdef extern from "peek.h" nogil:
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

    void gw_peek_body(gw_peek *peek, const uint8_t *body, int64_t size) noexcept
    int64_t gw_span_text(const uint8_t *body, gw_span span, uint8_t *out) noexcept


# By the value of enum gw_peek_error.
cdef tuple ERRORS = (
    "", "not_object", "invalid_json", "trailing_data", "duplicate_model", "duplicate_stream", "duplicate_max_tokens",
    "bad_model", "bad_stream", "bad_max_tokens",
)


cdef str span_text(const uint8_t *body, gw_span span):
    """The string of a span, None if there is none."""
    if span.start < 0:
        return None
    cdef uint8_t *out = <uint8_t *>PyMem_Malloc(<size_t>(span.end - span.start))
    if out is NULL:
        raise MemoryError
    try:
        return PyUnicode_DecodeUTF8(<const char *>out, <Py_ssize_t>gw_span_text(body, span, out), "strict")
    finally:
        PyMem_Free(out)


cdef class Peek:
    cdef readonly str error
    cdef readonly int64_t error_offset
    cdef readonly str model
    cdef readonly int64_t model_start
    cdef readonly int64_t model_end
    cdef readonly bint stream
    cdef readonly int64_t max_tokens
    cdef readonly int ttl
    cdef readonly bint has_cache_control
    cdef readonly str user_id
    cdef readonly str speed
    cdef readonly str service_tier
    cdef readonly int64_t key_count


def peek(bytes body not None):
    cdef gw_peek found
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(body)
    gw_peek_body(&found, start, PyBytes_GET_SIZE(body))
    cdef Peek result = Peek.__new__(Peek)
    result.error = <str>ERRORS[found.error]
    result.error_offset = found.error_offset
    result.model = None
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
    result.speed = span_text(start, found.speed) or ""
    result.service_tier = span_text(start, found.tier) or ""
    return result
