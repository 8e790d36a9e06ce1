# Compiled, a Router is a C struct.

from gw.domain.account cimport Account
from gw.routing.decision cimport Decision


cdef class Router:
    cdef public tuple deployments, routes
    cdef public object rules, wants, names
    cdef public bint plain
    cdef object _rates, _expected
    cdef tuple _tiers, _patterns
    cdef dict _exact, _by_name, _memory, _settled
    cdef bint _by_name_alone

    cpdef Decision decide(self, Account account, asked)
    cpdef Decision settled(self, Account account, str model, bint own_login)
    cdef bint _is_settled(self, Account account, str model, bint own_login) except? -1
    cdef Decision _decided(self, Account account, asked, outcome)
