# Compiled, it is a C function.

cpdef bytes request_path(str endpoint, bytes query)
