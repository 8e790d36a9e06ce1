# Compiled, a Device is a C struct.


cdef class Device:
    cdef public bytes _pepper
    cdef public dict _cache

    cpdef tuple read(self, str user_id)
