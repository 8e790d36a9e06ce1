# Compiled, where a session has its cache is a C struct.

cimport cython


cdef class Home:
    cdef public tuple first, last
    cdef public long long first_ns, last_ns


cdef class Affinity:
    cdef long long _max
    cdef object _homes, _known

    @cython.locals(home=Home)
    cpdef tuple preferred(self, str session, long long now_ns)
    @cython.locals(home=Home, until_ns=cython.longlong)
    cpdef note(self, str session, tuple place, long long now_ns, long long ttl_ns=*)
