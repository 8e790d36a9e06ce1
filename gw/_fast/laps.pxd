from libc.stdint cimport int64_t

from gw._fast.counters cimport Counters

cdef enum:
    PARTS_MAX = 8


cdef class Laps:
    cdef readonly int64_t since_ns
    cdef int64_t ns[PARTS_MAX]

    cpdef lap(self, int part)
    cpdef skip(self)
    cpdef record(self, Counters counters, int at, tuple bounds_ns, int governed)
