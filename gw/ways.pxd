# Compiled, a Way is a C struct, and what a healthy call asks of its ways are C calls.

cimport cython

from gw.demand cimport Demand
from gw.deployment cimport Deployment, Keyed
from gw.domain.account cimport Account
from gw.domain.settled cimport Settled
from gw.room cimport Room
from gw.routing.decision cimport Decision
from gw.routing.health cimport Course, Health, Spot, Turn, key_of
from gw.routing.ratelimit cimport speaks
from gw.routing.retry cimport Purse
from gw.routing.routes cimport Router
from gw.settle cimport Call
from gw.snapshot cimport Snapshot


cdef class Way:
    cdef public object candidate
    cdef public tuple id
    cdef public Deployment deployment
    cdef public Keyed keyed
    cdef public Room room
    cdef public Spot spot
    cdef public long long places_max
    cdef public str model, behind
    cdef public bint plain
    cdef bytes _query
    cdef tuple _asked

    cpdef tuple asked_for(self, Demand demand)


cdef class Stay:
    cdef public Account account
    cdef public str model, key
    cdef public Course course


cdef class Ways:
    cdef public Health health
    cdef public object patience
    cdef public Purse purse
    cdef public dict deployments, _rooms
    cdef object _worker, _warm
    cdef Router _router
    cdef dict _ways, _stays, _several, _credentials, _limits
    cdef public long long attempts_max
    cdef long long _sessions_max

    cpdef Decision decide(self, Call call, Demand demand)
    @cython.locals(stay=Stay, course=Course, now_ns=cython.longlong, same=cython.bint)
    cpdef Course order(self, Call call, Demand demand, Decision decision)
    @cython.locals(known=Stay)
    cdef Stay _stay(self, Call call, Demand demand)
    cdef tuple _each(self, tuple candidates)
    cpdef count(self, Way way, long long tokens=*)
    cpdef Way first(self, Course course, dict deployments)
    cpdef Way way(self, candidate, dict deployments)
    @cython.locals(record=Settled)
    cpdef warmed(self, Call call, Way way)
    @cython.locals(wall_us=cython.longlong)
    cpdef heard(self, Turn turn, int status, list headers, long long now_ns)
    @cython.locals(first_byte_ns=cython.longlong, ttl_ns=cython.longlong, retry_after_s=cython.double)
    cpdef ended(self, Call call, Demand demand, Turn turn, verdict)


@cython.locals(record=Settled)
cpdef verdict_of(Call call)
