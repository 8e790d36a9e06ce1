# Compiled, a place and its turns are C structs, and what the workers tell each other of it is read where it lies.

cimport cython

from gw.routing.affinity cimport Affinity, Home
from gw.routing.breaker cimport Breaker


cdef class Spot:
    cdef public tuple id
    cdef public Breaker breaker
    cdef long long[:] shared
    cdef public long long heard_ns, latency_ns, latency_at_ns, left_until_ns
    cdef public int in_flight, left_permille


cdef class Turn:
    cdef public Spot place
    cdef public bint trial
    cdef public long long began_ns, first_byte_ns


cdef class Course:
    cdef public tuple candidates, order, places
    cdef public str session
    cdef public Home home
    cdef public object way


cdef class Health:
    cdef public Affinity affinity
    cdef public dict _orders
    cdef object _settings, _shared
    cdef double _decay
    cdef int _avoid
    cdef dict _places
    cdef long long _serial

    cpdef tuple pick(self, tuple candidates, long long now_ns, str session=*, str by=*)
    @cython.locals(known=Course, same=cython.bint)
    cpdef Course course(self, tuple candidates, long long now_ns, str session, str by)
    @cython.locals(place=Spot, home=Home)
    cpdef bint holds(self, Course course, long long now_ns) except? -1
    cpdef Turn begin(self, tuple place, long long now_ns)
    @cython.locals(turn=Turn)
    cpdef Turn begin_at(self, Spot place, long long now_ns)
    @cython.locals(place=Spot, breaker=Breaker, until_ns=cython.longlong)
    cpdef end(
        self, Turn turn, verdict, long long now_ns, double retry_after_s=*, long long first_byte_ns=*, str session=*,
        long long ttl_ns=*,
    )
    @cython.locals(breaker=Breaker)
    cdef _judge(self, Turn turn, verdict, long long now_ns, double retry_after_s)
    cpdef answers(self, Turn turn, long long now_ns)
    @cython.locals(place=Spot)
    cpdef abandon(self, Turn turn)
    @cython.locals(known=Spot)
    cpdef Spot spot(self, tuple place)
    @cython.locals(breaker=Breaker, down_ns=cython.longlong, heard_ns=cython.longlong)
    cdef long long _due_ns(self, Spot place, long long now_ns) except? -1
    cdef bint _is_short(self, Spot place, long long now_ns) except? -1
    cdef long long _latency(self, Spot place, long long now_ns) except? -1
    @cython.locals(kept=cython.double, mean=cython.longlong)
    cdef _observe(self, Spot place, long long took_ns, long long now_ns)


cpdef str key_of(str session, str model)
@cython.locals(known_ns=cython.longlong)
cdef _tell(Spot place, long long until_ns)
