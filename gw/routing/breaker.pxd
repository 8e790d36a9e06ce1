# Compiled, a Breaker is a C struct.

cimport cython


cdef int PARTS


cdef class Breaker:
    cdef object _settings
    cdef list _calls, _failures
    cdef long long _part, _window_ns
    cdef public str state
    cdef public long long until_ns, trial_until_ns
    cdef public int in_a_row, opened

    cpdef bint allows(self, long long now_ns) except? -1
    cpdef bint begin(self, long long now_ns) except? -1
    cpdef answers(self, long long now_ns)
    cpdef end(self, long long now_ns, bint failed, bint trial, long long cooldown_ns=*)
    cpdef abandon(self, bint trial)
    cpdef hear(self, long long now_ns, long long until_ns)
    cpdef rest(self, long long now_ns, long long for_ns)
    @cython.locals(own_ns=cython.longlong)
    cdef _open(self, long long now_ns, long long cooldown_ns)
    cdef _close(self)
    @cython.locals(part=cython.longlong, gone=cython.longlong)
    cdef _count(self, long long now_ns, bint failed)
    cdef bint _too_many(self) except? -1
