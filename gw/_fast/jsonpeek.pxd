from libc.stdint cimport int64_t


cdef class Peek:
    cdef readonly str error, model, user_id, speed, service_tier
    cdef readonly int64_t error_offset, model_start, model_end, max_tokens, key_count
    cdef readonly int ttl
    cdef readonly bint stream, has_cache_control


cpdef Peek peek(bytes body)
