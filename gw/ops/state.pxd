# Compiled, a worker's block is a C struct.

from gw._fast.counters cimport Counters as Counters_
from gw._fast.counters cimport Slots as Slots_


cdef class Block:
    cdef public object state, _slots
    cdef public list _free
    cdef public int index, base
    cdef public Counters_ counters, own, shared
    cdef public Slots_ _names

    cpdef int take_slot(self, str call_id) except? -2
    cpdef give_slot(self, int slot)
    cpdef int ordinal(self, int slot) except? -2
