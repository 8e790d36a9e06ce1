# Compiled, a Room is a C struct.

from gw.settle cimport Call


cdef class Room:
    cdef public str name
    cdef public long long taken
    cdef public object _queue
    cdef public dict _waiting

    cpdef bint takes(self, long long most) except? -1
    cpdef leave(self)
