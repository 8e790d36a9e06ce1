# Compiled, the time is a C integer.

cimport cython


@cython.locals(now=cython.longlong)
cpdef long long wall_us() except? -1
