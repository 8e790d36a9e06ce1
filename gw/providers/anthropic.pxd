# Compiled, it is a C function.

cdef dict _queried

cpdef bytes request_path(str endpoint, bytes query)
