# Compiled, it is a C struct.

from gw.admit.card cimport Trail
from gw.deployment cimport Deployment
from gw.domain.account cimport Account
from gw.pricing.book cimport Terms


cdef class Known:
    cdef public Account account
    cdef public Deployment deployment
    cdef public str device, model, session_id
    cdef public bytes who_columns, head, credential
    cdef public object rules
    cdef public tuple who
    cdef public Terms terms
    cdef public Trail trail
    cdef public long long version
    cdef public bint own_credential, ruled

    cpdef bint fits(
        self, Account account, Deployment deployment, str session_id, str device, str model, long long version
    ) except -1
    cpdef Trail trail_of(self, estimator)
