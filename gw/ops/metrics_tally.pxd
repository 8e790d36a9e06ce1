# Compiled, the places of columns and figures are C integers.

cimport cython

from gw._fast.figures cimport Figures as Figures_

cdef int _ENDPOINT, _OUTCOME, _ERROR, _STARTED, _BYTE, _TOKEN, _ENDED, _STREAM, _SOURCE, _STATUS, _RETRIED
cdef int _LISTED, _PAID, _VERSION, _OUTPUT, _INPUT, _CACHE_READ, _ATTEMPTS, _SEEN
cdef int _CUSTOMER, _TEAM, _KEY_NAME, _KEY_ID, _CREDENTIAL, _UP, _PROJECT, _ASKED, _SERVED, _DIALECT
cdef int _TOKENS, _LIST, _BILLED, _HITS, _RETRIES, _UNPRICED, _CLASSES, _WHOLE, _BEGUN, _SPOKEN, _BETWEEN
cdef long long _COUNT_MAX, _PUSD_MAX, _USD
cdef tuple _BOUNDS, _AT


cdef class Place:
    cdef public Figures_ path, service, dialect
    cdef public tuple account


cdef class Tally:
    cdef public object adjusted
    cdef object _before
    cdef dict _paths, _services, _errors, _failures, _dialects, _named, _nameless

    @cython.locals(row=tuple)
    cpdef add(self, rows)
    @cython.locals(
        who=tuple, place=Place, path=Figures_, service=Figures_, status=cython.longlong, named=cython.bint,
        count=cython.longlong, listed=cython.longlong, billed=cython.longlong, nth=cython.int,
    )
    cdef _add(self, tuple row)


@cython.locals(
    started_us=cython.longlong, first_byte_us=cython.longlong, first_token_us=cython.longlong, ended_us=cython.longlong,
    count=cython.longlong, gap_us=cython.longlong,
)
cdef _add_times(Figures_ service, tuple row)
cdef long long _passed(long long since_us, long long until_us) except? -1
