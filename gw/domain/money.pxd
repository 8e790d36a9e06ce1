cdef str _fraction(long long part)
