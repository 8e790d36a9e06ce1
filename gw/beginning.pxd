# Compiled, it is a C function.

cimport cython

from gw.upstream.response cimport Response


@cython.locals(chunk=bytes, begins=bytes)
cpdef bint is_answer(Response response) except? -1
