# Compiled, the governor's parts are C structs.

cimport cython

from gw.clock cimport wall_us
from gw.admit.card cimport Estimate, Trail
from gw.admit.estimate cimport Estimator, nusd
from gw.admit.gate cimport CompiledPath, Gate, Half, charge_debts, shadowed
from gw.admit.hold cimport Hold
from gw.domain.settled cimport Settled
from gw.ops.state cimport Block
from gw.known cimport Known
from gw.settle cimport Call, columns_of
from gw._fast.jsonpeek cimport Peek as Peek_
from gw._fast.usage cimport Found as Found_
from gw._fast.weigh cimport Weight as Weight_
from gw._fast.weigh cimport weigh
from gw._fast.heads cimport amount_text


cdef class Governor:
    cdef public object _worker
    cdef public Block _block
    cdef public Estimator _estimator
    cdef public Gate gate
    cdef public dict _queues

    cpdef admit(self, Call call, bytes plain)
    @cython.locals(
        path=CompiledPath, half=Half, native=cython.bint, words=cython.longlong, tightest=cython.longlong,
        remaining=cython.longlong, fullest=cython.longlong, percent=cython.longlong,
    )
    cpdef list headers(self, Call call)
    @cython.locals(path=CompiledPath)
    cpdef before_record(self, Call call, Hold hold)
    @cython.locals(who=tuple, found=Found_, inputs=cython.longlong, path=CompiledPath)
    cpdef settle(self, Call call, Hold hold, Settled record)
    @cython.locals(path=CompiledPath, hold=Hold, slot=cython.int, second=cython.int, first=cython.int, ordinals=tuple, two=cython.bint, attempt=cython.int)
    cpdef Hold _try(self, Call call, rules, Estimate estimate)
    @cython.locals(weight=Weight_, peek=Peek_, who=tuple, trail=Trail)
    cpdef Estimate _estimate(self, Call call, bytes plain, rules)


cdef int SESSION, AGENT, MODEL, SLOTS_TRIED

@cython.locals(known=Known)
cdef rules_of(Call call)
cpdef tuple path_of(Call call)
