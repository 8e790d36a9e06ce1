# Compiled, a Way is a C struct, and what a healthy call asks of its ways are C calls.

cimport cython

from gw.demand cimport Demand
from gw.deployment cimport Deployment, Keyed
from gw.domain.settled cimport Settled
from gw.routing.health cimport Health, Turn, key_of
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
    cdef public str model, behind
    cdef public bint plain
    cdef bytes _query
    cdef tuple _asked

    cpdef tuple asked_for(self, Demand demand)


cdef class Ways:
    cdef public Health health
    cdef public object patience
    cdef public Purse purse
    cdef public dict deployments, _taken, _queues, _waiting
    cdef object _worker, _warm
    cdef Router _router
    cdef dict _ways, _several, _credentials, _limits
    cdef long long _sessions_max

    cpdef decide(self, Call call, Demand demand)
    cpdef tuple order(self, Call call, Demand demand, decision)
    cdef tuple _each(self, tuple candidates)
    cpdef Way way(self, candidate, dict deployments)
    cpdef str session_of(self, Call call, Demand demand)
    @cython.locals(record=Settled)
    cpdef warmed(self, Call call, Way way)
    @cython.locals(wall_us=cython.longlong)
    cpdef heard(self, Turn turn, int status, list headers)
    @cython.locals(first_byte_ns=cython.longlong, ttl_ns=cython.longlong)
    cpdef ended(self, Call call, Demand demand, Turn turn, verdict, long long began_us)
    @cython.locals(taken=cython.longlong)
    cpdef bint takes(self, Deployment deployment) except? -1
    cpdef leave(self, Deployment deployment)


@cython.locals(record=Settled)
cpdef verdict_of(Call call)
