# Compiled, most answers cost a look at the first letters of their headers.

cimport cython


@cython.locals(name=bytes)
cpdef bint speaks(list headers) except? -1
