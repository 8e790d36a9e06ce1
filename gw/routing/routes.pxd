# Compiled, a Router is a C struct.


cdef class Router:
    cdef public tuple deployments, routes
    cdef public object rules, wants, names
    cdef public bint plain
    cdef object _rates, _expected
    cdef tuple _tiers, _patterns
    cdef dict _exact, _by_name, _memory, _settled
    cdef bint _by_name_alone

    cpdef settled(self, account, str model, bint own_login)
    cdef bint _is_settled(self, account, str model, bint own_login) except? -1
