from gw._fast.cells cimport Slot as Slot_
from gw.admit.card cimport Estimate


cdef class Hold:
    cdef public object path, look_at
    cdef public Estimate estimate
    cdef public Slot_ typical, worst
    cdef public tuple slots
    cdef public long long at_most_nusd, held_nusd

    cpdef post(self, nusd, bint sure=*)
