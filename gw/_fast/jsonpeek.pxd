from libc.stdint cimport int64_t, uint8_t

from gw._fast.weigh cimport Weight


cdef class Peek:
    cdef readonly str error, model, user_id, speed, service_tier
    cdef readonly int64_t error_offset, model_start, model_end, max_tokens, key_count
    cdef readonly int ttl
    cdef readonly bint stream, has_cache_control
    cdef readonly Weight weight


# `seen`: a struct gw_peek of the body that begins at `start`; void, so that who imports this needs no C header.
cdef Peek peek_of(const void *seen, const uint8_t *start)
cpdef Peek peek(bytes body)
