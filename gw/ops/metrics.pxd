# Compiled, a counter costs an addition.

cimport cython

from gw._fast.counters cimport Counters as Counters_
from gw._fast.laps cimport Laps as Laps_
from gw.domain.settled cimport Settled as Settled_

cpdef observe_overhead(Counters_ counters, Laps_ laps)
@cython.locals(listed=cython.longlong, billed=cython.longlong)
cpdef observe(Counters_ counters, Settled_ call)

@cython.locals(milliseconds=cython.longlong, at=cython.int, bound=cython.longlong)
cdef _observe_time(Counters_ counters, int base, long long microseconds)
