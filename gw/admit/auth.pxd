# Compiled, an Authenticator is a C struct.

cimport cython

from gw.domain.account cimport Account


cdef class Authenticator:
    cdef public object _keys
    cdef public bytes _pepper
    cdef public bint _passthrough, _stores_content
    cdef public dict _by_text, _by_credential

    cpdef authenticate(self, bytes gw_key, bytes api_key, bytes authorization, long long now_us)
    @cython.locals(account=Account)
    cdef Account _virtual(self, bytes text, long long now_us)
