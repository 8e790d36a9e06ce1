# Compiled, a place and its turns are C structs, and what the workers tell each other of it is read where it lies.

cimport cython

from gw.routing.affinity cimport Affinity
from gw.routing.breaker cimport Breaker


cdef class _Place:
    cdef public tuple id
    cdef public Breaker breaker
    cdef long long[:] shared
    cdef public long long heard_ns, latency_ns, latency_at_ns, left_until_ns
    cdef public int in_flight, left_permille


cdef class Turn:
    cdef public _Place place
    cdef public bint trial


cdef class _Usual:
    cdef tuple candidates, order, places


cdef class Health:
    cdef public Affinity affinity
    cdef public dict _orders
    cdef object _settings, _shared
    cdef double _decay
    cdef int _avoid
    cdef dict _places
    cdef long long _serial

    @cython.locals(known=_Usual, same=cython.bint)
    cpdef tuple pick(self, tuple candidates, long long now_ns, str session=*, str by=*)
    @cython.locals(place=_Place, warm=tuple)
    cdef bint _as_usual(self, _Usual usual, long long now_ns, str session) except? -1
    @cython.locals(known=_Place)
    cpdef Turn begin(self, tuple place, long long now_ns)
    @cython.locals(place=_Place, breaker=Breaker, until_ns=cython.longlong)
    cpdef end(
        self, Turn turn, verdict, long long now_ns, double retry_after_s=*, long long first_byte_ns=*, str session=*,
        long long ttl_ns=*,
    )
    @cython.locals(breaker=Breaker)
    cdef _judge(self, Turn turn, verdict, long long now_ns, double retry_after_s)
    cpdef answers(self, Turn turn, long long now_ns)
    @cython.locals(place=_Place)
    cpdef abandon(self, Turn turn)
    @cython.locals(known=_Place)
    cdef _Place _place(self, tuple place)
    @cython.locals(breaker=Breaker, down_ns=cython.longlong, heard_ns=cython.longlong)
    cdef long long _due_ns(self, _Place place, long long now_ns) except? -1
    cdef bint _is_short(self, _Place place, long long now_ns) except? -1
    cdef long long _latency(self, _Place place, long long now_ns) except? -1
    @cython.locals(kept=cython.double, mean=cython.longlong)
    cdef _observe(self, _Place place, long long took_ns, long long now_ns)


cpdef str key_of(str session, str model)
@cython.locals(known_ns=cython.longlong)
cdef _tell(_Place place, long long until_ns)
