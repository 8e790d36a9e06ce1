# Compiled, a Purse is a C struct.


cdef class Purse:
    cdef object _patience
    cdef long long _at_ns, _hundredths, _most, _percent

    cpdef call(self)
