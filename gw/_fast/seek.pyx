"""Bytes in bytes. A request's body is searched whole, and CPython looks at each of its bytes by itself. The C is in seek.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t


cdef extern from "seek.h" nogil:
    bint gw_holds(const uint8_t *whole, int64_t whole_size, const uint8_t *part, int64_t size) noexcept


cpdef bint holds(bytes whole, bytes part) except -1:
    if whole is None or part is None:
        raise TypeError("bytes are sought in bytes")
    if PyBytes_GET_SIZE(part) < 2:
        return part in whole
    return gw_holds(
        <const uint8_t *>PyBytes_AS_STRING(whole), PyBytes_GET_SIZE(whole),
        <const uint8_t *>PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part),
    )
