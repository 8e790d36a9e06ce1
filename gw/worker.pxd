cdef str _numbered(str prefix, long long serial)
