# Compiled, what a path means is a C struct.

cimport cython

from gw._fast.bucket cimport Limit as Limit_
from gw._fast.bucket cimport Limits as Limits_
from gw._fast.cells cimport Cells as Cells_
from gw._fast.cells cimport Path as Path_
from gw._fast.cells cimport Slot as Slot_
from gw.admit.hold cimport Hold as Hold_


cdef class Rate:
    cdef public object limit
    cdef public str account, kind
    cdef public Limit_ bucket


cdef class Half:
    cdef public tuple items
    cdef public Path_ path


cdef class CompiledPath:
    cdef public tuple debts, halves, request_rates
    cdef public dict said
    cdef public list said_last
    cdef public long long said_words
    cdef public Half typical, worst
    cdef public Limits_ requests
    cdef public long long since_us, until_us
    cdef public bint shades


cdef class Gate:
    cdef public Cells_ cells
    cdef public object _buckets
    cdef public dict _compiled, _slots

    cpdef Slot_ slot(self, int ordinal)
    cpdef CompiledPath compiled(self, rules, long long at_us)
    @cython.locals(rate=Rate, wait_ns=cython.longlong)
    cpdef take_rates(self, CompiledPath path, long long now_ns)
    cpdef give_rates(self, CompiledPath path)
    cpdef Hold_ hold(self, CompiledPath path, long long typical, long long worst, slots, long long at_us)
    cpdef _hold(self, Slot_ slot, Half half, long long amount, long long at_us)


cdef int TRIES

@cython.locals(rate=Rate, units=cython.longlong)
cpdef charge_debts(CompiledPath path, long long inputs, long long outputs, cost_nusd, long long now_ns)
cpdef str shadowed(Hold_ hold)
