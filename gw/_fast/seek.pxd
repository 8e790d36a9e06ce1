cpdef bint holds(bytes whole, bytes part) except -1
