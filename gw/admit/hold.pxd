from gw._fast.cells cimport Slot as Slot_


cdef class Hold:
    cdef public object path, estimate, look_at
    cdef public Slot_ typical, worst
    cdef public tuple slots
    cdef public long long at_most_nusd, held_nusd
