# Compiled, a Worker is a C struct.

from gw._fast.counters cimport Counters as Counters_
from gw._fast.heads cimport numbered
from gw.governor cimport Governor
from gw.ledger.journal cimport JournalWriter
from gw.ops.state cimport Block
from gw.ops.metrics cimport observe, observe_overhead
from gw.settle cimport Call, opened, settled, unpriced
from gw.snapshot cimport Snapshot


cdef class Worker:
    cdef public object state_dir, state, pool, content, _loop, _ticker, _ways, _pace, _awake
    cdef public Block block
    cdef public Governor governor
    cdef public JournalWriter journal
    cdef public Snapshot snapshot
    cdef public dict running, _seen
    cdef public str boot, name, _id_prefix
    cdef public long long _serial, _failed_version, _overdue_ns
    cdef public Counters_ _own, _shared

    cpdef str call_id(self)
    cpdef Call begin(self, str endpoint)
    cpdef end(self, Call call)
    cpdef open(self, Call call)
    cpdef settle(self, Call call, str outcome, str error)
    cpdef must_take(self)


cdef int IN_FLIGHT, DRAINING
cdef dict _tasks

