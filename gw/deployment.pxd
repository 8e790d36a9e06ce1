# Compiled, a Deployment is a C struct.

cimport cython

from gw._fast.seek cimport holds


cdef class Keyed:
    cdef public str name
    cdef public int weight
    cdef public long long requests_per_min, tokens_per_min
    cdef public object credential
    cdef public bytes line


cdef class Deployment:
    cdef public str name, provider, region, secret_name, base_url
    cdef public bytes credential, extra
    cdef public tuple models, named, accounts, _models
    cdef public dict _quirks, _lines
    cdef public object target, place, rules
    cdef public int max_retries
    cdef public bint plain

    @cython.locals(begins=bytes, behind=bytes, line=bytes, made=bytes)
    cpdef bytes lines_beside(self, str dialect, bytes head)
