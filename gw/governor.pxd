# Compiled, the governor's parts are C structs.

from gw.admit.estimate cimport Estimator
from gw.admit.gate cimport CompiledPath, Gate, Half
from gw.admit.hold cimport Hold
from gw.domain.settled cimport Settled
from gw.ops.state cimport Block
from gw.settle cimport Call


cdef class Governor:
    cdef public object _worker
    cdef public Block _block
    cdef public Estimator _estimator
    cdef public Gate gate
    cdef public dict _queues

    cpdef admit(self, Call call, bytes plain)
    cpdef list headers(self, Call call)
    cpdef before_record(self, Call call, Hold hold)
    cpdef settle(self, Call call, Hold hold, Settled record)
    cpdef Hold _try(self, Call call, rules, estimate)
    cpdef _estimate(self, Call call, bytes plain, rules)


cpdef path_of(Call call)
