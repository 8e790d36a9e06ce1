# Compiled, an App is a C struct.


cdef class App:
    cdef public object worker, control, intake, ops
