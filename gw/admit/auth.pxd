# Compiled, an Authenticator is a C struct.

cimport cython

from gw.domain.account cimport Account


cdef class Caller:
    cdef readonly Account account
    cdef readonly bint own_credential


cdef class Authenticator:
    cdef public object _keys
    cdef public bytes _pepper
    cdef public bint _passthrough, _stores_content
    cdef public dict _by_text, _by_credential

    @cython.locals(account=Account, own=cython.bint)
    cpdef Caller authenticate(self, bytes gw_key, bytes api_key, bytes authorization, long long now_us)
    @cython.locals(account=Account)
    cdef Account _virtual(self, bytes text, long long now_us)
