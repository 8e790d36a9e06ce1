# Compiled, where a session has its cache is a C struct.

cimport cython


cdef class Home:
    cdef public str session
    cdef public tuple first, last
    cdef public long long first_ns, last_ns
    cdef public Home newer, older

    @cython.locals(at_first=cython.bint)
    cpdef bint is_nowhere_but(self, tuple place, long long now_ns) except? -1


cdef class Affinity:
    cdef long long _max
    cdef dict _homes
    cdef Home _ends

    @cython.locals(found=Home)
    cpdef Home home(self, str session)
    @cython.locals(home=Home)
    cpdef tuple preferred(self, str session, long long now_ns)
    @cython.locals(home=Home, until_ns=cython.longlong)
    cpdef note(self, str session, tuple place, long long now_ns, long long ttl_ns=*)
    @cython.locals(home=Home)
    cpdef forget(self, str session)
    @cython.locals(before=Home)
    cdef _last(self, Home home)


cdef bint _same(tuple one, tuple other) except? -1
@cython.locals(older=Home, newer=Home)
cdef _leave(Home home)
