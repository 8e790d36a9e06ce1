# Compiled, a Demand is a C struct.

cimport cython

from gw._fast.heads cimport Sent as Sent_
from gw.routing.health cimport Turn


cdef class Demand:
    cdef public object door, lost, _scope, _asked
    cdef public Turn turn
    cdef public Sent_ sent
    cdef public bytes query, body, plain, weighed
    cdef public list headers
    cdef public str model, effort, session
    cdef public long long max_tokens
    cdef public bint renamed

    @cython.locals(name=bytes)
    cpdef bint is_cunning(self) except? -1
    cpdef list left_out(self)
    cpdef let_go(self)
